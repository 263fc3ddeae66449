//! The command line: nouns and verbs, and their options. Field docs are the manual.

use std::io::Write as _;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::audit::AuditArgs;
use crate::bench::BenchArgs;
use crate::conformance::ConformanceArgs;
use crate::copies::Copies;
use crate::databases::{ServerOfAll, ServerOfOne};
use crate::definitions::DefinitionsArgs;
use crate::demo::DemoArgs;
use crate::limits::Limits;
use crate::logging::LogArgs;
use crate::migrate::MigrateArgs;
use crate::patience::{Patience, time};
use crate::payments::{Payments, Told};
use crate::ping::PingArgs;
use crate::provider::Provider;
use crate::reconcile::{self, ReconcileArgs};
use crate::roles::name::Name;
use crate::roles::reconciler::Reconciling;
use crate::sharing::Node;

/// Sender of mails unless told.
const MAIL_FROM: &str = "Backstitch <shop@localhost>";

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
    /// reads, and leaves notes on sagas, unless --repair is given.
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

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Directory of the databases; created if it is missing.
    #[arg(long, env = "BACKSTITCH_DATA", value_name = "DIR", default_value = "backstitch-data")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerOfAll,
    #[command(flatten)]
    pub(crate) doors: Doors,
    #[command(flatten)]
    pub(crate) node: Node,
    #[command(flatten)]
    pub(crate) parts: Parts,
    #[command(flatten)]
    pub(crate) copies: Copies,
    #[command(flatten)]
    pub(crate) provider: Provider,
    #[command(flatten)]
    pub(crate) mail: Mail,
    #[command(flatten)]
    pub(crate) returns: Returns,
    #[command(flatten)]
    pub(crate) payments: Payments,
    #[command(flatten)]
    pub(crate) patience: Patience,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reconciling: Reconciling,
    /// Write the addresses here, as JSON, once everything is ready.
    #[arg(long, value_name = "FILE", hide_short_help = true, value_parser = file_to_write)]
    pub(crate) ready_file: Option<PathBuf>,
}

/// Where the orchestrator is called.
#[derive(Clone, Debug, Args)]
pub(crate) struct Doors {
    /// Address of the HTTP API.
    #[arg(long, env = "BACKSTITCH_HTTP", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    #[arg(value_parser = address)]
    pub(crate) http: SocketAddr,
    /// Address of the gRPC API.
    #[arg(long, env = "BACKSTITCH_GRPC", value_name = "ADDR", default_value = "127.0.0.1:50050")]
    #[arg(value_parser = address)]
    pub(crate) grpc: SocketAddr,
}

/// How Kafka is used, where it is not a broker of `up`'s own.
#[derive(Clone, Debug, Args)]
pub(crate) struct KafkaMore {
    /// Partitions of a topic that is made because it is missing.
    #[arg(
        long,
        env = "BACKSTITCH_KAFKA_PARTITIONS",
        value_name = "N",
        default_value_t = 12,
        hide_short_help = true
    )]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub(crate) kafka_partitions: i32,
    /// On how many brokers each of its partitions is kept.
    #[arg(
        long,
        env = "BACKSTITCH_KAFKA_REPLICATION",
        value_name = "N",
        default_value_t = 1,
        hide_short_help = true
    )]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=100))]
    pub(crate) kafka_replication: i32,
    /// Property of the connection, in librdkafka's words, e.g. security.protocol=sasl_plaintext.
    #[arg(long, env = "BACKSTITCH_KAFKA_PROPERTY", value_name = "NAME=VALUE", value_delimiter = ',')]
    #[arg(value_parser = property, hide_env_values = true, hide_short_help = true)]
    pub(crate) kafka_property: Vec<(String, String)>,
}

/// Real parts in place of built-in ones.
#[derive(Clone, Debug, Args)]
pub(crate) struct Parts {
    /// Kafka brokers to publish events to and read them from. Without it `up` has a broker of its own, and single roles
    /// keep their events in the outbox.
    #[arg(long, env = "BACKSTITCH_KAFKA", value_name = "HOST:PORT,…", value_parser = brokers)]
    pub(crate) kafka: Option<String>,
    #[command(flatten)]
    pub(crate) kafka_more: KafkaMore,
    /// Read events from --kafka and leave publishing them to `backstitch relay`.
    #[arg(long, env = "BACKSTITCH_NO_RELAY", hide_short_help = true)]
    pub(crate) no_relay: bool,
    /// How many days participants remember what they answered. The call of an older saga is answered as broken.
    #[arg(
        long,
        env = "BACKSTITCH_BARRIER_RETENTION",
        value_name = "DAYS",
        default_value_t = 45,
        value_parser = clap::value_parser!(u16).range(1..=3650)
    )]
    pub(crate) barrier_retention: u16,
}

