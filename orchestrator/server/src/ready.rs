//! Whether clients should be sent to this node, and every part with trouble.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_core::CatalogError;
use futures::FutureExt as _;

use crate::app::{App, KEY_SCOPE};

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
    let patience = app.options.probe_patience;
    let asked = tokio::time::timeout(patience, app.engine.store().key(KEY_SCOPE, "readiness"));
    let lacking = tokio::time::timeout(patience, app.engine.lacking());
    let (store, unwell, lacking) = tokio::join!(asked, app.clients.unwell(patience), lacking);
    match store {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => lacks("store", format!("does not answer: {error}")),
        Err(_) => lacks("store", "does not answer".to_owned()),
    }
    // A store that does not answer is told of already.
    for error in lacking.ok().and_then(Result::ok).into_iter().flatten() {
        let (name, why) = lacks_version(&error);
        lacks(&name, why);
    }
    for name in called(app).filter(|name| !app.clients.probes(name)) {
        lacks(name, "has no address here".to_owned());
    }
    found.degraded = participants(app, unwell);
    found
}

/// The participants that are not well or that calls are kept from, by name: one rule for both, as the one turns into
/// the other by itself. What the calls met says more than a health check.
fn participants(app: &App, unwell: Vec<(String, String)>) -> Vec<Part> {
    let met = app.engine.troubles().into_iter().map(|trouble| (trouble.participant.to_owned(), trouble.why));
    let whys: BTreeMap<_, _> = unwell.into_iter().chain(met).collect();
    whys.into_iter().map(|(name, why)| Part { name, why }).collect()
}
