//! The auditor over a data directory at rest.

use std::path::PathBuf;
use std::process::ExitCode;

use backstitch_chaos::{AuditPaths, Place, audit};
use clap::Args;

use crate::cli::say;
use crate::data_dir::hold_existing;
use crate::databases::{Databases, ServerOfAll};
use crate::roles::name::Name;

/// Check the invariants over databases at rest: money, stock, orders, events.
#[derive(Clone, Debug, Args)]
pub(crate) struct AuditArgs {
    /// Data directory of `backstitch up`; nothing may be running on it.
    #[arg(long, env = "BACKSTITCH_DATA", value_name = "DIR", default_value = "backstitch-data")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerOfAll,
    /// One JSON document instead of the text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Prints the report; fails if any invariant is violated.
pub(crate) async fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let databases = Databases::of_all(&args.data, &args.server)?;
    let (paths, _held) = if databases.are_files() {
        anyhow::ensure!(
            args.data.is_dir(),
            "there is no data directory {}; name one with --data, or a server with --database-url",
            args.data.display()
        );
        // A process that writes meanwhile would make the books of different instants.
        let held = hold_existing(&args.data, &[&Name::all()[..], &["orchestrator"]].concat())?;
        (AuditPaths::in_dir(&args.data), Some(held))
    } else {
        (on_server(&databases), None)
    };
    let report = audit(&paths).await?;
    say(&if args.json { serde_json::to_string_pretty(&report)? } else { report.to_string() });
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Each owner's database on the server. The bank's books are a file in the data directory, if they are here at all; a
/// report without them says so.
fn on_server(databases: &Databases) -> AuditPaths {
    let bank = databases.directory.join("sandbox.db");
    let mut paths = AuditPaths::of(|owner| Place::Server(databases.on_server(owner).unwrap_or_default()));
    if let Some(participants) = &mut paths.participants {
        participants.sandbox = bank.is_file().then_some(Place::File(bank));
    }
    paths
}
