//! The SDK's sources are part of the binary: build it again when they change.

fn main() {
    for folder in ["template", "../../sdk/rust", "../../wit", "../../Cargo.toml"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
