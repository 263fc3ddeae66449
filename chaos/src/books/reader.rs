//! One SQLite file, opened so that it cannot be changed, read in one snapshot.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Row as _};
use uuid::Uuid;

use super::versions;
use crate::AuditError;

pub(super) struct Reader {
    book: &'static str,
    path: PathBuf,
    conn: SqliteConnection,
}

impl Reader {
    pub(super) async fn open(book: &'static str, path: &Path) -> Result<Self, AuditError> {
        if !path.is_file() {
            return Err(AuditError::Missing { book, path: path.to_owned() });
        }
        let unreadable = |error: sqlx::Error| AuditError::Unreadable {
            book,
            path: path.to_owned(),
            why: error.to_string(),
        };
        let mut conn = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(Duration::from_secs(5))
            .connect()
            .await
            .map_err(unreadable)?;
        // Every statement below sees the same instant; the transaction ends with the connection.
        sqlx::query("BEGIN").execute(&mut conn).await.map_err(unreadable)?;
        let mut reader = Self { book, path: path.to_owned(), conn };
        reader.check_version().await?;
        Ok(reader)
    }

    /// Refuses a database that a newer version of this program has changed. One that no version ever migrated says for
    /// itself what it lacks.
    async fn check_version(&mut self) -> Result<(), AuditError> {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'";
        if self.rows(tables, |_| Ok(())).await?.is_empty() {
            return Ok(());
        }
        let found = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";
        let (found, known) = (self.rows(found, |row| row.try_get(0)).await?, versions::known(self.book));
        match versions::unknown(&found, &known) {
            None => Ok(()),
            Some(found) => Err(AuditError::Newer {
                book: self.book,
                path: self.path.clone(),
                found,
                known: known.last().copied().unwrap_or(0),
            }),
        }
    }

    pub(super) fn book(&self) -> &'static str {
        self.book
    }

    pub(super) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }

    pub(super) async fn rows<T>(
        &mut self,
        sql: &'static str,
        read: impl Fn(&SqliteRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, AuditError> {
        let mut all = Vec::new();
        let outcome: Result<(), sqlx::Error> = async {
            let mut rows = sqlx::query(sql).fetch(&mut self.conn);
            while let Some(row) = rows.try_next().await? {
                all.push(read(&row)?);
            }
            Ok(())
        }
        .await;
        outcome.map(|()| all).map_err(|error| self.unreadable(&error))
    }

    pub(super) fn unreadable(&self, error: &sqlx::Error) -> AuditError {
        AuditError::Unreadable { book: self.book, path: self.path.clone(), why: error.to_string() }
    }
}

/// A UUID that is stored as text.
pub(super) fn id(row: &SqliteRow, column: &str) -> Result<Uuid, sqlx::Error> {
    let text: String = row.try_get(column)?;
    Uuid::from_str(&text).map_err(|error| wrong(column, error))
}

/// A UUID that is stored as 16 bytes.
pub(super) fn id_bytes(row: &SqliteRow, column: &str) -> Result<Uuid, sqlx::Error> {
    let bytes: Vec<u8> = row.try_get(column)?;
    Uuid::from_slice(&bytes).map_err(|error| wrong(column, error))
}

/// A cell whose content cannot be what the schema says.
pub(super) fn wrong(column: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: error.into() }
}
