//! Telling whoever started a process where it listens.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What a process says once it can be called: names and addresses, as JSON in the file that `--ready-file` names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) pid: u32,
    pub(crate) addresses: BTreeMap<String, String>,
}

impl Ready {
    pub(crate) fn new() -> Self {
        Self { pid: std::process::id(), addresses: BTreeMap::new() }
    }

    pub(crate) fn with(mut self, name: &str, address: impl ToString) -> Self {
        self.addresses.insert(name.to_owned(), address.to_string());
        self
    }

    /// Written beside and renamed, so that a reader never sees half of it.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let beside = path.with_extension("tmp");
        std::fs::write(&beside, serde_json::to_vec(self)?)?;
        std::fs::rename(beside, path)
    }

    /// None until it is written.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    pub(crate) fn address(&self, name: &str) -> anyhow::Result<&str> {
        let address = self.addresses.get(name).map(String::as_str);
        address.ok_or_else(|| anyhow::anyhow!("the process did not say its `{name}` address"))
    }
}
