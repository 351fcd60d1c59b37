//! `margay modules`.

use anyhow::{Result, bail};
use modules::Store;
use serde_json::json;

use super::component::functions_table;
use super::connect;
use crate::args::{Common, Modules};
use crate::print;

pub async fn run(common: &Common, verb: Modules) -> Result<()> {
    let store = Store::new(connect(common).await?);
    match verb {
        Modules::List => list(common, &store).await,
        Modules::Show { name } => show(common, &store, &name).await,
    }
}

async fn list(common: &Common, store: &Store) -> Result<()> {
    let catalog = store.catalog().await?;
    if common.json {
        let all: Vec<_> =
            catalog.modules().map(|(name, version)| json!({ "module": name, "current": version })).collect();
        return print::json(&all);
    }
    let mut table = print::table(["MODULE", "VERSION", "DEPLOYED", "SIZE", "DIGEST", "FUNCTIONS"]);
    for (name, version) in catalog.modules() {
        let functions: Vec<&str> = version.functions.iter().map(|function| function.name.as_str()).collect();
        table.add_row([
            name.to_owned(),
            version.version.to_string(),
            print::time(version.deployed),
            print::bytes(version.size),
            print::short(&version.digest).to_owned(),
            functions.join(", "),
        ]);
    }
    print::line(table);
    Ok(())
}

async fn show(common: &Common, store: &Store, name: &str) -> Result<()> {
    let versions = store.versions(name).await?;
    let Some(current) = versions.last() else {
        bail!("no module `{name}` is deployed; see `margay modules list`");
    };
    if common.json {
        return print::json(&json!({ "module": name, "current": current, "versions": versions }));
    }
    print::line(functions_table(&current.functions));
    let mut table = print::table(["VERSION", "DEPLOYED", "SIZE", "DIGEST"]);
    for version in versions.iter().rev() {
        let (size, deployed) = (print::bytes(version.size), print::time(version.deployed));
        table.add_row([version.version.to_string(), deployed, size, version.digest.clone()]);
    }
    print::line(table);
    Ok(())
}
