//! The command line: nouns and verbs. Field docs are the manual.
//!
//! `roles` is what each role is told, `parts` the options that several of them share, `values` what a value may be.

mod parts;
mod roles;
mod values;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

pub(crate) use self::parts::{Doors, KafkaMore, Mail, Parts, Returns};
pub(crate) use self::roles::{
    CartArgs, NoopArgs, NotificationArgs, OrchestratorArgs, OrderArgs, ParticipantArgs, ParticipantsArgs,
    PaymentArgs, RelayArgs, UpArgs,
};
pub(crate) use self::values::{address, uri};
use crate::audit::AuditArgs;
use crate::bench::BenchArgs;
use crate::conformance::ConformanceArgs;
use crate::definitions::DefinitionsArgs;
use crate::demo::DemoArgs;
use crate::logging::LogArgs;
use crate::migrate::MigrateArgs;
use crate::ping::PingArgs;
use crate::reconcile::{self, ReconcileArgs};
use crate::roles::name::Name;

/// Checkout that never half-happens.
#[derive(Debug, Parser)]
#[command(name = "backstitch", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Start with `backstitch demo`, then `backstitch up`.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// TOML file with a section for each command and a key for each of its long options.
    #[arg(long, global = true, env = "BACKSTITCH_CONFIG", value_name = "FILE")]
    #[arg(help_heading = "Options of every command")]
    pub(crate) config: Option<PathBuf>,
    /// Threads that do the work; one for each core in `up`, half of that for a role alone, unless told.
    #[arg(long, global = true, env = "BACKSTITCH_THREADS", value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..), hide_short_help = true)]
    #[arg(help_heading = "Options of every command")]
    pub(crate) threads: Option<u8>,
    /// Say what is wrong with the settings of this command line, the environment and the file, and start nothing.
    #[arg(long, global = true, hide_short_help = true)]
    #[arg(help_heading = "Options of every command")]
    pub(crate) check: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process, with nothing to install.
    Up(UpArgs),
    /// Watch checkouts complete, be refused, be taken back, and survive a kill -9.
    Demo(DemoArgs),
    /// Measure this machine against the raw limit.
    Bench(BenchArgs),
    /// Check the invariants over databases at rest.
    Audit(AuditArgs),
    /// Compare the payment ledger with the provider and the orders, and say what money is at risk.
    ///
    /// Ends with 0 if none is, with 1 if some is, and with 2 if that could not be told, which names who did not answer. Only
    /// reads, and leaves notes on sagas, unless --repair is given. With --acknowledge or --take-back it does that alone, and
    /// ends with 0 if it is done and with 2 if not.
    Reconcile(ReconcileArgs),
    /// Hold a participant in any language against the contract.
    Conformance(ConformanceArgs),
    /// Create databases on a Postgres server and bring them up to date.
    Migrate(MigrateArgs),
    /// List versions of definitions, and switch them on or off for new sagas.
    Definitions(DefinitionsArgs),
    /// Ask a running part whether it serves.
    Ping(PingArgs),
    /// The orchestrator alone.
    Orchestrator(OrchestratorArgs),
    /// The relay alone: moves events from every outbox to Kafka.
    Relay(RelayArgs),
    /// All six participants in one process.
    Participants(ParticipantsArgs),
    /// Products, stock and reservations.
    Inventory(ParticipantArgs),
    /// Quotes and shipments.
    Shipping(ParticipantArgs),
    /// Authorizations, captures and refunds.
    Payment(PaymentArgs),
    /// Orders.
    Order(OrderArgs),
    /// Carts.
    Cart(CartArgs),
    /// Messages to customers.
    Notification(NotificationArgs),
    /// A participant that answers at once, for measuring.
    #[command(hide = true)]
    Noop(NoopArgs),
}

/// The command line, each participant with its own port.
pub(crate) fn command() -> clap::Command {
    let command = Cli::command().mut_subcommand("reconcile", reconcile::with_addresses);
    Name::ALL.into_iter().fold(command, |command, name| {
        let address = name.default_address().to_string();
        command.mut_subcommand(name.as_str(), |sub| sub.mut_arg("listen", |arg| arg.default_value(address)))
    })
}

/// Data, on standard output.
/// Whoever stops reading (`| head`) stops nothing else.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Talk, on standard error.
#[allow(clippy::print_stderr, reason = "the one place that talks on standard error")]
pub(crate) fn complain(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
