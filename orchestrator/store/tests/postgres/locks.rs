//! Batches, takeovers and other nodes at once: who waits for whom, and who wins.

use std::time::Duration;

use backstitch_store::testing::{Edit as _, T0, good};
use backstitch_store::{Append, Lease, PostgresOptions, PostgresStore, Store as _, StoreError, Verdict};

use crate::common::{postgres_options, run_on_postgres};
use crate::{connect, migrated, number, run, trial, trial_with, until_waiting};

#[tokio::test]
async fn taking_over_waits_for_the_batch_under_way_and_then_sees_it() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    let other = PostgresStore::open(&url, &postgres_options()).await.unwrap();
    let saga = t.id();
    let batch = [t.start(saga).key("k").event("e")];
    // The batch has its shard, and waits for the key.
    let mut blocker = connect(&url).await;
    run(&mut blocker, "BEGIN; INSERT INTO keys VALUES ('', 'k', NULL, decode(repeat('00', 32), 'hex'), 0)")
        .await;
    let mut commit = std::pin::pin!(t.store().commit(&batch));
    assert!(until_waiting(&mut blocker, 1, commit.as_mut()).await);
    let mut both = std::pin::pin!(async { tokio::join!(commit, other.acquire("other", T0)) });
    assert!(until_waiting(&mut blocker, 2, both.as_mut()).await, "the takeover did not wait");
    run(&mut blocker, "ROLLBACK").await;
    let (verdicts, leases) = both.await;
    assert_eq!(verdicts, Ok(vec![Verdict::Committed]));
    assert_eq!(good(other.load(saga).await).unwrap().records.len(), 1);
    let leases = good(leases);
    assert!(leases.iter().zip(&t.leases).all(|(new, old)| new.epoch > old.epoch));
    assert_eq!(t.commit(&[t.more(saga, 2, 1)]).await, [Verdict::Fenced]);
    assert_eq!(t.length(saga).await, 1);
}

/// Both had read that the shard is the first one's. Without the lock the batch would be written after the journal was
/// read by who took over.
#[tokio::test]
async fn a_batch_that_comes_after_a_takeover_under_way_writes_nothing() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    let (lost, kept) = (t.id(), t.id());
    let batch = [t.start(lost).key("k").event("e"), t.in_shard(1, t.start(kept).event("e"))];
    let mut taker = connect(&url).await;
    run(&mut taker, "BEGIN; UPDATE shards SET owner = 'other', epoch = epoch + 100 WHERE id = 0").await;
    let mut commit = std::pin::pin!(t.store().commit(&batch));
    assert!(until_waiting(&mut taker, 1, commit.as_mut()).await, "the batch did not wait");
    run(&mut taker, "COMMIT").await;
    assert_eq!(commit.await, Ok(vec![Verdict::Fenced, Verdict::Committed]));
    assert_eq!((t.length(lost).await, t.length(kept).await, t.pending(0).await.len()), (0, 1, 0));
    assert_eq!(good(t.store().key("", "k").await), None);
}

#[tokio::test]
async fn a_lock_is_not_waited_for_longer_than_the_limit() {
    let url = migrated().await;
    let limit = Duration::from_millis(600);
    let mut t = trial_with(&url, PostgresOptions { time_limit: limit, ..postgres_options() }).await;
    let saga = t.saga(1).await;
    let mut somebody = connect(&url).await;
    run(&mut somebody, "BEGIN; SELECT FROM shards FOR UPDATE").await;
    let batch = [t.more(saga, 2, 1)];
    let error = t.store().commit(&batch).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("55P03")), "{error:?}");
    assert_eq!(t.length(saga).await, 1);
    run(&mut somebody, "ROLLBACK").await;
    t.accept(&batch).await;
}

/// Two nodes with a shard each.
async fn two_nodes(url: &str) -> [(PostgresStore, Lease); 2] {
    let term = Duration::from_secs(600);
    let mut nodes = Vec::new();
    for (shard, name) in [(0, "a"), (1, "b")] {
        let store = PostgresStore::open(url, &postgres_options()).await.unwrap();
        let member = good(store.join(name, "", term).await);
        let lease = good(store.claim(&member, &[shard], term).await)[0];
        nodes.push((store, lease));
    }
    nodes.try_into().unwrap_or_else(|_| panic!("two"))
}

#[tokio::test]
async fn of_two_nodes_with_the_same_keys_each_key_goes_to_one() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    good(t.store().give_back(&t.leases).await);
    let [(a, lease_a), (b, lease_b)] = two_nodes(&url).await;
    let mut won = [0, 0];
    for round in 0..12 {
        let keys: Vec<String> = (0..20).map(|nth| format!("key-{round}-{nth}")).collect();
        let mut batch = |lease: Lease| -> Vec<Append> {
            let start = |key: &String| {
                let saga = t.id();
                let start = t.start(saga).key(key).event("e");
                Append { shard: lease.shard, epoch: lease.epoch, ..start }
            };
            keys.iter().map(start).collect()
        };
        let (of_a, mut of_b) = (batch(lease_a), batch(lease_b));
        // In another order: each would wait for the other one.
        of_b.reverse();
        let (said_a, said_b) = tokio::join!(a.commit(&of_a), b.commit(&of_b));
        let (said_a, mut said_b) = (good(said_a), good(said_b));
        of_b.reverse();
        said_b.reverse();
        for (nth, key) in keys.iter().enumerate() {
            let holder = good(a.key("", key).await).unwrap();
            let (winner, loser) = match (&said_a[nth], &said_b[nth]) {
                (Verdict::Committed, Verdict::KeyTaken(row)) if *row == holder => (0, &of_b[nth]),
                (Verdict::KeyTaken(row), Verdict::Committed) if *row == holder => (1, &of_a[nth]),
                other => panic!("{key}: {other:?}"),
            };
            won[winner] += 1;
            assert_eq!(holder.saga, Some([&of_a, &of_b][winner][nth].saga));
            assert_eq!(good(a.load(loser.saga).await), None);
        }
    }
    for (shard, count) in [(0, won[0]), (1, won[1])] {
        let numbers = t.pending(shard).await.into_iter().map(|row| row.number);
        assert_eq!(numbers.collect::<Vec<_>>(), (1..=count).collect::<Vec<i64>>(), "no gaps where one lost");
    }
}

#[tokio::test]
async fn nothing_is_locked_between_two_batches() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    let saga = t.saga(2).await;
    run_on_postgres(
        &url,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$; \
         CREATE TRIGGER no BEFORE INSERT ON journal FOR EACH ROW WHEN (new.seq = 9) EXECUTE FUNCTION no()",
    )
    .await;
    t.refuse(Append { records: vec![bytes::Bytes::new(); 7], ..t.more(saga, 3, 1) }).await;
    let schema = url.rsplit('=').next().unwrap();
    let open = format!(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE application_name = '{schema}' AND state <> 'idle' AND pid <> pg_backend_pid()"
    );
    let mut somebody = connect(&url).await;
    assert_eq!(number(&mut somebody, &open).await, 0);
    run(&mut somebody, "BEGIN; SELECT FROM shards FOR UPDATE NOWAIT; ROLLBACK").await;
}
