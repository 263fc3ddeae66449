//! A process that is frozen and goes on later. It runs on a runtime of its own, which simply is not driven meanwhile;
//! when it goes on, its monotonic clock has jumped and everything that was due is due at once.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::fleet::{Fleet, LATENCY, TERM, until};

fn paused() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// Three leases long, while answers are on their way: another takes over, and the frozen one sends nothing more.
#[test]
fn a_frozen_node_does_not_act_when_it_goes_on() {
    let fleet = Fleet::new(4);
    let (first, second) = (paused(), paused());
    let (a, sagas) = first.block_on(async {
        let a = fleet.node("a").await;
        let mut sagas = Vec::new();
        // At every stage of their lives.
        for _ in 0..8 {
            sagas.extend(a.start_many(25).await);
            tokio::time::sleep(LATENCY / 2).await;
        }
        (a, sagas)
    });
    let before = fleet.made(|made| made.node == "a").len();
    assert!(before > 0 && a.engine.live() > 0);

    second.block_on(async {
        let b = fleet.node("b").await;
        tokio::time::sleep(TERM).await;
        fleet.balanced(&[(&b, 4)]).await;
        fleet.all_completed(TERM).await;
        tokio::time::sleep(TERM).await;
        // Kept alive until here, and dead from here on: only a could act now.
        b.engine.drain().await;
    });
    let by_b = fleet.made(|made| made.node == "b").len();
    assert!(by_b > 0);

    first.block_on(async {
        tokio::time::advance(TERM * 3).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(fleet.made(|made| made.node == "a").len(), before, "it acted after its lease had ended");
        until(Duration::from_secs(1), "it has forgotten", async || a.engine.live() == 0).await;
        assert_eq!(fleet.made(|made| made.node == "a").len(), before);
    });
    fleet.epochs_only_rise();
    assert_eq!(sagas.len(), 200);
}
