//! A saga that cannot be run stops alone, keeps its bytes, says why, and goes on from there once it can be.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backstitch_core::{Catalog, Definition, DefinitionBuilder, Op, Operation, Publication, Record, Status};
use backstitch_engine::{NewRun, Options, VerbError};
use backstitch_proto::noop::{ActRequest, ActResponse};
use backstitch_store::testing::MemoryStore;
use backstitch_store::{Append, NewSaga, Store as _, Verdict};
use bytes::Bytes;
use common::{Participants, World, run};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(3600);
const CALL: Operation<ActRequest, ActResponse> = Operation::new("noop", "Act");

/// a -> b, whose request panics as long as there is a bug. Says when it is parked.
fn fragile(bug: &Arc<AtomicBool>) -> Definition {
    let bug = bug.clone();
    let mut d = DefinitionBuilder::<ActRequest>::new("fragile", 1).publishing(|_, _, record| match record {
        Record::Poisoned { why } => {
            let payload = Bytes::copy_from_slice(why.as_bytes());
            Some(Publication { topic: "fragile.events", kind: "parked".into(), payload })
        }
        _ => None,
    });
    let a = d
        .step("a", CALL)
        .request(|_, ()| ActRequest::default())
        .compensated_by(CALL, |_| ActRequest::default());
    d.step("b", CALL)
        .after([a.step()])
        .request(move |_, ()| {
            assert!(!bug.load(Ordering::SeqCst), "a bug in a request");
            ActRequest::default()
        })
        .needs_no_undo("it is only called");
    d.build().unwrap()
}

