//! Relays from outboxes to Kafka, one task for each source.

use std::sync::Arc;

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
    window: Option<std::time::Duration>,
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
