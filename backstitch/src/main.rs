//! Backstitch: checkout that never half-happens.
//!
//! The one binary. Knows everybody and nobody knows it: it reads settings, opens parts and connects them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod after_restore;
mod audit;
mod bench;
mod check;
mod child;
mod cli;
mod client;
mod conformance;
mod copies;
mod data_dir;
mod databases;
mod definitions;
mod demo;
mod limits;
mod logging;
mod migrate;
mod patience;
mod payments;
mod ping;
mod provider;
mod ready;
mod reconcile;
mod roles;
mod settings;
mod sharing;
mod up;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use cli::{Cli, Command, ParticipantArgs};
use roles::name::Name;
use roles::participants::More;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let mut command = cli::command();
    if let Some(path) = settings::file_from(&args, std::env::var("BACKSTITCH_CONFIG").ok()) {
        command = match settings::with_file(command, &path) {
            Ok(command) => command,
            Err(error) => return fail(&error),
        };
    }
    let parsed = command.try_get_matches_from_mut(args);
    let parsed = parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => error.exit(),
    };
    if cli.check {
        return check::run(&cli.command, &command, &matches).unwrap_or_else(|error| fail(error.as_ref()));
    }
    let threads = cli.threads.map_or_else(|| threads_for(&cli.command), usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    // Traces are sent by tasks of this runtime: it is there before the first and until the last is sent.
    let inside = runtime.enter();
    if let Err(error) = logging::init(&cli.log) {
        return fail(error.as_ref());
    }
    drop(inside);
    let outcome = runtime.block_on(run(cli.command));
    logging::flush();
    // A blocking call that hangs (a name lookup, a console) must not keep a finished process alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match outcome {
        Ok(code) => code,
        Err(error) => fail(error.as_ref()),
    }
}

/// A role alone shares its machine with other roles and databases: half of the cores, so that fewer threads hand work
/// to each other. A process that is everything takes all of them.
fn threads_for(command: &Command) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match command {
        Command::Up(_) | Command::Demo(_) | Command::Bench(_) | Command::Audit(_) => cores,
        _ => cores.div_ceil(2),
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => up::run(args).await.map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(args).await,
        Command::Bench(args) if args.takeover => {
            let report = bench::takeover::run(&args).await?;
            cli::say(&if args.json { serde_json::to_string_pretty(&report)? } else { report.to_string() });
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench(args) => {
            let report = bench::run(&args).await?;
            cli::say(&if args.json { serde_json::to_string_pretty(&report)? } else { report.to_string() });
            Ok(ExitCode::SUCCESS)
        }
        Command::Audit(args) => audit::run(&args).await,
        Command::Migrate(args) => migrate::run(&args).await,
        Command::Conformance(args) => conformance::run(args).await,
        Command::Definitions(args) => definitions::run(args).await,
        Command::Reconcile(args) => Ok(reconcile::run(args).await),
        Command::Ping(args) => ping::run(args).await.map(|()| ExitCode::SUCCESS),
        Command::Orchestrator(args) => roles::orchestrator::run(args).await.map(|()| ExitCode::SUCCESS),
        Command::Relay(args) => roles::relay::run(args).await.map(|()| ExitCode::SUCCESS),
        Command::Participants(args) => roles::participants::run_all(args).await.map(|()| ExitCode::SUCCESS),
        Command::Inventory(args) => participant(Name::Inventory, args, More::default()).await,
        Command::Shipping(args) => participant(Name::Shipping, args, More::default()).await,
        Command::Payment(args) => {
            let (provider, payments) = (args.provider, args.payments);
            let more = More { provider, payments, orchestrator: args.told.orchestrator, ..More::default() };
            participant(Name::Payment, args.participant, more).await
        }
        Command::Order(args) => {
            let more = More { returns: args.returns, ..More::default() };
            participant(Name::Order, args.participant, more).await
        }
        Command::Cart(args) => {
            let more = More { copies: args.copies, ..More::default() };
            participant(Name::Cart, args.participant, more).await
        }
        Command::Notification(args) => {
            let more = More { mail: args.mail, ..More::default() };
            participant(Name::Notification, args.participant, more).await
        }
        Command::Noop(args) => roles::noop::run(args).await.map(|()| ExitCode::SUCCESS),
    }
}

async fn participant(name: Name, args: ParticipantArgs, more: More) -> anyhow::Result<ExitCode> {
    roles::participants::run_one(name, args, more).await.map(|()| ExitCode::SUCCESS)
}

/// Says what went wrong, with every cause, and fails.
fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    cli::complain(&format!("backstitch: {text}"));
    ExitCode::FAILURE
}