async fn parked(world: &World, id: Uuid) {
    let parked = async {
        while world.store.load(id).await.unwrap().unwrap().row.status != Status::Parked {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, parked).await.unwrap();
}

async fn events(world: &World) -> Vec<String> {
    let mut events = Vec::new();
    for shard in 0..world.store.shards() {
        events.extend(world.store.lane_pending(shard, 100).await.unwrap());
    }
    events.into_iter().map(|row| String::from_utf8(row.event.payload.to_vec()).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_panic_poisons_one_saga_which_goes_on_when_the_bug_is_gone() {
    let bug = Arc::new(AtomicBool::new(true));
    let world = World::with(Participants::willing(), fragile(&bug)).await;
    let id = Uuid::now_v7();
    world.engine.start(NewRun { definition: "fragile".into(), ..run(id, None) }).await.unwrap();
    parked(&world, id).await;

    let state = world.engine.view(id).await.unwrap().unwrap().state;
    assert_eq!(state.poisoned.as_deref(), Some("its task panicked: a bug in a request"));
    assert_eq!(events(&world).await, ["its task panicked: a bug in a request"], "and it is published");

    // A restart calls nobody and writes nothing: it would only meet the bug again.
    let idle = Participants::willing();
    let world = world.restarted(idle.clone()).await;
    world.engine.recover().await.unwrap();
    world.engine.recover_parked().await.unwrap();
    world.engine.drain().await;
    assert_eq!(idle.calls(), []);
    assert_eq!(world.store.load(id).await.unwrap().unwrap().records.len(), state.seq as usize);

    let world = world.restarted(Participants::willing()).await;
    bug.store(false, Ordering::SeqCst);
    world.engine.resume(id, "the bug is fixed").await.unwrap();
    let ended = world.engine.wait_final(id, PATIENCE).await.unwrap().unwrap().state;
    assert_eq!(ended.status(), Status::Completed);
    // The panic came before the answer of `a` was handed to the writer: it is asked again, by the same key.
    assert_eq!(world.participants.asked(id, Op::Do), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_poisoned_saga_can_be_taken_back_instead() {
    let bug = Arc::new(AtomicBool::new(true));
    let world = World::with(Participants::willing(), fragile(&bug)).await;
    let id = Uuid::now_v7();
    world.engine.start(NewRun { definition: "fragile".into(), ..run(id, None) }).await.unwrap();
    parked(&world, id).await;
    world.engine.cancel(id, "not worth a fix").await.unwrap();
    let ended = world.engine.wait_final(id, PATIENCE).await.unwrap().unwrap().state;
    assert_eq!(
        (ended.status(), world.participants.asked(id, Op::Undo)),
        (Status::Compensated, vec!["a".into()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_does_not_read_is_poisoned_once_however_often_it_is_met() {
    let store = Arc::new(MemoryStore::default());
    let lease = store.acquire("former", 0).await.unwrap()[0];
    let id = Uuid::now_v7();
    let start = NewSaga {
        scope: "test".into(),
        key: None,
        request_hash: [0; 32],
        definition: "fragile".into(),
        version: 1,
        started_at_ms: 0,
    };
    let append = Append {
        saga: id,
        root: id,
        shard: lease.shard,
        epoch: lease.epoch,
        start: Some(start),
        first_seq: 1,
        records: vec![Bytes::from_static(b"\xff\xff\xff")],
        summary: None,
        events: Vec::new(),
    };
    assert_eq!(store.commit(&[append]).await.unwrap(), [Verdict::Committed]);
    let mut world = World::over(
        store,
        Participants::willing(),
        Catalog::default().with(fragile(&Arc::default())),
        Options::default(),
    )
    .await;
    for _ in 0..3 {
        world.engine.recover().await.unwrap();
        world.engine.recover_parked().await.unwrap();
        let stored = world.store.load(id).await.unwrap().unwrap();
        assert_eq!((stored.row.status, stored.records.len()), (Status::Parked, 2));
        assert_eq!(stored.records[0], Bytes::from_static(b"\xff\xff\xff"), "its bytes are kept");
        let other = Uuid::now_v7();
        world.engine.start(NewRun { definition: "fragile".into(), ..run(other, None) }).await.unwrap();
        let ended = world.engine.wait_final(other, PATIENCE).await.unwrap().unwrap().state;
        assert_eq!(ended.status(), Status::Completed, "the others go on");
        world = world.restarted(Participants::willing()).await;
    }
}

/// One step, whose request panics with this.
fn hopeless(message: &'static str) -> Definition {
    let mut d = DefinitionBuilder::<ActRequest>::new("hopeless", 1);
    d.step("a", CALL).request(move |_, ()| panic!("{message}")).needs_no_undo("it is never called");
    d.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn resumed_while_the_bug_is_there_it_parks_again_and_says_so() {
    let world = World::with(Participants::willing(), hopeless("a bug")).await;
    let id = Uuid::now_v7();
    world.engine.start(NewRun { definition: "hopeless".into(), ..run(id, None) }).await.unwrap();
    parked(&world, id).await;

    // The clock stands still while anybody is busy, so that patience is counted in turns.
    let turns = async {
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
    };
    let resumed = tokio::select! {
        resumed = world.engine.resume(id, "it might work now") => resumed,
        () = turns => panic!("whoever resumed it waits for ever"),
    };
    assert!(
        matches!(&resumed, Err(VerbError::Failed(why)) if why == "its task panicked: a bug"),
        "{resumed:?}"
    );
    parked(&world, id).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_with_more_to_say_than_a_record_holds_poisons_like_any_other() {
    let message = String::leak("\u{fc}".repeat(3 << 20));
    let world = World::with(Participants::willing(), hopeless(message)).await;
    let id = Uuid::now_v7();
    world.engine.start(NewRun { definition: "hopeless".into(), ..run(id, None) }).await.unwrap();
    parked(&world, id).await;
}

/// a and b at once; reading the answer of b panics.
fn misread() -> Definition {
    let mut d = DefinitionBuilder::<ActRequest>::new("misread", 1);
    d.step("a", CALL).request(|_, ()| ActRequest::default()).needs_no_undo("it is only called");
    d.step("b", CALL)
        .request(|_, ()| ActRequest::default())
        .answer(|_, (), _| panic!("a bug in reading"))
        .needs_no_undo("it is only called");
    d.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_it_handed_in_before_it_panicked_does_not_keep_it_from_being_poisoned() {
    // The record of one answer still rides when the other one is read.
    let world = World::with(Participants::willing(), misread()).await;
    let id = Uuid::now_v7();
    world.engine.start(NewRun { definition: "misread".into(), ..run(id, None) }).await.unwrap();
    parked(&world, id).await;
    let state = world.engine.view(id).await.unwrap().unwrap().state;
    assert_eq!(state.poisoned.as_deref(), Some("its task panicked: a bug in reading"));
}
