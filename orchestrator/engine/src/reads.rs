//! Reading a saga.

use std::time::Duration;

use backstitch_core::{FoldError, Record, Saga};
use backstitch_store::codec;
use bytes::Bytes;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::engine::{Engine, Shared};
use crate::follow::Follow;
use crate::registry::Command;
use crate::view::{History, ReadError, SagaView};

impl Engine {
    /// A saga's durable state.
    pub async fn view(&self, id: Uuid) -> Result<Option<SagaView>, ReadError> {
        Ok(self.history(id).await?.map(|history| history.view))
    }

    /// A saga's durable state with every record.
    pub async fn history(&self, id: Uuid) -> Result<Option<History>, ReadError> {
        match self.shared.store.load(id).await? {
            None => Ok(None),
            Some(stored) => self.shared.read(id, &stored.records).map(Some),
        }
    }

    /// As [`Engine::history`], with the volatile part of the state too: what the saga's task here is doing, or the
    /// doubts of an owner that knows nothing of calls, if it has none. For people who want to know why it waits.
    pub async fn inspect(&self, id: Uuid) -> Result<Option<History>, ReadError> {
        let Some(mut history) = self.history(id).await? else { return Ok(None) };
        let working = match self.shared.registry.get(id) {
            None => None,
            Some(live) => {
                let (answer, answered) = oneshot::channel();
                let _ = live.commands.send(Command::Show(answer));
                answered.await.ok()
            }
        };
        history.view.fill(working.as_ref());
        Ok(Some(history))
    }

    /// Follows a saga that is in memory.
    pub fn follow(&self, id: Uuid) -> Option<Follow> {
        self.shared.registry.get(id).map(|live| live.follow)
    }

    /// Waits until a saga ends or parks, at most so long, and answers its durable state then.
    pub async fn wait_final(&self, id: Uuid, patience: Duration) -> Result<Option<SagaView>, ReadError> {
        if let Some(follow) = self.follow(id)
            && let Some(view) = follow.rested(patience).await
        {
            return Ok(Some(view));
        }
        self.view(id).await
    }
}

impl Shared {
    pub(crate) fn read(&self, id: Uuid, records: &[Bytes]) -> Result<History, ReadError> {
        let mut entries = Vec::with_capacity(records.len());
        for (i, bytes) in records.iter().enumerate() {
            let seq = u32::try_from(i + 1).unwrap_or(u32::MAX);
            let entry = codec::decode(seq, bytes);
            entries.push(entry.map_err(|e| ReadError::Record { saga: id, seq: i + 1, why: e.why })?);
        }
        let start = match entries.first().map(|entry| &entry.record) {
            Some(Record::Started(start)) => start,
            _ => return Err(ReadError::Fold { saga: id, source: FoldError::NotStarted }),
        };
        let definition = self.catalog.pinned(&start.definition, start.version, &start.fingerprint);
        let definition = definition.map_err(|source| ReadError::Definition { saga: id, source })?.clone();
        let state = Saga::replay(&definition, id, &entries);
        let state = state.map_err(|source| ReadError::Fold { saga: id, source })?;
        Ok(History { view: SagaView { definition, state }, records: entries })
    }
}
