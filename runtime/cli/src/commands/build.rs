//! `margay build`: a task project becomes a checked component.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;

use super::component::{Component, functions_table};
use crate::args::{Build, Common};
use crate::toolchain::{TARGET, Toolchain};
use crate::{print, usage};

pub async fn run(common: &Common, flags: &Build) -> Result<()> {
    if !flags.path.join("Cargo.toml").is_file() {
        let folder = flags.path.display();
        return Err(usage(format!(
            "`{folder}` is no task project: it has no Cargo.toml; make one with `margay new`"
        )));
    }
    let path = compile(&flags.path)?;
    let component = Component::load(&path, None).await?;
    if common.json {
        return print::json(&json!({
            "component": path,
            "size": component.bytes.len(),
            "digest": modules::digest(&component.bytes),
            "functions": component.functions,
        }));
    }
    print::line(functions_table(&component.functions));
    print::line(format!("{} ({})", path.display(), print::bytes(component.bytes.len() as u64)));
    Ok(())
}

/// One of cargo's messages.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// Compiles the project and answers where its component is. Cargo's own messages go to standard error.
fn compile(project: &Path) -> Result<PathBuf> {
    let built = Toolchain::find(project)?
        .cargo(project)
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !built.status.success() {
        bail!("`{}` does not compile; see above", project.display());
    }
    let messages = built.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let artifacts = messages.filter_map(|line| serde_json::from_slice::<Message>(line).ok());
    let mut components = artifacts
        .filter(|message| message.reason == "compiler-artifact")
        .filter(|message| {
            message.target.as_ref().is_some_and(|target| target.kind.iter().any(|kind| kind == "cdylib"))
        })
        .flat_map(|message| message.filenames)
        .filter(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    components.next_back().with_context(|| {
        format!(
            "`{}` makes no component; add `crate-type = [\"cdylib\"]` to [lib] in its Cargo.toml",
            project.display()
        )
    })
}
