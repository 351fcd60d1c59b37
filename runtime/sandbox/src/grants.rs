//! What a run may reach outside its sandbox: the directories that policy gives it, and nothing else.

use std::path::Path;
use std::{fmt, io};

use cap_std::ambient_authority;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::filesystem::{Descriptor, Dir};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::{FsPerms, OpenMode};

/// Capabilities of a run. The default reaches nothing.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    /// Directories of the host, under the paths at which the guest sees them.
    pub directories: Vec<GrantedDirectory>,
}

/// A directory given to runs: an open handle, never a path, so that nobody can put another directory in
/// its place. Cheap to clone.
#[derive(Clone)]
pub struct GrantedDirectory {
    dir: Dir,
    guest_path: String,
}

/// What a guest may do below a granted directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read files and list directories.
    ReadOnly,
    /// Create, change and delete as well.
    ReadWrite,
}

impl GrantedDirectory {
    /// Grants an open directory under a path of the guest's.
    pub fn new(dir: cap_std::fs::Dir, guest_path: impl Into<String>, access: Access) -> GrantedDirectory {
        let (perms, mode) = match access {
            Access::ReadOnly => (FsPerms::ReadOnly, OpenMode::READ),
            Access::ReadWrite => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
        };
        // File operations go to tokio's blocking threads: a slow disk must not hold up other guests.
        let dir = Dir::new(dir.into_std_file(), perms, mode, false);
        GrantedDirectory { dir, guest_path: guest_path.into() }
    }

    /// Opens a directory of the host and grants it.
    pub fn open(
        path: impl AsRef<Path>,
        guest_path: impl Into<String>,
        access: Access,
    ) -> io::Result<GrantedDirectory> {
        let dir = cap_std::fs::Dir::open_ambient_dir(path, ambient_authority())?;
        Ok(GrantedDirectory::new(dir, guest_path, access))
    }
}

impl fmt::Debug for GrantedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dir { dir, perms, .. } = &self.dir;
        f.debug_struct("GrantedDirectory")
            .field("dir", dir)
            .field("guest_path", &self.guest_path)
            .field("access", perms)
            .finish()
    }
}

/// Answers a guest's question for its directories with the granted handles. WASI's own answer would open
/// paths for every run.
pub(crate) struct Preopens;

pub(crate) struct PreopensView<'a> {
    pub(crate) grants: &'a Grants,
    pub(crate) table: &'a mut ResourceTable,
}

impl HasData for Preopens {
    type Data<'a> = PreopensView<'a>;
}

impl preopens::Host for PreopensView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut answer = Vec::with_capacity(self.grants.directories.len());
        for directory in &self.grants.directories {
            let handle = self.table.push(Descriptor::Dir(directory.dir.clone()))?;
            answer.push((handle, directory.guest_path.clone()));
        }
        Ok(answer)
    }
}
