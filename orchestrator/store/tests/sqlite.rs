//! What only a store in a file can get wrong: opening it, a full disk, somebody else's hands, a dropped caller.

#![allow(clippy::unwrap_used)]

mod common;

use std::{path::Path, sync::Arc, task::Poll};

use async_trait::async_trait;
use backstitch_store::{
    Announced, Announcement, OpenError, SqliteOptions, SqliteStore, Store, StoreError, Verdict,
    sqlite::DATABASE_FILE,
    testing::{Edit as _, Subject, T0, Trial, good, record},
};
use bytes::Bytes;
use common::{execute, query};
use uuid::Uuid;

/// A store in a directory that the test keeps.
struct At(std::path::PathBuf, SqliteOptions);

#[async_trait]
impl Subject for At {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.0, &self.1).await.unwrap())
    }

    async fn poison(&self, _saga: Uuid) {
        panic!("nothing here poisons");
    }
}

async fn trial(directory: &Path) -> Trial {
    trial_with(directory, SqliteOptions::default()).await
}

async fn trial_with(directory: &Path, options: SqliteOptions) -> Trial {
    Trial::new(Box::new(At(directory.to_owned(), options))).await
}

async fn open_error(directory: &Path) -> OpenError {
    match SqliteStore::open(directory, &SqliteOptions::default()).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_directory_in_use_is_refused_until_it_is_free() {
    let home = tempfile::tempdir().unwrap();
    let first = SqliteStore::open(home.path(), &SqliteOptions::default()).await.unwrap();
    let error = open_error(home.path()).await;
    assert!(matches!(&error, OpenError::InUse(path) if path == home.path()));
    assert!(error.to_string().contains("in use by another process"), "{error}");
    first.close().await.unwrap();
    SqliteStore::open(home.path(), &SqliteOptions::default()).await.unwrap();
}

#[tokio::test]
async fn a_newer_database_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    SqliteStore::open(home.path(), &SqliteOptions::default()).await.unwrap().close().await.unwrap();
    execute(
        home.path(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', true, x'00', 0)",
    )
    .await;
    let error = open_error(home.path()).await;
    assert!(matches!(error, OpenError::Newer { migration: 9999, .. }));
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(DATABASE_FILE), "this is no database at all, but some text in a file")
        .unwrap();
    let error = open_error(home.path()).await;
    assert!(error.to_string().contains(DATABASE_FILE), "{error}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let error = open_error(&file.join("data")).await;
    assert!(matches!(error, OpenError::Io { .. }));
    assert!(error.to_string().contains("a file"), "{error}");
}

#[tokio::test]
async fn a_database_keeps_the_shards_that_it_was_made_with() {
    let home = tempfile::tempdir().unwrap();
    let options = |shards| SqliteOptions { shards, ..SqliteOptions::default() };
    let store = SqliteStore::open(home.path(), &options(2)).await.unwrap();
    assert_eq!(store.shards(), 2);
    store.close().await.unwrap();
    let store = SqliteStore::open(home.path(), &options(7)).await.unwrap();
    assert_eq!((store.shards(), good(store.acquire("n", T0).await).len()), (2, 2));
}

#[tokio::test]
async fn a_commit_is_in_the_log_before_it_is_answered() {
    let home = tempfile::tempdir().unwrap();
    let mut t = trial(home.path()).await;
    let saga = t.saga(3).await;
    // What a crash leaves: the files as they are now, without anybody closing anything.
    let crashed = tempfile::tempdir().unwrap();
    for file in [DATABASE_FILE.to_owned(), format!("{DATABASE_FILE}-wal")] {
        std::fs::copy(home.path().join(&file), crashed.path().join(&file)).unwrap();
    }
    let t = trial(crashed.path()).await;
    assert_eq!(t.length(saga).await, 3);
}

#[tokio::test]
async fn a_full_disk_writes_nothing_and_the_store_goes_on_when_there_is_room() {
    let home = tempfile::tempdir().unwrap();
    let mut t =
        trial_with(home.path(), SqliteOptions { max_pages: Some(80), ..SqliteOptions::default() }).await;
    let (small, kept) = (t.id(), t.saga(1).await);
    let mut large = t.start(small).key("k").event("e");
    large.records = vec![Bytes::from(vec![7; 1 << 20])];
    let batch = [t.more(kept, 2, 1), large.clone()];
    for _ in 0..3 {
        assert!(matches!(t.store().commit(&batch).await, Err(StoreError::Full(_))));
        assert_eq!((t.length(kept).await, t.length(small).await, t.numbers().await), (1, 0, vec![]));
        assert_eq!(good(t.store().key("", "k").await), None);
    }
    t.accept(&[t.more(kept, 2, 1)]).await;
    large.records = vec![record(small, 1)];
    t.accept(&[large]).await;
    assert_eq!((t.length(kept).await, t.length(small).await, t.numbers().await), (2, 1, vec![1]));
}

#[tokio::test]
async fn a_locked_file_is_unavailable_and_nothing_is_written() {
    let home = tempfile::tempdir().unwrap();
    let mut t = trial(home.path()).await;
    let saga = t.saga(1).await;
    let mut somebody = common::connect(home.path()).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut somebody).await.unwrap();
    let batch = [t.more(saga, 2, 1)];
    assert!(matches!(t.store().commit(&batch).await, Err(StoreError::Unavailable(_))));
    assert_eq!(t.length(saga).await, 1);
    sqlx::raw_sql("ROLLBACK").execute(&mut somebody).await.unwrap();
    t.accept(&batch).await;
}