/// What may come back.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Returns {
    /// How long after its confirmation an order may be returned, e.g. 14d, 30d, 1y.
    #[arg(long, env = "BACKSTITCH_RETURN_WINDOW", value_name = "TIME", default_value = "30d")]
    #[arg(value_parser = return_window)]
    pub(crate) return_window: Duration,
}

impl Default for Returns {
    fn default() -> Self {
        Self { return_window: 30 * DAY }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A second to ten years: less is a mistake, more than any shop's books are kept.
fn return_window(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| format!("{e}; write it like 14d, 30d or 1y"))?;
    if (Duration::from_secs(1)..=3_653 * DAY).contains(&time) {
        Ok(time)
    } else {
        Err("it must be between 1s and 3653d".into())
    }
}

/// How customers are written to.
#[derive(Clone, Debug, Args)]
pub(crate) struct Mail {
    /// Mail server, e.g. smtp://host:25 or smtps://user:password@host. Without it mails are files in DIR/mail.
    #[arg(long, env = "BACKSTITCH_SMTP", value_name = "URL", hide_env_values = true)]
    pub(crate) smtp: Option<String>,
    /// Sender of mails.
    #[arg(long, env = "BACKSTITCH_MAIL_FROM", value_name = "ADDR", default_value = MAIL_FROM)]
    pub(crate) mail_from: String,
}

impl Default for Mail {
    fn default() -> Self {
        Self { smtp: None, mail_from: MAIL_FROM.to_owned() }
    }
}

impl Mail {
    /// Refuses what cannot be before anything is opened. Never repeats an URL, which may hold a password.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match participant_notification::check(&self.mail_from, self.smtp.as_deref()) {
            Err(participant_kit::OpenError::Config { option, why }) => {
                anyhow::bail!("--{}: {why}", option.replace('_', "-"))
            }
            checked => Ok(checked?),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct OrchestratorArgs {
    /// Directory of the saga store; created if it is missing.
    #[arg(long, env = "BACKSTITCH_DATA", value_name = "DIR", default_value = "backstitch-data")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerOfOne,
    #[command(flatten)]
    pub(crate) doors: Doors,
    #[command(flatten)]
    pub(crate) node: Node,
    /// Where a participant is, once for each: inventory, shipping, payment, order, cart, notification.
    #[arg(
        long = "participant",
        env = "BACKSTITCH_PARTICIPANTS",
        value_name = "NAME=URI",
        value_delimiter = ','
    )]
    #[arg(value_parser = participant_at)]
    pub(crate) participants: Vec<(&'static str, String)>,
    /// Kafka brokers to publish events to; without it events stay in the outbox.
    #[arg(long, env = "BACKSTITCH_KAFKA", value_name = "HOST:PORT,…", value_parser = brokers)]
    pub(crate) kafka: Option<String>,
    #[command(flatten)]
    pub(crate) kafka_more: KafkaMore,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) patience: Patience,
    #[command(flatten)]
    pub(crate) reconciling: Reconciling,
    /// Offer synthetic sagas of so many steps at POST /bench/v1/sagas; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 0, hide_short_help = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=16))]
    pub(crate) synthetic_steps: u32,
    /// Write the addresses here, as JSON, once everything is ready.
    #[arg(long, value_name = "FILE", hide_short_help = true, value_parser = file_to_write)]
    pub(crate) ready_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RelayArgs {
    /// Directory of the databases to publish from, which nobody else may have open meanwhile.
    #[arg(long, env = "BACKSTITCH_DATA", value_name = "DIR", default_value = "backstitch-data")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerOfAll,
    /// Kafka brokers to publish to.
    #[arg(long, env = "BACKSTITCH_KAFKA", value_name = "HOST:PORT,…", value_parser = brokers)]
    pub(crate) kafka: String,
    #[command(flatten)]
    pub(crate) kafka_more: KafkaMore,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "BACKSTITCH_HTTP", value_name = "ADDR", default_value = "127.0.0.1:8081")]
    #[arg(value_parser = address)]
    pub(crate) http: SocketAddr,
    /// How long a relay on Postgres owns a lane without a renewal.
    #[arg(long, env = "BACKSTITCH_LEASE", value_name = "TIME", default_value = "5s", value_parser = time)]
    #[arg(hide_short_help = true)]
    pub(crate) lease: Duration,
    /// How long an event waits for Kafka's acknowledgement before it is sent again.
    #[arg(long, env = "BACKSTITCH_MESSAGE_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = time)]
    #[arg(hide_short_help = true)]
    pub(crate) message_timeout: Duration,
    /// Write the address here, as JSON, once it is ready.
    #[arg(long, value_name = "FILE", hide_short_help = true, value_parser = file_to_write)]
    pub(crate) ready_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ParticipantsArgs {
    /// Directory of the databases; created if it is missing.
    #[arg(long, env = "BACKSTITCH_DATA", value_name = "DIR", default_value = "backstitch-data")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerOfAll,
    /// Address of the first; the others are on the ports that follow: inventory, shipping, payment, order, cart,
    /// notification. With port 0 each is on a free one.
    #[arg(long, env = "BACKSTITCH_LISTEN", value_name = "ADDR")]
    #[arg(default_value_t = Name::Inventory.default_address())]
    #[arg(value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Address of /metrics and /healthz; without it there are none.
    #[arg(long, env = "BACKSTITCH_METRICS", value_name = "ADDR", value_parser = address)]
    pub(crate) metrics: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) parts: Parts,
    #[command(flatten)]
    pub(crate) copies: Copies,
    #[command(flatten)]
    pub(crate) provider: Provider,
    #[command(flatten)]
    pub(crate) mail: Mail,
    #[command(flatten)]
    pub(crate) returns: Returns,
    #[command(flatten)]
    pub(crate) payments: Payments,
    #[command(flatten)]
    pub(crate) told: Told,
    /// Write the addresses here, as JSON, once everything is ready.
    #[arg(long, value_name = "FILE", hide_short_help = true, value_parser = file_to_write)]
    pub(crate) ready_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ParticipantArgs {
    /// Directory of the database; created if it is missing.
    #[arg(long, env = "BACKSTITCH_DATA", value_name = "DIR", default_value = "backstitch-data")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerOfOne,
    /// Address to be called at.
    // Its default is the participant's own; see `command`.
    #[arg(long, env = "BACKSTITCH_LISTEN", value_name = "ADDR", required = false)]
    #[arg(value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Address of /metrics and /healthz; without it there are none.
    #[arg(long, env = "BACKSTITCH_METRICS", value_name = "ADDR", value_parser = address)]
    pub(crate) metrics: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) parts: Parts,
    /// Write the address here, as JSON, once it is ready.
    #[arg(long, value_name = "FILE", hide_short_help = true, value_parser = file_to_write)]
    pub(crate) ready_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PaymentArgs {
    #[command(flatten)]
    pub(crate) participant: ParticipantArgs,
    #[command(flatten)]
    pub(crate) provider: Provider,
    #[command(flatten)]
    pub(crate) payments: Payments,
    #[command(flatten)]
    pub(crate) told: Told,
}

