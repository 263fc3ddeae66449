//! What the transactor makes of a SQLite file that is busy or full.
//!
//! The runtime has one thread: what is started by one `join_all` is queued before the transactor looks, and so is one
//! batch.
#![allow(clippy::unwrap_used)]

mod common;

use backstitch_services::On;
use common::operations::{Ended, run, shop_act, write, write_then};
use common::{Shop, Then, meta, word};
use futures::future::join_all;
use participant_kit::{Kit, Op, OpError};
use proptest::prelude::*;
use sqlx::{AnyConnection, Connection as _};
use uuid::Uuid;

#[tokio::test]
async fn a_begin_that_fails_makes_the_whole_batch_unknown_and_the_next_one_works() {
    let shop = Shop::open(On::Sqlite).await;
    shop.kit
        .run(vec![], |tx| {
            Box::pin(async move {
                sqlx::query("PRAGMA busy_timeout = 0").execute(tx.conn()).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    let mut other = AnyConnection::connect(&shop.url).await.unwrap();
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
    let shop = Shop::open(On::Sqlite).await;
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
    let shop = Shop::open(On::Sqlite).await;
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
    let shop = Shop::open(On::Sqlite).await;
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
            let shop = Shop::open(On::Sqlite).await;
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
