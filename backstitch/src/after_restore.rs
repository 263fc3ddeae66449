//! What is done once the orchestrator's database was restored from a backup, before any orchestrator runs on it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use backstitch_store::sqlite::DATABASE_FILE;
use backstitch_store::{PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store, StoreError};

/// A file would be made where there is none.
pub(crate) fn check(directory: &Path) -> anyhow::Result<()> {
    let file = directory.join(DATABASE_FILE);
    ensure!(file.is_file(), "{} is not there: name the data directory of the orchestrator", file.display());
    Ok(())
}

/// Marks the database in this data directory; says what follows.
pub(crate) async fn in_file(directory: &Path) -> anyhow::Result<String> {
    let store = SqliteStore::open(directory, &SqliteOptions::default()).await?;
    mark(&store).await?;
    store.close().await?;
    Ok(told(""))
}

/// Marks the database at this URL, and voids the rights of nodes from before. In this order: whoever gets rights after
/// that asks.
pub(crate) async fn on_server(url: &str) -> anyhow::Result<String> {
    let store = PostgresStore::open(url, &PostgresOptions::default()).await?;
    mark(&store).await?;
    store.close().await;
    let last = PostgresStore::after_restore(url, &PostgresOptions::default()).await?;
    Ok(told(&format!("every right of a node from before is void, the next one is number {}; ", last + 1)))
}

async fn mark(store: &impl Store) -> Result<(), StoreError> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    store.mark_restored(i64::try_from(now_ms).unwrap_or(i64::MAX)).await
}

fn told(rights: &str) -> String {
    format!("orchestrator: {rights}what is under way in it asks its participants first how far it came")
}
