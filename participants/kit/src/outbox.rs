//! A participant's outbox as the relay sees it: read from the readers' pool, marked by the transactor.
//!
//! A mark that rides in the next commit of the participant's own operations costs no flush of its own, and does not
//! make them wait for the one writer of a SQLite file.

use std::sync::Arc;

use async_trait::async_trait;
use outbox_relay::{Lag, Row, RowId, Source, SourceError, TableSource};

use crate::kit::Kit;
use crate::outcome::OpError;
use crate::transactor::Body;

/// So many marks wait for a commit to ride in.
const FEW: usize = 64;

pub(crate) struct Outbox {
    kit: Kit,
    table: TableSource,
}

impl Outbox {
    pub(crate) fn new(kit: Kit) -> Self {
        let table = TableSource::new(kit.service(), kit.reads().clone());
        Self { kit, table }
    }
}

#[async_trait]
impl Source for Outbox {
    fn name(&self) -> &str {
        self.table.name()
    }

    async fn pending(&self, limit: usize) -> Result<Vec<Row>, SourceError> {
        self.table.pending(limit).await
    }

    async fn published(&self, rows: &[RowId], now_ms: i64) -> Result<(), SourceError> {
        let rows: Arc<[RowId]> = rows.into();
        let few = rows.len() <= FEW;
        let mark: Body<()> = Box::new(move |tx| {
            let rows = rows.clone();
            Box::pin(async move { Ok(outbox_relay::mark(tx.conn(), &rows, now_ms).await?) })
        });
        let transactor = self.kit.transactor();
        // The commit that ends the ride of a few is the next one that can have events; a backlog is drained without rests.
        let marked = match few {
            true => transactor.ride(mark).await,
            false => transactor.run(Vec::new(), None, mark, None).await,
        };
        marked.map_err(|error| match error {
            OpError::Database(error) => error.into(),
            OpError::Broken(why) => SourceError::Broken(why),
            error => SourceError::Unavailable(error.to_string()),
        })
    }

    async fn park(&self, row: &Row, why: &str, now_ms: i64) -> Result<(), SourceError> {
        self.table.park(row, why, now_ms).await
    }

    async fn purge(&self, published_before_ms: i64, limit: usize) -> Result<u64, SourceError> {
        self.table.purge(published_before_ms, limit).await
    }

    async fn published_since(
        &self,
        since_ms: i64,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Row>, SourceError> {
        self.table.published_since(since_ms, after, limit).await
    }

    async fn lag(&self, now_ms: i64) -> Result<Lag, SourceError> {
        self.table.lag(now_ms).await
    }
}
