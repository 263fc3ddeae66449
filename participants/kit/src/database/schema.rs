//! The tables that are in a participant's database: the barrier's, the outbox's, its own. Bringing a database up to
//! them, or seeing whether it is.

use sqlx::migrate::{Migrate as _, MigrateError, Migration, Migrator};
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::{Database, Dialect, OpenError};

static CONTRACT: Migrator = sqlx::migrate!("../../migrations/contract/any");

/// For a migration, which may take its time and wait for another process that does the same.
const PATIENCE: &str = "SET statement_timeout = 0; SET lock_timeout = '120s'; \
                        SET idle_in_transaction_session_timeout = 0";

/// What a participant has in its database beside the contract's tables.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    service: &'static str,
    own: &'static [&'static Migrator],
}

impl Schema {
    /// The schema of `service`: the barrier, the outbox, and the participant's `own` migrations.
    pub const fn new(service: &'static str, own: &'static [&'static Migrator]) -> Self {
        Self { service, own }
    }

    /// Whose.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// Brings the database at `url` up to what this program knows, and says what that took. Safe from several
    /// processes at once: one does it and the others wait.
    ///
    /// # Errors
    /// See [`OpenError`]; the database is then as far as it came.
    pub async fn migrate(&self, url: &str) -> Result<Vec<i64>, OpenError> {
        let database = Database::new(self.service, url)?;
        let mut conn = database.connect().await?;
        let applied = self.apply(&database, &mut conn).await;
        let _ = conn.close().await;
        applied
    }

    /// Which migrations the database at `url` lacks. Writes nothing.
    ///
    /// # Errors
    /// See [`OpenError`]; that it is newer than this program, or differs from it, is one.
    pub async fn missing(&self, url: &str) -> Result<Vec<i64>, OpenError> {
        let database = Database::new(self.service, url)?;
        let mut conn = database.connect().await?;
        let missing = self.compare(&database, &mut conn).await;
        let _ = conn.close().await;
        missing
    }

    /// At start: a file belongs to its process, which migrates it; a database on a server belongs to all that work on
    /// it, and is migrated by whoever upgrades them.
    pub(crate) async fn prepare(
        &self,
        database: &Database,
        conn: &mut AnyConnection,
    ) -> Result<(), OpenError> {
        if database.dialect() == Dialect::Sqlite {
            return self.apply(database, conn).await.map(drop);
        }
        match self.compare(database, conn).await? {
            missing if missing.is_empty() => Ok(()),
            missing => Err(OpenError::Behind { service: self.service, missing }),
        }
    }

    async fn apply(&self, database: &Database, conn: &mut AnyConnection) -> Result<Vec<i64>, OpenError> {
        let migrations = self.migrations()?;
        if database.dialect() == Dialect::Postgres {
            sqlx::raw_sql(PATIENCE).execute(&mut *conn).await.map_err(|error| database.refused(error))?;
        }
        let failed = |error| self.failed(error);
        // Under one lock, so that what is told as done here was done here.
        conn.lock().await.map_err(failed)?;
        let before = applied(conn).await.map_err(failed)?;
        let versions: Vec<i64> = migrations.iter().map(|migration| migration.version).collect();
        let mut migrator = Migrator::with_migrations(migrations);
        migrator.set_locking(false);
        migrator.run(&mut *conn).await.map_err(failed)?;
        conn.unlock().await.map_err(failed)?;
        Ok(versions.into_iter().filter(|version| before.iter().all(|(known, _)| known != version)).collect())
    }

    async fn compare(&self, database: &Database, conn: &mut AnyConnection) -> Result<Vec<i64>, OpenError> {
        let migrations = self.migrations()?;
        let applied = match applied(conn).await {
            Ok(applied) => applied,
            Err(MigrateError::Execute(error)) => return Err(database.refused(error)),
            Err(error) => return Err(self.failed(error)),
        };
        for (version, checksum) in &applied {
            match migrations.iter().find(|migration| migration.version == *version) {
                None => return Err(OpenError::Newer { service: self.service, version: *version }),
                Some(known) if *known.checksum != **checksum => {
                    return Err(self.failed(MigrateError::VersionMismatch(*version)));
                }
                Some(_) => {}
            }
        }
        let has = |version| applied.iter().any(|(applied, _)| *applied == version);
        Ok(migrations.iter().map(|migration| migration.version).filter(|version| !has(*version)).collect())
    }

    /// All of them, ascending; no number twice.
    fn migrations(&self) -> Result<Vec<Migration>, OpenError> {
        let all = [&CONTRACT, outbox_relay::migrations()];
        let mut migrations: Vec<_> = all.iter().chain(self.own).flat_map(|m| m.iter().cloned()).collect();
        migrations.sort_by_key(|migration| migration.version);
        match migrations.windows(2).find(|pair| pair[0].version == pair[1].version) {
            None => Ok(migrations),
            Some(twice) => Err(OpenError::Other {
                what: format!("the migrations of {}", self.service),
                why: format!("two have the number {}", twice[0].version),
            }),
        }
    }

    fn failed(&self, error: MigrateError) -> OpenError {
        match error {
            MigrateError::VersionMissing(version) => OpenError::Newer { service: self.service, version },
            source => OpenError::Migration { service: self.service, source },
        }
    }
}

/// Number and checksum of what was applied, ascending; nothing where nothing ever was.
async fn applied(conn: &mut AnyConnection) -> Result<Vec<(i64, Vec<u8>)>, MigrateError> {
    let sql = "SELECT version, checksum, CASE WHEN success THEN 1 ELSE 0 END FROM _sqlx_migrations ORDER BY version";
    let rows = match sqlx::raw_sql(sql).fetch_all(&mut *conn).await {
        Err(sqlx::Error::Database(error)) if is_no_such_table(&*error) => return Ok(Vec::new()),
        rows => rows?,
    };
    rows.iter()
        .map(|row| {
            let version = row.try_get(0)?;
            if row.try_get::<i64, _>(2)? == 1 {
                Ok((version, row.try_get(1)?))
            } else {
                Err(MigrateError::Dirty(version))
            }
        })
        .collect()
}

fn is_no_such_table(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code == "42P01") || error.message().contains("no such table")
}
