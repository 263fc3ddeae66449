//! Whether clients should be sent to this node, and every part with trouble.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_core::CatalogError;
use backstitch_engine::Standing;
use backstitch_store::StoreError;
use futures::FutureExt as _;

use crate::app::{App, KEY_SCOPE};
use crate::failures;

/// A part with trouble.
pub(crate) struct Part {
    pub(crate) name: String,
    /// Goes after the name.
    pub(crate) why: String,
}

/// What is wrong now.
#[derive(Default)]
pub(crate) struct Readiness {
    /// Wrong with this node: another one may do better, so clients should be sent there.
    pub(crate) missing: Vec<Part>,
    /// Wrong for every node alike: sending clients elsewhere would help nobody, and what can be done without these
    /// parts is done here, cancels and reads first of all.
    pub(crate) degraded: Vec<Part>,
}

/// Every participant that a definition of this node calls.
fn called(app: &App) -> impl Iterator<Item = &'static str> {
    let steps = app.engine.catalog().all().flat_map(|definition| &definition.steps);
    steps.map(|step| step.participant).collect::<BTreeSet<_>>().into_iter()
}

/// A version that is switched on and does not run here, and the way out.
fn lacks_version(error: &CatalogError) -> (String, String) {
    let (CatalogError::Unknown { name, version } | CatalogError::Changed { name, version }) = error;
    let part = format!("definition `{name}` version {version}");
    (part, format!("is switched on, and {error}; deploy it here or switch it off"))
}

/// Looks at every part.
pub(crate) async fn look(app: &App) -> Readiness {
    let mut found = Readiness::default();
    let mut lacks = |name: &str, why: String| found.missing.push(Part { name: name.to_owned(), why });
    if app.stopping.is_cancelled() {
        lacks("this node", "is stopping".to_owned());
    }
    if app.engine.fatal().now_or_never().is_some() {
        lacks("store", "cannot tell what is durable; this process has to end".to_owned());
    }
    if !app.engine.has_room() {
        lacks("store", "is full: new work is refused, and what was accepted waits for room".to_owned());
    }
    match app.engine.standing() {
        Standing::Alone | Standing::Sharing { shards: 1.., .. } => {}
        Standing::Sharing { shards: 0, nodes } => lacks(
            "this node",
            format!("has no shard of the store yet, so nothing new starts here; {nodes} nodes share it"),
        ),
        Standing::Lapsed => lacks(
            "this node",
            "could not renew its leases in time and does nothing until the store answers".to_owned(),
        ),
        Standing::Replaced => lacks(
            "this node",
            "was replaced by another process under its name and has to end; give each its own --node"
                .to_owned(),
        ),
    }
    let patience = app.options.probe_patience;
    let asked = tokio::time::timeout(patience, app.engine.store().key(KEY_SCOPE, "readiness"));
    let versions = tokio::time::timeout(patience, versions(app));
    let (store, unwell, versions) = tokio::join!(asked, app.clients.unwell(patience), versions);
    match store {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => lacks("store", format!("does not answer: {error}")),
        Err(_) => lacks("store", "does not answer".to_owned()),
    }
    // A store that does not answer is told of already.
    let (lacking, off) = versions.ok().and_then(Result::ok).unwrap_or_default();
    for error in lacking {
        let (name, why) = lacks_version(&error);
        lacks(&name, why);
    }
    for name in called(app).filter(|name| !app.clients.probes(name)) {
        lacks(name, "has no address here".to_owned());
    }
    let beside = app.beside.iter().filter_map(|(name, trouble)| {
        Some(Part { name: (*name).to_owned(), why: format!("is in trouble: {}", trouble()?) })
    });
    found.degraded = off.into_iter().chain(participants(app, unwell)).chain(beside).collect();
    found
}

/// What is on and does not run here, and the definitions of which nothing is on anywhere.
async fn versions(app: &App) -> Result<(Vec<CatalogError>, Vec<Part>), StoreError> {
    let (lacking, rows) = (app.engine.lacking().await?, app.engine.definitions().await?);
    let on: BTreeSet<_> = rows.iter().filter(|row| row.is_on()).map(|row| &*row.definition.name).collect();
    let names: BTreeSet<_> = app.engine.catalog().all().map(|definition| definition.name).collect();
    let off = names.difference(&on).map(|name| Part {
        name: format!("definition `{name}`"),
        why: format!(
            "has no version that is switched on, so nothing new starts; {}",
            failures::switching_on(&app.engine, name)
        ),
    });
    Ok((lacking, off.collect()))
}

/// The participants that are not well or that calls are kept from, by name: one rule for both, as the one turns into
/// the other by itself. What the calls met says more than a health check.
fn participants(app: &App, unwell: Vec<(String, String)>) -> Vec<Part> {
    let met = app.engine.troubles().into_iter().map(|trouble| (trouble.participant.to_owned(), trouble.why));
    let whys: BTreeMap<_, _> = unwell.into_iter().chain(met).collect();
    whys.into_iter().map(|(name, why)| Part { name, why }).collect()
}
