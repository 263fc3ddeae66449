//! A temporary outbox, as a participant has it.
// Every test binary uses a part of this.
#![allow(dead_code)]

use outbox_relay::{Event, TableSource, append, migrations};
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;

/// A migrated outbox in its own directory.
pub(crate) struct Outbox {
    pub(crate) pool: AnyPool,
    pub(crate) source: TableSource,
    dir: Option<tempfile::TempDir>,
}

impl Outbox {
    pub(crate) async fn open() -> Self {
        sqlx::any::install_default_drivers();
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", dir.path().join("outbox.db").display());
        let pool = AnyPoolOptions::new()
            .max_connections(2)
            .after_connect(|conn, _| {
                Box::pin(async move {
                    // Not what a participant uses: these tests kill relays, not machines.
                    for pragma in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF"] {
                        sqlx::query(pragma).execute(&mut *conn).await?;
                    }
                    Ok(())
                })
            })
            .connect(&url)
            .await
            .unwrap();
        Self::over(pool, Some(dir)).await
    }

    /// The same in a database of its own on a real server.
    pub(crate) async fn on_postgres() -> Self {
        sqlx::any::install_default_drivers();
        let url = backstitch_services::fresh_database("outbox");
        Self::over(AnyPoolOptions::new().max_connections(8).connect(&url).await.unwrap(), None).await
    }

    async fn over(pool: AnyPool, dir: Option<tempfile::TempDir>) -> Self {
        migrations().run(&pool).await.unwrap();
        let source = TableSource::new("test", pool.clone());
        Self { pool, source, dir }
    }

    pub(crate) fn on_sqlite(&self) -> bool {
        self.dir.is_some()
    }

    /// One event, committed by itself.
    pub(crate) async fn append(&self, event: &Event) -> Result<(), sqlx::Error> {
        let mut conn = self.pool.acquire().await?;
        append(&mut conn, event).await
    }

    /// One committed effect with one event of this key.
    pub(crate) async fn commit(&self, key: &str, subject: &str) {
        let mut tx = self.pool.begin().await.unwrap();
        append(&mut tx, &event(key, subject)).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// An effect that was rolled back after it appended.
    pub(crate) async fn roll_back(&self, key: &str, subject: &str) {
        let mut tx = self.pool.begin().await.unwrap();
        append(&mut tx, &event(key, subject)).await.unwrap();
        tx.rollback().await.unwrap();
    }
}

pub(crate) const NOW: i64 = 1_760_000_000_000;

pub(crate) fn event(key: &str, subject: &str) -> Event {
    Event::json(
        "order.events",
        "com.backstitch.order.placed.v1",
        "/backstitch/order",
        key,
        subject,
        &subject,
        NOW,
    )
}
