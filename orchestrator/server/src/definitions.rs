//! Versions of definitions as operators see them: which there are, which take new sagas, and the switch.

use backstitch_store::{DefinitionRow, Switched};
use serde::Serialize;

use crate::app::App;
use crate::problem::{Problem, kind};
use crate::{failures, fields};

/// The most characters of a definition's name.
pub(crate) const MAX_NAME: usize = 255;
/// The most characters of a reason that goes on record.
const MAX_REASON: usize = 500;

/// A version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Version {
    pub(crate) name: String,
    pub(crate) version: u32,
    /// SHA-256 over its shape, in hexadecimal.
    pub(crate) fingerprint: String,
    /// New sagas may start with it; the highest one does.
    pub(crate) on: bool,
    /// The last switching; a version without one is dark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) switched: Option<Switching>,
    pub(crate) announced_at_unix_ms: i64,
    /// Who can run it.
    pub(crate) nodes: Vec<Node>,
    /// Sagas that have started with it and not ended, parked ones included.
    pub(crate) in_flight: u64,
}

/// A switching on or off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Switching {
    pub(crate) at_unix_ms: i64,
    pub(crate) reason: String,
}

/// A node that can run a version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Node {
    pub(crate) node: String,
    /// When it said so last.
    pub(crate) seen_at_unix_ms: i64,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Versions {
    pub(crate) definitions: Vec<Version>,
}

impl Version {
    fn of(row: DefinitionRow, in_flight: u64) -> Self {
        let node = |(node, seen_at_unix_ms)| Node { node, seen_at_unix_ms };
        Self {
            on: row.is_on(),
            name: row.definition.name,
            version: row.definition.version,
            fingerprint: row.definition.fingerprint.iter().map(|byte| format!("{byte:02x}")).collect(),
            switched: row.switch.map(|row| Switching { at_unix_ms: row.at_ms, reason: row.why }),
            announced_at_unix_ms: row.announced_at_ms,
            nodes: row.nodes.into_iter().map(node).collect(),
            in_flight,
        }
    }
}

/// What a saga waits for that no node here can run.
pub(crate) fn waits_for(name: &str, version: u32) -> String {
    format!("a node that has definition `{name}` version {version}")
}

/// Every version that any node has announced, by name and version.
pub(crate) async fn list(app: &App) -> Result<Versions, Problem> {
    let rows = app.engine.definitions().await.map_err(failures::store)?;
    let counts = app.engine.store().in_flight().await.map_err(failures::store)?;
    let count = |row: &DefinitionRow| {
        let (name, version) = (&row.definition.name, row.definition.version);
        counts.iter().filter(|of| of.name == *name && of.version == version).map(|of| of.sagas).sum()
    };
    let definitions = rows.into_iter().map(|row| {
        let in_flight = count(&row);
        Version::of(row, in_flight)
    });
    Ok(Versions { definitions: definitions.collect() })
}

/// Switches a version on or off for new sagas, for a reason on record, and answers it as it is then. What is so already
/// stays as it is, its reason too.
pub(crate) async fn switch(
    app: &App,
    name: &str,
    version: i64,
    on: bool,
    reason: &str,
) -> Result<Version, Problem> {
    fields::words("/reason", reason, MAX_REASON)?;
    let unknown = || {
        let detail = format!("No node has announced `{name}` version {version}.");
        Problem::new(&kind::UNKNOWN_DEFINITION, detail).at("version")
    };
    let version = u32::try_from(version).map_err(|_| unknown())?;
    match app.engine.switch(name, version, on, reason).await.map_err(failures::store)? {
        Switched::Switched | Switched::Already => {}
        Switched::Unknown => return Err(unknown()),
        Switched::Lacking(nodes) => {
            let detail = match &*nodes {
                [] => format!("No node is live, so that nobody could run `{name}` version {version}."),
                _ => format!("`{name}` version {version} is not on {}.", nodes.join(", ")),
            };
            return Err(Problem::new(&kind::NOT_EVERYWHERE, detail).at("version").with("nodes", nodes));
        }
    }
    let all = list(app).await?.definitions;
    all.into_iter().find(|found| found.name == name && found.version == version).ok_or_else(unknown)
}
