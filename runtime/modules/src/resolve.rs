//! Resolve: from a function's full name to the version and the function it means now.

use std::collections::BTreeMap;

use task::{FunctionName, FunctionSpec};

use crate::Version;

/// The current version of every module.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    modules: BTreeMap<String, Version>,
}

/// What a function name means now.
#[derive(Clone, Copy, Debug)]
pub struct Resolved<'a> {
    /// The module's current version.
    pub version: &'a Version,
    /// The function in it.
    pub function: &'a FunctionSpec,
}

/// Why a function name means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// No module of this name is deployed.
    Module,
    /// The module's current version has no such function.
    Function,
}

impl Catalog {
    /// A catalogue of these current versions, by module name.
    pub fn new(modules: BTreeMap<String, Version>) -> Catalog {
        Catalog { modules }
    }

    /// All modules with their current versions, by name.
    pub fn modules(&self) -> impl Iterator<Item = (&str, &Version)> {
        self.modules.iter().map(|(name, version)| (name.as_str(), version))
    }

    /// The current version of a module.
    pub fn module(&self, name: &str) -> Option<&Version> {
        self.modules.get(name)
    }

    /// What a function name means.
    pub fn resolve(&self, name: &FunctionName) -> Result<Resolved<'_>, Unknown> {
        let version = self.module(name.module()).ok_or(Unknown::Module)?;
        let function = version.function(name.function()).ok_or(Unknown::Function)?;
        Ok(Resolved { version, function })
    }
}

impl Version {
    /// The function of this name.
    pub fn function(&self, name: &str) -> Option<&FunctionSpec> {
        self.functions.iter().find(|function| function.name == name)
    }
}
