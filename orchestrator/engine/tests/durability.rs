//! What must be durable before what, seen from outside: a store that holds its commits holds what depends on them.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_core::{Op, Outcome, Status};
use backstitch_engine::StartError;
use backstitch_store::Store as _;
use backstitch_store::testing::Fault;
use common::{Participants, World, synthetic};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_saga_runs_to_its_end() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    let (id, follow) = world.started().await;
    let view = follow.rested(PATIENCE).await.unwrap();
    assert_eq!(view.state.status(), Status::Completed);
    assert_eq!(world.participants.asked(id, Op::Do).len(), 7);
    // What is told from memory is what is durable.
    assert_eq!(world.engine.view(id).await.unwrap().unwrap().state.status(), Status::Completed);
    assert_eq!(world.engine.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_accepted_and_nobody_called_before_started_is_durable() {
    let world = World::with(Participants::willing(), synthetic(3)).await;
    world.store.hold();
    let start = world.start(None);
    tokio::pin!(start);
    assert!(tokio::time::timeout(PATIENCE, &mut start).await.is_err(), "accepted before it was durable");
    assert_eq!(world.participants.calls(), []);
    world.store.release();
    start.await.unwrap();
    world.participants.until_called(1).await;
}

#[tokio::test(start_paused = true)]
async fn the_pivot_is_not_called_before_its_intent_is_durable() {
    // Three steps: the first is the pivot.
    let world = World::with(Participants::willing(), synthetic(4)).await;
    world.participants.hold();
    let (id, follow) = world.started().await;
    world.participants.until_called(1).await;
    // The first step's answer arrives while no commit goes through: the pivot's intent cannot become durable.
    world.store.hold();
    world.participants.release();
    let moved = tokio::time::timeout(PATIENCE, world.participants.until_called(2)).await;
    assert!(moved.is_err(), "the pivot was called: {:?}", world.participants.asked(id, Op::Do));
    world.store.release();
    assert_eq!(follow.rested(PATIENCE).await.unwrap().state.status(), Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn no_undo_is_sent_before_turned_back_is_durable() {
    let refuse_second = |call: &backstitch_engine::Dispatch| match (call.op, call.step) {
        (Op::Do, "step_2") => Outcome::Refused(backstitch_core::Refusal::new("NO", "no")),
        _ => Outcome::Done(bytes::Bytes::new()),
    };
    let world = World::with(Participants::answering(refuse_second), synthetic(7)).await;
    world.participants.hold();
    let (id, follow) = world.started().await;
    world.participants.until_called(1).await;
    world.store.hold();
    world.participants.release();
    world.participants.until_called(2).await;
    let moved = tokio::time::timeout(PATIENCE, world.participants.until_called(3)).await;
    assert!(moved.is_err(), "undone: {:?}", world.participants.asked(id, Op::Undo));
    world.store.release();
    assert_eq!(follow.rested(PATIENCE).await.unwrap().state.status(), Status::Compensated);
    assert_eq!(world.participants.asked(id, Op::Undo), ["step_1"], "what was refused is not undone");
}

#[tokio::test(start_paused = true)]
async fn a_commit_of_unknown_fate_is_written_once() {
    for fault in [Fault::UnknownWritten, Fault::UnknownLost, Fault::Unavailable] {
        let world = World::with(Participants::willing(), synthetic(7)).await;
        for _ in 0..3 {
            world.store.fail_next(fault);
        }
        let (id, follow) = world.started().await;
        assert_eq!(follow.rested(PATIENCE).await.unwrap().state.status(), Status::Completed, "{fault:?}");
        // Started, seven answers, the pivot's intent, the end.
        assert_eq!(world.store.load(id).await.unwrap().unwrap().records.len(), 10, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_new_sagas_and_loses_none_that_was_accepted() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    world.participants.hold();
    let (_, accepted) = world.started().await;
    world.participants.until_called(1).await;
    world.store.fail_next(Fault::Full);
    assert!(matches!(world.start(None).await, Err(StartError::Full)));
    for _ in 0..3 {
        world.store.fail_next(Fault::Full);
    }
    world.participants.release();
    assert_eq!(accepted.rested(PATIENCE).await.unwrap().state.status(), Status::Completed);
    world.started().await;
}

#[tokio::test(start_paused = true)]
async fn new_work_is_told_that_there_is_no_room_while_older_work_waits_for_some() {
    let world = World::with(Participants::willing(), synthetic(7)).await;
    world.participants.hold();
    let (_, accepted) = world.started().await;
    world.participants.until_called(1).await;
    for _ in 0..12 {
        world.store.fail_next(Fault::Full);
    }
    assert!(world.engine.has_room());
    world.participants.release();
    // Long enough for what is accepted to have something to write.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        let told = tokio::time::timeout(Duration::from_millis(1), world.start(None)).await;
        assert!(matches!(told, Ok(Err(StartError::Full))), "{:?}", told.is_ok());
        assert!(!world.engine.has_room());
    }
    assert_eq!(accepted.rested(PATIENCE).await.unwrap().state.status(), Status::Completed);
    world.started().await;
    assert!(world.engine.has_room());
}

#[tokio::test(start_paused = true)]
async fn what_may_be_written_is_not_refused_because_the_disk_is_full_by_then() {
    let world = World::with(Participants::willing(), synthetic(3)).await;
    world.store.fail_next(Fault::UnknownWritten);
    world.store.fail_next(Fault::Full);
    let (_, accepted) = world.started().await;
    assert_eq!(accepted.rested(PATIENCE).await.unwrap().state.status(), Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_ends_the_process_and_keeps_nobody_waiting() {
    let world = World::with(Participants::willing(), synthetic(3)).await;
    world.store.fail_next(Fault::Panic);
    let fatal = world.engine.fatal();
    assert!(matches!(world.start(None).await, Err(StartError::Store(_))));
    tokio::time::timeout(PATIENCE, fatal).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_tell_what_is_durable_ends_the_process() {
    let world = World::with(Participants::willing(), synthetic(3)).await;
    world.store.fail_next(Fault::Fatal);
    let fatal = world.engine.fatal();
    assert!(matches!(world.start(None).await, Err(StartError::Store(_))));
    tokio::time::timeout(PATIENCE, fatal).await.unwrap();
}
