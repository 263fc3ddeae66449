//! Trying again what parked because a participant was silent, once it answers.
//!
//! When a breaker closes, everything that is parked by silence at that participant is set going again. Where everybody
//! has parked and nobody is left to find out, one is. And now and then so is what parked although no breaker ever
//! opened: a saga may have been unlucky alone. The longer such a one has been parked, the less often: what takes days (a
//! refund that its bank has not decided) is asked about once an hour in the end, and its journal stays short.

use std::collections::BTreeSet;
use std::time::Duration;

use backstitch_core::{Entry, Event, Record, Timestamp};
use backstitch_store::{ListFilter, Status, StoreError};
use metrics::counter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{info, warn};
use uuid::Uuid;

use crate::engine::Engine;
use crate::metrics as names;
use crate::registry::Command;

impl Engine {
    /// Tries again, whenever a participant is back and now and then, until the engine drains.
    pub(crate) async fn revive(self, mut back: mpsc::UnboundedReceiver<&'static str>) {
        let stopping = self.shared.stopping.clone();
        let mut next = Instant::now() + self.between_tries();
        let pause = self.shared.options.flow.breaker.longest_pause;
        let mut probes = tokio::time::interval(pause.max(Duration::from_millis(1)));
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (mut participants, mut patiently) = (BTreeSet::new(), false);
            tokio::select! {
                () = stopping.cancelled() => return,
                Some(participant) = back.recv() => {
                    participants.insert(participant);
                    participants.extend(std::iter::from_fn(|| back.try_recv().ok()));
                }
                _ = probes.tick() => participants.extend(self.shared.flow.unprobed()),
                () = tokio::time::sleep_until(next) => {
                    next = Instant::now() + self.between_tries();
                    participants.extend(self.participants());
                    patiently = true;
                }
            }
            if participants.is_empty() {
                continue;
            }
            match self.try_parked_again(participants, patiently).await {
                Ok(0) => {}
                Ok(sagas) => info!(sagas, "parked sagas are tried again"),
                Err(error) => warn!(%error, "parked sagas could not be read; they are tried again later"),
            }
        }
    }

    /// Sets going again what is parked by silence at these participants, as long as calls to them can be made. A few
    /// at a time: who has just come back is not to be overrun. Answers how many sagas.
    async fn try_parked_again(
        &self,
        mut participants: BTreeSet<&'static str>,
        patiently: bool,
    ) -> Result<usize, StoreError> {
        let mut filter = ListFilter {
            status: Some(Status::Parked),
            limit: self.shared.options.recovery_page,
            ..ListFilter::default()
        };
        let pace = Duration::from_secs(1) / self.shared.options.flow.resumed_per_second.max(1);
        let mut tried = 0;
        loop {
            let page = self.shared.store.list(&filter).await?;
            let open = self.shared.shards.open();
            for row in page.sagas.into_iter().filter(|row| open.contains_key(&row.shard)) {
                participants.retain(|participant| self.shared.flow.is_worth_trying(participant));
                if participants.is_empty() || self.shared.stopping.is_cancelled() {
                    return Ok(tried);
                }
                let silent = self.silent(row.id, &participants, patiently).await;
                for participant in &silent {
                    self.tell_available(row.id, participant).await;
                }
                if !silent.is_empty() {
                    tried += 1;
                    tokio::time::sleep(pace).await;
                }
            }
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return Ok(tried),
            }
        }
    }

    /// At whose silence something of the saga is parked. One that cannot be read waits for its person.
    async fn silent(&self, id: Uuid, among: &BTreeSet<&'static str>, patiently: bool) -> Vec<&'static str> {
        let Ok(Some(history)) = self.history(id).await else { return Vec::new() };
        if patiently && !is_due(&history.records, self.shared.clock.now()) {
            return Vec::new();
        }
        let view = history.view;
        let silent = |participant: &&&str| !view.state.silenced_by(&view.definition, participant).is_empty();
        among.iter().filter(silent).copied().collect()
    }

    async fn tell_available(&self, id: Uuid, participant: &'static str) {
        counter!(names::PARKED_RETRIED, "participant" => participant).increment(1);
        // Nobody waits for the answer: if the saga ends or rests meanwhile, the next try finds what is left.
        let (answer, _) = oneshot::channel();
        let event = Event::Available { participant: participant.to_owned() };
        let command = Command::Take(event, None, answer);
        match self.shared.registry.get(id) {
            Some(live) => drop(live.commands.send(command)),
            None => self.adopt(id, Some(command)).await,
        }
    }

    /// Every participant that a definition of this node calls.
    fn participants(&self) -> impl Iterator<Item = &'static str> {
        self.shared.catalog.all().flat_map(|definition| definition.steps.iter().map(|step| step.participant))
    }

    /// A quarter more or less than the interval, so that nodes do not try together.
    fn between_tries(&self) -> Duration {
        let spread = f64::from(rand::random::<u32>()) / f64::from(u32::MAX) / 2.0;
        self.shared.options.flow.retry_parked_every.mul_f64(0.75 + spread)
    }
}

/// Between two tries of what has been parked for long, at the longest.
const LONGEST: Duration = Duration::from_secs(3600);

/// Whether a parked saga is worth another try now: an eighth of the time that it has been parked has passed since the
/// last one, or an hour.
fn is_due(journal: &[Entry], now: Timestamp) -> bool {
    let is_parked =
        |entry: &&Entry| matches!(entry.record, Record::StepParked { .. } | Record::UndoParked { .. });
    let (first, last) = (journal.iter().find(is_parked), journal.iter().rfind(is_parked));
    let (Some(first), Some(last)) = (first, last) else { return true };
    now >= last.at.plus((first.at.until(now) / 8).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use backstitch_core::{ParkedBy, StepId};

    use super::*;

    fn parked(at: i64) -> Entry {
        let step = StepId::new(0).unwrap();
        let record = Record::StepParked { step, why: "silent".into(), by: ParkedBy::Silence, attempts: 1 };
        Entry { at: Timestamp(at), record }
    }

    #[test]
    fn the_longer_it_is_parked_the_less_often_it_is_tried_but_once_an_hour() {
        const MINUTE: i64 = 60_000;
        let asked =
            |last: i64, now: i64| is_due(&[parked(0), parked(last * MINUTE)], Timestamp(now * MINUTE));
        assert!(asked(0, 5), "at every pass in the beginning");
        assert!(asked(35, 40) && !asked(76, 80) && asked(70, 80));
        assert!(!asked(6_000, 6_059) && asked(6_000, 6_060), "days later");
        assert!(is_due(&[], Timestamp(0)), "what is parked otherwise is not this rule's");
    }
}
