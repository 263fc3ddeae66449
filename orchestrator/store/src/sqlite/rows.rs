//! The parameters of rows.

use sqlx::{Arguments as _, sqlite::SqliteArguments};
use uuid::Uuid;

use super::statements::{MAX_ROWS, Shape, Table, places};
use crate::{Status, rows::Rows};

impl Rows<'_> {
    fn count(&self, table: Table) -> usize {
        match table {
            Table::Keys => self.keys.len(),
            Table::Sagas => self.sagas.len(),
            Table::Summaries => self.summaries.len(),
            Table::Journal => self.journal.len(),
            Table::Outbox => self.outbox.len(),
        }
    }

    /// The largest table's rows.
    pub(super) fn longest(&self) -> usize {
        Table::ALL.into_iter().map(|table| self.count(table)).max().unwrap_or(0)
    }

    /// The shape of the rows from `from` on, at most [`MAX_ROWS`] per table; their parameters go behind those
    /// that are there already.
    pub(super) fn chunk(&self, from: usize, whole: bool, binds: &mut Binds) -> Shape {
        let mut shape = Shape { places: [0; 5], whole };
        for (place, table) in Table::ALL.into_iter().enumerate() {
            let end = self.count(table).min(from + MAX_ROWS);
            let rows = end.saturating_sub(from);
            let room = places(rows);
            shape.places[place] = room;
            for row in from..end {
                self.bind(table, row, binds);
            }
            binds.nulls((room - rows) * table.width());
        }
        shape
    }

    fn bind(&self, table: Table, row: usize, binds: &mut Binds) {
        match table {
            Table::Keys => {
                let (append, new) = self.keys[row];
                binds.text(&new.scope);
                binds.text(new.key.as_deref().unwrap_or_default());
                binds.id(append.saga);
                binds.blob(&new.request_hash);
                binds.int(new.started_at_ms);
            }
            Table::Sagas => {
                let (append, new, status, updated, events) = self.sagas[row];
                binds.id(append.saga);
                binds.id(append.root);
                binds.int(i64::from(append.shard));
                binds.text(&new.definition);
                binds.int(i64::from(new.version));
                binds.int(status.code());
                binds.int(new.started_at_ms);
                binds.int(updated);
                binds.int(events);
            }
            Table::Summaries => {
                let (append, status, updated, published) = self.summaries[row];
                binds.id(append.saga);
                binds.maybe(status.map(Status::code));
                binds.maybe(updated);
                binds.int(published);
            }
            Table::Journal => {
                let (append, seq, record) = self.journal[row];
                binds.id(append.saga);
                binds.int(seq);
                binds.blob(record);
            }
            Table::Outbox => {
                let (append, number, sequence, event) = self.outbox[row];
                binds.int(i64::from(append.shard));
                binds.int(number);
                binds.id(append.root);
                binds.id(append.saga);
                binds.int(sequence);
                binds.text(&event.topic);
                binds.text(&event.kind);
                binds.blob(&event.payload);
                binds.text(&event.traceparent);
                binds.int(event.at_ms);
            }
        }
    }
}

/// Parameters in the order of their places. A value that cannot be bound is remembered and told at the end.
#[derive(Default)]
pub(super) struct Binds {
    arguments: SqliteArguments,
    failed: Option<String>,
}

impl Binds {
    pub(super) fn int(&mut self, value: i64) {
        self.add(value);
    }

    pub(super) fn maybe(&mut self, value: Option<i64>) {
        self.add(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.add(value.to_owned());
    }

    pub(super) fn blob(&mut self, value: &[u8]) {
        self.add(value.to_vec());
    }

    pub(super) fn id(&mut self, value: Uuid) {
        self.blob(value.as_bytes());
    }

    pub(super) fn nulls(&mut self, count: usize) {
        for _ in 0..count {
            self.add(None::<i64>);
        }
    }

    /// The parameters.
    pub(super) fn finish(self) -> Result<SqliteArguments, String> {
        match self.failed {
            None => Ok(self.arguments),
            Some(why) => Err(why),
        }
    }

    fn add<'v, T>(&mut self, value: T)
    where
        T: sqlx::Encode<'v, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        if let Err(error) = self.arguments.add(value) {
            self.failed = Some(error.to_string());
        }
    }
}