#[derive(Debug, Args)]
pub(crate) struct OrderArgs {
    #[command(flatten)]
    pub(crate) participant: ParticipantArgs,
    #[command(flatten)]
    pub(crate) returns: Returns,
}

#[derive(Debug, Args)]
pub(crate) struct CartArgs {
    #[command(flatten)]
    pub(crate) participant: ParticipantArgs,
    #[command(flatten)]
    pub(crate) copies: Copies,
}

#[derive(Debug, Args)]
pub(crate) struct NotificationArgs {
    #[command(flatten)]
    pub(crate) participant: ParticipantArgs,
    #[command(flatten)]
    pub(crate) mail: Mail,
}

#[derive(Debug, Args)]
pub(crate) struct NoopArgs {
    /// Answer "not now" for as long as this file is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) hold: Option<PathBuf>,
    /// Address to be called at.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50057")]
    #[arg(value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Write the address here, as JSON, once it is ready.
    #[arg(long, value_name = "FILE", value_parser = file_to_write)]
    pub(crate) ready_file: Option<PathBuf>,
}

/// The command line, each participant with its own port.
pub(crate) fn command() -> clap::Command {
    let command = Cli::command().mut_subcommand("reconcile", reconcile::with_addresses);
    Name::ALL.into_iter().fold(command, |command, name| {
        let address = name.default_address().to_string();
        command.mut_subcommand(name.as_str(), |sub| sub.mut_arg("listen", |arg| arg.default_value(address)))
    })
}

