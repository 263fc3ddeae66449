//! What can still be told of a saga that this node cannot read whole: a record that does not decode, a journal that does
//! not fold, a definition that is not here.
//!
//! Its row, every record that decodes, and the state that the readable beginning of its journal leads to. Nothing is
//! guessed beyond that.

use std::error::Error as _;
use std::sync::Arc;

use backstitch_core::{Definition, Entry, Record, Saga};
use backstitch_engine::ReadError;
use backstitch_store::codec::{self, DecodeError};
use backstitch_store::{SagaRow, Status};
use uuid::Uuid;

use crate::app::App;
use crate::definitions;
use crate::failures;
use crate::problem::Problem;

/// A record's place in the journal.
pub(crate) enum Line {
    Read(Entry),
    /// Its bytes are kept, and not shown: an input may be in them.
    Undecodable {
        why: String,
        length: usize,
    },
}

/// What is left to tell.
pub(crate) struct Salvage {
    pub(crate) row: SagaRow,
    /// Why it cannot be read whole.
    pub(crate) reason: String,
    /// Somebody else may have what this node lacks: a definition.
    pub(crate) elsewhere: bool,
    /// Record number n is at n - 1.
    pub(crate) lines: Vec<Line>,
    /// The state after the readable beginning, where there is one.
    pub(crate) start: Option<Beginning>,
}

/// The longest beginning of a journal that decodes and folds.
pub(crate) struct Beginning {
    pub(crate) definition: Arc<Definition>,
    pub(crate) state: Saga,
    pub(crate) journal: Vec<Entry>,
}

impl Salvage {
    /// What it waits for, if that is somebody who has its definition.
    pub(crate) fn waits_for(&self) -> Option<String> {
        let waits = self.elsewhere && !self.row.status.is_final();
        waits.then(|| definitions::waits_for(&self.row.definition, self.row.version))
    }

    /// Its status as far as this node can say: what waits for somebody who can read it is parked, whether or not that
    /// is on record yet.
    pub(crate) fn status(&self) -> Status {
        if self.elsewhere || self.row.status.is_final() { self.row.status } else { Status::Parked }
    }
}

/// Tells what there is of a saga that was not read because of `error`; none if there is no such saga.
pub(crate) async fn of(app: &App, id: Uuid, error: ReadError) -> Result<Option<Salvage>, Problem> {
    let error = match error {
        ReadError::Store(error) => return Err(failures::store(error)),
        unreadable => unreadable,
    };
    let Some(stored) = app.engine.store().load(id).await.map_err(failures::store)? else { return Ok(None) };
    let lines: Vec<_> = (1..)
        .zip(&stored.records)
        .map(|(seq, bytes)| match codec::decode(seq, bytes) {
            Ok(entry) => Line::Read(entry),
            Err(DecodeError { why, .. }) => Line::Undecodable { why, length: bytes.len() },
        })
        .collect();
    Ok(Some(Salvage {
        start: beginning(app, id, &lines),
        row: stored.row,
        elsewhere: matches!(error, ReadError::Definition { .. }),
        reason: reason(&error),
        lines,
    }))
}

fn beginning(app: &App, id: Uuid, lines: &[Line]) -> Option<Beginning> {
    let mut entries = lines.iter().map_while(|line| match line {
        Line::Read(entry) => Some(entry),
        Line::Undecodable { .. } => None,
    });
    let first = entries.next()?;
    let Record::Started(start) = &first.record else { return None };
    let pinned = app.engine.catalog().pinned(&start.definition, start.version, &start.fingerprint);
    let definition = pinned.ok()?.clone();
    let mut state = Saga::started(&definition, id, first).ok()?;
    let mut journal = vec![first.clone()];
    journal.extend(entries.take_while(|entry| state.fold(entry).is_ok()).cloned());
    // Nobody works with it: what a former owner called is in doubt.
    state.recovered = state.end.is_none();
    Some(Beginning { definition, state, journal })
}

/// The error with its cause, as a sentence.
pub(crate) fn reason(error: &ReadError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}."),
        None => format!("{error}."),
    }
}
