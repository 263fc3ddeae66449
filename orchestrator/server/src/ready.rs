//! Whether new work would be accepted and could be done, and which part is missing where it could not.

use std::collections::BTreeSet;

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

/// The parts that are missing now; none if this node is ready.
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
    let (store, participants) = tokio::join!(asked, app.clients.unwell(patience));
    match store {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => lacks("store", format!("does not answer: {error}")),
        Err(_) => lacks("store", "does not answer".to_owned()),
    }
    for name in called(app).filter(|name| !app.clients.probes(name)) {
        lacks(name, "has no address here".to_owned());
    }
    for (name, why) in participants {
        lacks(&name, why);
    }
    missing
}
