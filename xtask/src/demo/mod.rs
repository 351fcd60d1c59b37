//! Demo: strangers' pictures go through a sandbox, one task each, on a Margay that lives as long as this does.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use tempfile::TempDir;

use crate::process::{Interrupted, Misuse, call, cargo};
use crate::{guests, root, setup};

mod photos;
mod pictures;

mod runtime;
mod work;

mod table;

use photos::Photo;
use runtime::Dev;
use work::Finished;

/// What `cargo xtask demo` takes.
#[derive(Args)]
pub struct Arguments {
    /// Where the photos are (PNG, JPEG, WebP); a few pictures are painted if none is given
    directory: Option<PathBuf>,

    /// Where the thumbnails go
    #[arg(long, value_name = "DIR", default_value_os_t = root().join("target/demo/thumbnails"), hide_default_value = true)]
    out: PathBuf,

    /// The longer side of a thumbnail, in pixels
    #[arg(long, default_value_t = 256)]
    size: u32,
}

/// What is where during a demo. The folder is gone with this value.
struct Stage {
    home: TempDir,
    photos: PathBuf,
    thumbnails: PathBuf,
    component: PathBuf,
    margay: PathBuf,
}

/// Shows Margay at work.
pub fn run(arguments: &Arguments) -> Result<()> {
    // What cannot work is said before anything is built.
    let given = arguments.directory.as_deref().map(photos::in_directory).transpose()?;
    let thumbnails = prepare(&arguments.out, arguments.directory.as_deref())?;

    setup::run()?;
    let component = guests::build("examples/thumbnails")?;
    let margay = build_margay()?;

    // A short name: the path of a socket may have some hundred bytes, and no more.
    let home =
        tempfile::Builder::new().prefix("margay-").tempdir().context("cannot make a temporary folder")?;
    let photos = match &arguments.directory {
        Some(directory) => directory.canonicalize()?,
        None => home.path().join("photos"),
    };
    let stage = Stage { home, photos, thumbnails, component, margay };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (photos, finished) = runtime.block_on(perform(&stage, given, arguments.size))?;

    table::print(&photos, &finished, &stage.thumbnails);
    let failures = finished.iter().filter(|one| one.made.is_err()).count();
    if failures > 0 {
        bail!("{failures} of {} tasks failed", finished.len());
    }
    Ok(())
}

/// Makes the folder for the thumbnails.
fn prepare(out: &Path, photos: Option<&Path>) -> Result<PathBuf> {
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder `{}`", out.display()))?;
    let out = out.canonicalize()?;
    let same = photos.is_some_and(|photos| photos.canonicalize().is_ok_and(|photos| photos == out));
    if same {
        let message = "the thumbnails would overwrite the photos; name another folder with --out";
        return Err(Misuse(message.to_owned()).into());
    }
    Ok(out)
}

fn build_margay() -> Result<PathBuf> {
    eprintln!("building the `margay` binary");
    // The whole workspace's, so that the tests find the same build of what they depend on.
    call(cargo().args(["build", "--quiet", "--workspace", "--bins"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(root().join(target).join("debug/margay"))
}

/// Everything that runs beside a child process, so that it is stopped whatever happens.
async fn perform(stage: &Stage, given: Option<Vec<Photo>>, size: u32) -> Result<(Vec<Photo>, Vec<Finished>)> {
    let interrupted = runtime::interrupted()?;
    let photos = match given {
        Some(photos) => photos,
        None => pictures::paint_all(&stage.photos)?,
    };
    let (mut dev, ready) = Dev::start(stage)?;
    let play = async {
        let redis = ready.await?;
        runtime::deploy(stage, &redis).await?;
        work::resize_all(&redis, &photos, size).await
    };
    let outcome = tokio::select! {
        finished = play => finished,
        error = dev.gone() => Err(error),
        () = interrupted => Err(Interrupted.into()),
    };
    dev.stop().await;
    match outcome {
        Ok(finished) => Ok((photos, finished)),
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => Err(dev.with_its_last_words(error)),
    }
}
