//! One Postgres, one Redis and one Kafka for as long as a command runs.

use std::process::{Command, ExitCode};

use backstitch_services::{Kafka, OF_THIS_RUN, Postgres, Redis};
use clap::{Parser, Subcommand};

/// Servers for tests.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start what the environment does not name, run a command with DATABASE_URL, REDIS_URL and KAFKA_BROKERS, stop what
    /// was started, end as the command ended.
    Run {
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    let Verb::Run { command } = Cli::parse().command;
    let needed = |variable: &str| std::env::var(variable).map_or(true, |value| value.is_empty());
    let (postgres, redis, kafka) = std::thread::scope(|scope| {
        let kafka = needed("KAFKA_BROKERS").then(|| scope.spawn(Kafka::start));
        let postgres = needed("DATABASE_URL").then(|| scope.spawn(Postgres::start_thrown_away));
        let redis = needed("REDIS_URL").then(|| scope.spawn(Redis::start));
        (postgres.map(joined), redis.map(joined), kafka.map(joined))
    });
    let (program, args) = command.split_first().expect("clap requires a command");
    let mut command = Command::new(program);
    command.args(args);
    if let Some(postgres) = &postgres {
        command.env("DATABASE_URL", postgres.url()).env(OF_THIS_RUN, "1");
    }
    if let Some(redis) = &redis {
        command.env("REDIS_URL", redis.url());
    }
    if let Some(kafka) = &kafka {
        command.env("KAFKA_BROKERS", kafka.brokers());
    }
    match command.status() {
        // A signal has no code.
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(e) => panic!("`{program}` cannot be run: {e}"),
    }
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    // Why it failed has been said.
    thread.join().unwrap_or_else(|_| std::process::exit(1))
}
