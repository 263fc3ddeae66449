//! The journals, folded by the auditor itself to what the laws ask about.
//!
//! Streams: a journal may be larger than memory, a saga's facts are small.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::journal::{Record, record::Kind};
use futures::TryStreamExt;
use prost::Message;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::reader::{Reader, id_bytes};
use super::sagas::CHECKOUT;
use crate::AuditError;

/// How a saga ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Compensated,
}

/// What a journal says, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// Number of its last record.
    pub(crate) last: i64,
    /// Times of its first and its last record, Unix milliseconds.
    pub(crate) first_at_ms: i64,
    pub(crate) last_at_ms: i64,
    /// (expected, found) wherever a number does not follow the one before.
    pub(crate) holes: Vec<(i64, i64)>,
    /// Records that do not decode: number and why.
    pub(crate) unreadable: Vec<(i64, String)>,
    /// Records that say that it started.
    pub(crate) starts: Vec<i64>,
    /// Records that say that it ended, and how.
    pub(crate) ends: Vec<(i64, End)>,
    /// Records that say that it turned back.
    pub(crate) turned_back: Vec<i64>,
    /// Why steps are parked now, by step; undos apart.
    pub(crate) parked: BTreeMap<(u32, Part), String>,
    /// Why the saga as a whole waits for a person.
    pub(crate) poisoned: Option<String>,
    waiting: BTreeSet<u32>,
    /// The return that makes it good: parked until that has ended.
    made_good_by: Option<Uuid>,
    /// The cart and its version, of a checkout.
    pub(crate) cart: Option<(String, i64)>,
}

/// Which half of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Do,
    Undo,
}

impl Journal {
    /// Something of it waits for a person.
    pub(crate) fn is_parked(&self) -> bool {
        self.poisoned.is_some() || self.made_good_by.is_some() || !self.parked.is_empty()
    }

    /// A person has decided that it is returned as a whole, and the return was not taken back.
    pub(crate) fn is_made_good(&self) -> bool {
        self.made_good_by.is_some()
    }

    /// A participant waits for the customer.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn take(&mut self, seq: i64, bytes: &[u8]) {
        let first = self.last == 0;
        if seq != self.last + 1 {
            self.holes.push((self.last + 1, seq));
        }
        self.last = seq;
        let record = match Record::decode(bytes) {
            Ok(record) => record,
            Err(error) => return self.unreadable.push((seq, error.to_string())),
        };
        self.last_at_ms = record.at_unix_ms;
        if first {
            self.first_at_ms = record.at_unix_ms;
        }
        let Some(kind) = record.kind else {
            return self.unreadable.push((seq, "a record of no known kind".to_owned()));
        };
        match kind {
            Kind::Started(started) => {
                self.starts.push(seq);
                if started.definition == CHECKOUT {
                    match CheckoutInput::decode(started.input) {
                        Ok(input) => self.cart = Some((input.cart_id, input.cart_version)),
                        Err(error) => self.unreadable.push((seq, format!("its input: {error}"))),
                    }
                }
            }
            Kind::StepDone(done) => self.settled(done.step),
            Kind::StepRefused(refused) => self.settled(refused.step),
            Kind::StepWaiting(waiting) => {
                self.waiting.insert(waiting.step);
            }
            Kind::TurnedBack(_) => {
                self.turned_back.push(seq);
                self.poisoned = None;
                self.waiting.clear();
                self.parked.retain(|(_, part), _| *part == Part::Undo);
            }
            Kind::UndoDone(undone) => {
                self.parked.remove(&(undone.step, Part::Undo));
            }
            Kind::StepParked(parked) => {
                self.parked.insert((parked.step, Part::Do), parked.why);
            }
            Kind::UndoParked(parked) => {
                self.parked.insert((parked.step, Part::Undo), parked.why);
            }
            Kind::Poisoned(poisoned) => self.poisoned = Some(poisoned.why),
            Kind::Resumed(resumed) if resumed.only.is_empty() => {
                self.parked.clear();
                self.poisoned = None;
            }
            Kind::Resumed(resumed) => self.parked.retain(|(step, _), _| !resumed.only.contains(step)),
            Kind::Completed(_) => self.ends.push((seq, End::Completed)),
            Kind::Compensated(_) => self.ends.push((seq, End::Compensated)),
            Kind::MadeGood(good) => match Uuid::from_slice(&good.return_saga) {
                Ok(by) => self.made_good_by = Some(by),
                Err(error) => self.unreadable.push((seq, format!("its return: {error}"))),
            },
            Kind::PivotIntent(_) | Kind::CloseIntent(_) | Kind::Noted(_) => {}
            Kind::NotMadeGood(not) => (self.made_good_by, self.poisoned) = (None, Some(not.why)),
        }
    }

    fn settled(&mut self, step: u32) {
        self.waiting.remove(&step);
        self.parked.remove(&(step, Part::Do));
    }
}

/// Every journal, by saga.
pub(super) async fn read(reader: &mut Reader) -> Result<BTreeMap<Uuid, Journal>, AuditError> {
    let mut journals: BTreeMap<Uuid, Journal> = BTreeMap::new();
    let outcome = stream(reader, &mut journals).await;
    outcome.map_err(|error| reader.unreadable(&error))?;
    Ok(journals)
}

async fn stream(reader: &mut Reader, journals: &mut BTreeMap<Uuid, Journal>) -> Result<(), sqlx::Error> {
    let sql = format!("SELECT {}, seq, record FROM journal ORDER BY saga_id, seq", reader.ids("saga_id"));
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(reader.conn());
    while let Some(row) = rows.try_next().await? {
        let journal = journals.entry(id_bytes(&row, "saga_id")?).or_default();
        journal.take(row.try_get("seq")?, row.try_get("record")?);
    }
    Ok(())
}
