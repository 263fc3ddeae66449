//! Several nodes share one store: shards spread, are taken over, handed over, and nobody acts for one that is over.

#![allow(clippy::unwrap_used)]

mod fleet;
mod frozen;
mod line;
mod versions;

use std::collections::BTreeSet;
use std::time::Duration;

use backstitch_core::Status;
use backstitch_engine::{Home, NewRun, Standing, StartError, Started, VerbError};
use backstitch_store::Store as _;
use bytes::Bytes;
use fleet::{Fleet, LATENCY, TERM, until};
use line::Way;
use tokio::time::Instant;
use uuid::Uuid;

/// How soon a shard that is free is taken.
const LOOK: Duration = Duration::from_millis(500);

#[tokio::test(start_paused = true)]
async fn shards_are_shared_evenly_as_nodes_come_and_go() {
    let fleet = Fleet::new(8);
    let a = fleet.node("a").await;
    assert_eq!(a.shards(), 8, "at once: nobody else is there");
    let b = fleet.node("b").await;
    fleet.balanced(&[(&a, 4), (&b, 4)]).await;
    let c = fleet.node("c").await;
    fleet.balanced(&[(&a, 3), (&b, 3), (&c, 2)]).await;
    a.engine.drain().await;
    fleet.balanced(&[(&b, 4), (&c, 4)]).await;
    b.line.set(Way::Cut);
    fleet.balanced(&[(&c, 8)]).await;
    assert_eq!(b.shards(), 0);
}

