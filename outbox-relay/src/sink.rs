//! Where rows go: the trait and its two kinds of failure.

use async_trait::async_trait;

use crate::Row;

/// Something that takes rows and answers for each of them once it is durable there.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Publishes `rows` and answers one result per row, in their order. `Ok` only after the row is durable at
    /// the receiver. The relay never hands over two rows of one key in one call, so rows may go in parallel.
    async fn publish(&self, rows: &[Row]) -> Vec<Result<(), PublishError>>;
}

/// Why a row was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// This row can never be published as it is (too large, an impossible topic): park it.
    #[error("the row cannot be published: {0}")]
    Poison(String),
    /// It may or may not have been published; publish it again later.
    #[error("not acknowledged: {0}")]
    Unavailable(String),
}
