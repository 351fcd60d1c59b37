//! The library: the current version of every module, compiled and ready to run.

use std::collections::HashMap;
use std::sync::Arc;

use modules::{Catalog, Unknown, Version};
use sandbox::{Functions, Grants, Module};
use task::{FunctionName, FunctionSpec, Options};

/// Every module this worker can run. Replaced as a whole when a version changes; runs that have begun keep
/// what they began with.
#[derive(Clone, Default)]
pub(crate) struct Library {
    /// What is deployed, compiled or not.
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) shelf: HashMap<String, Arc<Loaded>>,
}

/// One module's version on the shelf.
pub(crate) struct Loaded {
    pub(crate) module: String,
    pub(crate) version: Version,
    pub(crate) code: Code,
    pub(crate) grants: Grants,
}

/// Whether a version can be run here.
pub(crate) enum Code {
    /// It is compiled.
    Ready(Module),
    /// This worker cannot run it, and says why.
    Refused(String),
}

impl Library {
    /// What a function name means.
    pub(crate) fn resolve(&self, name: &FunctionName) -> Result<(&Arc<Loaded>, &FunctionSpec), Unknown> {
        let loaded = self.shelf.get(name.module()).ok_or(Unknown::Module)?;
        let function = loaded.version.function(name.function()).ok_or(Unknown::Function)?;
        Ok((loaded, function))
    }
}

/// What runs may know of the functions that they enqueue.
impl Functions for Library {
    fn options(&self, name: &FunctionName) -> Option<&Options> {
        // What is deployed, whether this worker can run it yet or not.
        self.catalog.resolve(name).ok().map(|resolved| &resolved.function.options)
    }
}
