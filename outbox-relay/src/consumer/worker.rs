//! One partition: its messages one after the other, each until it is acted on or buried.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::FutureExt as _;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::dead::DeadLetters;
use super::groups::Follower;
use super::{ConsumerPace, Failure, Handler, Incoming, names};

pub(super) struct Worker {
    pub(super) group: String,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) dead: Arc<DeadLetters>,
    pub(super) consumer: Arc<StreamConsumer<Follower>>,
    pub(super) pace: ConsumerPace,
    /// Cancelled when the partition is somebody else's, or at the end.
    pub(super) stop: CancellationToken,
    /// Messages that were handed over and are not passed yet.
    pub(super) depth: Arc<AtomicUsize>,
}

impl Worker {
    pub(super) async fn run(self, mut messages: UnboundedReceiver<Incoming>) {
        loop {
            let message = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                message = messages.recv() => message,
            };
            let Some(message) = message else { return };
            if !self.settle(&message).await {
                return;
            }
            self.depth.fetch_sub(1, Ordering::AcqRel);
            names::handled(&self.group, &message.topic);
            // Only now may the group's place move past it. A partition that was taken away meanwhile refuses; whoever
            // has it gets the message again, and finds it in its inbox.
            let (topic, partition, offset) = (&message.topic, message.partition, message.offset);
            if let Err(error) = self.consumer.store_offset(topic, partition, offset) {
                tracing::debug!(group = self.group, topic, partition, offset, %error, "place not kept");
            }
        }
    }

    /// Whether the message was acted on or buried; false when told to stop before.
    async fn settle(&self, message: &Incoming) -> bool {
        let mut pauses = self.pauses();
        let mut attempts = 0;
        let why = loop {
            let acted = AssertUnwindSafe(self.handler.handle(message)).catch_unwind().await;
            let failure = match acted {
                Ok(Ok(())) => return true,
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Failed("the handler panicked".to_owned()),
            };
            attempts += u32::from(!matches!(failure, Failure::Later(_)));
            match failure {
                Failure::Poison(_) => break failure.to_string(),
                Failure::Failed(why) if attempts >= self.pace.attempts => break why,
                failure => {
                    self.say(message, &failure, attempts);
                    if !self.rest(&mut pauses).await {
                        return false;
                    }
                }
            }
        };
        let mut pauses = self.pauses();
        loop {
            match self.dead.bury(message, &why, attempts).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(group = self.group, error, "a dead letter is not written yet");
                    if !self.rest(&mut pauses).await {
                        return false;
                    }
                }
            }
        }
        let Incoming { topic, partition, offset, .. } = message;
        tracing::error!(
            group = self.group,
            topic,
            partition,
            offset,
            kind = message.kind(),
            why,
            attempts,
            "message set aside as a dead letter"
        );
        names::buried(&self.group, topic);
        true
    }

    fn say(&self, message: &Incoming, failure: &Failure, attempts: u32) {
        let Incoming { topic, partition, offset, .. } = message;
        tracing::warn!(group = self.group, topic, partition, offset, attempts, %failure, "to be tried again");
        names::retried(&self.group, topic);
    }

    fn pauses(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let longest = self.pace.pause_max;
        let pauses = ExponentialBuilder::default()
            .with_min_delay(self.pace.pause_min)
            .with_max_delay(longest)
            .with_jitter()
            .without_max_times();
        pauses.build().chain(std::iter::repeat(longest))
    }

    async fn rest(&self, pauses: &mut (impl Iterator<Item = Duration> + Send)) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(pauses.next().unwrap_or(self.pace.pause_max)) => true,
        }
    }
}
