//! Relays from outboxes to Kafka, one task for each source; and what reads from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use outbox_relay::consumer::{self, ConsumerPace, Subscription};
use outbox_relay::{Leases, Options, Pace, Relay, Sink, Source, Tenure};
use participant_kit::{Clock as _, Participant, SystemClock};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::kafka::Kafka;
use super::leases;
use crate::databases::Databases;

/// An outbox, what is notified when something is committed to it, and the right to publish from it.
pub(crate) struct Outbox {
    source: Arc<dyn Source>,
    wake: Arc<Notify>,
    tenure: Tenure,
    pace: Pace,
    /// So much of what was published is published again first.
    window: Option<Duration>,
}

impl Outbox {
    /// One that this process writes, and nobody else publishes.
    pub(crate) fn new(source: Arc<dyn Source>, wake: Arc<Notify>) -> Self {
        Self { source, wake, tenure: Tenure::forever(), pace: Pace::default(), window: None }
    }

    /// A participant's.
    pub(crate) fn of(participant: &Participant) -> Self {
        Self::new(participant.outbox.clone(), participant.wake.clone())
    }

    /// One that other processes write, of whose commits nobody tells.
    pub(crate) fn polled(source: Arc<dyn Source>) -> Self {
        Self { pace: Pace::polling(), ..Self::new(source, Arc::default()) }
    }

    /// Its lane.
    pub(crate) fn name(&self) -> &str {
        self.source.name()
    }

    /// The same where other processes write it too, published only while `tenure` is held.
    pub(crate) fn under(self, tenure: Tenure) -> Self {
        Self { tenure, pace: Pace::polling(), ..self }
    }

    /// The same for a broker that starts empty: what was published within `window` is published again first.
    pub(crate) fn again(self, window: Option<Duration>) -> Self {
        Self { window, ..self }
    }
}

/// What was begun.
pub(crate) struct Relays {
    pub(crate) all: Vec<Arc<Relay>>,
    running: TaskTracker,
    /// A tick was cut off at the end: what it handed over may still be on its way.
    cut_off: Arc<AtomicBool>,
}

/// Relays `outboxes` until told to stop.
pub(crate) fn spawn(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    outboxes: Vec<Outbox>,
    kafka: &Kafka,
    options: &Options,
    shutdown: &CancellationToken,
) -> Relays {
    let mut relays = Relays { all: Vec::new(), running: TaskTracker::new(), cut_off: Arc::default() };
    for Outbox { source, wake, tenure, pace, window } in outboxes {
        let sink: Arc<dyn Sink> = kafka.sink();
        let relay = Arc::new(Relay::new(source, sink, options.clone()).under(tenure));
        relays.all.push(Arc::clone(&relay));
        let (shutdown, cut_off) = (shutdown.clone(), Arc::clone(&relays.cut_off));
        tasks.spawn(relays.running.track_future(async move {
            if let Some(window) = window
                && let Err(error) = relay.replay_window(window, SystemClock.now_ms()).await
            {
                tracing::warn!(source = relay.name(), %error, "the last hour's events could not be published again");
            }
            if !outbox_relay::run(relay, wake, || SystemClock.now_ms(), pace, shutdown).await {
                cut_off.store(true, Ordering::Release);
            }
            Ok(())
        }));
    }
    relays.running.close();
    relays
}

/// Keeps leases until told to stop, and gives them back when the relays have ended, so that whoever is next can begin at
/// once.
pub(crate) fn keep(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    leases: impl IntoIterator<Item = Leases>,
    relays: &Relays,
    shutdown: &CancellationToken,
) {
    for leases in leases {
        let (shutdown, running) = (shutdown.clone(), relays.running.clone());
        let cut_off = Arc::clone(&relays.cut_off);
        tasks.spawn(async move {
            leases.keep(&shutdown).await;
            running.wait().await;
            if cut_off.load(Ordering::Acquire) {
                return Ok(());
            }
            if let Err(error) = leases.release().await {
                tracing::warn!(%error, "leases are not given back; they end by themselves");
            }
            Ok(())
        });
    }
}

/// Publishes what this process writes until told to stop: outboxes of participants, named like them, and the
/// orchestrator's lanes.
pub(crate) async fn publish(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    outboxes: Vec<Outbox>,
    lanes: Vec<Outbox>,
    databases: &Databases,
    kafka: &Kafka,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut owners: Vec<_> =
        outboxes.into_iter().map(|outbox| (outbox.name().to_owned(), vec![outbox])).collect();
    if !lanes.is_empty() {
        owners.push(("orchestrator".to_owned(), lanes));
    }
    let (mut all, mut kept) = (Vec::new(), Vec::new());
    for (owner, outboxes) in owners {
        let (outboxes, lease) = leases::of(&owner, outboxes, databases, kafka).await?;
        all.extend(outboxes);
        kept.extend(lease);
    }
    let options = match kept.is_empty() {
        true => Options::default(),
        false => Options { patience: leases::TERM, ..Options::default() },
    };
    let relays = spawn(tasks, all, kafka, &options, shutdown);
    keep(tasks, kept, &relays, shutdown);
    Ok(())
}

/// Consumes `subscriptions` until told to stop.
pub(crate) fn consume(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    subscriptions: Vec<Subscription>,
    kafka: &Kafka,
    shutdown: &CancellationToken,
) {
    for subscription in subscriptions {
        let (options, shutdown) = (kafka.options().clone(), shutdown.clone());
        tasks.spawn(async move {
            Ok(consumer::consume(subscription, &options, ConsumerPace::default(), shutdown).await?)
        });
    }
}
