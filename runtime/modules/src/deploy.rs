//! Deploy: a checked component becomes the current version of a module, in one step.

use queue::Script;
use redis::Value;
use serde::Serialize;
use task::{FunctionSpec, RetryMethod, Schedule, Timestamp, check_module_name};

use crate::store::{Error, Store, digest};

static DEPLOY: Script = Script::new("deploy a module", include_str!("deploy.lua"));

/// What a deploy did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deployed {
    /// The module.
    pub module: String,
    /// The number of its current version.
    pub version: u32,
    /// SHA-256 of the component.
    pub digest: String,
    /// False where this very component was current already.
    pub new: bool,
}

/// A version's record before it has its number.
#[derive(Serialize)]
struct Unnumbered<'a> {
    digest: &'a str,
    size: usize,
    deployed: Timestamp,
    functions: &'a [FunctionSpec],
}

impl Store {
    /// Makes `component` the current version of `module`. The description must be the component's own; where
    /// it names functions of the module, the record has their full names.
    pub async fn deploy(
        &self,
        module: &str,
        component: &[u8],
        functions: &[FunctionSpec],
        now: Timestamp,
    ) -> Result<Deployed, Error> {
        check_module_name(module)?;
        let functions: Vec<FunctionSpec> =
            functions.iter().map(|function| with_full_names(function.clone(), module)).collect();
        let digest = digest(component);
        let record =
            Unnumbered { digest: &digest, size: component.len(), deployed: now, functions: &functions };
        let record = serde_json::to_string(&record).expect("a record has only plain fields");
        let mut call = DEPLOY.call(&self.client);
        call.arg(module).arg(&digest).arg(component).arg(record);
        let answer = DEPLOY.run(&self.client, &call).await?;
        match answer {
            Value::Array(parts) => match parts.as_slice() {
                [Value::Int(version), Value::Int(new)] => {
                    let version = u32::try_from(*version).map_err(|_| DEPLOY.unexpected(version))?;
                    Ok(Deployed { module: module.to_owned(), version, digest, new: *new == 1 })
                }
                other => Err(DEPLOY.unexpected(&other).into()),
            },
            other => Err(DEPLOY.unexpected(&other).into()),
        }
    }
}

/// A description does not know under which name its module is deployed; who reads the record need not care.
fn with_full_names(mut function: FunctionSpec, module: &str) -> FunctionSpec {
    let make_full = |name: &mut String| {
        if !name.contains(':') {
            *name = format!("{module}:{name}");
        }
    };
    if let Some(RetryMethod::Custom { function, .. }) = &mut function.options.retry_method {
        make_full(function);
    }
    if let Some(Schedule::Custom(function)) = &mut function.options.schedule {
        make_full(function);
    }
    function
}
