//! The compiler for guests: a cargo whose rustc has the standard library for `wasm32-wasip2`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// The target that components are compiled for.
pub const TARGET: &str = "wasm32-wasip2";

/// A cargo that can compile guests.
pub struct Toolchain {
    cargo: PathBuf,
    /// Put before PATH, so that cargo finds its own rustc.
    path_first: Option<PathBuf>,
}

impl Toolchain {
    /// Finds one for a project: the cargo on PATH, else the system's own.
    pub fn find(project: &Path) -> Result<Toolchain> {
        let on_path = Toolchain { cargo: "cargo".into(), path_first: None };
        let system = Toolchain { cargo: "/usr/bin/cargo".into(), path_first: Some("/usr/bin".into()) };
        for toolchain in [on_path, system] {
            if toolchain.has_target(project) {
                return Ok(toolchain);
            }
        }
        bail!("no Rust compiler here has the target `{TARGET}`; add it with `rustup target add {TARGET}`")
    }

    /// A cargo command in a project.
    pub fn cargo(&self, project: &Path) -> Command {
        self.command(&self.cargo, project)
    }

    fn has_target(&self, project: &Path) -> bool {
        let rustc = self.path_first.as_ref().map_or_else(|| "rustc".into(), |path| path.join("rustc"));
        let asked =
            self.command(&rustc, project).args(["--print", "target-libdir", "--target", TARGET]).output();
        let Ok(answer) = asked else { return false };
        let folder = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim());
        let Ok(mut files) = std::fs::read_dir(folder) else { return false };
        files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
    }

    fn command(&self, program: &Path, project: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(project);
        if let Some(first) = &self.path_first {
            let rest = std::env::var_os("PATH").unwrap_or_default();
            let paths = std::iter::once(first.clone()).chain(std::env::split_paths(&rest));
            if let Ok(paths) = std::env::join_paths(paths) {
                command.env("PATH", paths);
            }
        }
        command
    }
}
