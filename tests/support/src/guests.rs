//! The components that tests run; `cargo xtask guests` builds them.

use std::path::{Path, PathBuf};

/// The component of a guest, by the folder of its project below the repository.
pub fn guest(project: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let project = root.join(project);
    let name =
        project.file_name().expect("a folder below the repository").to_string_lossy().replace('-', "_");
    let component = project.join(format!("target/wasm32-wasip2/release/{name}.wasm"));
    assert!(component.exists(), "{} is missing: run `cargo xtask guests` first", component.display());
    component
}
