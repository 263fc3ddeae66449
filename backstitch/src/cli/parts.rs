//! Options that several roles share.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::values::{DAY, address, brokers, property, return_window};

/// Sender of mails unless told.
const MAIL_FROM: &str = "Backstitch <shop@localhost>";

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
    /// How many days participants remember what they answered. The call of a saga that is older and has ended is answered
    /// as broken; one that has not ended is remembered for longer, and all younger ones with it.
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
