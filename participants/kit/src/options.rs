//! What a participant needs that has nothing but a database.

use std::sync::Arc;

use crate::clock::Clock;

/// Where a participant's database is, and what time it is.
#[derive(Clone)]
pub struct Options {
    /// `sqlite:/path/file.db`, created if it is missing, or `postgres://…`.
    pub database_url: String,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}
