//! The auditor over a data directory at rest.

use std::path::PathBuf;
use std::process::ExitCode;

use backstitch_chaos::{AuditPaths, audit};
use clap::Args;

use crate::cli::say;
use crate::data_dir::hold_existing;
use crate::roles::name::Name;

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
    anyhow::ensure!(
        args.data.is_dir(),
        "there is no data directory {}; name one with --data",
        args.data.display()
    );
    // A process that writes meanwhile would make the books of different instants.
    let _held = hold_existing(&args.data, &[&Name::all()[..], &["orchestrator"]].concat())?;
    let report = audit(&AuditPaths::in_dir(&args.data)).await?;
    say(&if args.json { serde_json::to_string_pretty(&report)? } else { report.to_string() });
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
