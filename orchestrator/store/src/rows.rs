//! The rows that the winners of a batch write.

use crate::{Append, NewEvent, NewSaga, Status, plan::Winner};

/// Rows per table. They borrow from the batch; nothing is copied before it is bound.
#[derive(Default)]
pub(crate) struct Rows<'a> {
    pub(crate) keys: Vec<(&'a Append, &'a NewSaga)>,
    /// With its status, its time of update, and how many events it publishes.
    pub(crate) sagas: Vec<(&'a Append, &'a NewSaga, Status, i64, i64)>,
    /// For sagas that are there: a new status, a new time of update, and how many events more.
    pub(crate) summaries: Vec<(&'a Append, Option<Status>, Option<i64>, i64)>,
    /// With its number and its bytes.
    pub(crate) journal: Vec<(&'a Append, i64, &'a [u8])>,
    /// With its place in the lane and among the events of its saga.
    pub(crate) outbox: Vec<(&'a Append, i64, i64, &'a NewEvent)>,
}

impl<'a> Rows<'a> {
    /// The rows of these winners. `numbers[s]` is the last event number of shard `s`, counted on here.
    pub(crate) fn of(batch: &'a [Append], winners: &[Winner], numbers: &mut [i64]) -> Self {
        let mut rows = Self::default();
        for winner in winners {
            rows.add(batch, winner, numbers);
        }
        rows
    }

    fn add(&mut self, batch: &'a [Append], winner: &Winner, numbers: &mut [i64]) {
        let mut events = winner.before.map_or(0, |tail| tail.events);
        let (mut status, mut updated) = (None, None);
        let mut start = None;
        for &index in &winner.members {
            let append = &batch[index];
            if let Some(new) = &append.start {
                start = Some((append, new));
                if new.key.is_some() && !winner.has_key {
                    self.keys.push((append, new));
                }
            }
            if let Some(summary) = append.summary {
                status = Some(summary.status);
                updated = updated.max(Some(summary.updated_at_ms));
            }
            for (seq, record) in (i64::from(append.first_seq)..).zip(&append.records) {
                self.journal.push((append, seq, record));
            }
            for event in &append.events {
                let number = &mut numbers[usize::from(append.shard)];
                *number += 1;
                events += 1;
                self.outbox.push((append, *number, events, event));
            }
        }
        let published = events - winner.before.map_or(0, |tail| tail.events);
        if let Some((append, new)) = start {
            let updated = updated.unwrap_or(0).max(new.started_at_ms);
            self.sagas.push((append, new, status.unwrap_or(Status::Running), updated, events));
        } else if status.is_some() || published > 0 {
            self.summaries.push((&batch[winner.members[0]], status, updated, published));
        }
    }
}
