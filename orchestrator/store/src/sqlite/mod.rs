//! The store in one SQLite file: write-ahead log, every commit synced, one writer.
//!
//! A batch is decided in memory (`plan`) on what the writer remembers (`tails`) or reads (`lookup`), and written
//! as one text from BEGIN to COMMIT (`rows`, `statements`): one trip to the connection's thread, one multi-row
//! statement per table. Constraints are the second wall; a batch that meets one is decided again on what is read.

mod definitions;
mod fault;
mod judgements;
mod leases;
mod lookup;
mod open;
mod outbox;
mod reads;
mod rows;
mod session;
mod statements;
mod writer;

use std::{fs::File, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::SqlitePool;
use tokio::sync::{Mutex, MutexGuard, Notify};
use uuid::Uuid;

pub use self::open::{DATABASE_FILE, OpenError, SqliteOptions};
use self::{lookup::key_row, outbox::counted, reads::limit_of, rows::Binds, writer::Writer};
use crate::{
    Announced, Announcement, Append, DefinitionRow, InFlight, Judged, Judgement, KEY_LIFE_MS, KeyRow,
    LaneLag, Lease, ListFilter, Member, OutboxRow, Page, Purge, Purged, SagaRow, Store, StoreError,
    StoredSaga, Switch, Switched, Tended, Verdict, door, lanes::Bells,
};

/// A [`Store`] in a data directory that belongs to this process.
pub struct SqliteStore {
    writer: Mutex<Writer>,
    readers: SqlitePool,
    shards: u16,
    bells: Bells,
    /// The last field, so that the directory is free only when the connections are told to close.
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in `directory`, which is made if it is not there, and migrates its schema.
    ///
    /// # Errors
    /// As [`OpenError`] says; nothing was changed unless the schema was migrated.
    pub async fn open(directory: &Path, options: &SqliteOptions) -> Result<Self, OpenError> {
        let opened = open::open(directory, options).await?;
        let damaged = |why: StoreError| OpenError::Database {
            path: directory.join(DATABASE_FILE),
            why: why.to_string(),
        };
        let writer = Writer::new(opened.writer).await.map_err(damaged)?;
        let shards = u16::try_from(writer.epochs.len())
            .map_err(|_| damaged(StoreError::Fatal("it has too many shards".to_owned())))?;
        let bells = Bells::new(shards);
        Ok(Self { writer: Mutex::new(writer), readers: opened.readers, shards, bells, _lock: opened.lock })
    }

    /// Closes every connection, which moves the log into the database file. Dropping the store is as durable.
    ///
    /// # Errors
    /// What SQLite says; what was committed stays so.
    pub async fn close(self) -> Result<(), StoreError> {
        self.readers.close().await;
        self.writer.into_inner().close().await
    }

    fn shard(&self, shard: u16) -> Result<u16, StoreError> {
        if shard < self.shards {
            Ok(shard)
        } else {
            Err(StoreError::Invalid(format!("there is no shard {shard}")))
        }
    }

    async fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn acquire(&self, node: &str, _now_ms: i64) -> Result<Vec<Lease>, StoreError> {
        door::check_node(node).map_err(StoreError::Invalid)?;
        let mut writer = self.writer().await;
        let mut binds = Binds::default();
        binds.text(node);
        writer.run(include_str!("sql/acquire.sql"), binds).await?;
        writer.learn_counters().await?;
        Ok((0..).zip(&writer.epochs).map(|(shard, epoch)| Lease { shard, epoch: *epoch }).collect())
    }

    async fn join(&self, node: &str, address: &str, term: Duration) -> Result<Member, StoreError> {
        let term_ms = door::check_member(node, address, term).map_err(StoreError::Invalid)?;
        leases::join(&mut *self.writer().await, node, address, term_ms).await
    }

    async fn tend(&self, member: &Member, held: &[Lease], term: Duration) -> Result<Tended, StoreError> {
        let term_ms = door::check_member(&member.node, &member.address, term).map_err(StoreError::Invalid)?;
        leases::tend(&mut *self.writer().await, member, held, term_ms).await
    }

    async fn claim(&self, member: &Member, shards: &[u16], term: Duration) -> Result<Vec<Lease>, StoreError> {
        let (shards, term_ms) =
            door::check_claim(member, shards, term, self.shards).map_err(StoreError::Invalid)?;
        leases::claim(&mut *self.writer().await, member, &shards, term_ms).await
    }

    async fn give_back(&self, held: &[Lease]) -> Result<(), StoreError> {
        leases::give_back(&mut *self.writer().await, held).await
    }

    async fn leave(&self, member: &Member) -> Result<(), StoreError> {
        leases::leave(&mut *self.writer().await, member).await
    }

    async fn commit(&self, batch: &[Append]) -> Result<Vec<Verdict>, StoreError> {
        let verdicts = self.writer().await.commit(batch).await?;
        self.bells.ring(batch, &verdicts);
        Ok(verdicts)
    }

    async fn load(&self, saga: Uuid) -> Result<Option<StoredSaga>, StoreError> {
        reads::load(&self.readers, saga).await
    }

    async fn unfinished(
        &self,
        shards: &[u16],
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>, StoreError> {
        reads::unfinished(&self.readers, shards, after, limit).await
    }

    async fn oldest(&self) -> Result<Option<Uuid>, StoreError> {
        reads::oldest(&self.readers).await
    }

    async fn family(&self, root: Uuid) -> Result<Vec<SagaRow>, StoreError> {
        reads::family(&self.readers, root).await
    }

    async fn key(&self, scope: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        reads::key(&self.readers, scope, key).await
    }

    async fn block_key(&self, scope: &str, key: &str, now_ms: i64) -> Result<KeyRow, StoreError> {
        door::check_key(scope, key).map_err(StoreError::Invalid)?;
        let mut binds = Binds::default();
        binds.text(scope);
        binds.text(key);
        binds.int(now_ms);
        let mut writer = self.writer().await;
        let rows = writer.run(include_str!("sql/block_key.sql"), binds).await?;
        let row = rows
            .first()
            .ok_or_else(|| StoreError::Fatal("a key that was written is not there".to_owned()))?;
        key_row(row)
    }

    async fn list(&self, filter: &ListFilter) -> Result<Page, StoreError> {
        reads::list(&self.readers, filter).await
    }

    async fn purge(&self, what: &Purge) -> Result<Purged, StoreError> {
        let keys_after_ms = what.keys_after_ms.max(KEY_LIFE_MS).max(what.sagas_after_ms);
        let mut binds = Binds::default();
        binds.int(what.now_ms.saturating_sub(what.sagas_after_ms));
        binds.int(limit_of(what.limit));
        binds.int(what.now_ms.saturating_sub(keys_after_ms));
        let mut writer = self.writer().await;
        let rows = writer.run(include_str!("sql/purge.sql"), binds).await?;
        Ok(Purged { sagas: counted(&rows, 0)?, keys: counted(&rows, 1)? })
    }

    async fn announce(&self, announcement: &Announcement) -> Result<Vec<Announced>, StoreError> {
        door::check_announcement(announcement).map_err(StoreError::Invalid)?;
        self.writer().await.announce(announcement).await
    }

    async fn withdraw(&self, node: &str) -> Result<(), StoreError> {
        definitions::withdraw(&mut *self.writer().await, node).await
    }

    async fn switch(&self, switch: &Switch) -> Result<Switched, StoreError> {
        door::check_switch(switch).map_err(StoreError::Invalid)?;
        definitions::switch(&mut *self.writer().await, switch).await
    }

    async fn definitions(&self) -> Result<Vec<DefinitionRow>, StoreError> {
        definitions::all(&self.readers).await
    }

    async fn in_flight(&self) -> Result<Vec<InFlight>, StoreError> {
        definitions::in_flight(&self.readers).await
    }

    async fn mark_restored(&self, now_ms: i64) -> Result<(), StoreError> {
        let mut binds = Binds::default();
        binds.int(now_ms.max(0));
        self.writer().await.run(include_str!("sql/mark_restored.sql"), binds).await.map(drop)
    }

    async fn judge(&self, word: &Judgement) -> Result<Judged, StoreError> {
        door::check_judgement(word).map_err(StoreError::Invalid)?;
        judgements::judge(&mut *self.writer().await, word).await
    }

    async fn acknowledged(&self, findings: &[Uuid]) -> Result<Vec<Judgement>, StoreError> {
        judgements::acknowledged(&self.readers, findings).await
    }

    fn shards(&self) -> u16 {
        self.shards
    }

    fn lane_wake(&self, shard: u16) -> Arc<Notify> {
        self.bells.of(shard)
    }

    async fn lane_pending(&self, shard: u16, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        outbox::pending(&self.readers, self.shard(shard)?, limit).await
    }

    async fn lane_published(&self, shard: u16, numbers: &[i64], now_ms: i64) -> Result<(), StoreError> {
        let shard = self.shard(shard)?;
        outbox::published(&mut *self.writer().await, shard, numbers, now_ms).await
    }

    async fn lane_park(&self, shard: u16, number: i64, why: &str, now_ms: i64) -> Result<(), StoreError> {
        let shard = self.shard(shard)?;
        outbox::park(&mut *self.writer().await, shard, number, why, now_ms).await
    }

    async fn lane_purge(
        &self,
        shard: u16,
        published_before_ms: i64,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let shard = self.shard(shard)?;
        outbox::purge(&mut *self.writer().await, shard, published_before_ms, limit).await
    }

    async fn lane_published_since(
        &self,
        shard: u16,
        since_ms: i64,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        outbox::published_since(&self.readers, self.shard(shard)?, since_ms, after, limit).await
    }

    async fn lane_lag(&self, shard: u16) -> Result<LaneLag, StoreError> {
        outbox::lag(&self.readers, self.shard(shard)?).await
    }
}
