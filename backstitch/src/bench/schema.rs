//! Where sagas of a benchmark are durable on a Postgres server: a schema of its own for as long as it takes.

use anyhow::Context as _;
use backstitch_store::{PostgresOptions, PostgresStore};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use uuid::Uuid;

use super::cpu;
use crate::databases::DatabaseUrl;

/// The versions that count their syncs in `pg_stat_wal`.
const COUNTS_SYNCS: std::ops::Range<i32> = 140_000..180_000;

/// A schema that nobody else uses. Removed by [`Schema::remove`]; what is interrupted leaves it behind.
pub(crate) struct Schema {
    connection: PgConnection,
    name: String,
    url: String,
    counts_syncs: bool,
    /// The server's first process, if it runs on this machine.
    server: Option<u32>,
}

/// What the whole server has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) wal_bytes: i64,
    /// Syncs of the log, where the server counts them.
    pub(crate) syncs: Option<i64>,
    pub(crate) cpu_micros: u64,
}

impl Schema {
    /// Makes one in this database, with the tables of a saga store.
    pub(crate) async fn create(url: &DatabaseUrl) -> anyhow::Result<Self> {
        url.check()?;
        let url = url.whole();
        let connecting = PgConnection::connect(url).await;
        let mut connection = connecting.context("--database-url: the database cannot be reached")?;
        let name = format!("backstitch_bench_{}", Uuid::now_v7().simple());
        let made = sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {name}"))).execute(&mut connection).await;
        made.context("--database-url: the user may not make a schema there")?;
        let about = "SELECT current_setting('server_version_num')::integer, pg_backend_pid()";
        let about = sqlx::query(about).fetch_one(&mut connection).await?;
        let backend = u32::try_from(about.try_get::<i32, _>(1)?)?;
        let and = if url.contains('?') { '&' } else { '?' };
        let schema = Self {
            connection,
            url: format!("{url}{and}options=-csearch_path%3D{name}"),
            name,
            counts_syncs: COUNTS_SYNCS.contains(&about.try_get::<i32, _>(0)?),
            server: cpu::parent(backend, "postgres"),
        };
        PostgresStore::migrate(&schema.url, &PostgresOptions::default()).await?;
        Ok(schema)
    }

    /// For whoever uses it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What the server has done so far. Its processes tell of their syncs with a delay.
    pub(crate) async fn done(&mut self) -> anyhow::Result<Done> {
        let log = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint";
        let wal_bytes = sqlx::query(log).fetch_one(&mut self.connection).await?.try_get(0)?;
        let syncs = match self.counts_syncs {
            false => None,
            true => {
                let syncs = sqlx::query("SELECT wal_sync FROM pg_stat_wal").fetch_one(&mut self.connection);
                Some(syncs.await?.try_get(0)?)
            }
        };
        Ok(Done { wal_bytes, syncs, cpu_micros: self.server.map_or(0, cpu::micros_of_family) })
    }

    /// How many sagas there are in all, not at rest, and completed.
    pub(crate) async fn sagas(&mut self) -> anyhow::Result<(i64, i64, i64)> {
        let sagas = format!(
            "SELECT count(*), count(*) FILTER (WHERE status IN (0, 1, 2)), count(*) FILTER (WHERE status = 4) \
             FROM {}.sagas",
            self.name
        );
        let row = sqlx::query(AssertSqlSafe(sagas)).fetch_one(&mut self.connection).await?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    }

    /// How many shards this orchestrator has.
    pub(crate) async fn shards_of(&mut self, node: &str) -> anyhow::Result<i64> {
        self.count(format!("SELECT count(*) FROM {}.shards WHERE owner = $1", self.name), node).await
    }

    /// How many sagas are in the shards of this orchestrator.
    pub(crate) async fn sagas_of(&mut self, node: &str) -> anyhow::Result<i64> {
        let of = "SELECT count(*) FROM {}.sagas JOIN {}.shards ON shards.id = sagas.shard WHERE owner = $1";
        self.count(of.replace("{}", &self.name), node).await
    }

    async fn count(&mut self, query: String, node: &str) -> anyhow::Result<i64> {
        let row = sqlx::query(AssertSqlSafe(query)).bind(node).fetch_one(&mut self.connection).await?;
        Ok(row.try_get(0)?)
    }

    /// Whether it runs on this machine, so that its processor time is known.
    pub(crate) fn is_here(&self) -> bool {
        self.server.is_some()
    }

    /// Removes it with everything in it.
    pub(crate) async fn remove(mut self) -> anyhow::Result<()> {
        let drop = AssertSqlSafe(format!("DROP SCHEMA {} CASCADE", self.name));
        sqlx::query(drop).execute(&mut self.connection).await?;
        Ok(self.connection.close().await?)
    }
}
