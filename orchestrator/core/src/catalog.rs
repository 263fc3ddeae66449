//! The definitions that a node can run.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::definition::Definition;

/// Definitions by name and version. A saga is pinned to the pair and to the fingerprint it started with.
#[derive(Clone, Default)]
pub struct Catalog {
    by_name: BTreeMap<(&'static str, u32), Arc<Definition>>,
}

/// Why a definition is not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// No definition of that name and version.
    #[error("this node has no definition `{name}` version {version}")]
    Unknown {
        /// As asked for.
        name: String,
        /// As asked for.
        version: u32,
    },
    /// Same name and version, another shape: somebody changed a definition without changing its version.
    #[error(
        "definition `{name}` version {version} has changed under its number; give the change a new version and keep this one as it was"
    )]
    Changed {
        /// As asked for.
        name: String,
        /// As asked for.
        version: u32,
    },
}

impl Catalog {
    /// Adds a definition.
    #[must_use]
    pub fn with(mut self, definition: Definition) -> Self {
        self.by_name.insert((definition.name, definition.version), Arc::new(definition));
        self
    }

    /// The highest version of `name` of which `may` says that it may be used.
    pub fn highest(&self, name: &str, may: impl Fn(u32) -> bool) -> Option<&Arc<Definition>> {
        let found = self.by_name.iter().rev().find(|((n, version), _)| *n == name && may(*version));
        found.map(|(_, definition)| definition)
    }

    /// The definition that a started saga is pinned to.
    pub fn pinned(
        &self,
        name: &str,
        version: u32,
        fingerprint: &[u8],
    ) -> Result<&Arc<Definition>, CatalogError> {
        let found = self.by_name.iter().find(|((n, v), _)| *n == name && *v == version);
        let (_, definition) = found.ok_or(CatalogError::Unknown { name: name.to_owned(), version })?;
        if definition.fingerprint.as_slice() != fingerprint {
            return Err(CatalogError::Changed { name: name.to_owned(), version });
        }
        Ok(definition)
    }

    /// Every definition, by name and version.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.by_name.values()
    }
}
