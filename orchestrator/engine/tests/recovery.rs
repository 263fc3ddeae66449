//! Taking up what another owner left, and keeping one saga's trouble to itself.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use backstitch_core::{Catalog, Op, Outcome, Status};
use backstitch_engine::{Options, Recovered, StartError, Started, VerbError};
use backstitch_store::Store as _;
use backstitch_store::testing::MemoryStore;
use bytes::Bytes;
use common::{Participants, World, run, synthetic};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn the_next_owner_repeats_what_is_not_settled_by_the_same_keys() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    world.participants.hold();
    let (id, _) = world.started().await;
    world.participants.until_called(1).await;
    // The first owner is gone in the middle of its first call.
    let next = world.restarted(Participants::willing()).await;
    assert_eq!(next.engine.recover().await.unwrap(), Recovered { adopted: 1, ..Default::default() });
    let view = next.engine.wait_final(id, PATIENCE).await.unwrap().unwrap();
    assert_eq!(view.state.status(), Status::Completed);
    assert_eq!(next.participants.asked(id, Op::Do).first().map(String::as_str), Some("step_1"));
}

#[tokio::test(start_paused = true)]
async fn one_from_a_backup_asks_how_far_it_came_and_one_from_after_it_does_not() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    world.participants.hold();
    let (before, _) = world.started().await;
    world.participants.until_called(1).await;
    world.store.mark_restored(0).await.unwrap();
    let next = world.restarted(Participants::willing()).await;
    next.clock.0.fetch_add(1, Ordering::SeqCst);
    next.participants.hold();
    let (after, _) = next.started().await;
    next.participants.until_called(1).await;
    // A restart later is no other restore.
    let last = next.restarted(Participants::willing()).await;
    last.engine.recover().await.unwrap();
    for id in [before, after] {
        let view = last.engine.wait_final(id, PATIENCE).await.unwrap().unwrap();
        assert_eq!(view.state.status(), Status::Completed);
    }
    let before_pivot = ["step_1", "step_2", "step_3", "step_4", "step_5"];
    assert_eq!(last.participants.asked(before, Op::Close), before_pivot);
    assert_eq!(last.participants.asked(before, Op::Do), ["step_6", "step_7"]);
    assert_eq!(last.participants.asked(after, Op::Close), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_fenced_owner_writes_nothing_more_and_forgets_the_saga() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    world.participants.hold();
    let (id, follow) = world.started().await;
    world.participants.until_called(1).await;
    let next = world.restarted(Participants::willing()).await;
    // The old owner hears its answer after the shard has changed hands.
    world.participants.release();
    assert!(follow.rested(PATIENCE).await.is_none(), "a fenced owner reports nothing");
    assert_eq!(world.engine.live(), 0);
    next.engine.recover().await.unwrap();
    assert_eq!(
        next.engine.wait_final(id, PATIENCE).await.unwrap().unwrap().state.status(),
        Status::Completed
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_pass_of_recovery_finds_nothing_to_do() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    world.participants.hold();
    world.started().await;
    assert_eq!(
        world.engine.recover().await.unwrap(),
        Recovered::default(),
        "what is in memory is not adopted"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_parks_that_saga_alone() {
    let panicking = Uuid::now_v7();
    let script = move |call: &backstitch_engine::Dispatch| {
        assert!(call.saga != panicking, "a bug in the shell");
        Outcome::Done(Bytes::new())
    };
    let world = World::with(Participants::answering(script), synthetic(7)).await;
    assert!(matches!(world.engine.start(run(panicking, None)).await, Ok(Started::New(..))));
    let (_, follow) = world.started().await;
    assert_eq!(follow.rested(PATIENCE).await.unwrap().state.status(), Status::Completed);
    let parked = async {
        while world.engine.view(panicking).await.unwrap().unwrap().state.status() != Status::Parked {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, parked).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn records_that_the_store_refuses_stop_that_saga_alone() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    world.participants.hold();
    let (id, follow) = world.started().await;
    world.participants.until_called(1).await;
    world.store.poison(id);
    world.participants.release();
    assert!(follow.rested(PATIENCE).await.is_none());
    let (_, other) = world.started().await;
    assert_eq!(other.rested(PATIENCE).await.unwrap().state.status(), Status::Completed, "the others go on");
}

#[tokio::test(start_paused = true)]
async fn a_parked_saga_is_brought_back_to_be_cancelled() {
    let broken = |call: &backstitch_engine::Dispatch| match (call.op, call.step) {
        (Op::Do, "step_2") => Outcome::Broken("a reply that cannot be believed".into()),
        _ => Outcome::Done(Bytes::new()),
    };
    let world = World::with(Participants::answering(broken), synthetic(7)).await;
    let (id, follow) = world.started().await;
    assert_eq!(follow.rested(PATIENCE).await.unwrap().state.status(), Status::Parked);
    assert_eq!(world.engine.live(), 0, "what is parked leaves memory");
    world.engine.cancel(id, "a person looked").await.unwrap();
    let view = world.engine.wait_final(id, PATIENCE).await.unwrap().unwrap();
    assert_eq!(view.state.status(), Status::Compensated);
    // Taken up again, so every step that the task before could have called is undone: the broken one first.
    let undone = world.participants.asked(id, Op::Undo);
    assert!(undone.ends_with(&["step_2".into(), "step_1".into()]), "{undone:?}");
    let again = world.engine.cancel(id, "again").await;
    assert!(matches!(again, Err(VerbError::AlreadyFinal(_))), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_too_late_once_the_pivot_has_begun() {
    let world = World::with(Participants::willing(), synthetic(1)).await;
    world.participants.hold();
    let (id, follow) = world.started().await;
    world.participants.until_called(1).await;
    assert!(matches!(world.engine.cancel(id, "late").await, Err(VerbError::TooLate)));
    world.participants.release();
    assert_eq!(follow.rested(PATIENCE).await.unwrap().state.status(), Status::Completed);
    assert!(matches!(world.engine.cancel(Uuid::now_v7(), "nobody").await, Err(VerbError::NotFound)));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_turns_back_what_hangs_before_the_pivot() {
    let hanging = |call: &backstitch_engine::Dispatch| match call.op {
        Op::Do => Outcome::NotNow { after: Duration::from_secs(3600), why: "not today".into() },
        _ => Outcome::Done(Bytes::new()),
    };
    // Longer than the step's own budget would bear, so that it is the deadline that speaks.
    let world = World::with(Participants::answering(hanging), synthetic(7)).await;
    let (id, follow) = world.started().await;
    world.clock.0.fetch_add(16 * 60 * 1000, Ordering::SeqCst);
    let view = follow.rested(Duration::from_secs(3600)).await;
    let status = match view {
        Some(view) => view.state.status(),
        None => world.engine.view(id).await.unwrap().unwrap().state.status(),
    };
    assert_eq!(status, Status::Compensated);
}

#[tokio::test(start_paused = true)]
async fn one_key_starts_one_saga() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    let ids = futures::future::join_all((0..20).map(|_| world.start(Some("key")))).await;
    let mut new = Vec::new();
    let mut existing = Vec::new();
    for started in ids {
        match started.unwrap() {
            Started::New(id, _) => new.push(id),
            Started::Existing(id) => existing.push(id),
        }
    }
    assert_eq!(new.len(), 1);
    assert!(existing.iter().all(|id| *id == new[0]) && existing.len() == 19);
    let mut other = run(Uuid::now_v7(), Some("key"));
    other.request_hash = [8; 32];
    assert!(matches!(world.engine.start(other).await, Err(StartError::KeyReused { saga }) if saga == new[0]));
    world.store.block_key("test", "given up", 0).await.unwrap();
    assert!(matches!(world.start(Some("given up")).await, Err(StartError::KeyBlocked)));
}

#[tokio::test(start_paused = true)]
async fn admission_is_bounded_and_a_place_is_given_back() {
    let options = Options { max_live: 2, ..Options::default() };
    let catalog = Catalog::default().with(synthetic(3));
    let store = std::sync::Arc::new(MemoryStore::default());
    let world = World::over(store, Participants::willing(), catalog, options).await;
    world.participants.hold();
    let (_, first) = world.started().await;
    world.started().await;
    assert!(matches!(world.start(None).await, Err(StartError::Busy { .. })));
    world.participants.release();
    first.rested(PATIENCE).await.unwrap();
    world.started().await;
}

#[tokio::test(start_paused = true)]
async fn a_drained_engine_has_committed_what_it_heard_and_takes_nothing_new() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    world.participants.hold();
    let (id, _) = world.started().await;
    world.participants.until_called(1).await;
    let engine = world.engine.clone();
    let draining = tokio::spawn(async move { engine.drain().await });
    tokio::task::yield_now().await;
    world.participants.release();
    draining.await.unwrap();
    assert!(matches!(world.start(None).await, Err(StartError::ShuttingDown)));
    let stored = world.store.load(id).await.unwrap().unwrap();
    assert_eq!(stored.records.len(), 2, "started, and the answer that was under way");
    assert_eq!(world.participants.asked(id, Op::Do), ["step_1"], "no call is made that nobody would hear of");
}

#[tokio::test(start_paused = true)]
async fn a_parked_undo_holds_nobody_hostage_across_a_restart() {
    let script = |call: &backstitch_engine::Dispatch| match (call.op, call.step) {
        (Op::Do, "step_3") => Outcome::Refused(backstitch_core::Refusal::new("NO", "no")),
        (Op::Undo, "step_2") => Outcome::Broken("cannot".into()),
        // Its undo is under way when the process ends.
        (Op::Undo, "step_1") => Outcome::NotNow { after: Duration::from_secs(600), why: "later".into() },
        _ => Outcome::Done(Bytes::new()),
    };
    let world = World::with(Participants::answering(script), synthetic(7)).await;
    let (id, _) = world.started().await;
    world.participants.until_called(5).await;
    assert_eq!(world.participants.asked(id, Op::Undo), ["step_2", "step_1"]);
    while world.engine.view(id).await.unwrap().unwrap().state.status() != Status::Parked {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let next = world.restarted(Participants::willing()).await;
    assert_eq!(
        next.engine.recover().await.unwrap(),
        Recovered::default(),
        "what is parked is no daily business"
    );
    // A list that is not read, and a saga on the list that is not: both are asked for again.
    for good in [0, 1] {
        next.store.fail_read_after(good);
        assert!(next.engine.recover_parked().await.is_err());
    }
    assert_eq!(next.engine.recover_parked().await.unwrap(), 1);
    let view = next.engine.wait_final(id, PATIENCE).await.unwrap().unwrap();
    assert_eq!(view.state.status(), Status::Parked, "step_2 still waits for a person");
    assert!(next.participants.asked(id, Op::Undo).contains(&"step_1".to_owned()));
    assert!(!next.participants.asked(id, Op::Undo).contains(&"step_2".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_a_parked_saga_has_to_do_waits_for_no_restart_when_the_store_is_away_at_first() {
    let script = |call: &backstitch_engine::Dispatch| match (call.op, call.step) {
        (Op::Do, "step_3") => Outcome::Refused(backstitch_core::Refusal::new("NO", "no")),
        (Op::Undo, "step_2") => Outcome::Broken("cannot".into()),
        (Op::Undo, "step_1") => Outcome::NotNow { after: Duration::from_secs(600), why: "later".into() },
        _ => Outcome::Done(Bytes::new()),
    };
    let world = World::with(Participants::answering(script), synthetic(7)).await;
    let (id, _) = world.started().await;
    while world.engine.view(id).await.unwrap().unwrap().state.status() != Status::Parked {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let next = world.restarted(Participants::willing()).await;
    next.store.fail_read_after(0);
    next.engine.spawn_recovery();
    let undone = async {
        while !next.participants.asked(id, Op::Undo).contains(&"step_1".to_owned()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, undone).await.unwrap();
}
