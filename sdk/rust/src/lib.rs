//! Write tasks for Margay: compiled to WebAssembly components, run in a sandbox.
