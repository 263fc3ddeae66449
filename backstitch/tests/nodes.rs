//! Several orchestrators in processes of their own on one Postgres database: one dies, one is replaced, one is asked for
//! what another one has.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::Fleet;
use reqwest::Method;
use serde_json::json;

/// kill -9 of one of two, while it has many checkouts in flight: the other one ends all of them within a lease and some
/// seconds, and no person did anything. The dead one comes back under its name and takes its share again.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_orchestrator_had_is_ended_by_another() {
    let (fleet, mut a, b) = Fleet::of_two("1s", &[]).await;
    let begin = |nth: usize| {
        let (fleet, node) = (&fleet, if nth.is_multiple_of(4) { &b } else { &a });
        async move { fleet.begin(node, &format!("cart-{nth}"), "tok_ok").await }
    };
    let accepted = futures::future::join_all((0..80).map(begin)).await;
    a.kill();
    let killed = Instant::now();
    let patience = Duration::from_secs(16);
    for id in &accepted {
        assert_eq!(fleet.rested(&b, id, patience).await, "completed");
    }
    let took = killed.elapsed();
    let a = fleet.node("a", "1s").await;
    fleet.ready(&a).await;
    assert!(took < Duration::from_secs(16), "{took:?}");
    fleet.close(vec![a, b]).await;
}

/// With leases of an hour: whoever waited for one to end would not be done in time. One after the other is stopped in
/// order and started again, while checkouts go on at both.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_waits_for_no_lease() {
    let fleet = Fleet::open().await;
    let (mut a, mut b) = (fleet.node("a", "1h").await, fleet.node("b", "1h").await);
    fleet.ready(&b).await;
    fleet.stock(&a).await;
    let mut accepted = Vec::new();
    for (round, restarted) in ["a", "b"].into_iter().enumerate() {
        for nth in 0..20 {
            for (name, node) in [("a", &a), ("b", &b)] {
                let key = format!("{name}-{round}-{nth}");
                accepted.push(fleet.begin(node, &key, "tok_ok").await);
            }
        }
        a.stop().await;
        for id in &accepted {
            assert_eq!(fleet.rested(&b, id, Duration::from_secs(20)).await, "completed");
        }
        a = fleet.node(restarted, "1h").await;
        fleet.ready(&a).await;
        std::mem::swap(&mut a, &mut b);
    }
    fleet.close(vec![a, b]).await;
}

/// A checkout waits for its customer at one orchestrator. Another one is asked to cancel it, and its answer is the same
/// as the owner's would be.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_the_owner_from_anywhere() {
    let (fleet, a, b) = Fleet::of_two("2s", &[]).await;
    let id = fleet.waiting(&a, &b).await;
    let path = format!("/api/v1/checkouts/{id}");
    let woken = fleet.send(&b, Method::POST, &format!("{path}/wake"), None).await;
    assert!((200..300).contains(&woken.status), "{woken:?}");
    let cancelled = fleet.send(&b, Method::POST, &format!("{path}/cancel"), None).await;
    assert!((200..300).contains(&cancelled.status), "{cancelled:?}");
    assert_eq!(fleet.rested(&a, &id, Duration::from_secs(20)).await, "compensated");
    assert_eq!(fleet.get(&b, &path).await.body, fleet.get(&a, &path).await.body);

    // What ended is told by both as the same, also to who decides on it.
    let resume = json!({"reason": "none", "seq": 1});
    for node in [&a, &b] {
        let path = format!("/operator/v1/sagas/{id}/resume");
        let refused = fleet.send(node, Method::POST, &path, Some(resume.clone())).await;
        assert_eq!((refused.status, refused.text("/type")), (409, "/problems/not-parked"), "{refused:?}");
    }
    fleet.close(vec![a, b]).await;
}

/// Two processes under one name: the later one takes over at once, and the earlier one ends and says why.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_under_a_name_replaces_the_first() {
    let fleet = Fleet::open().await;
    let mut first = fleet.node("same", "2s").await;
    fleet.ready(&first).await;
    let second = fleet.node("same", "2s").await;
    fleet.ready(&second).await;
    let status = first.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(
        first.said().contains("as orchestrator `same`; give each one a --node of its own"),
        "{}",
        first.said()
    );
    fleet.stock(&second).await;
    let id = fleet.begin(&second, "cart", "tok_ok").await;
    assert_eq!(fleet.rested(&second, &id, Duration::from_secs(20)).await, "completed");
    drop(first);
    fleet.close(vec![second]).await;
}
