//! Redis that is killed, flushed and frozen under the carts: never a reason for a checkout to come to something else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backstitch_services::{Redis, Service as _};

use crate::books::{self, Books};
use crate::common::until;
use crate::customers::all_have_ended;
use crate::outage::{blocking, has_lasted, meanwhile};
use crate::table::{self, Row};
use crate::{checkouts, stage};

#[tokio::test]
async fn redis_killed_flushed_and_frozen_changes_no_accepted_checkout() {
    let redis = Arc::new(blocking(Redis::start).await);
    let shop = stage::open(&["--redis", &redis.url()], &[]).await;
    let wave = checkouts(120) / 4;
    let mut customers = Vec::new();
    let server = redis.clone();
    let flushes = blocking(move || {
        let begun = Instant::now();
        let mut flushes = 0;
        while begun.elapsed() < Duration::from_secs(3) {
            server.flush();
            flushes += 1;
            // Often, and not all that the machine does.
            std::thread::sleep(Duration::from_millis(5));
        }
        flushes
    });
    let flushes = meanwhile(&shop, &mut customers, wave, flushes).await;

    // Killed, and back empty: carts of customers who have asked already are no longer in it.
    let begun = Instant::now();
    let server = redis.clone();
    blocking(move || server.kill()).await;
    let away = async {
        until("readiness tells of it", async || {
            let ready = shop.get("/readyz").await;
            (ready.status == 200 && ready.text("/parts/0/part") == "cart").then_some(())
        })
        .await;
    };
    meanwhile(&shop, &mut customers, wave, away).await;
    all_have_ended(&shop, &customers).await;
    has_lasted(begun).await;
    let server = redis.clone();
    blocking(move || server.start_again()).await;

    let server = redis.clone();
    blocking(move || server.freeze()).await;
    let server = redis.clone();
    meanwhile(&shop, &mut customers, wave, async {}).await;
    all_have_ended(&shop, &customers).await;
    blocking(move || server.thaw()).await;
    meanwhile(&shop, &mut customers, wave, async {}).await;
    until("it is ready again", async || (shop.get("/readyz").await.text("/status") == "ready").then_some(()))
        .await;
    let resumed = all_have_ended(&shop, &customers).await;
    let books = Books::of(&shop, &customers).await;
    let (ends, found) = books::close(shop, &customers, books).await;
    table::row(&Row {
        what: "Redis: flushed, killed, frozen",
        work: format!("{} checkouts: {ends}; {resumed} resumed", customers.len()),
        injected: format!("{flushes} times FLUSHALL, killed, frozen"),
        violations: &found,
    });
}
