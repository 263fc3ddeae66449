//! Parking a whole saga for a reason that its own task could not record: it panicked, its journal does not read, the
//! store refuses its records. It stops alone, and its bytes are kept.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use backstitch_core::{Entry, Event, Record};
use backstitch_store::{Append, Lease, Status, StoredSaga, Summary, codec};
use tokio::sync::oneshot;
use tracing::warn;
use uuid::Uuid;

use crate::engine::{Engine, channels};
use crate::runner;
use crate::writer::{Job, Lost};

/// Why a saga is poisoned whose records the store does not take.
pub(crate) const REFUSED: &str = "the store refused its records";

/// How often it is tried to poison a saga at once.
const TRIES: usize = 3;

/// The longest reason that is kept, in bytes: a panic may tell more than a record holds.
const MAX_WHY: usize = 4096;

/// What a panic says of itself.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    &text[..text.floor_char_boundary(MAX_WHY)]
}

impl Engine {
    /// Poisons a saga, durably if the store lets it; otherwise recovery meets the same saga again and tries again.
    pub(crate) async fn poison(&self, id: Uuid, why: &str) {
        for _ in 0..TRIES {
            match self.try_to_poison(id, why).await {
                // What the saga's task had handed in before was written first, or fell with this. Now neither is under way.
                Some(Err(Lost::Refused(_))) => {}
                Some(Ok(())) => return warn!(saga = %id, why, "saga parked as a whole"),
                Some(Err(lost)) => {
                    return warn!(saga = %id, why, ?lost, "a saga could not be parked; recovery will try again");
                }
                None => return,
            }
        }
        warn!(saga = %id, why, "a saga could not be parked: its records are refused; recovery will try again");
    }

    /// None if nothing was tried.
    async fn try_to_poison(&self, id: Uuid, why: &str) -> Option<Result<(), Lost>> {
        // Held from before it is read: what is read then was written by this tenure or before it.
        let open = self.shared.shards.held();
        let stored = match self.shared.store.load(id).await {
            Ok(Some(stored)) if !stored.row.status.is_final() => stored,
            Ok(_) => return None,
            Err(error) => {
                warn!(saga = %id, %error, why, "a saga could not be parked; recovery will try again");
                return None;
            }
        };
        let tenure = open.get(&stored.row.shard).filter(|tenure| tenure.holds())?;
        let append = self.poisoned(id, &stored, tenure.lease(), why)?;
        let (answer, answered) = oneshot::channel();
        let (channels, _live) = channels(0);
        self.shared.writer.submit(Job {
            append,
            urgent: true,
            durable: Arc::clone(&channels.durable),
            answer: Some(answer),
            label: backstitch_failpoint::Label::default(),
        });
        answered.await.ok()
    }

    /// What poisons it: by the table and with the definition's events where the journal reads, else the bare record.
    /// None if it is poisoned already.
    fn poisoned(&self, id: Uuid, stored: &StoredSaga, lease: Lease, why: &str) -> Option<Append> {
        let last = u32::try_from(stored.records.len()).unwrap_or(u32::MAX);
        let at = self.shared.clock.now();
        if let Ok(history) = self.shared.read(id, &stored.records) {
            let (definition, mut state) = (history.view.definition, history.view.state);
            let status = state.status();
            let event = Event::Poison { why: why.to_owned() };
            let out = backstitch_core::next(&definition, &mut state, event, at, 0).ok()?;
            if out.records.is_empty() {
                return None;
            }
            let changed = state.status() != status;
            // What panicked may be the very function that says what to publish.
            let append = AssertUnwindSafe(|| {
                runner::append(&definition, &state, lease, last + 1, &out.records, changed, None)
            });
            if let Ok(append) = catch_unwind(append) {
                return Some(append);
            }
        }
        let newest = stored.records.last().and_then(|bytes| codec::decode(last, bytes).ok());
        if matches!(newest, Some(Entry { record: Record::Poisoned { .. }, .. })) {
            return None;
        }
        Some(Append {
            saga: id,
            root: stored.row.root,
            shard: lease.shard,
            epoch: lease.epoch,
            start: None,
            first_seq: last + 1,
            records: vec![codec::encode(&Entry { at, record: Record::Poisoned { why: why.to_owned() } })],
            summary: Some(Summary { status: Status::Parked, updated_at_ms: at.0 }),
            events: Vec::new(),
        })
    }
}
