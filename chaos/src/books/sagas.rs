//! The sagas' rows and idempotency keys, each saga with its journal.

use std::collections::BTreeMap;

use sqlx::Row as _;
use uuid::Uuid;

use super::journal::{End, Journal};
use super::reader::{Reader, id_bytes};
use crate::AuditError;

/// The definitions that move money and goods, this way and back; others are audited as journals only.
pub(crate) const CHECKOUT: &str = "checkout";
pub(crate) const RETURN: &str = "return";
/// A return too.
pub(crate) const MAKE_GOOD: &str = "make_good";

/// One saga: its row and its journal.
#[derive(Debug)]
pub(crate) struct Saga {
    pub(crate) root: Uuid,
    pub(crate) shard: i64,
    pub(crate) definition: String,
    /// The status in its row; see [`Saga::status_word`].
    pub(crate) status: i64,
    /// How many events the row says it published.
    pub(crate) events: i64,
    pub(crate) journal: Journal,
}

/// Where a saga stands, by its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It goes on when a process takes it up.
    InFlight,
    /// It waits for a person.
    Parked,
    /// It ended.
    Ended(End),
    /// The store does not know it: it is forgotten after its retention, or it never was.
    Unknown,
}

impl Standing {
    /// Whether what only holds at an end must hold.
    pub(crate) fn is_at_rest(self) -> bool {
        matches!(self, Self::Ended(_) | Self::Unknown)
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InFlight => "is in flight",
            Self::Parked => "is parked",
            Self::Ended(End::Completed) => "completed",
            Self::Ended(End::Compensated) => "was compensated",
            Self::Unknown => "is unknown to the orchestrator",
        })
    }
}

impl Saga {
    pub(crate) fn standing(&self) -> Standing {
        match self.journal.ends.first() {
            Some((_, end)) => Standing::Ended(*end),
            None if self.journal.is_parked() => Standing::Parked,
            None => Standing::InFlight,
        }
    }

    pub(crate) fn is_checkout(&self) -> bool {
        self.definition == CHECKOUT
    }

    pub(crate) fn is_return(&self) -> bool {
        self.definition == RETURN || self.makes_good()
    }

    /// Whether it is a return that makes a checkout good and lets its cart go.
    pub(crate) fn makes_good(&self) -> bool {
        self.definition == MAKE_GOOD
    }

    /// The word for a status number of the store.
    pub(crate) fn status_word(status: i64) -> &'static str {
        const WORDS: [&str; 6] = ["running", "waiting", "compensating", "parked", "completed", "compensated"];
        usize::try_from(status).ok().and_then(|status| WORDS.get(status)).copied().unwrap_or("nothing known")
    }

    /// The status that the journal adds up to.
    pub(crate) fn folded_status(&self) -> i64 {
        match self.standing() {
            Standing::Ended(End::Completed) => 4,
            Standing::Ended(End::Compensated) => 5,
            Standing::Parked => 3,
            _ if !self.journal.turned_back.is_empty() => 2,
            _ if self.journal.is_waiting() => 1,
            _ => 0,
        }
    }
}

/// Every saga. Takes the journals that have a row out of `journals`.
pub(super) async fn read(
    reader: &mut Reader,
    journals: &mut BTreeMap<Uuid, Journal>,
) -> Result<BTreeMap<Uuid, Saga>, AuditError> {
    let ids = format!("{}, {}", reader.ids("id"), reader.ids("root"));
    let sql = format!("SELECT {ids}, shard, definition, status, events FROM sagas");
    let rows = reader
        .rows(sql, |row| {
            let saga = Saga {
                root: id_bytes(row, "root")?,
                shard: row.try_get("shard")?,
                definition: row.try_get("definition")?,
                status: row.try_get("status")?,
                events: row.try_get("events")?,
                journal: Journal::default(),
            };
            Ok((id_bytes(row, "id")?, saga))
        })
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, saga)| (id, Saga { journal: journals.remove(&id).unwrap_or_default(), ..saga }))
        .collect())
}

/// The keys that started a saga, by saga.
pub(super) async fn keys(reader: &mut Reader) -> Result<BTreeMap<Uuid, Vec<(String, String)>>, AuditError> {
    let saga = reader.ids("saga");
    let sql = format!("SELECT scope, key, {saga} FROM keys WHERE saga IS NOT NULL ORDER BY scope, key");
    let rows = reader
        .rows(sql, |row| Ok((id_bytes(row, "saga")?, (row.try_get("scope")?, row.try_get("key")?))))
        .await?;
    let mut keys: BTreeMap<Uuid, Vec<(String, String)>> = BTreeMap::new();
    for (saga, key) in rows {
        keys.entry(saga).or_default().push(key);
    }
    Ok(keys)
}
