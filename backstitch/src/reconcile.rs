//! The reconciler at the command line.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backstitch_reconciler::{At, Options, Shop, Word, acknowledge, reconcile, take_back};
use backstitch_server::channel;
use clap::Args;
use uuid::Uuid;

use crate::cli::{complain, say, uri};
use crate::roles::name::Name;

/// Nothing could be concluded.
const COULD_NOT: u8 = 2;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Ten years: more is nobody's books.
const LONGEST: Duration = DAY.saturating_mul(3650);

/// What the reconciler is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReconcileArgs {
    /// Where the payment service is.
    // The defaults are the ports of `up`; see `cli::command`.
    #[arg(long, env = "BACKSTITCH_PAYMENT", value_name = "URI", required = false, value_parser = uri)]
    payment: String,
    /// Where the orders are.
    #[arg(long, env = "BACKSTITCH_ORDER", value_name = "URI", required = false, value_parser = uri)]
    order: String,
    /// The gRPC API of any orchestrator of the shop.
    #[arg(long, env = "BACKSTITCH_ORCHESTRATOR", value_name = "URI", value_parser = uri)]
    #[arg(default_value = "http://127.0.0.1:50050")]
    orchestrator: String,
    /// Judge what was paid or ordered since then.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = since)]
    since: Duration,
    /// What changed less than this ago may settle by itself, and is not at risk yet.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = grace)]
    grace: Duration,
    /// Start a saga for each hold to be cancelled and each capture to be refunded that nobody owns.
    #[arg(long)]
    repair: bool,
    /// Others charge on the provider's account too: what bears no id of this shop is counted, and not judged.
    #[arg(long)]
    shared_account: bool,
    /// Write down that somebody has judged this finding: until it changes it is told apart, is no money at risk, and is not
    /// repaired.
    #[arg(long, value_name = "FINDING", group = "word", requires = "reason", conflicts_with_all = ["repair", "json"])]
    acknowledge: Option<Uuid>,
    /// Take that back.
    #[arg(long, value_name = "FINDING", group = "word", requires = "reason", conflicts_with_all = ["repair", "json"])]
    take_back: Option<Uuid>,
    /// Why, on record: 1 to 500 characters.
    #[arg(long, value_name = "TEXT", requires = "word")]
    reason: Option<String>,
    /// Whose word it is; who is logged in unless told.
    #[arg(long, value_name = "NAME", requires = "word")]
    by: Option<String>,
    /// One JSON document instead of the text.
    #[arg(long)]
    json: bool,
}

/// The defaults that other settings decide.
pub(crate) fn with_addresses(command: clap::Command) -> clap::Command {
    let at = |name: Name| format!("http://{}", name.default_address());
    let command = command.mut_arg("payment", |arg| arg.default_value(at(Name::Payment)));
    command.mut_arg("order", |arg| arg.default_value(at(Name::Order)))
}

/// Prints what was found; the exit code says whether money is at risk.
pub(crate) async fn run(args: ReconcileArgs) -> ExitCode {
    let what = if args.acknowledge.or(args.take_back).is_some() {
        "nothing was judged"
    } else {
        "the money could not be reconciled"
    };
    match try_run(args).await {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("backstitch: {what}: {error:#}"));
            ExitCode::from(COULD_NOT)
        }
    }
}

async fn try_run(args: ReconcileArgs) -> anyhow::Result<ExitCode> {
    let at = |address: &str| anyhow::Ok(At { address: address.to_owned(), channel: channel(address)? });
    let shop = Shop::new(at(&args.payment)?, at(&args.order)?, at(&args.orchestrator)?);
    let ReconcileArgs { since, grace, repair, shared_account: is_account_shared, .. } = args;
    let options = Options { since, grace, repair, is_account_shared, ..Options::default() };
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let word = Word { by: args.by.unwrap_or_else(whoever), reason: args.reason.unwrap_or_default() };
    if let Some(finding) = args.acknowledge {
        let (found, taken) = acknowledge(&shop, &options, now_ms, finding, word).await?;
        let (kind, amount) = (found.kind.as_str(), found.amount);
        say(&format!("acknowledged {kind} {amount} by {}: {}", taken.by, taken.reason));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(finding) = args.take_back {
        take_back(&shop, finding, word).await?;
        say(&format!("finding {finding} is acknowledged no more"));
        return Ok(ExitCode::SUCCESS);
    }
    let report = reconcile(&shop, &options, now_ms).await?;
    say(&if args.json { serde_json::to_string_pretty(&report)? } else { report.to_string() });
    Ok(if report.is_anything_at_risk() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// As whom this shell is used.
fn whoever() -> String {
    let mut names = ["LOGNAME", "USER"].into_iter().filter_map(|name| std::env::var(name).ok());
    names.find(|name| !name.is_empty()).unwrap_or_else(|| "an operator".to_owned())
}

fn since(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| format!("{e}; write it like 36h or 30d"))?;
    let bounds = Duration::from_secs(1)..=LONGEST;
    if bounds.contains(&time) { Ok(time) } else { Err("it must be between 1s and 3650days".into()) }
}

/// None at all is for a shop that is at rest.
pub(crate) fn grace(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| format!("{e}; write it like 60s or 5m"))?;
    if time <= DAY { Ok(time) } else { Err("it must be between 0s and 1day".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_within_what_books_are_good_for() {
        assert_eq!(since("30d"), Ok(DAY * 30));
        assert!(since("1s").is_ok() && since("3650d").is_ok());
        for wrong in ["0s", "999ms", "315360001s"] {
            assert_eq!(since(wrong), Err("it must be between 1s and 3650days".into()), "{wrong}");
        }
        assert_eq!((grace("0s"), grace("24h")), (Ok(Duration::ZERO), Ok(DAY)));
        assert_eq!(grace("86401s"), Err("it must be between 0s and 1day".into()));
        for wrong in ["", "soon", "-1s"] {
            assert!(since(wrong).unwrap_err().contains("30d") && grace(wrong).unwrap_err().contains("60s"));
        }
    }
}
