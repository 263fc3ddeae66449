//! Relays from outboxes to Kafka, one task for each source.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use outbox_relay::{KafkaOptions, KafkaSink, Options, Pace, Relay, Sink, Source};
use participant_kit::{Clock as _, Participant, SystemClock};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Every topic that something here publishes to.
pub(crate) const TOPICS: [&str; 6] = [
    "checkout.events",
    "order.events",
    "payment.events",
    "inventory.events",
    "cart.events",
    "shipping.events",
];

/// A sink to these brokers.
pub(crate) fn sink(brokers: &str) -> anyhow::Result<Arc<dyn Sink>> {
    Ok(Arc::new(KafkaSink::new(KafkaOptions::new(brokers)).with_context(|| format!("--kafka `{brokers}`"))?))
}

/// How long a broker has to take a connection before somebody is told.
const BROKER_PATIENCE: Duration = Duration::from_secs(3);

/// Says so if none of these brokers can be reached. Nobody waits for it: events stay in the outboxes meanwhile.
pub(crate) fn look_for(brokers: &str) {
    let brokers = brokers.to_owned();
    tokio::spawn(async move {
        let any = async {
            for broker in brokers.split(',') {
                if tokio::net::TcpStream::connect(broker.trim()).await.is_ok() {
                    return true;
                }
            }
            false
        };
        if !tokio::time::timeout(BROKER_PATIENCE, any).await.unwrap_or(false) {
            tracing::warn!(
                "--kafka {brokers}: no broker can be reached there; events are kept and go out once one is"
            );
        }
    });
}

/// An outbox, and what is notified when something is committed to it.
pub(crate) struct Outbox {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) wake: Arc<Notify>,
}

impl Outbox {
    /// A participant's.
    pub(crate) fn of(participant: &Participant) -> Self {
        Self { source: participant.outbox.clone(), wake: participant.wake.clone() }
    }
}

/// Relays `sources` until told to stop. With `window`, what was published within it is published again first: an
/// embedded broker starts empty.
pub(crate) fn spawn(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    sources: Vec<Outbox>,
    sink: &Arc<dyn Sink>,
    window: Option<Duration>,
    shutdown: &CancellationToken,
) {
    for Outbox { source, wake } in sources {
        let relay = Arc::new(Relay::new(source, sink.clone(), Options::default()));
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            if let Some(window) = window
                && let Err(error) = relay.replay_window(window, SystemClock.now_ms()).await
            {
                tracing::warn!(source = relay.name(), %error, "the last hour's events could not be published again");
            }
            outbox_relay::run(relay, wake, || SystemClock.now_ms(), Pace::default(), shutdown).await;
            Ok(())
        });
    }
}
