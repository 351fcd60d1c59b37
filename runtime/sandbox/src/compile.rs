//! From bytes to a module that can run: checked, compiled, linked.
//!
//! A component that asks for more than a task may have is refused here, before any of its code runs.

use std::sync::Arc;

use thiserror::Error;
use wasmtime::component::Component;

use crate::Sandbox;
use crate::bindings::TaskModulePre;
use crate::host::State;

/// A compiled component, ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    pub(crate) pre: Arc<TaskModulePre<State>>,
}

/// Why a component cannot be a task module.
#[derive(Debug, Error)]
pub enum Refusal {
    /// Not WebAssembly at all.
    #[error("is not a WebAssembly component; build one for `wasm32-wasip2`")]
    NotAComponent,
    /// WebAssembly, but of the older kind.
    #[error("is a core WebAssembly module, not a component; build it for `wasm32-wasip2`")]
    CoreModule,
    /// Too many bytes.
    #[error("has {size_bytes} bytes; the limit is {limit_bytes}, see `max_component_bytes`")]
    TooBig {
        /// How large it is.
        size_bytes: u64,
        /// How large it may be.
        limit_bytes: u64,
    },
    /// It asks for what no task may have.
    #[error("imports {}, which tasks may not use; remove what needs it", quoted(.names))]
    ForbiddenImport {
        /// The imports that are not allowed.
        names: Vec<String>,
    },
    /// It is no task module.
    #[error("does not export `margay:task/tasks`; export your functions with `margay_sdk::export!`")]
    NoTasks,
    /// A task module for another runtime.
    #[error("is built for `{found}`, and this is `margay:task@0.1`; build it with a matching SDK")]
    WrongVersion {
        /// The interface that it has, with its version.
        found: String,
    },
    /// It uses component functions that are asynchronous.
    #[error("uses the asynchronous component ABI, which is not supported; build it for `wasm32-wasip2`")]
    Asynchronous,
    /// It is invalid, or larger in some way than a slot.
    #[error("cannot be compiled: {0}")]
    Compile(String),
    /// An import or export has another type than the contract says.
    #[error("does not fit the contract `margay:task@0.1`: {0}")]
    Unlinkable(String),
    /// It has no valid answer to `describe`.
    #[error("has no valid description: {0}")]
    BadDescription(String),
    /// The runtime itself failed; the component may be good.
    #[error("could not be checked: {0}")]
    Host(String),
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

impl Sandbox {
    /// Checks and compiles a component. Takes from milliseconds to seconds of CPU time on all cores: call
    /// it where blocking is allowed, and not too often at once.
    pub fn compile(&self, component: &[u8]) -> Result<Module, Refusal> {
        self.check_header(component)?;
        let inner = &self.inner;
        let component = Component::from_binary(&inner.engine, component).map_err(compile_error)?;
        check_names(&component)?;
        let unlinkable = |error: wasmtime::Error| Refusal::Unlinkable(format!("{error:#}"));
        let pre = inner.linker.instantiate_pre(&component).map_err(unlinkable)?;
        let pre = TaskModulePre::new(pre).map_err(unlinkable)?;
        // Now, and not in the first run.
        component.initialize_copy_on_write_image().map_err(|error| Refusal::Host(format!("{error:#}")))?;
        Ok(Module { pre: Arc::new(pre) })
    }

    fn check_header(&self, component: &[u8]) -> Result<(), Refusal> {
        let (size_bytes, limit_bytes) = (component.len() as u64, self.inner.settings.max_component_bytes);
        if size_bytes > limit_bytes {
            return Err(Refusal::TooBig { size_bytes, limit_bytes });
        }
        // The magic number, the version, and the layer: 0 for core modules, 1 for components.
        match component {
            [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
            [0, b'a', b's', b'm', _, _, 0, 0, ..] => Err(Refusal::CoreModule),
            _ => Err(Refusal::NotAComponent),
        }
    }
}

fn compile_error(error: wasmtime::Error) -> Refusal {
    let message = format!("{error:#}");
    if message.contains("component model async") {
        return Refusal::Asynchronous;
    }
    Refusal::Compile(message)
}

const OUR_IMPORTS: [&str; 3] = ["margay:task/types", "margay:task/context", "margay:task/log"];
const OUR_EXPORT: &str = "margay:task/tasks";
const WASI_PACKAGES: [&str; 5] = ["wasi:cli", "wasi:clocks", "wasi:random", "wasi:io", "wasi:filesystem"];

fn check_names(component: &Component) -> Result<(), Refusal> {
    let (engine, ty) = (component.engine(), component.component_type());
    let mut forbidden = Vec::new();
    for (name, _) in ty.imports(engine) {
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        if OUR_IMPORTS.contains(&interface) {
            check_version(name, version)?;
            continue;
        }
        let package = interface.split('/').next().unwrap_or_default();
        if !WASI_PACKAGES.contains(&package) || !version.starts_with("0.2.") {
            forbidden.push(name.to_owned());
        }
    }
    if !forbidden.is_empty() {
        return Err(Refusal::ForbiddenImport { names: forbidden });
    }
    for (name, _) in ty.exports(engine) {
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        if interface == OUR_EXPORT {
            return check_version(name, version);
        }
    }
    Err(Refusal::NoTasks)
}

fn check_version(name: &str, version: &str) -> Result<(), Refusal> {
    if version.starts_with("0.1.") { Ok(()) } else { Err(Refusal::WrongVersion { found: name.to_owned() }) }
}
