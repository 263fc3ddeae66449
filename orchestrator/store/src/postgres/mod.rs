//! The store in a Postgres database that several nodes share.
//!
//! A batch is decided in memory (`plan`) on what the writer remembers (`tails`) or reads (`lookup`), and written as one
//! statement that commits by itself (`sql/commit.sql`). That statement holds the truth: it locks the batch's shards under
//! their epochs, takes the keys, and meets the primary keys; who drops out of it is decided again on what is read.
//! A client that is frozen or cut off holds no lock, because it has no transaction open.

mod definitions;
mod fault;
mod judgements;
mod leases;
mod lookup;
mod open;
mod outbox;
mod pool;
mod reads;
mod rows;
mod session;
mod values;
mod writer;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::{Mutex, MutexGuard, Notify};
use uuid::Uuid;

pub use self::open::{PostgresError, PostgresOptions};
use self::{open::Server, pool::Pool, session::Session, writer::Writer};
use crate::{
    Announced, Announcement, Append, DefinitionRow, InFlight, Judged, Judgement, KeyRow, LaneLag, Lease,
    ListFilter, Member, OutboxRow, Page, Purge, Purged, SagaRow, Store, StoreError, StoredSaga, Switch,
    Switched, Tended, Verdict, door, lanes::Bells,
};

/// A [`Store`] in a database that this process shares with others.
pub struct PostgresStore {
    writer: Mutex<Writer>,
    pool: Pool,
    shards: u16,
    bells: Bells,
}

impl PostgresStore {
    /// Makes the schema in the database at `url`, or brings it up to date, and answers what that took. Several processes
    /// may do so at once.
    ///
    /// # Errors
    /// As [`PostgresError`] says. Migrations that were done stay done; the same call goes on from there.
    pub async fn migrate(url: &str, options: &PostgresOptions) -> Result<Vec<i64>, PostgresError> {
        Server::new(url, options.time_limit)?.migrate(options.shards).await
    }

    /// Which migrations the database at `url` lacks.
    ///
    /// # Errors
    /// As [`PostgresError`] says; nothing was changed.
    pub async fn missing(url: &str, options: &PostgresOptions) -> Result<Vec<i64>, PostgresError> {
        Server::new(url, options.time_limit)?.missing().await
    }

    /// For a database that was restored from a backup, before any node opens it: takes every shard from whoever had it,
    /// and draws epochs far beyond all that may have been drawn since the backup was made. Answers the last one.
    ///
    /// # Errors
    /// As [`PostgresError`] says; nothing was changed.
    pub async fn after_restore(url: &str, options: &PostgresOptions) -> Result<i64, PostgresError> {
        Server::new(url, options.time_limit)?.after_restore().await
    }

    /// Opens the store in the database at `url`, whose schema must be this version's.
    ///
    /// # Errors
    /// As [`PostgresError`] says; nothing was changed.
    pub async fn open(url: &str, options: &PostgresOptions) -> Result<Self, PostgresError> {
        let server = Server::new(url, options.time_limit)?;
        let mut conn = server.connect_writer().await?;
        let shards = server.check_schema(&mut conn).await?;
        let pool = Pool::new(&server, options.readers);
        let writer = Writer::new(Session::new(server.clone(), conn)).await;
        let writer = writer.map_err(|error| server.database(&error))?;
        Ok(Self { writer: Mutex::new(writer), pool, shards, bells: Bells::new(shards) })
    }

    /// Closes every connection. Dropping the store is as durable.
    pub async fn close(self) {
        self.pool.connections.close().await;
        self.writer.into_inner().close().await;
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
impl Store for PostgresStore {
    async fn acquire(&self, node: &str, _now_ms: i64) -> Result<Vec<Lease>, StoreError> {
        door::check_node(node).map_err(StoreError::Invalid)?;
        leases::acquire(&mut *self.writer().await, node).await
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
        reads::load(&self.pool, saga).await
    }

    async fn unfinished(
        &self,
        shards: &[u16],
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>, StoreError> {
        reads::unfinished(&self.pool, shards, after, limit).await
    }

    async fn oldest(&self) -> Result<Option<Uuid>, StoreError> {
        reads::oldest(&self.pool).await
    }

    async fn family(&self, root: Uuid) -> Result<Vec<SagaRow>, StoreError> {
        reads::family(&self.pool, root).await
    }

    async fn key(&self, scope: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        reads::key(&self.pool, scope, key).await
    }

    async fn block_key(&self, scope: &str, key: &str, now_ms: i64) -> Result<KeyRow, StoreError> {
        door::check_key(scope, key).map_err(StoreError::Invalid)?;
        reads::block_key(&self.pool, scope, key, now_ms).await
    }

    async fn list(&self, filter: &ListFilter) -> Result<Page, StoreError> {
        reads::list(&self.pool, filter).await
    }

    async fn purge(&self, what: &Purge) -> Result<Purged, StoreError> {
        reads::purge(&self.pool, what).await
    }

    async fn announce(&self, announcement: &Announcement) -> Result<Vec<Announced>, StoreError> {
        door::check_announcement(announcement).map_err(StoreError::Invalid)?;
        definitions::announce(&self.pool, announcement).await
    }

    async fn withdraw(&self, node: &str) -> Result<(), StoreError> {
        definitions::withdraw(&self.pool, node).await
    }

    async fn switch(&self, switch: &Switch) -> Result<Switched, StoreError> {
        door::check_switch(switch).map_err(StoreError::Invalid)?;
        definitions::switch(&self.pool, switch).await
    }

    async fn definitions(&self) -> Result<Vec<DefinitionRow>, StoreError> {
        definitions::all(&self.pool).await
    }

    async fn in_flight(&self) -> Result<Vec<InFlight>, StoreError> {
        definitions::in_flight(&self.pool).await
    }

    async fn mark_restored(&self, now_ms: i64) -> Result<(), StoreError> {
        reads::mark_restored(&self.pool, now_ms).await
    }

    async fn judge(&self, word: &Judgement) -> Result<Judged, StoreError> {
        door::check_judgement(word).map_err(StoreError::Invalid)?;
        judgements::judge(&self.pool, word).await
    }

    async fn acknowledged(&self, findings: &[Uuid]) -> Result<Vec<Judgement>, StoreError> {
        judgements::acknowledged(&self.pool, findings).await
    }

    fn shards(&self) -> u16 {
        self.shards
    }

    fn lane_wake(&self, shard: u16) -> Arc<Notify> {
        self.bells.of(shard)
    }

    async fn lane_pending(&self, shard: u16, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        outbox::pending(&self.pool, self.shard(shard)?, limit).await
    }

    async fn lane_published(&self, shard: u16, numbers: &[i64], now_ms: i64) -> Result<(), StoreError> {
        outbox::published(&self.pool, self.shard(shard)?, numbers, now_ms).await
    }

    async fn lane_park(&self, shard: u16, number: i64, why: &str, now_ms: i64) -> Result<(), StoreError> {
        outbox::park(&self.pool, self.shard(shard)?, number, why, now_ms).await
    }

    async fn lane_purge(
        &self,
        shard: u16,
        published_before_ms: i64,
        limit: usize,
    ) -> Result<u64, StoreError> {
        outbox::purge(&self.pool, self.shard(shard)?, published_before_ms, limit).await
    }

    async fn lane_published_since(
        &self,
        shard: u16,
        since_ms: i64,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        outbox::published_since(&self.pool, self.shard(shard)?, since_ms, after, limit).await
    }

    async fn lane_lag(&self, shard: u16) -> Result<LaneLag, StoreError> {
        outbox::lag(&self.pool, self.shard(shard)?).await
    }
}
