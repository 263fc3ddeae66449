//! The demo: a story of checkouts in a fresh shop, or a day's real invoices replayed; then the reconciler and the auditor.

mod invoices;
mod shop;
mod stage;
mod story;
mod timeline;

use std::path::PathBuf;
use std::process::ExitCode;

use backstitch_chaos::Report;
use clap::Args;
use serde_json::json;

use crate::cli::say;
use stage::Stage;
use timeline::Timeline;

/// Watch checkouts complete, be refused, be taken back, and survive a kill -9; then hear reconciler and auditor.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// Replay invoices instead of the story; give it once for each file, in order. Columns: InvoiceNo, StockCode,
    /// Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country.
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) invoices: Vec<PathBuf>,
    /// Invoices in flight at a time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) in_flight: u32,
    /// Keep the databases here, to look at afterwards; the directory must be new or empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// One JSON document instead of the timeline.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs it. Succeeds only if everything went as told and every invariant holds.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let days = invoices::read_all(&args.invoices)?;
    let mut stage = Stage::set(args.data.clone()).await?;
    let mut timeline = Timeline::new(args.json);
    let told = if args.invoices.is_empty() {
        story::tell(&mut stage, &mut timeline).await?
    } else {
        let in_flight = usize::try_from(args.in_flight)?;
        let (mut summaries, mut purchases) = (Vec::new(), invoices::Purchases::default());
        for day in &days {
            summaries
                .push(invoices::replay(&mut stage, day, in_flight, &mut purchases, &mut timeline).await?);
        }
        json!({ "invoices": summaries })
    };
    let reconciled = stage.reconcile().await?;
    let report: Report = stage.audit().await?;
    let holds = report.is_clean() && report.counts.in_flight == 0 && !reconciled.is_anything_at_risk();
    if args.json {
        let all = json!({ "told": told, "reconcile": reconciled, "audit": report, "holds": holds });
        say(&serde_json::to_string_pretty(&all)?);
    } else {
        timeline.reconciled(&reconciled);
        timeline.verdict(&report, stage.kept());
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
