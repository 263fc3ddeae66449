//! The transactor's laws over a real SQLite file.
//!
//! The runtime has one thread: what is started by one `join_all` is queued before the transactor looks, and so is one
//! batch.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::{Reserve, Shop, Then, meta, word};
use futures::FutureExt as _;
use futures::future::join_all;
use participant_kit::{Counts, Kit, LockKey, Op, OpError, Refusal, Tx};
use proptest::prelude::*;
use sqlx::{AnyConnection, Connection as _};
use uuid::Uuid;

type Ended = Result<(), OpError>;

async fn write(tx: &mut Tx<'_>, what: &str, filler: usize) -> Ended {
    sqlx::query("INSERT INTO effects (saga_id, step, what, filler) VALUES ('', '', $1, $2)")
        .bind(what)
        .bind("x".repeat(filler))
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn write_then(tx: &mut Tx<'_>, what: String, then: Then) -> Ended {
    write(tx, &what, 0).await?;
    match then {
        Then::Finish => Ok(()),
        Then::Refuse => Err(Refusal::new("NO", "after writing").into()),
        Then::NotNow => Err(OpError::not_now(Duration::from_secs(1), "later")),
        Then::BadSql => {
            sqlx::query("INSERT INTO nowhere VALUES (1)").execute(tx.conn()).await?;
            Ok(())
        }
        Then::Panic => panic!("the operation panics"),
    }
}

async fn run(kit: &Kit, what: String, then: Then) -> Ended {
    kit.run(vec![LockKey::new("sku", "tea")], move |tx| Box::pin(write_then(tx, what.clone(), then))).await
}

/// Ten operations in one batch, the fourth of which does as `then` says; how each ended, and what the batch cost.
async fn ten_with(shop: &Shop, then: Then) -> (Vec<Ended>, Counts) {
    let before = shop.kit.counts();
    let ended = join_all((0..10).map(|i| {
        let then = if i == 3 { then } else { Then::Finish };
        run(&shop.kit, format!("op {i}"), then)
    }));
    let ended = ended.await;
    (ended, since(shop, before))
}

fn since(shop: &Shop, before: Counts) -> Counts {
    let now = shop.kit.counts();
    Counts {
        commits: now.commits - before.commits,
        operations: now.operations - before.operations,
        statements: now.statements - before.statements,
    }
}

/// Everybody but the fourth happened exactly once, and the fourth not at all.
async fn assert_only_the_fourth_failed(shop: &Shop, ended: &[Ended]) {
    for (i, end) in ended.iter().enumerate() {
        assert_eq!(end.is_ok(), i != 3, "op {i}: {end:?}");
        assert_eq!(shop.effects(&format!("op {i}")).await, i64::from(i != 3), "op {i}");
    }
}

#[tokio::test]
async fn many_queued_operations_are_one_commit_and_each_is_answered_after_it() {
    let shop = Shop::open().await;
    let before = shop.kit.counts();
    join_all((0..100).map(|i| {
        let shop = &shop;
        async move {
            let what = format!("op {i}");
            run(&shop.kit, what.clone(), Then::Finish).await.unwrap();
            // Another connection sees only what is committed.
            assert_eq!(shop.effects(&what).await, 1);
        }
    }))
    .await;
    // BEGIN with the first savepoint, one statement each, 99 changes of savepoint, COMMIT.
    assert_eq!(since(&shop, before), Counts { commits: 1, operations: 100, statements: 1 + 100 + 99 + 1 });
}

#[tokio::test]
async fn acts_of_one_batch_read_their_barrier_rows_with_one_statement_and_write_them_with_another() {
    let shop = Shop::open().await;
    shop.stock("tea", 1000).await;
    let before = shop.kit.counts();
    let sagas: Vec<Uuid> = (0..50).map(|_| Uuid::now_v7()).collect();
    // Each twice: the second meets the row that the first left in the same batch.
    let acts = sagas.iter().chain(&sagas).map(|saga| {
        let (kit, meta) = (&shop.kit, meta(*saga, "reserve", Op::Do));
        async move { shop_act(kit, &meta).await.unwrap().into_inner() }
    });
    let answers = join_all(acts).await;
    assert_eq!(answers[..50], answers[50..]);
    // BEGIN, the rows, the toy's two statements for each effect, a look for each savepoint, the rows, COMMIT.
    assert_eq!(
        since(&shop, before),
        Counts { commits: 1, operations: 100, statements: 1 + 1 + 2 * 50 + 100 + 1 + 1 }
    );
    assert_eq!(shop.effects("reserve").await, 50);
}

#[tokio::test]
async fn an_answer_that_is_no_rolls_back_its_own_operation_only_and_the_rest_is_still_one_commit() {
    for then in [Then::Refuse, Then::NotNow] {
        let shop = Shop::open().await;
        let (ended, cost) = ten_with(&shop, then).await;
        assert_only_the_fourth_failed(&shop, &ended).await;
        assert_eq!((cost.commits, cost.operations), (1, 10), "{then:?}");
    }
}

#[tokio::test]
async fn a_database_error_rolls_back_the_batch_and_everybody_is_run_alone() {
    let shop = Shop::open().await;
    let (ended, cost) = ten_with(&shop, Then::BadSql).await;
    assert_only_the_fourth_failed(&shop, &ended).await;
    assert!(matches!(ended[3], Err(OpError::Database(_))), "{:?}", ended[3]);
    assert_eq!((cost.commits, cost.operations), (9, 10));
}

#[tokio::test]
async fn a_panic_is_its_own_operation_s_and_the_transactor_lives_on() {
    let shop = Shop::open().await;
    let (ended, cost) = ten_with(&shop, Then::Panic).await;
    assert_only_the_fourth_failed(&shop, &ended).await;
    assert!(
        matches!(&ended[3], Err(OpError::Broken(why)) if why.contains("the operation panics")),
        "{:?}",
        ended[3]
    );
    assert_eq!((cost.commits, cost.operations), (9, 10));
    run(&shop.kit, "after".into(), Then::Finish).await.unwrap();
}

#[tokio::test]
async fn an_operation_that_is_run_again_is_committed_once() {
    let shop = Shop::open().await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = runs.clone();
    let good = shop.kit.run(vec![], move |tx| {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { write(tx, "good", 0).await })
    });
    let (good, bad) = futures::join!(good, run(&shop.kit, "bad".into(), Then::BadSql));
    assert!(good.is_ok() && bad.is_err());
    assert_eq!((runs.load(Ordering::SeqCst), shop.effects("good").await), (2, 1));
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_its_operation_along() {
    let shop = Shop::open().await;
    // Polled once, so it is queued; then dropped.
    assert!(run(&shop.kit, "orphan".into(), Then::Finish).now_or_never().is_none());
    run(&shop.kit, "next".into(), Then::Finish).await.unwrap();
    assert_eq!(shop.effects("orphan").await, 1);
}

#[tokio::test]
async fn an_operation_that_needs_another_lock_is_rolled_back_and_run_again_with_it() {
    let shop = Shop::open().await;
    let runs = Arc::new(AtomicU32::new(0));
    let asks = |needed: u32| {
        let runs = runs.clone();
        shop.kit.run(vec![LockKey::new("sku", "tea")], move |tx| {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                write(tx, "asks", 0).await?;
                if run < needed { Err(OpError::Lock(LockKey::new("sku", "cake"))) } else { Ok(()) }
            })
        })
    };
    let (asked, other) = futures::join!(asks(1), run(&shop.kit, "other".into(), Then::Finish));
    asked.unwrap();
    other.unwrap();
    assert_eq!((runs.swap(0, Ordering::SeqCst), shop.effects("asks").await), (2, 1));

    // One that does not notice that it has the lock by now is a bug, not an endless loop.
    assert!(matches!(asks(u32::MAX).await, Err(OpError::Broken(_))));
    assert_eq!((runs.load(Ordering::SeqCst), shop.effects("asks").await), (2, 1));
}

