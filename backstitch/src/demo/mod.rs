//! The demo.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

/// Watch checkouts complete, be refused, be taken back, and survive a kill -9; then hear the auditor.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// Replay invoices (InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country) instead.
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) invoices: Vec<PathBuf>,
    /// One JSON document instead of the timeline.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs it.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let _ = args;
    anyhow::bail!("not wired")
}
