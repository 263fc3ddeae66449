//! What the orchestrator says of the sagas that the lines name.

use std::collections::BTreeMap;

/// Where a saga stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It did what it was started for. Nothing of it will call anybody any more.
    Completed,
    /// It took everything back, and is as over as a completed one.
    Compensated,
    /// The orchestrator knows no such saga, and its id is so old that it would have been forgotten.
    Forgotten,
    /// The orchestrator knows no such saga, and should.
    Unknown,
    /// It waits for a person.
    Parked,
    /// It is under way.
    Live,
}

/// A saga, as the orchestrator told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saga {
    /// Where it stands.
    pub standing: Standing,
    /// When it moved last, Unix milliseconds; 0 where nobody knows.
    pub moved_ms: i64,
}

/// What is known of sagas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sagas {
    /// Nobody was asked. Taken to have ended, because then nobody will put anything right any more: what is no finding
    /// under this is none under any answer.
    NotAsked,
    /// These were asked for.
    Told(BTreeMap<String, Saga>),
}

impl Sagas {
    pub(crate) fn of(&self, id: &str) -> Saga {
        match self {
            Sagas::NotAsked => Saga { standing: Standing::Compensated, moved_ms: 0 },
            Sagas::Told(sagas) => {
                sagas.get(id).copied().unwrap_or(Saga { standing: Standing::Unknown, moved_ms: 0 })
            }
        }
    }
}
