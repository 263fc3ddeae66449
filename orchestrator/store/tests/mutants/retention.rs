//! What is wrong with a purge.

use backstitch_store::{Append, KEY_LIFE_MS, Purge, Purged, SagaRow, Status, StoreError, Summary};
use bytes::Bytes;

use crate::{broken::Broken, kind::Kind};

impl Broken {
    pub(crate) async fn purge_broken(&self, mut what: Purge) -> Result<Purged, StoreError> {
        match self.kind {
            Kind::ParkedPurged => self.finish(Status::Parked).await?,
            Kind::RunningPurged => self.finish(Status::Running).await?,
            Kind::PurgedYoung => what.sagas_after_ms = 0,
            // The same sagas as seen from later on, and the keys with them.
            Kind::KeysPurgedYoung => {
                what.now_ms += KEY_LIFE_MS;
                what.sagas_after_ms += KEY_LIFE_MS;
            }
            Kind::KeyBeforeItsSaga => {
                let old_ms = what.now_ms - what.keys_after_ms.max(KEY_LIFE_MS).max(what.sagas_after_ms);
                let keys = self.notes().keys.clone();
                for (scope, key, at_ms) in keys {
                    let saga = self.sound.key(&scope, &key).await?.and_then(|row| row.saga);
                    let Some(saga) = saga else { continue };
                    let stored = self.sound.load(saga).await?;
                    if at_ms <= old_ms && stored.is_some_and(|stored| stored.row.status.is_final()) {
                        self.notes().forgotten.push((scope, key));
                    }
                }
            }
            Kind::PurgesWithoutLimit => what.limit = 10_000,
            _ => {}
        }
        self.sound.purge(&what).await
    }

    /// Takes all sagas of one status for finished since their last change.
    async fn finish(&self, status: Status) -> Result<(), StoreError> {
        for row in self.having(status).await? {
            let append = self.last_append(row).await?;
            self.sound.commit(&[append]).await?;
        }
        Ok(())
    }

    async fn last_append(&self, row: SagaRow) -> Result<Append, StoreError> {
        let there = self.sound.load(row.id).await?.map_or(0, |stored| stored.records.len());
        Ok(Append {
            saga: row.id,
            root: row.root,
            shard: row.shard,
            epoch: self.epoch(row.shard),
            start: None,
            first_seq: u32::try_from(there + 1).unwrap(),
            records: vec![Bytes::from_static(b"the end")],
            summary: Some(Summary { status: Status::Completed, updated_at_ms: row.updated_at_ms }),
            events: Vec::new(),
        })
    }
}
