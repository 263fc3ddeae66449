//! The rows that a batch's operations look at and move: read by one statement before the first operation, created by
//! one statement after the last, in the batch's own transaction.
//!
//! In between an operation meets the row as the ones before it in the batch left it. Writing late is safe because the
//! row's lock (on SQLite: the writer) is held from before the reading until the commit, and is checked all the same: a
//! new row is a plain INSERT, whose primary key decides, and a moved one goes by compare-and-swap.

use std::collections::HashMap;

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::row::{Row, RowKey, state_of, words};
use super::table::RowState;
use crate::outcome::OpError;

const MOVE: &str = include_str!("sql/move.sql");
const COLUMNS: usize = 7;

/// One row, as the database has it and as the batch will leave it.
struct Entry {
    stored: RowState,
    row: Row,
    changed: bool,
}

/// The rows of a batch.
#[derive(Default)]
pub(crate) struct Rows(HashMap<RowKey, Entry>);

impl Rows {
    /// Reads the rows with these keys; what is not found is absent. Counts its round trips.
    pub(crate) async fn load(
        conn: &mut AnyConnection,
        keys: impl Iterator<Item = RowKey>,
        statements: &mut u64,
    ) -> Result<Self, OpError> {
        let absent = |key| (key, Entry { stored: RowState::Absent, row: Row::ABSENT, changed: false });
        let mut rows = Self(keys.map(absent).collect());
        if rows.0.is_empty() {
            return Ok(rows);
        }
        let places = places(rows.0.len(), 2);
        // Both dialects call the columns of VALUES column1, column2. CROSS JOIN keeps SQLite to this order: the few
        // keys outside, the table's primary key inside.
        let sql = format!(
            "SELECT b.saga_id, b.step, b.state, b.aim, b.request_hash, b.answer FROM (VALUES {places}) AS k \
             CROSS JOIN barrier b WHERE b.saga_id = k.column1 AND b.step = k.column2"
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for key in rows.0.keys() {
            query = query.bind(key.saga.to_string()).bind(key.step.clone());
        }
        *statements += 1;
        for found in query.fetch_all(conn).await? {
            let saga: String = found.try_get(0)?;
            let saga = saga.parse().map_err(|_| OpError::Broken(format!("{saga:?} is no saga id")))?;
            let key = RowKey { saga, step: found.try_get(1)? };
            let (state, aim): (String, String) = (found.try_get(2)?, found.try_get(3)?);
            let state = state_of(&state, &aim)
                .ok_or_else(|| OpError::Broken(format!("a barrier row is {state:?} {aim:?}")))?;
            let row = Row { state, hash: found.try_get(4)?, answer: found.try_get(5)? };
            rows.0.insert(key, Entry { stored: state, row, changed: false });
        }
        Ok(rows)
    }

    /// The row as it is by now; absent if it was not loaded.
    pub(crate) fn get(&self, key: &RowKey) -> Row {
        self.0.get(key).map_or(Row::ABSENT, |entry| entry.row.clone())
    }

    /// An operation that ended well left the row so.
    pub(crate) fn set(&mut self, key: &RowKey, row: Row) {
        if let Some(entry) = self.0.get_mut(key) {
            entry.row = row;
            entry.changed = true;
        }
    }

    /// Whether there is anything to write.
    pub(crate) fn changed(&self) -> bool {
        self.0.values().any(|entry| entry.changed)
    }

    /// Writes what changed. Counts its round trips.
    pub(crate) async fn flush(
        &self,
        conn: &mut AnyConnection,
        now_ms: i64,
        statements: &mut u64,
    ) -> Result<(), OpError> {
        let mut changed: Vec<_> = self.0.iter().filter(|(_, entry)| entry.changed).collect();
        // Neighbours in the index are written together.
        changed.sort_unstable_by_key(|(key, _)| *key);
        let (new, moved): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|(_, entry)| entry.stored == RowState::Absent);
        if !new.is_empty() {
            let places = places(new.len(), COLUMNS);
            let sql = format!(
                "INSERT INTO barrier (saga_id, step, state, aim, request_hash, answer, updated_at_ms) VALUES {places}"
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (key, Entry { row, .. }) in new {
                let (state, aim) = words(row.state);
                query = query.bind(key.saga.to_string()).bind(key.step.clone()).bind(state).bind(aim);
                query = query.bind(row.hash.clone()).bind(row.answer.clone()).bind(now_ms);
            }
            *statements += 1;
            query.execute(&mut *conn).await?;
        }
        for (key, Entry { stored, row, .. }) in moved {
            let ((from, from_aim), (to, to_aim)) = (words(*stored), words(row.state));
            let query = sqlx::query(MOVE)
                .bind(key.saga.to_string())
                .bind(key.step.clone())
                .bind(from)
                .bind(from_aim)
                .bind(to)
                .bind(to_aim)
                .bind(row.answer.clone())
                .bind(now_ms);
            *statements += 1;
            let count = query.execute(&mut *conn).await?.rows_affected();
            if count != 1 {
                return Err(OpError::Broken(format!("{count} rows moved from {from} to {to}")));
            }
        }
        Ok(())
    }
}

/// `($1, $2), ($3, $4), …`: as many rows of as many places.
fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> =
            (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_on_from_row_to_row() {
        assert_eq!(places(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }
}
