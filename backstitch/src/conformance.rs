//! The conformance kit at the command line.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use participant_conformance::{Options, Profile, Restart, run as run_cases};

use crate::cli::say;

/// How long a restart command may take. One that starts the participant in its foreground never ends.
const RESTART: Duration = Duration::from_secs(120);

#[derive(Clone, Debug, Args)]
pub(crate) struct ConformanceArgs {
    /// Whose built-in profile to use: cart, inventory, notification, order, payment, shipping.
    #[arg(value_name = "PARTICIPANT", required_unless_present = "profile", conflicts_with = "profile")]
    pub(crate) participant: Option<String>,
    /// Where it is, e.g. http://127.0.0.1:50051.
    #[arg(long, value_name = "URI")]
    pub(crate) address: String,
    /// What another participant offers to sagas, as TOML; docs/conformance.md tells how.
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
    /// Shell command that kills the participant as a crash would (kill -9), starts it again on the same data in the
    /// background, and ends. Without it the cases that need a crash are not run.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) restart_command: Option<String>,
    /// Only this case; may be given several times.
    #[arg(long, value_name = "CASE")]
    pub(crate) only: Vec<String>,
    /// Seconds that a step may take to be settled, and a restarted participant to serve.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) patience: u64,
    /// One JSON document instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Prints what each case came to; fails if any failed, or if none passed.
pub(crate) async fn run(args: ConformanceArgs) -> anyhow::Result<ExitCode> {
    let profile = match (&args.profile, &args.participant) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| format!("--profile {}", file.display()))?;
            Profile::parse(&text).with_context(|| format!("--profile {}", file.display()))?
        }
        (None, name) => Profile::built_in(name.as_deref().unwrap_or_default())?,
    };
    let options = Options {
        address: args.address,
        only: args.only,
        patience: Duration::from_secs(args.patience),
        restart: args.restart_command.map(restart_by),
    };
    let report = run_cases(profile, options).await?;
    say(&if args.json { report.to_json()? } else { report.to_string() });
    Ok(if report.is_conformant() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Restarts by a shell command. Its standard output is nobody's, so that ours stays the report.
fn restart_by(command: String) -> Restart {
    Box::new(move || {
        let command = command.clone();
        Box::pin(async move {
            let mut shell = tokio::process::Command::new("sh");
            shell.arg("-c").arg(&command).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
            match tokio::time::timeout(RESTART, shell.status()).await {
                Ok(Ok(status)) if status.success() => Ok(()),
                Ok(Ok(status)) => Err(format!("--restart-command ended with {status}: {command}")),
                Ok(Err(error)) => Err(format!("--restart-command could not be run by sh: {error}")),
                Err(_) => Err(format!(
                    "--restart-command did not end within {RESTART:?}; it must start the participant in the \
                     background: {command}"
                )),
            }
        })
    })
}