#[tokio::test]
async fn epochs_that_somebody_else_drew_fence_this_store() {
    let home = tempfile::tempdir().unwrap();
    let mut t = trial(home.path()).await;
    let (saga, other) = (t.saga(1).await, t.id());
    execute(
        home.path(),
        "UPDATE counters SET value = value + 100; \
         UPDATE shards SET epoch = (SELECT value FROM counters) WHERE id = 0",
    )
    .await;
    let in_another_shard = t.in_shard(1, t.start(other));
    assert_eq!(
        t.commit(&[t.more(saga, 2, 1), in_another_shard]).await,
        [Verdict::Fenced, Verdict::Committed]
    );
    assert_eq!((t.length(saga).await, t.length(other).await), (1, 1));
    let highest = t.leases.iter().map(|lease| lease.epoch).max().unwrap();
    t.acquire().await;
    assert!(t.leases.iter().all(|lease| lease.epoch > highest + 100));
    t.accept(&[t.more(saga, 2, 1)]).await;
}

#[tokio::test]
async fn a_key_that_somebody_else_took_is_taken() {
    let home = tempfile::tempdir().unwrap();
    let mut t = trial(home.path()).await;
    execute(
        home.path(),
        "INSERT INTO keys (scope, key, saga, request_hash, created_at_ms) VALUES ('', 'k', NULL, zeroblob(32), 5)",
    )
    .await;
    let saga = t.id();
    assert!(
        matches!(t.commit(&[t.start(saga).key("k")]).await[0], Verdict::KeyTaken(row) if row.created_at_ms == 5)
    );
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_all_or_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut t = trial(home.path()).await;
    let mut written = 0;
    // Dropped after so many polls, from before the first statement to after the last.
    for polls in 0..12 {
        let sagas: Vec<Uuid> = (0..3).map(|_| t.id()).collect();
        let batch: Vec<_> = sagas.iter().map(|saga| t.start(*saga).event("e")).collect();
        {
            let mut commit = std::pin::pin!(t.store().commit(&batch));
            for _ in 0..polls {
                let polled =
                    std::future::poll_fn(|cx| Poll::Ready(commit.as_mut().poll(cx).is_ready())).await;
                if polled {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        t.accept(&batch).await;
        written += 3;
        for saga in sagas {
            assert_eq!(t.length(saga).await, 1);
        }
        assert_eq!(t.numbers().await, (1..=written).collect::<Vec<i64>>());
    }
}

#[tokio::test]
async fn a_damaged_journal_is_corrupt_for_its_saga_alone() {
    let home = tempfile::tempdir().unwrap();
    let mut t = trial(home.path()).await;
    let (sick, well) = (t.saga(3).await, t.saga(3).await);
    execute(home.path(), &format!("DELETE FROM journal WHERE saga_id = x'{}' AND seq = 2", sick.simple()))
        .await;
    assert!(matches!(t.store().load(sick).await, Err(StoreError::Corrupt { saga, .. }) if saga == sick));
    assert_eq!(t.length(well).await, 3);
    t.accept(&[t.more(well, 4, 1)]).await;
}

#[tokio::test]
async fn a_record_is_never_changed_by_anybody() {
    let home = tempfile::tempdir().unwrap();
    let mut t = trial(home.path()).await;
    t.saga(1).await;
    let definition = Announced { name: "checkout".to_owned(), version: 1, fingerprint: [0; 32] };
    let (node, definitions) = ("node".to_owned(), vec![definition]);
    let announcement = Announcement { node, definitions, now_ms: T0, live_since_ms: T0 };
    assert_eq!(t.store().announce(&announcement).await, Ok(vec![]));
    let mut somebody = common::connect(home.path()).await;
    for (sql, why) in [
        ("UPDATE journal SET record = x'00'", "never changed"),
        ("UPDATE counters SET value = 0", "never goes back"),
        ("UPDATE lanes SET watermark = 5; UPDATE lanes SET watermark = 4", "never goes back"),
        ("INSERT INTO journal (saga_id, seq, record) VALUES (zeroblob(16), 1, x'')", "FOREIGN KEY"),
        ("UPDATE sagas SET status = 6", "CHECK"),
        ("UPDATE sagas SET shard = 99", "FOREIGN KEY"),
        ("UPDATE definitions SET fingerprint = randomblob(32)", "never changes"),
        ("DELETE FROM definitions", "FOREIGN KEY"),
        ("UPDATE switches SET why = 'another reason'", "never rewritten"),
        ("INSERT INTO members VALUES ('a', 2, '', 0); UPDATE members SET run = 1", "stays replaced"),
    ] {
        let error = sqlx::raw_sql(sql).execute(&mut somebody).await.unwrap_err().to_string();
        assert!(error.contains(why), "{sql}: {error}");
    }
}

#[tokio::test]
async fn every_read_is_served_by_the_index_that_is_meant_for_it() {
    let home = tempfile::tempdir().unwrap();
    let _t = trial(home.path()).await;
    for (sql, index) in [
        (include_str!("../src/sqlite/sql/load.sql"), "journal_by_saga"),
        (include_str!("../src/sqlite/sql/unfinished.sql"), "sagas_by_status"),
        (include_str!("../src/sqlite/sql/oldest.sql"), "sagas_by_status"),
        (include_str!("../src/sqlite/sql/family.sql"), "sagas_of_family"),
        (include_str!("../src/sqlite/sql/list.sql"), "sagas_by_start"),
        (include_str!("../src/sqlite/sql/list_status.sql"), "sagas_by_status"),
        (include_str!("../src/sqlite/sql/lane_pending.sql"), "SEARCH o USING PRIMARY KEY"),
        (include_str!("../src/sqlite/sql/lane_published_since.sql"), "SEARCH o USING PRIMARY KEY"),
    ] {
        let plan = query(home.path(), &format!("EXPLAIN QUERY PLAN {sql}"), 3).await;
        assert!(plan.iter().any(|step| step.contains(index)), "{sql}\n{plan:#?}");
        let scans = |step: &String| step.starts_with("SCAN") && !step.starts_with("SCAN json_each");
        assert!(!plan.iter().any(scans), "{sql}\n{plan:#?}");
    }
}
