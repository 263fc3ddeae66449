//! What each role is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{address, brokers, file_to_write, participant_at};
use super::{Doors, KafkaMore, Mail, Parts, Returns};
use crate::copies::Copies;
use crate::databases::{ServerOfAll, ServerOfOne};
use crate::limits::Limits;
use crate::patience::{Patience, time};
use crate::payments::{Payments, Told};
use crate::provider::Provider;
use crate::roles::name::Name;
use crate::roles::reconciler::Reconciling;
use crate::sharing::Node;

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
