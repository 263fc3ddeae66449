//! Whole runs against doubles: pages, races, who does not answer, what is done about findings.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod act;
mod double;
mod edges;
mod foreign;
mod judge;
mod pages;
mod providers;
mod races;
mod tick;

use backstitch_reconciler::{Options, Report, reconcile};

use double::{Double, NOW};

async fn run(double: &Double) -> Report {
    run_with(double, Options::default()).await
}

async fn run_with(double: &Double, options: Options) -> Report {
    reconcile(&double.shop, &options, NOW).await.unwrap()
}

/// Kinds and amounts of a report.
fn told(report: &Report) -> Vec<(&'static str, i64)> {
    report.findings.iter().map(|told| (told.finding.kind.as_str(), told.finding.amount.minor)).collect()
}
