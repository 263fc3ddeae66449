//! What `backstitch reconcile` says of a shop.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Said, Shop, program, run};

/// Where those are who are asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) payment: String,
    pub(crate) order: String,
    pub(crate) orchestrator: String,
}

impl Asked {
    /// Those of a shop that is up.
    pub(crate) fn of(shop: &Shop) -> Self {
        Self::at(|name| shop.address(name).to_owned())
    }

    /// Everybody of a process or several, by what they said when they were ready.
    pub(crate) fn at(address: impl Fn(&str) -> String) -> Self {
        let uri = |name: &str| format!("http://{}", address(name));
        Self { payment: uri("payment"), order: uri("order"), orchestrator: uri("grpc") }
    }
}

/// `backstitch reconcile`, without grace unless `more` says so: a shop at rest has nothing to wait for.
pub(crate) fn reconcile_with(directory: &Path, asked: &Asked, more: &[&str]) -> Said {
    run(&mut reconciler(directory, asked, more))
}

/// The same, not started yet.
pub(crate) fn reconciler(directory: &Path, asked: &Asked, more: &[&str]) -> Command {
    let Asked { payment, order, orchestrator } = asked;
    let mut command = program(directory);
    command.args(["reconcile", "--payment", payment, "--order", order, "--orchestrator", orchestrator]);
    if !more.contains(&"--grace") {
        command.args(["--grace", "0s"]);
    }
    command.args(more);
    command
}

/// What it finds in a shop that is up and at rest, and in which it should find nothing. Asked beside the runtime of the
/// test, where those may run who have to answer.
pub(crate) async fn differences(directory: &Path, asked: Asked) -> Vec<Value> {
    let directory = directory.to_owned();
    tokio::task::spawn_blocking(move || reconcile(&directory, &asked, &[])).await.unwrap()
}

/// What it found. Insists that it could be told, and that the exit code says whether money is at risk.
pub(crate) fn reconcile(directory: &Path, asked: &Asked, more: &[&str]) -> Vec<Value> {
    let said = reconcile_with(directory, asked, &[&["--json"], more].concat());
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    let at_risk = !report["money_at_risk"].as_array().unwrap().is_empty();
    assert_eq!(said.code, Some(i32::from(at_risk)), "{said:?}");
    report["findings"].as_array().unwrap().clone()
}
