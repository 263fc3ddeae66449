//! The writing connection: statements that commit by themselves, and what their failure means.

use sqlx::{
    SqlSafeStr as _,
    postgres::{PgConnection, PgRow},
};

use super::{fault::Fault, open::Server, values::Values};
use crate::StoreError;

/// How often a statement that stood in another one's way is sent again. Postgres lets one of the two go on, so that a
/// second time is rare already.
const TRIES: u32 = 5;

/// The connection that writes.
pub(super) struct Session {
    server: Server,
    /// Taken out while a statement is under way: a caller that drops its future drops the connection with it.
    conn: Option<PgConnection>,
}

impl Session {
    pub(super) fn new(server: Server, conn: PgConnection) -> Self {
        Self { server, conn: Some(conn) }
    }

    pub(super) async fn close(self) {
        if let Some(conn) = self.conn {
            // Nothing is under way; the server notices either way.
            let _ = sqlx::Connection::close(conn).await;
        }
    }

    /// Connects anew if need be. True if it did: a statement of before may still be under way, or be committed.
    pub(super) async fn ready(&mut self) -> Result<bool, StoreError> {
        if self.conn.is_some() {
            return Ok(false);
        }
        let connected = self.server.connect_writer().await;
        self.conn = Some(connected.map_err(|error| StoreError::Unavailable(error.to_string()))?);
        Ok(true)
    }

    /// One statement and its commit. It has returned only when the server says that it is ready for the next one, and
    /// that is after the commit.
    pub(super) async fn run(&mut self, text: &'static str, values: Values) -> Result<Vec<PgRow>, Fault> {
        let arguments = values.finish().map_err(Fault::Refused)?;
        let Some(mut conn) = self.conn.take() else {
            return Err(Fault::Later("not connected".to_owned()));
        };
        let statement = sqlx::query_with(text.into_sql_str(), arguments).fetch_all(&mut conn);
        let fault = match tokio::time::timeout(self.server.time_limit, statement).await {
            Ok(Ok(rows)) => {
                self.conn = Some(conn);
                return Ok(rows);
            }
            Ok(Err(error)) => Fault::of(&error),
            Err(_) => Fault::Lost(format!("no answer within {:?}", self.server.time_limit)),
        };
        // After an error the connection is as good as before, but for those that a new one may not have: the server
        // has become a standby, or has forgotten a statement.
        if matches!(fault, Fault::Refused(_) | Fault::Duplicate(_) | Fault::Again(_) | Fault::Full(_)) {
            self.conn = Some(conn);
        }
        Err(fault)
    }

    /// A statement that may be sent again as it is when it stood in another one's way.
    pub(super) async fn insist(
        &mut self,
        text: &'static str,
        values: impl Fn() -> Values,
    ) -> Result<Vec<PgRow>, Fault> {
        let mut tries = 1;
        loop {
            match self.run(text, values()).await {
                Err(Fault::Again(_)) if tries < TRIES => tries += 1,
                Err(Fault::Again(why)) => return Err(Fault::Later(why)),
                answer => return answer,
            }
        }
    }

    /// Gives the connection up, and with it a transaction that is open.
    pub(super) fn hang_up(&mut self) {
        self.conn = None;
    }

    /// A statement that only reads.
    pub(super) async fn read(
        &mut self,
        text: &'static str,
        values: Values,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.run(text, values).await.map_err(|fault| match fault.into_store_error() {
            StoreError::Unknown(why) | StoreError::Invalid(why) | StoreError::Full(why) => {
                StoreError::Unavailable(why)
            }
            error => error,
        })
    }
}
