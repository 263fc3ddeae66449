//! Relays from outboxes to Kafka, one task for each source.

use std::sync::Arc;

use anyhow::Context as _;
use outbox_relay::{KafkaOptions, KafkaSink, Options, Pace, Relay, Sink, Source};
use participant_kit::{Clock as _, SystemClock};
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

/// Relays `sources` until told to stop. With `window`, what was published within it is published again first: an
/// embedded broker starts empty.
pub(crate) fn spawn(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    sources: Vec<Arc<dyn Source>>,
    sink: &Arc<dyn Sink>,
    window: Option<std::time::Duration>,
    shutdown: &CancellationToken,
) {
    for source in sources {
        let relay = Arc::new(Relay::new(source, sink.clone(), Options::default()));
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            if let Some(window) = window
                && let Err(error) = relay.replay_window(window, SystemClock.now_ms()).await
            {
                tracing::warn!(source = relay.name(), %error, "the last hour's events could not be published again");
            }
            let wake = Arc::new(Notify::new());
            outbox_relay::run(relay, wake, || SystemClock.now_ms(), Pace::default(), shutdown).await;
            Ok(())
        });
    }
}
