//! `margay new`: a task project that builds.
//!
//! The SDK comes with the command, as sources in the project's `vendor` folder: a new project builds with
//! this version of Margay wherever it lies, and its authors can read what they link.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result};
use include_dir::{Dir, include_dir};
use serde_json::json;

use crate::args::{Common, New};
use crate::{print, usage};

static TEMPLATE: Dir = include_dir!("$CARGO_MANIFEST_DIR/template");
static SDK: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../sdk/rust");
static WIT: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../wit");
const MEMBERS: [&str; 2] = ["sdk/rust", "sdk/rust/macros"];
const WORKSPACE: &str = include_str!("../../../../Cargo.toml");

pub fn run(common: &Common, flags: &New) -> Result<()> {
    let name = &flags.name;
    check(name)?;
    let project = Path::new(name);
    if project.exists() {
        return Err(usage(format!("`{name}` is there already; choose another name")));
    }
    for file in files(&TEMPLATE) {
        let text = file.contents_utf8().unwrap_or_default().replace("{{name}}", name);
        let text = text.replace("{{crate}}", &name.replace('-', "_"));
        // A manifest inside this package would cut its folder off from it, so templates are named apart.
        let path = file.path().to_string_lossy().replace(".template", "");
        write(&project.join(path), text.as_bytes())?;
    }
    write_sdk(&project.join("vendor/margay"))?;
    if common.json {
        return print::json(&json!({ "project": name }));
    }
    print::line(format!("made the task project `{name}`"));
    eprintln!("  cd {name} && margay build");
    Ok(())
}

fn check(name: &str) -> Result<()> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if starts_well && name.chars().all(plain) {
        return Ok(());
    }
    Err(usage(format!("`{name}` is not a project's name; use lower-case letters, digits, `_` and `-`")))
}

/// The SDK as a small workspace of its own, with this repository's versions and lints.
fn write_sdk(folder: &Path) -> Result<()> {
    for file in files(&SDK).filter(|file| !file.path().starts_with("tests")) {
        write(&folder.join("sdk/rust").join(file.path()), file.contents())?;
    }
    for file in files(&WIT) {
        write(&folder.join("wit").join(file.path()), file.contents())?;
    }
    write(&folder.join("Cargo.toml"), toml::to_string(&sdk_workspace()?)?.as_bytes())
}

/// This repository's manifest with only the SDK in it, and what the SDK depends on.
fn sdk_workspace() -> Result<toml::Table> {
    let mut manifest: toml::Table = WORKSPACE.parse().context("the workspace's manifest")?;
    manifest.retain(|section, _| section == "workspace");
    let needed = sdk_dependencies()?;
    if let Some(toml::Value::Table(workspace)) = manifest.get_mut("workspace") {
        workspace.insert("members".to_owned(), MEMBERS.to_vec().into());
        workspace.remove("exclude");
        if let Some(toml::Value::Table(dependencies)) = workspace.get_mut("dependencies") {
            dependencies.retain(|name, _| needed.contains(name));
        }
    }
    Ok(manifest)
}

fn sdk_dependencies() -> Result<HashSet<String>> {
    let mut needed = HashSet::new();
    for file in files(&SDK).filter(|file| file.path().ends_with("Cargo.toml")) {
        let manifest: toml::Table =
            file.contents_utf8().unwrap_or_default().parse().context("the SDK's manifest")?;
        let sections = manifest.iter().filter(|(section, _)| section.ends_with("dependencies"));
        needed.extend(
            sections
                .filter_map(|(_, section)| section.as_table())
                .flat_map(|section| section.keys().cloned()),
        );
    }
    Ok(needed)
}

fn files<'a>(folder: &'a Dir<'a>) -> Box<dyn Iterator<Item = &'a include_dir::File<'a>> + 'a> {
    Box::new(folder.files().chain(folder.dirs().flat_map(files)))
}

fn write(path: &Path, contents: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    std::fs::write(path, contents).with_context(|| format!("cannot write `{}`", path.display()))
}
