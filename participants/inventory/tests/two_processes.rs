//! Two inventories on one Postgres database.
#![allow(clippy::unwrap_used)]

mod common;

use backstitch_services::On;
use common::{Saga, Shop, product};
use futures::future::join_all;
use sqlx::Row as _;

const SKUS: [&str; 4] = ["A", "B", "C", "D"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goods_that_both_move_crosswise_are_neither_lost_nor_doubled_and_nobody_is_a_deadlock_s_victim() {
    let shop = Shop::open(On::Postgres).await;
    for sku in SKUS {
        shop.put(product(sku, 1_000)).await.unwrap();
    }
    let shops = [&shop, &shop.beside().await];
    for round in 0..8_usize {
        // Reserved here; then, all at once and each in the other process, sold, given back, and more reserved, with the
        // lines in every order.
        let open: Vec<Saga> = (0..8).map(|_| Saga::new()).collect();
        let wish = |n: usize| {
            let mut wish: Vec<(&'static str, i64)> = (0..4).map(|at| (SKUS[(at + n) % 4], 1)).collect();
            if n % 2 == 1 {
                wish.reverse();
            }
            wish
        };
        let reserve = |n: usize, saga: &Saga, wish: Vec<(&'static str, i64)>| {
            let (shop, saga) = (shops[n % 2], *saga);
            async move { shop.reserve(&saga, &wish).await }
        };
        let reserved = join_all(open.iter().enumerate().map(|(n, saga)| reserve(n, saga, wish(n + round))));
        assert!(reserved.await.iter().all(Result::is_ok));
        let moves = open.iter().enumerate().map(|(n, saga)| {
            let shop = shops[(n + 1) % 2];
            async move { if n % 4 < 2 { shop.commit(saga).await } else { shop.release(saga).await } }
        });
        let fresh: Vec<Saga> = (0..8).map(|_| Saga::new()).collect();
        let more = fresh.iter().enumerate().map(|(n, saga)| reserve(n, saga, wish(n)));
        let (moved, more) = tokio::join!(join_all(moves), join_all(more));
        assert!(moved.iter().chain(&more).all(Result::is_ok), "{moved:?} {more:?}");
    }
    for sku in SKUS {
        assert_eq!(shop.stock(sku).await, (1_000 - 8 * 12, 8 * 8, 8 * 4), "{sku}");
    }
    shop.audit().await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let deadlocks = sqlx::query(deadlocks).fetch_one(&mut shop.database().await).await.unwrap();
    assert_eq!(deadlocks.get::<i64, _>(0), 0);
}
