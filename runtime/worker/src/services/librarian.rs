//! The librarian: keeps the library current. New versions are fetched and compiled here, beside the running
//! tasks, and put on the shelf when they are ready; until then the old ones run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use modules::{Store, Version};
use sandbox::{Grants, Sandbox};
use tokio::sync::{Notify, watch};
use tracing::{error, info, warn};

use crate::board::Board;
use crate::library::{Code, Library, Loaded};

pub(crate) struct Librarian {
    pub(crate) store: Store,
    pub(crate) sandbox: Sandbox,
    pub(crate) grants: HashMap<String, Grants>,
    pub(crate) library: watch::Sender<Arc<Library>>,
    pub(crate) board: Arc<Board>,
    pub(crate) deploys: Arc<Notify>,
    /// Digests that cannot run here; compiling them again would end the same way.
    pub(crate) refused: HashSet<String>,
}

/// How often to look without having been told.
const LOOK: Duration = Duration::from_secs(10);

impl Librarian {
    pub(crate) async fn run(mut self) {
        loop {
            tokio::select! {
                () = self.deploys.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            if let Err(error) = self.refresh().await {
                warn!(%error, "could not read the modules; trying again");
            }
        }
    }

    /// Brings every module to its current version. One that cannot be had leaves the others alone.
    pub(crate) async fn refresh(&mut self) -> Result<(), modules::Error> {
        let catalog = Arc::new(self.store.catalog().await?);
        let mut new_modules = false;
        self.library.send_modify(|library| {
            new_modules = catalog.modules().any(|(name, _)| library.catalog.module(name).is_none());
            let library = Arc::make_mut(library);
            library.shelf.retain(|name, _| catalog.module(name).is_some());
            library.catalog = Arc::clone(&catalog);
        });
        if new_modules {
            // Queues of others may be this worker's by now.
            self.board.unpark();
        }
        for (name, version) in catalog.modules() {
            let on_shelf = self.library.borrow().shelf.get(name).map(|loaded| loaded.version.digest.clone());
            if on_shelf.as_ref() == Some(&version.digest) || self.refused.contains(&version.digest) {
                continue;
            }
            match self.load(name, version).await {
                Ok(loaded) => self.put_up(name, loaded),
                Err(error) => error!(module = name, version = version.version, %error, "could not load"),
            }
        }
        Ok(())
    }

    async fn load(&self, name: &str, version: &Version) -> Result<Loaded, modules::Error> {
        let code = self.store.fetch(name, &version.digest).await?;
        let sandbox = self.sandbox.clone();
        let compiled = tokio::task::spawn_blocking(move || sandbox.compile(&code)).await;
        let code = match compiled {
            Ok(Ok(module)) => Code::Ready(module),
            Ok(Err(refusal)) => {
                Code::Refused(format!("module `{name}` version {} {refusal}", version.version))
            }
            Err(panic) => Code::Refused(format!("module `{name}` could not be compiled: {panic}")),
        };
        let grants = self.grants.get(name).cloned().unwrap_or_default();
        Ok(Loaded { module: name.to_owned(), version: version.clone(), code, grants })
    }

    /// A version that cannot run never takes the place of one that can.
    fn put_up(&mut self, name: &str, loaded: Loaded) {
        let version = loaded.version.version;
        if let Code::Refused(reason) = &loaded.code {
            error!(module = name, version, reason, "refused");
            if self.library.borrow().shelf.contains_key(name) {
                self.refused.insert(loaded.version.digest);
                return;
            }
        }
        let loaded = Arc::new(loaded);
        self.library.send_modify(|library| {
            Arc::make_mut(library).shelf.insert(name.to_owned(), Arc::clone(&loaded));
        });
        // Not before: whoever reads this may count on the next task using it.
        if let Code::Ready(_) = &loaded.code {
            info!(module = name, version, digest = loaded.version.digest, "module ready");
        }
    }
}
