//! A participant's outbox, payloads left aside.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::reader::Reader;
use crate::AuditError;

/// The kept events of one participant.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// Whose.
    pub(crate) book: &'static str,
    /// The last sequence given out, by (source, key).
    pub(crate) keys: BTreeMap<(String, String), i64>,
    /// Ascending by (source, key, sequence).
    pub(crate) rows: Vec<OutboxRow>,
    /// Rows published before this moment may be gone; none when nothing was ever purged.
    pub(crate) purged_before_ms: Option<i64>,
}

/// One event.
#[derive(Debug)]
pub(crate) struct OutboxRow {
    pub(crate) source: String,
    pub(crate) key: String,
    pub(crate) sequence: i64,
    pub(crate) number: i64,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) state: String,
}

impl Outbox {
    pub(super) async fn read(reader: &mut Reader) -> Result<Self, AuditError> {
        let keys = reader
            .rows("SELECT source, key, last_sequence FROM outbox_keys", |row| {
                Ok(((row.try_get("source")?, row.try_get("key")?), row.try_get("last_sequence")?))
            })
            .await?;
        let sql = "SELECT source, key, sequence, number, kind, subject, state FROM outbox \
                   ORDER BY source, key, sequence";
        let rows = reader
            .rows(sql, |row| {
                Ok(OutboxRow {
                    source: row.try_get("source")?,
                    key: row.try_get("key")?,
                    sequence: row.try_get("sequence")?,
                    number: row.try_get("number")?,
                    kind: row.try_get("kind")?,
                    subject: row.try_get("subject")?,
                    state: row.try_get("state")?,
                })
            })
            .await?;
        let horizon =
            reader.rows("SELECT published_before_ms FROM outbox_purge", |row| row.try_get(0)).await?;
        Ok(Self {
            book: reader.book(),
            keys: keys.into_iter().collect(),
            rows,
            purged_before_ms: horizon.into_iter().max(),
        })
    }

    /// How many events of a kind there are, by subject.
    pub(crate) fn by_subject(&self, kind: &str) -> BTreeMap<&str, usize> {
        let mut found = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.kind == kind) {
            *found.entry(row.subject.as_str()).or_default() += 1;
        }
        found
    }

    /// Whether an event of something that happened then may have been purged: it was published later still.
    pub(crate) fn may_have_purged(&self, happened_at_ms: i64) -> bool {
        self.purged_before_ms.is_some_and(|before| happened_at_ms < before)
    }
}