#[tokio::test]
async fn a_commit_that_fails_makes_the_whole_batch_unknown_and_the_next_one_works() {
    let shop = Shop::open().await;
    // A foreign key that is looked at by COMMIT only.
    let poison = shop.kit.run(vec![], |tx| {
        Box::pin(async move {
            sqlx::query("PRAGMA defer_foreign_keys = ON").execute(tx.conn()).await?;
            sqlx::query("INSERT INTO orphans (sku) VALUES ('nothing')").execute(tx.conn()).await?;
            Ok(())
        })
    });
    let (poison, bystander) = futures::join!(poison, run(&shop.kit, "bystander".into(), Then::Finish));
    assert!(matches!(poison, Err(OpError::Unknown(_))), "{poison:?}");
    assert!(matches!(bystander, Err(OpError::Unknown(_))), "{bystander:?}");
    assert_eq!(shop.effects("bystander").await, 0);
    run(&shop.kit, "after".into(), Then::Finish).await.unwrap();
    assert_eq!(shop.effects("after").await, 1);
}

#[tokio::test]
async fn a_begin_that_fails_makes_the_whole_batch_unknown_and_the_next_one_works() {
    let shop = Shop::open().await;
    shop.kit
        .run(vec![], |tx| {
            Box::pin(async move {
                sqlx::query("PRAGMA busy_timeout = 0").execute(tx.conn()).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    let mut other = AnyConnection::connect(&shop.url()).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let ended = run(&shop.kit, "waiting".into(), Then::Finish).await;
    assert!(matches!(ended, Err(OpError::Unknown(_))), "{ended:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    run(&shop.kit, "after".into(), Then::Finish).await.unwrap();
    assert_eq!((shop.effects("waiting").await, shop.effects("after").await), (0, 1));
}

/// Lets the writer's database file grow by `pages` more pages and no further.
async fn leave_room_for(shop: &Shop, pages: i64) {
    let limit = shop.kit.run(vec![], move |tx| {
        Box::pin(async move {
            let used: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(tx.conn()).await?;
            let limit = format!("PRAGMA max_page_count = {}", used + pages);
            sqlx::raw_sql(sqlx::AssertSqlSafe(limit)).execute(tx.conn()).await?;
            Ok(())
        })
    });
    limit.await.unwrap();
}

async fn fill(kit: &Kit, what: String, pages: usize) -> Ended {
    kit.run(vec![], move |tx| {
        let what = what.clone();
        Box::pin(async move { write(tx, &what, pages * 4096).await })
    })
    .await
}

#[tokio::test]
async fn a_full_disk_fails_who_does_not_fit_and_nobody_else() {
    let shop = Shop::open().await;
    leave_room_for(&shop, 40).await;
    let pages = [10, 100, 10];
    let ended = join_all((0..3).map(|i| fill(&shop.kit, format!("op {i}"), pages[i]))).await;
    for (i, fits) in [true, false, true].into_iter().enumerate() {
        assert_eq!(ended[i].is_ok(), fits, "op {i}: {:?}", ended[i]);
        assert_eq!(shop.effects(&format!("op {i}")).await, i64::from(fits), "op {i}");
    }
    leave_room_for(&shop, 1000).await;
    fill(&shop.kit, "op 1".into(), 100).await.unwrap();
    assert_eq!(shop.effects("op 1").await, 1);
}

/// SQLite drops the whole transaction on a full disk, and the next statement commits by itself. An operation must not
/// go on after an error; this one does, and is found out.
#[tokio::test]
async fn an_operation_that_goes_on_in_a_dropped_transaction_is_unknown_and_nobody_is_told_a_lie() {
    let shop = Shop::open().await;
    leave_room_for(&shop, 40).await;
    let careless = shop.kit.run(vec![], |tx| {
        Box::pin(async move {
            assert!(write(tx, "big", 400 * 4096).await.is_err());
            write(tx, "by itself", 0).await
        })
    });
    shop.stock("tea", 10).await;
    let (early, late) = (Uuid::now_v7(), Uuid::now_v7());
    let (early_meta, late_meta) = (meta(early, "reserve", Op::Do), meta(late, "reserve", Op::Do));
    let (acted, before, careless) = futures::join!(
        shop_act(&shop.kit, &early_meta),
        run(&shop.kit, "before".into(), Then::Finish),
        careless,
    );
    let (after, acted_late) =
        futures::join!(run(&shop.kit, "after".into(), Then::Finish), shop_act(&shop.kit, &late_meta),);
    assert!(matches!(careless, Err(OpError::Unknown(_))), "{careless:?}");
    for (what, end) in [("before", before), ("after", after)] {
        assert_eq!(shop.effects(what).await, i64::from(end.is_ok()), "{what}: {end:?}");
    }
    // No barrier row without its effect: that would be a promise nobody kept.
    let mut effects = 0;
    for (saga, acted) in [(early, acted), (late, acted_late)] {
        assert_eq!(shop.row(saga, "reserve").await, if acted.is_ok() { "done" } else { "absent" });
        effects += i64::from(acted.is_ok());
    }
    assert_eq!(shop.effects("reserve").await, effects);
    // The danger is real: it is there although nobody committed it.
    assert_eq!(shop.effects("by itself").await, 1);
}

#[tokio::test]
async fn an_act_s_barrier_row_and_effect_share_the_fate_of_a_full_disk() {
    let shop = Shop::open().await;
    shop.stock("tea", 1000).await;
    leave_room_for(&shop, 2).await;
    let sagas: Vec<Uuid> = (0..200).map(|_| Uuid::now_v7()).collect();
    let acts = sagas.iter().map(|saga| {
        let meta = meta(*saga, "reserve", Op::Do);
        let kit = &shop.kit;
        async move { shop_act(kit, &meta).await }
    });
    let ended = join_all(acts).await;
    let done = ended.iter().filter(|end| end.is_ok()).count();
    assert!(done > 0 && done < sagas.len(), "{done} fitted");
    for (saga, end) in sagas.iter().zip(&ended) {
        let expected = if end.is_ok() { "done" } else { "absent" };
        assert_eq!(shop.row(*saga, "reserve").await, expected, "{}", word(*saga, "reserve", Op::Do, end));
    }
    assert_eq!(shop.effects("reserve").await, i64::try_from(done).unwrap());
}

type Acted = Result<tonic::Response<backstitch_proto::inventory::ReserveResponse>, tonic::Status>;

async fn shop_act(kit: &Kit, meta: &tonic::metadata::MetadataMap) -> Acted {
    kit.act(meta, Ok(Reserve::of(1))).await
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fits_whoever_fails_an_answer_is_ok_exactly_if_the_effect_is_there_once(
        room in 5i64..60,
        batches in prop::collection::vec(
            prop::collection::vec((0usize..30, prop_oneof![
                6 => Just(Then::Finish), 1 => Just(Then::Refuse), 1 => Just(Then::BadSql), 1 => Just(Then::Panic),
            ]), 1..8),
            1..5,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let shop = Shop::open().await;
            leave_room_for(&shop, room).await;
            for (b, batch) in batches.iter().enumerate() {
                let ended = join_all(batch.iter().enumerate().map(|(i, (pages, then))| {
                    let (pages, then, what) = (*pages, *then, format!("op {b} {i}"));
                    shop.kit.run(vec![], move |tx| {
                        let what = what.clone();
                        Box::pin(async move {
                            write(tx, &format!("{what} filler"), pages * 4096).await?;
                            write_then(tx, what, then).await
                        })
                    })
                })).await;
                for (i, end) in ended.iter().enumerate() {
                    let there = shop.effects(&format!("op {b} {i}")).await;
                    assert_eq!(there, i64::from(end.is_ok()), "op {b} {i}: {end:?}");
                    assert_eq!(there, shop.effects(&format!("op {b} {i} filler")).await);
                }
            }
        });
    }
}