fn participant_at(text: &str) -> Result<(&'static str, String), String> {
    let known = backstitch_proto::services::PARTICIPANTS.map(|(name, _)| name);
    let (name, uri) =
        text.split_once('=').ok_or("give it as NAME=URI, e.g. inventory=http://127.0.0.1:50051")?;
    let name = known.into_iter().find(|known| *known == name);
    let name = name.ok_or_else(|| format!("no participant is called so; there are {}", known.join(", ")))?;
    Ok((name, self::uri(uri)?))
}

/// Where somebody is called.
pub(crate) fn uri(uri: &str) -> Result<String, String> {
    if !(uri.starts_with("http://") || uri.starts_with("https://")) {
        return Err(format!("`{uri}` must begin with http:// or https://"));
    }
    let parsed = uri.parse::<http::Uri>().map_err(|e| format!("`{uri}` is no URI: {e}"))?;
    if parsed.host().is_none_or(str::is_empty) {
        return Err(format!("`{uri}` has no host"));
    }
    Ok(uri.to_owned())
}

/// Where to listen: an address, or a name, of which the first address counts.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let out = "give it as HOST:PORT, e.g. 127.0.0.1:8081";
    let (host, port) = text.rsplit_once(':').ok_or(out)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(out.to_owned());
    }
    let mut found =
        text.to_socket_addrs().map_err(|e| format!("`{host}` cannot be resolved ({e}); {out}"))?;
    found.next().ok_or_else(|| format!("`{host}` has no address; {out}"))
}

/// `host:port`, with others after commas.
fn brokers(text: &str) -> Result<String, String> {
    let broker = |part: &str| {
        let (host, port) = part.trim().rsplit_once(':')?;
        (!host.is_empty() && port.parse::<u16>().is_ok()).then_some(())
    };
    match text.split(',').all(|part| broker(part).is_some()) {
        true => Ok(text.to_owned()),
        false => Err("give brokers as HOST:PORT, with commas between them".to_owned()),
    }
}

/// `name=value`.
fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give it as NAME=VALUE".to_owned()),
    }
}

/// A file in a directory that is there.
fn file_to_write(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() || parent.is_dir() => Ok(path),
        _ => Err("its directory does not exist".to_owned()),
    }
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

    #[test]
    fn a_wrong_participant_is_named() {
        assert_eq!(participant_at("cart=http://a:1"), Ok(("cart", "http://a:1".into())));
        assert!(participant_at("crat=http://a:1").unwrap_err().contains("inventory, shipping"));
        assert!(participant_at("cart=a:1").unwrap_err().contains("http://"));
        assert!(participant_at("cart").unwrap_err().contains("NAME=URI"));
        for bad in ["cart=http://", "cart=http:///x", "cart=http://a b"] {
            assert!(participant_at(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_may_be_a_name() {
        assert_eq!(address("127.0.0.1:81"), Ok(SocketAddr::from(([127, 0, 0, 1], 81))));
        let named = address("localhost:81").expect("every machine knows itself");
        assert!(named.ip().is_loopback() && named.port() == 81, "{named}");
        for bad in ["", "81", ":81", "localhost", "localhost:", "localhost:70000", "localhost:http"] {
            assert!(address(bad).unwrap_err().contains("127.0.0.1:8081"), "{bad}");
        }
    }

    #[test]
    fn brokers_have_a_host_and_a_port_each() {
        for good in ["a:1", "a:1,b:2", "[::1]:9092"] {
            assert_eq!(brokers(good).as_deref(), Ok(good));
        }
        for bad in ["", "a", "a:1,", ":1", "a:b", "a:70000"] {
            assert!(brokers(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_to_write_has_a_directory() {
        assert!(file_to_write("x.json").is_ok());
        assert!(file_to_write("/no/such/directory/x.json").is_err());
    }
}
