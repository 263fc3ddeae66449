//! Everything that is no batch and no lease, on connections of its own: each a statement that commits by itself, so that
//! it waits for no batch and none waits for it.

use std::time::Duration;

use sqlx::{
    SqlSafeStr as _,
    postgres::{PgPool, PgRow},
};

use super::{fault::Fault, open::Server, values::Values};
use crate::StoreError;

pub(super) struct Pool {
    pub(super) connections: PgPool,
    time_limit: Duration,
}

impl Pool {
    pub(super) fn new(server: &Server, readers: u32) -> Self {
        Self { connections: server.pool(readers), time_limit: server.time_limit }
    }

    /// A statement that only reads: one instant.
    pub(super) async fn read(&self, text: &'static str, values: Values) -> Result<Vec<PgRow>, StoreError> {
        let arguments = values.finish().map_err(StoreError::Invalid)?;
        let statement = sqlx::query_with(text.into_sql_str(), arguments).fetch_all(&self.connections);
        match tokio::time::timeout(self.time_limit, statement).await {
            Ok(answer) => answer.map_err(|error| Fault::of_read(&error)),
            Err(_) => Err(StoreError::Unavailable(format!("no answer within {:?}", self.time_limit))),
        }
    }

    /// A statement that writes.
    pub(super) async fn write(&self, text: &'static str, values: Values) -> Result<Vec<PgRow>, StoreError> {
        let arguments = values.finish().map_err(StoreError::Invalid)?;
        let statement = async {
            // Until here nothing is sent, whatever goes wrong.
            let mut conn = self.connections.acquire().await.map_err(|error| Fault::of_read(&error))?;
            let statement = sqlx::query_with(text.into_sql_str(), arguments).fetch_all(&mut *conn);
            statement.await.map_err(|error| Fault::of(&error).into_store_error())
        };
        match tokio::time::timeout(self.time_limit, statement).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Unknown(format!("no answer within {:?}", self.time_limit))),
        }
    }
}
