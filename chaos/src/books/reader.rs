//! One database, opened so that it cannot be changed, read in one snapshot. One SQL text for SQLite and Postgres but for
//! ids, which the orchestrator keeps as 16 bytes in the one and as `uuid` in the other.

use std::str::FromStr;

use futures::TryStreamExt;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};
use uuid::Uuid;

use super::versions;
use crate::{AuditError, Place};

pub(super) struct Reader {
    book: &'static str,
    place: Place,
    conn: AnyConnection,
}

impl Reader {
    pub(super) async fn open(book: &'static str, place: &Place) -> Result<Self, AuditError> {
        let missing = || AuditError::Missing { book, at: place.shown() };
        if matches!(place, Place::File(path) if !path.is_file()) {
            return Err(missing());
        }
        sqlx::any::install_default_drivers();
        let refused = |error: sqlx::Error| match error.as_database_error().and_then(|error| error.code()) {
            // There is no database of that name.
            Some(code) if code == "3D000" => missing(),
            _ => unreadable(book, place, &error),
        };
        let mut conn = AnyConnection::connect(&place.url()).await.map_err(refused)?;
        // Every statement below sees the same instant; the transaction ends with the connection.
        let begin = match place {
            Place::File(_) => "PRAGMA busy_timeout = 5000; BEGIN",
            Place::Server(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        };
        sqlx::raw_sql(begin).execute(&mut conn).await.map_err(|error| unreadable(book, place, &error))?;
        let mut reader = Self { book, place: place.clone(), conn };
        reader.check_version().await?;
        Ok(reader)
    }

    /// A column of ids, for a list of columns: read it with [`id_bytes`].
    pub(super) fn ids(&self, column: &str) -> String {
        match self.place {
            Place::File(_) => column.to_owned(),
            Place::Server(_) => format!("uuid_send({column}) AS {column}"),
        }
    }

    /// Refuses a database that a newer version of this program has changed. One that no version ever migrated says for
    /// itself what it lacks.
    async fn check_version(&mut self) -> Result<(), AuditError> {
        let table = match self.place {
            Place::File(_) => {
                "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'"
            }
            Place::Server(_) => "SELECT 1 WHERE to_regclass('_sqlx_migrations') IS NOT NULL",
        };
        if self.rows(table, |_| Ok(())).await?.is_empty() {
            return Ok(());
        }
        let found = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";
        let (found, known) =
            (self.rows(found, |row| row.try_get(0)).await?, versions::known(self.book, &self.place));
        match versions::unknown(&found, &known) {
            None => Ok(()),
            Some(found) => Err(AuditError::Newer {
                book: self.book,
                at: self.place.shown(),
                found,
                known: known.last().copied().unwrap_or(0),
            }),
        }
    }

    pub(super) fn book(&self) -> &'static str {
        self.book
    }

    pub(super) fn conn(&mut self) -> &mut AnyConnection {
        &mut self.conn
    }

    pub(super) async fn rows<T>(
        &mut self,
        sql: impl Into<String>,
        read: impl Fn(&AnyRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, AuditError> {
        // Literals with names of columns in them.
        let (sql, mut all) = (sql.into(), Vec::new());
        let outcome: Result<(), sqlx::Error> = async {
            let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut self.conn);
            while let Some(row) = rows.try_next().await? {
                all.push(read(&row)?);
            }
            Ok(())
        }
        .await;
        outcome.map(|()| all).map_err(|error| self.unreadable(&error))
    }

    pub(super) fn unreadable(&self, error: &sqlx::Error) -> AuditError {
        unreadable(self.book, &self.place, error)
    }
}

fn unreadable(book: &'static str, place: &Place, error: &sqlx::Error) -> AuditError {
    AuditError::Unreadable { book, at: place.shown(), why: error.to_string() }
}

/// A UUID that is stored as text.
pub(super) fn id(row: &AnyRow, column: &str) -> Result<Uuid, sqlx::Error> {
    let text: String = row.try_get(column)?;
    Uuid::from_str(&text).map_err(|error| wrong(column, error))
}

/// A UUID that is stored as 16 bytes.
pub(super) fn id_bytes(row: &AnyRow, column: &str) -> Result<Uuid, sqlx::Error> {
    let bytes: Vec<u8> = row.try_get(column)?;
    Uuid::from_slice(&bytes).map_err(|error| wrong(column, error))
}

/// A cell whose content cannot be what the schema says.
pub(super) fn wrong(column: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: error.into() }
}
