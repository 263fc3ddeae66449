//! How many commits a saga pays for.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_core::Outcome;
use backstitch_store::Store as _;
use common::{Participants, World, synthetic};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_saga_alone_pays_for_the_commits_that_the_safety_table_asks_for() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    let (_, follow) = world.started().await;
    follow.rested(PATIENCE).await.unwrap();
    // Started, the pivot's intent, the end. Everything else rides.
    assert_eq!(world.store.commits(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_rides_is_durable_after_a_moment_by_itself() {
    let script = |call: &backstitch_engine::Dispatch| match call.step {
        "step_1" => Outcome::Done(bytes::Bytes::new()),
        _ => Outcome::NotNow { after: Duration::from_secs(30), why: "later".into() },
    };
    let world = World::with(Participants::answering(script), synthetic(7)).await;
    let (id, mut follow) = world.started().await;
    world.participants.until_called(2).await;
    // Once for the start, once for the answer.
    assert!(follow.changed().await && follow.changed().await);
    // Started, and the first answer, which nothing waits for.
    assert_eq!(world.store.load(id).await.unwrap().unwrap().records.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn sagas_in_flight_together_share_commits() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    let started = futures::future::join_all((0..100).map(|_| world.started())).await;
    for (_, follow) in started {
        follow.rested(PATIENCE).await.unwrap();
    }
    assert!(world.store.commits() < 50, "{} commits for 100 sagas", world.store.commits());
}
