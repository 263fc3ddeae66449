//! The parameters of the statement that writes a batch.

use super::values::{Id, Values};
use crate::{Append, Status, rows::Rows};

/// The most bytes of records, events and keys in one statement. Postgres takes a message of at most 1 GiB.
pub(super) const MAX_BYTES: usize = 256 << 20;

impl Rows<'_> {
    /// How many bytes the large columns have.
    pub(super) fn bytes(&self) -> usize {
        let records = self.journal.iter().map(|(_, _, record)| record.len());
        let events = self.outbox.iter().map(|(.., event)| event.payload.len());
        records.chain(events).fold(0, usize::saturating_add)
    }

    /// The parameters of `commit.sql`. The leases come from the appends themselves.
    pub(super) fn values(&self, leases: &[(u16, i64)]) -> Values {
        let shard = |append: &Append| i32::from(append.shard);
        let mut values = Values::default();
        values.each(leases.iter().map(|(shard, _)| i32::from(*shard)));
        values.each(leases.iter().map(|(_, epoch)| *epoch));

        values.each(self.keys.iter().map(|(_, new)| new.scope.as_str()));
        values.each(self.keys.iter().map(|(_, new)| new.key.as_deref().unwrap_or_default()));
        values.each(self.keys.iter().map(|(append, _)| Id(append.saga)));
        values.each(self.keys.iter().map(|(_, new)| new.request_hash.as_slice()));
        values.each(self.keys.iter().map(|(_, new)| new.started_at_ms));
        values.each(self.keys.iter().map(|(append, _)| shard(append)));

        values.each(self.sagas.iter().map(|(append, ..)| Id(append.saga)));
        values.each(self.sagas.iter().map(|(append, ..)| Id(append.root)));
        values.each(self.sagas.iter().map(|(append, ..)| shard(append)));
        values.each(self.sagas.iter().map(|(_, new, ..)| new.definition.as_str()));
        values.each(self.sagas.iter().map(|(_, new, ..)| i64::from(new.version)));
        values.each(self.sagas.iter().map(|(_, _, status, ..)| status.code()));
        values.each(self.sagas.iter().map(|(_, new, ..)| new.started_at_ms));
        values.each(self.sagas.iter().map(|(.., updated, _)| *updated));
        values.each(self.sagas.iter().map(|(.., events)| *events));

        values.each(self.summaries.iter().map(|(append, ..)| Id(append.saga)));
        values.each(self.summaries.iter().map(|(append, ..)| shard(append)));
        values.each(self.summaries.iter().map(|(_, status, ..)| status.map(Status::code)));
        values.each(self.summaries.iter().map(|(_, _, updated, _)| *updated));
        values.each(self.summaries.iter().map(|(.., events)| *events));

        values.each(self.journal.iter().map(|(append, ..)| Id(append.saga)));
        values.each(self.journal.iter().map(|(append, ..)| shard(append)));
        values.each(self.journal.iter().map(|(_, seq, _)| *seq));
        values.each(self.journal.iter().map(|(.., record)| *record));

        values.each(self.outbox.iter().map(|(append, ..)| shard(append)));
        values.each(self.outbox.iter().map(|(_, nth, ..)| *nth));
        values.each(self.outbox.iter().map(|(append, ..)| Id(append.root)));
        values.each(self.outbox.iter().map(|(append, ..)| Id(append.saga)));
        values.each(self.outbox.iter().map(|(_, _, sequence, _)| *sequence));
        values.each(self.outbox.iter().map(|(.., event)| event.topic.as_str()));
        values.each(self.outbox.iter().map(|(.., event)| event.kind.as_str()));
        values.each(self.outbox.iter().map(|(.., event)| event.payload.as_ref()));
        values.each(self.outbox.iter().map(|(.., event)| event.traceparent.as_str()));
        values.each(self.outbox.iter().map(|(.., event)| event.at_ms));
        values
    }
}
