//! SQL over many rows, in few shapes: a statement for n rows has places for the next power of two, and the places
//! left over are NULL and drop out. So the text, and with it the prepared statement, is used again and again.
//!
//! Parameters are anonymous: SQLite finds a numbered one by a walk over all of them.

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

/// The most rows in one statement. Ten parameters each stay far below SQLite's limit of 32,766.
pub(super) const MAX_ROWS: usize = 512;

/// A table as the writer fills it, in the order in which it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Table {
    Keys,
    Sagas,
    Summaries,
    Journal,
    Outbox,
}

impl Table {
    pub(super) const ALL: [Table; 5] =
        [Table::Keys, Table::Sagas, Table::Summaries, Table::Journal, Table::Outbox];

    /// Text before the rows, text after them, and how many parameters a row has.
    fn parts(self) -> (&'static str, &'static str, usize) {
        const PADDING: &str = ") WHERE column1 IS NOT NULL;\n";
        match self {
            Table::Keys => (
                "INSERT INTO keys (scope, key, saga, request_hash, created_at_ms) SELECT * FROM (VALUES ",
                PADDING,
                5,
            ),
            Table::Sagas => (
                "INSERT INTO sagas (id, root, shard, definition, version, status, started_at_ms, \
                 updated_at_ms, events) SELECT * FROM (VALUES ",
                PADDING,
                9,
            ),
            // A place that is NULL matches no saga.
            Table::Summaries => (
                "UPDATE sagas SET status = coalesce(column2, status), \
                 updated_at_ms = max(updated_at_ms, coalesce(column3, 0)), events = events + column4 \
                 FROM (VALUES ",
                ") WHERE sagas.id = column1;\n",
                4,
            ),
            Table::Journal => {
                ("INSERT INTO journal (saga_id, seq, record) SELECT * FROM (VALUES ", PADDING, 3)
            }
            Table::Outbox => (
                "INSERT INTO outbox (shard, number, root, saga, sequence, topic, kind, payload, \
                 traceparent, at_ms) SELECT * FROM (VALUES ",
                PADDING,
                10,
            ),
        }
    }

    /// How many parameters a row has.
    pub(super) fn width(self) -> usize {
        self.parts().2
    }
}

/// What one execution carries: the places per table in the order of [`Table::ALL`], as a whole transaction with
/// the fence, or bare for a transaction that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub(super) places: [usize; 5],
    pub(super) whole: bool,
}

/// Begins with the write lock, so that nothing is read under an older state.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE;\n";
/// Writes nothing while the last epoch drawn is the one that this writer knows; else breaks a constraint, and the
/// whole transaction with it.
pub(super) const FENCE: &str = "UPDATE counters SET value = NULL WHERE name = 'epoch' AND value <> ?;\n";
/// Durable when it returns.
pub(super) const COMMIT: &str = "COMMIT;\n";

impl Shape {
    /// The text: one statement per table that has rows, all of it one trip to the connection's thread.
    pub(super) fn text(self) -> SqlStr {
        let mut text = String::new();
        if self.whole {
            text.push_str(BEGIN);
            text.push_str(FENCE);
        }
        for (table, places) in Table::ALL.into_iter().zip(self.places) {
            if places > 0 {
                let (head, tail, width) = table.parts();
                text.push_str(head);
                push_rows(&mut text, places, width);
                text.push_str(tail);
            }
        }
        if self.whole {
            text.push_str(COMMIT);
        }
        AssertSqlSafe(std::sync::Arc::<str>::from(text)).into_sql_str()
    }
}

/// The text of a read over a list of rows: `head`, the places, `tail`.
pub(super) fn over(head: &str, places: usize, width: usize, tail: &str) -> SqlStr {
    let mut text = String::from(head);
    push_rows(&mut text, places, width);
    text.push_str(tail);
    AssertSqlSafe(text).into_sql_str()
}

/// How many places a statement for so many rows has.
pub(super) fn places(rows: usize) -> usize {
    if rows == 0 { 0 } else { rows.next_power_of_two() }
}

fn push_rows(text: &mut String, places: usize, width: usize) {
    let row = format!("({})", vec!["?"; width].join(","));
    for place in 0..places {
        if place > 0 {
            text.push(',');
        }
        text.push_str(&row);
    }
}