#[tokio::test(start_paused = true)]
async fn every_shard_has_one_owner_and_every_node_knows_it() {
    let fleet = Fleet::new(4);
    let (a, b) = (fleet.node("a").await, fleet.node("b").await);
    fleet.balanced(&[(&a, 2), (&b, 2)]).await;
    tokio::time::sleep(LOOK).await;
    let saga = a.start().await;
    let row = fleet.store.load(saga).await.unwrap().unwrap().row;
    assert_eq!(a.engine.home(&row), Home::Here);
    assert!(matches!(b.engine.home(&row), Home::There(owner) if owner.address == "http://a"));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_node_left_is_taken_over_within_a_lease() {
    let fleet = Fleet::new(4);
    let (a, b) = (fleet.node("a").await, fleet.node("b").await);
    fleet.balanced(&[(&a, 2), (&b, 2)]).await;
    fleet.hold();
    let (sagas, others) = (a.start_many(1000).await, b.start_many(10).await);
    a.line.set(Way::Stalled);
    let died = Instant::now();
    fleet.let_go();
    fleet.balanced(&[(&b, 4)]).await;
    assert!(died.elapsed() <= TERM + LOOK, "{:?}", died.elapsed());
    fleet.all_completed(Duration::from_secs(15)).await;
    assert!(died.elapsed() <= TERM + Duration::from_secs(2), "{:?}", died.elapsed());
    fleet.epochs_only_rise();
    // The ones that were b's anyway were called by nobody else.
    assert!(fleet.made(|made| others.contains(&made.saga) && made.node == "a").is_empty());
    assert_eq!(sagas.len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_renew_stops_before_its_lease_ends() {
    for way in [Way::Cut, Way::Stalled] {
        let fleet = Fleet::new(4);
        let a = fleet.node("a").await;
        // Enough for calls to be made all the time.
        for _ in 0..50 {
            a.start_many(20).await;
        }
        a.line.set(way);
        let cut = Instant::now();
        until(TERM, "nothing is in memory", async || a.engine.live() == 0).await;
        assert!(cut.elapsed() < TERM, "{way:?}: {:?}", cut.elapsed());
        assert_eq!((a.shards(), a.engine.standing()), (0, Standing::Lapsed));
        let calls = fleet.made(|_| true).len();
        tokio::time::sleep(TERM * 2).await;
        assert_eq!(fleet.made(|_| true).len(), calls, "{way:?}: nothing more is sent");
        let new = NewRun {
            id: Uuid::now_v7(),
            root: None,
            definition: "synthetic".into(),
            scope: "test".into(),
            key: None,
            request_hash: [7; 32],
            input: Bytes::new(),
            traceparent: String::new(),
        };
        assert!(matches!(a.engine.start(new).await, Err(StartError::NoShard { .. })), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_gets_a_shard_back_has_forgotten_what_it_knew() {
    let fleet = Fleet::new(2);
    let a = fleet.node("a").await;
    fleet.hold();
    let saga = a.start().await;
    until(TERM, "its first step is asked for", async || !fleet.made(|_| true).is_empty()).await;
    a.line.set(Way::Cut);
    until(TERM, "nothing is in memory", async || a.engine.live() == 0).await;
    a.line.set(Way::Open);
    fleet.balanced(&[(&a, 2)]).await;
    fleet.let_go();
    fleet.all_completed(TERM).await;
    let first = fleet.made(|made| made.saga == saga && made.step == "step_1");
    assert_eq!(first.len(), 2, "asked again by key: what the first tenure heard counts for nothing");
    fleet.epochs_only_rise();
    let epochs: BTreeSet<i64> = fleet.ledger.lock().unwrap().iter().map(|(_, epoch)| *epoch).collect();
    assert!(epochs.len() >= 2, "{epochs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shard_is_handed_over_without_waiting_for_a_lease() {
    let fleet = Fleet::new(4);
    let (a, b) = (fleet.node("a").await, fleet.node("b").await);
    fleet.balanced(&[(&a, 2), (&b, 2)]).await;
    let sagas = a.start_many(200).await;
    until(TERM, "calls are under way", async || !fleet.made(|_| true).is_empty()).await;
    let begun = Instant::now();
    a.engine.drain().await;
    assert!(begun.elapsed() <= LATENCY * 4, "{:?}: only what is in flight is waited for", begun.elapsed());
    fleet.balanced(&[(&b, 4)]).await;
    assert!(begun.elapsed() <= LATENCY * 4 + LOOK, "{:?}", begun.elapsed());
    fleet.all_completed(LOOK).await;
    // No step was done twice: each saga came to rest with what it had heard.
    for saga in sagas {
        let steps = fleet.made(|made| made.saga == saga);
        assert_eq!(steps.len(), 4, "{steps:?}");
    }
    fleet.epochs_only_rise();
}

#[tokio::test(start_paused = true)]
async fn what_hangs_holds_its_own_shard_back_and_not_for_ever() {
    let fleet = Fleet::new(4);
    let a = fleet.node("a").await;
    fleet.hold();
    let saga = a.start().await;
    until(TERM, "its first step is asked for", async || !fleet.made(|_| true).is_empty()).await;
    let begun = Instant::now();
    let engine = a.engine.clone();
    let draining = tokio::spawn(async move { engine.drain().await });
    let b = fleet.node("b").await;
    fleet.balanced(&[(&b, 3)]).await;
    assert!(begun.elapsed() <= LOOK * 2, "{:?}", begun.elapsed());
    draining.await.unwrap();
    fleet.balanced(&[(&b, 4)]).await;
    fleet.let_go();
    fleet.all_completed(TERM).await;
    assert_eq!(b.engine.view(saga).await.unwrap().unwrap().state.status(), Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_verb_for_another_nodes_saga_names_the_owner_and_works_there() {
    let fleet = Fleet::new(4);
    let (a, b) = (fleet.node("a").await, fleet.node("b").await);
    fleet.balanced(&[(&a, 2), (&b, 2)]).await;
    tokio::time::sleep(LOOK).await;
    fleet.hold();
    let saga = a.start().await;
    let elsewhere = b.engine.cancel(saga, "why not").await;
    assert!(
        matches!(&elsewhere, Err(VerbError::Elsewhere { owner: Some(owner) }) if owner.node == "a"),
        "{elsewhere:?}"
    );
    // The owner dies: first nobody answers for the saga, then b does.
    a.line.set(Way::Stalled);
    fleet.balanced(&[(&b, 4)]).await;
    b.engine.cancel(saga, "why not").await.unwrap();
    fleet.let_go();
    until(TERM, "it is taken back", async || {
        b.engine.view(saga).await.unwrap().unwrap().state.status() == Status::Compensated
    })
    .await;
    assert!(matches!(b.engine.cancel(saga, "again").await, Err(VerbError::AlreadyFinal(_))));
}

#[tokio::test(start_paused = true)]
async fn a_verb_for_a_shard_that_nobody_has_does_not_wait() {
    let fleet = Fleet::new(2);
    let a = fleet.node("a").await;
    fleet.hold();
    let saga = a.start().await;
    a.line.set(Way::Cut);
    until(TERM, "nothing is in memory", async || a.engine.live() == 0).await;
    a.line.set(Way::Open);
    let nobody = a.engine.cancel(saga, "now").await;
    assert!(matches!(nobody, Err(VerbError::Elsewhere { owner: None })), "{nobody:?}");
    fleet.balanced(&[(&a, 2)]).await;
    a.engine.cancel(saga, "now").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_without_a_shard_starts_nothing_and_says_so() {
    let fleet = Fleet::new(1);
    let (a, b) = (fleet.node("a").await, fleet.node("b").await);
    assert_eq!((a.shards(), b.shards()), (1, 0));
    tokio::time::sleep(TERM).await;
    assert_eq!(b.engine.standing(), Standing::Sharing { shards: 0, nodes: 2 });
    a.start().await;
    fleet.all_completed(TERM).await;
    let new = NewRun {
        id: Uuid::now_v7(),
        root: None,
        definition: "synthetic".into(),
        scope: "test".into(),
        key: None,
        request_hash: [7; 32],
        input: Bytes::new(),
        traceparent: String::new(),
    };
    assert!(matches!(b.engine.start(new).await, Err(StartError::NoShard { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_replaced_under_its_name_ends() {
    let fleet = Fleet::new(4);
    let first = fleet.node("a").await;
    fleet.hold();
    first.start_many(10).await;
    let second = fleet.node("a").await;
    assert_eq!(second.shards(), 4, "its own are taken back at once");
    tokio::time::timeout(LOOK * 2, first.engine.replaced()).await.unwrap();
    until(LOOK, "nothing is in memory", async || first.engine.live() == 0).await;
    assert_eq!((first.shards(), first.engine.standing()), (0, Standing::Replaced));
    fleet.let_go();
    fleet.all_completed(TERM).await;
    assert_eq!(second.shards(), 4, "and stay there");
    first.engine.drain().await;
    tokio::time::sleep(TERM).await;
    assert_eq!(second.shards(), 4, "whoever was replaced takes nothing along");
    fleet.epochs_only_rise();
}

#[tokio::test(start_paused = true)]
async fn a_fenced_commit_drops_everything_in_its_shard() {
    let fleet = Fleet::new(1);
    let a = fleet.node("a").await;
    fleet.hold();
    a.start_many(20).await;
    until(TERM, "calls are under way", async || fleet.made(|_| true).len() == 20).await;
    // Somebody takes everything by force, and a has no way to know.
    fleet.store.acquire("thief", 0).await.unwrap();
    let calls = fleet.made(|_| true).len();
    fleet.let_go();
    until(LOOK, "nothing is in memory", async || a.engine.live() == 0).await;
    // The answers were heard and the next calls made before the commit told; those of the second steps at most.
    assert!(fleet.made(|_| true).len() <= calls + 20);
    fleet.epochs_only_rise();
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_sagas_are_taken_over_in_time() {
    let fleet = Fleet::new(16);
    let a = fleet.node("a").await;
    fleet.hold();
    for _ in 0..20 {
        a.start_many(500).await;
    }
    let b = fleet.node("b").await;
    a.line.set(Way::Stalled);
    fleet.let_go();
    let died = Instant::now();
    fleet.balanced(&[(&b, 16)]).await;
    fleet.all_completed(Duration::from_secs(15)).await;
    assert!(died.elapsed() <= TERM + Duration::from_secs(15), "{:?}", died.elapsed());
    fleet.epochs_only_rise();
}

/// A saga of somebody's family.
fn member_of(root: Uuid) -> NewRun {
    NewRun {
        id: Uuid::now_v7(),
        root: Some(root),
        definition: "synthetic".into(),
        scope: "test".into(),
        key: None,
        request_hash: [7; 32],
        input: Bytes::new(),
        traceparent: String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_of_a_family_starts_where_the_family_lives_and_nowhere_else() {
    let fleet = Fleet::new(4);
    let (a, b) = (fleet.node("a").await, fleet.node("b").await);
    fleet.balanced(&[(&a, 2), (&b, 2)]).await;
    let root = a.start().await;
    fleet.all_completed(TERM).await;
    // Once b has seen that a has it, it says so.
    until(TERM, "b knows who has it", async || {
        matches!(b.engine.start(member_of(root)).await, Err(StartError::Elsewhere { owner: Some(owner) }) if owner.node == "a")
    })
    .await;
    let member = member_of(root);
    let id = member.id;
    a.engine.start(member).await.map(drop).unwrap();
    fleet.all_completed(TERM).await;
    let (root_row, member_row) = (fleet.store.load(root).await, fleet.store.load(id).await);
    assert_eq!(root_row.unwrap().unwrap().row.shard, member_row.unwrap().unwrap().row.shard);
    // Whoever takes the shard over takes the family over.
    a.engine.drain().await;
    until(TERM * 2, "b has all shards", async || b.shards() == 4).await;
    assert!(matches!(b.engine.start(member_of(root)).await, Ok(Started::New(..))));
    fleet.all_completed(TERM).await;
    fleet.epochs_only_rise();
}
