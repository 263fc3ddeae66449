//! Versions of definitions: what this node announces, and which version new sagas run.
//!
//! The switch is rows of the store. This node looks at them at every pass of [`Engine::renew`] and after its own
//! switching, so that a switch that was made through another node counts here one pass later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use backstitch_core::{Catalog, CatalogError, Definition, Timestamp};
use backstitch_store::{Announced, Announcement, DefinitionRow, SagaRow, StoreError, Switch, Switched};
use tracing::{error, info, warn};

use crate::engine::{Engine, Shared};
use crate::shards::Home;
use crate::start::StartError;

/// What this node last saw of the store's versions.
#[derive(Default)]
pub(crate) struct Versions {
    seen: RwLock<Seen>,
    stranded: AtomicUsize,
    /// Held from before the store is read: what was read earlier never overwrites what was read later.
    learning: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Seen {
    announced_at: Timestamp,
    /// By name: the highest version that is on and runs here.
    newest: BTreeMap<&'static str, Arc<Definition>>,
    /// Versions of this node's catalog that are what the store knows under their number.
    fit: BTreeSet<(&'static str, u32)>,
}

impl Versions {
    /// The version of `name` that a new saga runs.
    pub(crate) fn for_new(&self, catalog: &Catalog, name: String) -> Result<Arc<Definition>, StartError> {
        let newest = self.read(|seen| seen.newest.get(name.as_str()).cloned());
        newest.ok_or_else(|| match catalog.highest(&name, |_| true) {
            Some(_) => StartError::NotSwitchedOn(name),
            None => StartError::UnknownDefinition(name),
        })
    }

    fn read<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Shared {
    /// Tells the store what this node can run. What it means differently than the store is not run here.
    pub(crate) async fn announce(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let announced = self.catalog.all().map(|definition| Announced {
            name: definition.name.to_owned(),
            version: definition.version,
            fingerprint: definition.fingerprint,
        });
        let announcement = Announcement {
            node: self.options.node.clone(),
            definitions: announced.collect(),
            now_ms: now.0,
            live_since_ms: self.live_since(now),
        };
        for Announced { name, version, .. } in self.store.announce(&announcement).await? {
            let why = CatalogError::Changed { name, version };
            error!(%why, "a definition does not run here");
        }
        self.versions.change(|seen| seen.announced_at = now);
        Ok(())
    }

    /// Reads the versions and remembers what of them matters here.
    pub(crate) async fn learn(&self) -> Result<Vec<DefinitionRow>, StoreError> {
        let _learning = self.versions.learning.lock().await;
        let rows = self.store.definitions().await?;
        let (mut newest, mut fit) = (BTreeMap::new(), BTreeSet::new());
        // Ascending by version, so that the last one is the highest.
        for row in &rows {
            if let Ok(definition) = self.pinned(row) {
                fit.insert((definition.name, definition.version));
                if row.is_on() {
                    newest.insert(definition.name, definition.clone());
                }
            }
        }
        self.versions.change(|seen| (seen.newest, seen.fit) = (newest, fit));
        Ok(rows)
    }

    fn pinned(&self, row: &DefinitionRow) -> Result<&Arc<Definition>, CatalogError> {
        let Announced { name, version, fingerprint } = &row.definition;
        self.catalog.pinned(name, *version, fingerprint)
    }

    fn live_since(&self, now: Timestamp) -> i64 {
        now.0.saturating_sub(millis(self.options.liveness))
    }
}

impl Engine {
    /// One pass: announces this node again when that is due, and looks at the switch.
    pub async fn renew(&self) -> Result<(), StoreError> {
        let (now, announced_at) =
            (self.shared.clock.now(), self.shared.versions.read(|seen| seen.announced_at));
        // Three times within the window, so that one that fails costs nothing. A clock that was set back counts too.
        let age = now.0.saturating_sub(announced_at.0);
        let due = age < 0 || age >= millis(self.shared.options.liveness) / 3;
        if due && !self.shared.stopping.is_cancelled() {
            self.shared.announce().await?;
        }
        self.shared.learn().await.map(drop)
    }

    /// Every version that any node has announced, as it is now.
    pub async fn definitions(&self) -> Result<Vec<DefinitionRow>, StoreError> {
        self.shared.learn().await
    }

    /// Switches a version on or off for new sagas; when this returns `Switched`, new sagas of this node follow it.
    /// Sagas that have started stay with their version.
    pub async fn switch(
        &self,
        name: &str,
        version: u32,
        on: bool,
        why: &str,
    ) -> Result<Switched, StoreError> {
        let now = self.shared.clock.now();
        let switch = Switch {
            name: name.to_owned(),
            version,
            on,
            why: why.to_owned(),
            now_ms: now.0,
            live_since_ms: self.shared.live_since(now),
        };
        let switched = self.shared.store.switch(&switch).await?;
        self.shared.learn().await?;
        Ok(switched)
    }

    /// The versions that are on and that this node cannot run, each with the reason. Dark ones do not matter.
    pub async fn lacking(&self) -> Result<Vec<CatalogError>, StoreError> {
        let rows = self.shared.learn().await?;
        Ok(rows.iter().filter(|row| row.is_on()).filter_map(|row| self.shared.pinned(row).err()).collect())
    }

    /// Whether this saga waits for a node that can run it, and it is this node's to run.
    pub fn is_stranded(&self, row: &SagaRow) -> bool {
        let ours = self.shared.shards.home(row.shard) == Home::Here;
        ours && !row.status.is_final() && !self.runs(&row.definition, row.version)
    }

    /// Says how many sagas wait for a definition, whenever that changes.
    pub(crate) fn tell_stranded(&self, count: usize) {
        match (self.shared.versions.stranded.swap(count, Ordering::Relaxed), count) {
            (before, now) if before == now => {}
            (_, 0) => info!("no saga waits for a definition that this node lacks any more"),
            (_, count) => warn!(count, "sagas wait for a node that has their version of a definition"),
        }
    }

    /// Whether this node can run sagas of that version, as far as it has seen.
    pub fn runs(&self, name: &str, version: u32) -> bool {
        self.shared.versions.read(|seen| seen.fit.iter().any(|fit| *fit == (name, version)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
