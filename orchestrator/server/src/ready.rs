//! Whether new work would be accepted and could be done, and which part is missing where it could not.

use std::collections::BTreeSet;

use backstitch_core::CatalogError;
use futures::FutureExt as _;

use crate::app::{App, KEY_SCOPE};

/// A part that is missing.
pub(crate) struct Missing {
    pub(crate) name: String,
    /// Goes after the name.
    pub(crate) why: String,
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

/// The parts that are missing now; none if this node is ready.
///
/// A participant that its breaker keeps calls from is not: sending clients to another node would not bring it back,
/// and here they are told what is wrong and when to come again. See [`degraded`].
pub(crate) async fn missing(app: &App) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut lacks = |name: &str, why: String| missing.push(Missing { name: name.to_owned(), why });
    if app.stopping.is_cancelled() {
        lacks("this node", "is stopping".to_owned());
    }
    if app.engine.fatal().now_or_never().is_some() {
        lacks("store", "cannot tell what is durable; this process has to end".to_owned());
    }
    let patience = app.options.probe_patience;
    let asked = tokio::time::timeout(patience, app.engine.store().key(KEY_SCOPE, "readiness"));
    let lacking = tokio::time::timeout(patience, app.engine.lacking());
    let (store, participants, lacking) = tokio::join!(asked, app.clients.unwell(patience), lacking);
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
    let degraded = app.engine.troubles();
    for (name, why) in participants {
        if !degraded.iter().any(|trouble| trouble.participant == name) {
            lacks(&name, why);
        }
    }
    missing
}

/// The participants that calls are kept from; this node is ready all the same.
pub(crate) fn degraded(app: &App) -> Vec<Missing> {
    let troubles = app.engine.troubles().into_iter();
    troubles.map(|trouble| Missing { name: trouble.participant.to_owned(), why: trouble.why }).collect()
}
