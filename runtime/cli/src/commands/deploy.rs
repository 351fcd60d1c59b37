//! `margay deploy`.

use anyhow::Result;
use modules::Store;
use task::check_module_name;

use super::component::{Component, module_name};
use super::{connect, schedule};
use crate::args::{Common, Deploy};
use crate::config::Config;
use crate::{print, usage};

pub async fn run(common: &Common, flags: &Deploy) -> Result<()> {
    let name = flags.name.clone().unwrap_or_else(|| module_name(&flags.component));
    check_module_name(&name).map_err(|error| usage(format!("{error}; name it with --name")))?;
    let component = Component::load(&flags.component, None).await?;
    let default_queue = Config::load(common)?.default_queue()?;
    let client = connect(common).await?;
    let store = Store::new(client.clone());
    let before = store.catalog().await?;
    let deployed = store.deploy(&name, &component.bytes, &component.functions, queue::now()).await?;
    let after = store.catalog().await?;
    let planned = match after.module(&name) {
        Some(version) => {
            let (component, default_queue) = (&component, default_queue.as_str());
            let before = before.module(&name);
            let deploy = schedule::Deploy { module: &name, component, before, after: version, default_queue };
            deploy.plan(&client, queue::now()).await?
        }
        None => Vec::new(),
    };
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
    for (function, due) in planned {
        print::line(format!("{name}:{function} runs next at {}", print::time(due)));
    }
    Ok(())
}
