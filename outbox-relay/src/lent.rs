//! A connection that goes back to its pool only after an answer.
//!
//! A pool asks a connection that comes back whether it is well, and waits for the answer: one whose other end is gone
//! without a word would keep its place for as long as the kernel believes in it.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool};

/// Closed when it is dropped, unless it was [given back](Self::give_back).
pub(crate) struct Lent {
    conn: Option<PoolConnection<Any>>,
}

impl Lent {
    pub(crate) async fn of(pool: &AnyPool) -> Result<Self, sqlx::Error> {
        Ok(Self { conn: Some(pool.acquire().await?) })
    }

    /// For the next one: what it was asked is answered.
    pub(crate) fn give_back(mut self) {
        drop(self.conn.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(conn) = &mut self.conn {
            conn.close_on_drop();
        }
    }
}

impl Deref for Lent {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        self.conn.as_deref().expect("taken only by give_back, which ends it")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        self.conn.as_deref_mut().expect("taken only by give_back, which ends it")
    }
}
