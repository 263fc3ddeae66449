//! The auditor over a data directory at rest.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

/// Check the invariants over databases at rest: money, stock, orders, events.
#[derive(Clone, Debug, Args)]
pub(crate) struct AuditArgs {
    /// Data directory of `backstitch up`; nothing may be running on it.
    #[arg(long, env = "BACKSTITCH_DATA", value_name = "DIR", default_value = "backstitch-data")]
    pub(crate) data: PathBuf,
    /// One JSON document instead of the text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Prints the report; fails if any invariant is violated.
pub(crate) async fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let _ = args;
    anyhow::bail!("not wired")
}
