//! The transactor's laws over a real database.
//!
//! The runtime has one thread: what is started by one `join_all` is queued before the transactor looks, and so is one
//! batch.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use backstitch_services::{On, each_database};
use common::operations::{Ended, run, shop_act, write};
use common::{Shop, Then, meta};
use futures::FutureExt as _;
use futures::future::join_all;
use participant_kit::{Counts, LockKey, Op, OpError};
use uuid::Uuid;

each_database!(
    many_queued_operations_are_one_commit_and_each_is_answered_after_it,
    acts_of_one_batch_read_their_barrier_rows_with_one_statement_and_write_them_with_another,
    an_answer_that_is_no_rolls_back_its_own_operation_only_and_the_rest_is_still_one_commit,
    a_database_error_rolls_back_the_batch_and_everybody_is_run_alone,
    a_panic_is_its_own_operation_s_and_the_transactor_lives_on,
    an_operation_that_is_run_again_is_committed_once,
    a_caller_that_goes_away_does_not_take_its_operation_along,
    an_operation_that_needs_another_lock_is_rolled_back_and_run_again_with_it,
    a_commit_that_fails_makes_the_whole_batch_unknown_and_the_next_one_works,
);

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

async fn many_queued_operations_are_one_commit_and_each_is_answered_after_it(on: On) {
    let shop = Shop::open(on).await;
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

async fn acts_of_one_batch_read_their_barrier_rows_with_one_statement_and_write_them_with_another(on: On) {
    let shop = Shop::open(on).await;
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

async fn an_answer_that_is_no_rolls_back_its_own_operation_only_and_the_rest_is_still_one_commit(on: On) {
    for then in [Then::Refuse, Then::NotNow] {
        let shop = Shop::open(on).await;
        let (ended, cost) = ten_with(&shop, then).await;
        assert_only_the_fourth_failed(&shop, &ended).await;
        assert_eq!((cost.commits, cost.operations), (1, 10), "{then:?}");
    }
}

async fn a_database_error_rolls_back_the_batch_and_everybody_is_run_alone(on: On) {
    let shop = Shop::open(on).await;
    let (ended, cost) = ten_with(&shop, Then::BadSql).await;
    assert_only_the_fourth_failed(&shop, &ended).await;
    assert!(matches!(ended[3], Err(OpError::Database(_))), "{:?}", ended[3]);
    assert_eq!((cost.commits, cost.operations), (9, 10));
}

async fn a_panic_is_its_own_operation_s_and_the_transactor_lives_on(on: On) {
    let shop = Shop::open(on).await;
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

async fn an_operation_that_is_run_again_is_committed_once(on: On) {
    let shop = Shop::open(on).await;
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

async fn a_caller_that_goes_away_does_not_take_its_operation_along(on: On) {
    let shop = Shop::open(on).await;
    // Polled once, so it is queued; then dropped.
    assert!(run(&shop.kit, "orphan".into(), Then::Finish).now_or_never().is_none());
    run(&shop.kit, "next".into(), Then::Finish).await.unwrap();
    assert_eq!(shop.effects("orphan").await, 1);
}

async fn an_operation_that_needs_another_lock_is_rolled_back_and_run_again_with_it(on: On) {
    let shop = Shop::open(on).await;
    let runs = Arc::new(AtomicU32::new(0));
    let asks = |needed: u32| {
        let runs = runs.clone();
        shop.kit.run(vec![LockKey::new("sku", "tea")], move |tx| {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                write(tx, "asks", 0).await?;
                if run < needed { Err(OpError::Lock(vec![LockKey::new("sku", "cake")])) } else { Ok(()) }
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

async fn a_commit_that_fails_makes_the_whole_batch_unknown_and_the_next_one_works(on: On) {
    let shop = Shop::open(on).await;
    let poison = shop.kit.run(vec![], |tx| {
        Box::pin(async move {
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
