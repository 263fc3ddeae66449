//! What the transactor makes of a Postgres server: locks of other processes, deadlocks, lost connections.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use backstitch_services::{On, Postgres, Service as _, fresh_database};
use common::operations::{Ended, run, shop_act, write};
use common::{Shop, Then, act, effects, meta};
use futures::future::join_all;
use outbox_relay::Event;
use participant_kit::{Kit, LockKey, Op, OpError};
use sqlx::{AnyConnection, Connection as _};
use tokio::sync::Barrier;
use uuid::Uuid;

/// Waits until `ready` says so; not for ever.
async fn until<F: Future<Output = bool>>(ready: impl Fn() -> F) {
    let waited = async {
        while !ready().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.expect("it becomes so");
}

/// A connection of somebody who is no participant.
async fn stranger(url: &str) -> AnyConnection {
    AnyConnection::connect(url).await.unwrap()
}

/// How many sessions wait for a lock of this kind.
async fn waiting(conn: &mut AnyConnection, kind: &str) -> i64 {
    let sql = "SELECT COUNT(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = $1";
    sqlx::query_scalar(sql).bind(kind).fetch_one(conn).await.unwrap()
}

#[tokio::test]
async fn a_flash_sale_on_one_sku_is_one_lock_and_one_commit_for_a_batch() {
    let shop = Shop::open(On::Postgres).await;
    shop.stock("tea", 60).await;
    let before = shop.kit.counts();
    let metas: Vec<_> = (0..100).map(|_| meta(Uuid::now_v7(), "reserve", Op::Do)).collect();
    let ended = join_all(metas.iter().map(|meta| shop_act(&shop.kit, meta))).await;
    assert_eq!(ended.iter().filter(|end| end.is_ok()).count(), 60);
    let cost = shop.kit.counts();
    assert_eq!((cost.commits - before.commits, cost.operations - before.operations), (1, 100));
    // All locks in one round trip with BEGIN, the rows, two for each effect, a look for each savepoint and two for each
    // that was rolled back to, the rows, COMMIT.
    assert_eq!(cost.statements - before.statements, 1 + 1 + 2 * 100 + 100 + 40 + 1 + 1);
    assert_eq!((shop.left("tea").await, shop.effects("reserve").await), (0, 60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_that_run_one_flash_sale_nobody_sells_what_is_not_there_and_none_is_in_the_way() {
    let shop = Shop::open(On::Postgres).await;
    shop.stock("tea", 150).await;
    let other = shop.reopen().await;
    // Each saga twice, once in either process.
    let sagas: Vec<Uuid> = (0..200).map(|_| Uuid::now_v7()).collect();
    let calls = sagas.iter().flat_map(|saga| [(shop.kit.clone(), *saga), (other.clone(), *saga)]);
    let tasks = calls.map(|(kit, saga)| {
        tokio::spawn(async move { act(&kit, saga, Op::Do, common::Reserve::of(1)).await })
    });
    let heard: Vec<String> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    // The same to both, and to nobody that it should come again.
    assert!(heard.chunks(2).all(|pair| pair[0] == pair[1]), "{heard:?}");
    assert_eq!(heard.iter().filter(|word| *word == "done").count(), 300);
    assert_eq!(heard.iter().filter(|word| *word == "refused OUT_OF_STOCK").count(), 100);
    assert_eq!((shop.left("tea").await, shop.effects("reserve").await), (0, 150));
}

/// Publishes an event under each key, in this order.
async fn publish(kit: &Kit, keys: [&'static str; 2], declared: bool) -> Ended {
    let locks = if declared { keys.map(LockKey::events).to_vec() } else { Vec::new() };
    kit.run(locks, move |tx| {
        Box::pin(async move {
            for key in keys {
                tx.emit(Event::json("toy.events", "toy", "/toy", key, key, &1, tx.now_ms())).await?;
            }
            Ok(())
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_number_the_events_of_a_key_without_a_gap_and_in_the_order_of_their_commits() {
    let shop = Shop::open(On::Postgres).await;
    let other = shop.reopen().await;
    for round in 0..20 {
        let start = Arc::new(Barrier::new(8));
        let writers = (0..8).map(|i| {
            let (kit, start) = (if i % 2 == 0 { shop.kit.clone() } else { other.clone() }, start.clone());
            // Crosswise, and by those who said before what they would publish and by those who did not.
            let keys = if i / 2 % 2 == 0 { ["a", "b"] } else { ["b", "a"] };
            tokio::spawn(async move {
                start.wait().await;
                publish(&kit, keys, (round + i) % 3 == 0).await
            })
        });
        for ended in join_all(writers).await {
            ended.unwrap().unwrap();
        }
    }
    for key in ["a", "b"] {
        let rows: Vec<(i64, i64)> =
            sqlx::query_as("SELECT sequence, number FROM outbox WHERE key = $1 ORDER BY sequence")
                .bind(key)
                .fetch_all(shop.kit.reads())
                .await
                .unwrap();
        assert!(rows.iter().map(|(sequence, _)| *sequence).eq(1..=160), "{key}: {rows:?}");
        assert!(rows.is_sorted_by(|(_, one), (_, next)| one < next), "{key}: {rows:?}");
        let last: i64 = sqlx::query_scalar("SELECT last_sequence FROM outbox_keys WHERE key = $1")
            .bind(key)
            .fetch_one(shop.kit.reads())
            .await
            .unwrap();
        assert_eq!(last, 160);
    }
    // Nobody was a deadlock's victim: what every transaction locks, it locks first and in order.
    let deadlocks: i64 =
        sqlx::query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            .fetch_one(shop.kit.reads())
            .await
            .unwrap();
    assert_eq!(deadlocks, 0);
}

/// Takes two rows one after the other, and waits in between for `met`, once.
async fn crosswise(kit: &Kit, skus: [&'static str; 2], met: Arc<Barrier>, runs: Arc<AtomicU32>) -> Ended {
    kit.run(vec![], move |tx| {
        let met = met.clone();
        let first = runs.fetch_add(1, Ordering::SeqCst) == 0;
        Box::pin(async move {
            for (at, sku) in skus.into_iter().enumerate() {
                if at == 1 && first {
                    met.wait().await;
                }
                let take = "UPDATE stock SET left_over = left_over - 1 WHERE sku = $1";
                sqlx::query(take).bind(sku).execute(tx.conn()).await?;
            }
            Ok(())
        })
    })
    .await
}

#[tokio::test]
async fn the_victim_of_a_deadlock_is_run_again_and_happens_once() {
    let shop = Shop::open(On::Postgres).await;
    shop.stock("tea", 10).await;
    shop.stock("cake", 10).await;
    let other = shop.reopen().await;
    let (met, runs) = (Arc::new(Barrier::new(2)), [Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0))]);
    let (one, two) = futures::join!(
        crosswise(&shop.kit, ["tea", "cake"], met.clone(), runs[0].clone()),
        crosswise(&other, ["cake", "tea"], met.clone(), runs[1].clone()),
    );
    one.unwrap();
    two.unwrap();
    assert_eq!(runs.iter().map(|runs| runs.load(Ordering::SeqCst)).sum::<u32>(), 3, "one of them twice");
    assert_eq!((shop.left("tea").await, shop.left("cake").await), (8, 8));
}

/// Takes the lock that [`run`] needs, as a process would that then does nothing more.
async fn hold_tea(conn: &mut AnyConnection, kit: &Kit) {
    // Learned from the kit itself, so that the test does not know how locks are numbered.
    let held: i64 = kit
        .run(vec![LockKey::new("sku", "tea")], |tx| {
            Box::pin(async move {
                let sql = "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks \
                           WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
                Ok(sqlx::query_scalar(sql).fetch_one(tx.conn()).await?)
            })
        })
        .await
        .unwrap();
    sqlx::raw_sql("BEGIN").execute(&mut *conn).await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(held).execute(conn).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_is_not_had_in_time_promises_that_nothing_was_done() {
    let shop = Shop::open(On::Postgres).await;
    let mut holder = stranger(&shop.url).await;
    hold_tea(&mut holder, &shop.kit).await;
    let began = Instant::now();
    let ended = join_all((0..3).map(|i| run(&shop.kit, format!("op {i}"), Then::Finish))).await;
    assert!(ended.iter().all(|end| matches!(end, Err(OpError::NotNow { .. }))), "{ended:?}");
    // All of them together, not one after the other.
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    run(&shop.kit, "op 0".into(), Then::Finish).await.unwrap();
    assert_eq!((shop.effects("op 0").await, shop.effects("op 1").await), (1, 0));
}

#[tokio::test]
async fn a_connection_that_was_lost_at_rest_is_not_noticed() {
    let server = Postgres::start();
    let shop = Shop::open_at(server.fresh_database("toy"), tempfile::tempdir().unwrap()).await;
    run(&shop.kit, "before".into(), Then::Finish).await.unwrap();
    assert!(server.terminate_backends() > 0);
    run(&shop.kit, "backends".into(), Then::Finish).await.unwrap();
    server.restart();
    run(&shop.kit, "restart".into(), Then::Finish).await.unwrap();
    for what in ["before", "backends", "restart"] {
        assert_eq!(shop.effects(what).await, 1, "{what}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_not_now_and_one_that_is_back_is_used() {
    let server = Postgres::start();
    let shop = Shop::open_at(server.fresh_database("toy"), tempfile::tempdir().unwrap()).await;
    server.stop_immediately();
    let ended = join_all((0..3).map(|i| run(&shop.kit, format!("op {i}"), Then::Finish))).await;
    assert!(ended.iter().all(|end| matches!(end, Err(OpError::NotNow { .. }))), "{ended:?}");
    server.start_again();
    run(&shop.kit, "after".into(), Then::Finish).await.unwrap();
    assert_eq!((shop.effects("after").await, shop.effects("op 0").await), (1, 0));
}

/// An operation that waits in a statement until its connection is ended from outside, the first time.
async fn cut_off_once(kit: &Kit, what: &'static str, runs: Arc<AtomicU32>) -> Ended {
    kit.run(vec![], move |tx| {
        let first = runs.fetch_add(1, Ordering::SeqCst) == 0;
        Box::pin(async move {
            write(tx, what, 0).await?;
            if first {
                sqlx::raw_sql("SELECT pg_terminate_backend(pg_backend_pid())").execute(tx.conn()).await?;
            }
            Ok(())
        })
    })
    .await
}

#[tokio::test]
async fn a_connection_that_is_lost_before_the_commit_costs_another_run_and_nothing_else() {
    let shop = Shop::open(On::Postgres).await;
    let runs = Arc::new(AtomicU32::new(0));
    let (cut, other) = futures::join!(
        cut_off_once(&shop.kit, "cut", runs.clone()),
        run(&shop.kit, "other".into(), Then::Finish),
    );
    cut.unwrap();
    other.unwrap();
    assert_eq!(
        (runs.load(Ordering::SeqCst), shop.effects("cut").await, shop.effects("other").await),
        (2, 1, 1)
    );
    // Alone too.
    runs.store(0, Ordering::SeqCst);
    cut_off_once(&shop.kit, "alone", runs.clone()).await.unwrap();
    assert_eq!((runs.load(Ordering::SeqCst), shop.effects("alone").await), (2, 1));
}

/// Lets commits of `effects` wait for the stranger's lock 1, inside COMMIT itself.
const SLOW_COMMIT: &str = "\
    CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock(1, 1); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON effects DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_in_commit()";

#[tokio::test]
async fn a_connection_that_is_lost_in_the_commit_leaves_it_unknown_and_the_barrier_tells() {
    let shop = Shop::open(On::Postgres).await;
    shop.stock("tea", 10).await;
    let mut stranger = stranger(&shop.url).await;
    sqlx::raw_sql(SLOW_COMMIT).execute(&mut stranger).await.unwrap();
    sqlx::raw_sql("SELECT pg_advisory_lock(1, 1)").execute(&mut stranger).await.unwrap();
    let saga = Uuid::now_v7();
    let kit = shop.kit.clone();
    let acting = tokio::spawn(async move { act(&kit, saga, Op::Do, common::Reserve::of(1)).await });
    let mut watch = AnyConnection::connect(&shop.url).await.unwrap();
    while waiting(&mut watch, "advisory").await == 0 {
        assert!(!acting.is_finished());
        tokio::task::yield_now().await;
    }
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
               AND wait_event = 'advisory'";
    sqlx::raw_sql(cut).execute(&mut watch).await.unwrap();
    assert_eq!(acting.await.unwrap(), "unknown");
    sqlx::raw_sql("SELECT pg_advisory_unlock(1, 1)").execute(&mut stranger).await.unwrap();
    // Here the server had not committed; the same key finds out, and happens once.
    assert_eq!(act(&shop.kit, saga, Op::Do, common::Reserve::of(1)).await, "done");
    assert_eq!((shop.effects("reserve").await, shop.left("tea").await), (1, 9));
}

#[tokio::test]
async fn a_batch_with_more_locks_than_a_server_has_room_for_is_several_transactions() {
    let shop = Shop::open_at(fresh_database("toy"), tempfile::tempdir().unwrap()).await;
    let before = shop.kit.counts().commits;
    let ended = join_all((0..20).map(|i| {
        let locks = (0..200).map(|n| LockKey::new("sku", &format!("{i}/{n}"))).collect();
        shop.kit.run(locks, move |tx| Box::pin(async move { write(tx, "many", 0).await }))
    }));
    assert!(ended.await.iter().all(Result::is_ok));
    // 4,000 locks, 1,024 at most in one transaction.
    assert_eq!((shop.kit.counts().commits - before, shop.effects("many").await), (4, 20));
}

#[tokio::test]
async fn a_server_that_freezes_is_not_waited_for_for_ever() {
    let server = Postgres::start();
    let shop = Shop::open_at(server.fresh_database("toy"), tempfile::tempdir().unwrap()).await;
    run(&shop.kit, "before".into(), Then::Finish).await.unwrap();
    server.freeze();
    let began = Instant::now();
    let ended = run(&shop.kit, "frozen".into(), Then::Finish).await;
    let took = began.elapsed();
    server.thaw();
    assert!(matches!(ended, Err(OpError::Unknown(_))), "{ended:?}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    until(|| async { run(&shop.kit, "after".into(), Then::Finish).await.is_ok() }).await;
    assert!(effects(&shop.kit, "frozen").await <= 1);
}
