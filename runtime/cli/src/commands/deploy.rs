//! `margay deploy`.

use anyhow::Result;
use modules::Store;
use task::check_module_name;

use super::component::{Component, module_name};
use super::connect;
use crate::args::{Common, Deploy};
use crate::{print, usage};

pub async fn run(common: &Common, flags: &Deploy) -> Result<()> {
    let name = flags.name.clone().unwrap_or_else(|| module_name(&flags.component));
    check_module_name(&name).map_err(|error| usage(format!("{error}; name it with --name")))?;
    let component = Component::load(&flags.component, None).await?;
    let store = Store::new(connect(common).await?);
    let deployed = store.deploy(&name, &component.bytes, &component.functions, queue::now()).await?;
    if common.json {
        return print::json(&deployed);
    }
    let state = if deployed.new { "is live" } else { "was live already" };
    let size = print::bytes(component.bytes.len() as u64);
    print::line(format!(
        "{name} version {} {state} ({size}, {})",
        deployed.version,
        print::short(&deployed.digest)
    ));
    Ok(())
}
