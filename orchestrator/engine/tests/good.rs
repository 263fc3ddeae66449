//! What cannot be delivered is made good by a return, which is started and seen to by whoever has the shard.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use backstitch_core::{
    Catalog, Definition, DefinitionBuilder, Illegal, Op, Operation, Outcome, Record, Refusal, Status,
};
use backstitch_engine::{Dispatch, NewRun, Options, Started, VerbError};
use backstitch_store::Store as _;
use backstitch_store::testing::MemoryStore;
use bytes::Bytes;
use common::{Participants, World, run};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(10);

const ACT: Operation<String, ()> = Operation::new("somebody", "Act");

/// **take** -> send; a return makes it good.
fn sale() -> Definition {
    let mut d = DefinitionBuilder::<String>::new("sale", 1)
        .made_good_by("give_back", |c, why| format!("{} because {why}", c.input));
    let take = d.step("take", ACT).request(|c, ()| c.input.clone()).pivot();
    d.step("send", ACT).after([take.step()]).request(|c, ()| c.input.clone()).retriable();
    d.build().unwrap()
}

fn give_back() -> Definition {
    let mut d = DefinitionBuilder::<String>::new("give_back", 1);
    d.step("refund", ACT).request(|c, ()| c.input.clone()).pivot();
    d.build().unwrap()
}

fn catalog() -> Catalog {
    Catalog::default().with(sale()).with(give_back())
}

/// Nothing can be sent; a refund comes to `refund`.
fn stuck(refund: impl Fn() -> Outcome + Send + Sync + 'static) -> Arc<Participants> {
    Participants::answering(move |call: &Dispatch| match call.step {
        "send" => Outcome::Broken("the warehouse has burnt down".into()),
        "refund" => refund(),
        _ => Outcome::Done(Bytes::new()),
    })
}

fn done() -> Outcome {
    Outcome::Done(Bytes::new())
}

async fn over(store: Arc<MemoryStore>, participants: Arc<Participants>) -> World {
    World::over(store, participants, catalog(), Options::default()).await
}

/// A sale that is parked after its pivot, and its last record.
async fn parked(world: &World) -> (Uuid, u32) {
    let new = NewRun { definition: "sale".into(), ..run(Uuid::now_v7(), None) };
    let Started::New(id, follow) = world.engine.start(new).await.unwrap() else { panic!("it was there") };
    let view = follow.rested(PATIENCE).await.unwrap();
    assert_eq!(view.state.status(), Status::Parked);
    (id, view.state.seq)
}

/// Waits until a saga is as is wanted.
async fn until(world: &World, id: Uuid, what: &str, is_so: impl Fn(&backstitch_core::Saga) -> bool) {
    let waiting = async {
        loop {
            if let Some(view) = world.engine.view(id).await.unwrap()
                && is_so(&view.state)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "it did not come: {what}");
}

#[tokio::test]
async fn a_sale_that_cannot_be_sent_is_returned_and_completes_with_its_return() {
    let world = over(Arc::new(MemoryStore::new(4)), stuck(done)).await;
    let (sale, seq) = parked(&world).await;
    let back = Uuid::now_v7();
    let sent = world.participants.asked(sale, Op::Do).len();
    world.engine.make_good_at(sale, seq, "burnt", back).await.unwrap();
    until(&world, sale, "the sale completes", |saga| saga.status() == Status::Completed).await;
    let returned = world.engine.history(back).await.unwrap().unwrap();
    assert_eq!(returned.view.state.status(), Status::Completed);
    assert_eq!((returned.view.definition.name, returned.view.state.start.root), ("give_back", sale));
    assert_eq!(
        returned.view.state.start.input,
        Bytes::from(prost::Message::encode_to_vec(&" because burnt".to_owned()))
    );
    let shard = |row: Option<backstitch_store::StoredSaga>| row.unwrap().row.shard;
    assert_eq!(shard(world.store.load(sale).await.unwrap()), shard(world.store.load(back).await.unwrap()));
    assert_eq!(world.participants.asked(sale, Op::Do).len(), sent, "it makes no call any more");
}

#[tokio::test]
async fn a_return_that_is_refused_gives_the_sale_back_to_its_person() {
    let refused = || Outcome::Refused(Refusal::new("NO_SUCH_CARD", "the card is gone"));
    let world = over(Arc::new(MemoryStore::new(1)), stuck(refused)).await;
    let (sale, seq) = parked(&world).await;
    world.engine.make_good_at(sale, seq, "burnt", Uuid::now_v7()).await.unwrap();
    until(&world, sale, "the return turned back", |saga| saga.poisoned.is_some()).await;
    let view = world.engine.view(sale).await.unwrap().unwrap();
    let why = view.state.poisoned.clone().unwrap();
    assert!(why.ends_with("refund refused (NO_SUCH_CARD: the card is gone)"), "{why}");
    assert_eq!((view.state.status(), view.state.made_good), (Status::Parked, None));
    // Decided again, by another return.
    let second = Uuid::now_v7();
    world.engine.make_good_at(sale, view.state.seq, "again", second).await.unwrap();
    let given_back = async || world.engine.view(second).await.unwrap().is_some();
    tokio::time::timeout(PATIENCE, async {
        while !given_back().await {
            tokio::task::yield_now().await
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_crash_anywhere_between_the_decision_and_the_end_is_made_up_for() {
    for calls_before_the_crash in [0, 1] {
        let store = Arc::new(MemoryStore::new(2));
        let world = over(store.clone(), stuck(done)).await;
        let (sale, seq) = parked(&world).await;
        let back = Uuid::now_v7();
        let asked = world.participants.calls().len();
        world.participants.hold();
        world.engine.make_good_at(sale, seq, "burnt", back).await.unwrap();
        // Before the return has started, or while its refund is being called.
        if calls_before_the_crash > 0 {
            world.participants.until_called(asked + 1).await;
        }
        let heir = world.restarted(stuck(done)).await;
        heir.engine.recover().await.unwrap();
        heir.engine.recover_parked().await.unwrap();
        until(&heir, sale, "the sale completes", |saga| saga.status() == Status::Completed).await;
        assert_eq!(heir.engine.view(back).await.unwrap().unwrap().state.status(), Status::Completed);
        world.participants.release();
    }
}

#[tokio::test]
async fn a_return_that_ended_while_nobody_looked_completes_its_sale() {
    let store = Arc::new(MemoryStore::new(1));
    let world = over(store.clone(), stuck(done)).await;
    let (sale, seq) = parked(&world).await;
    let back = Uuid::now_v7();
    // Its return is there before the decision that names it: as after a crash between its end and the telling.
    let new = NewRun { root: Some(sale), definition: "give_back".into(), ..run(back, None) };
    let Started::New(_, follow) = world.engine.start(new).await.unwrap() else { panic!("it was there") };
    follow.rested(PATIENCE).await.unwrap();
    world.engine.make_good_at(sale, seq, "burnt", back).await.unwrap();
    until(&world, sale, "the sale completes", |saga| saga.status() == Status::Completed).await;
    assert_eq!(world.participants.asked(back, Op::Do), ["refund"], "once");
}

#[tokio::test]
async fn a_decision_on_an_older_record_or_on_what_is_not_parked_is_refused() {
    let world = over(Arc::new(MemoryStore::new(1)), stuck(done)).await;
    let (sale, seq) = parked(&world).await;
    let stale = world.engine.make_good_at(sale, seq - 1, "burnt", Uuid::now_v7()).await;
    assert!(matches!(stale, Err(VerbError::MovedOn { .. })), "{stale:?}");
    world.participants.hold();
    world.engine.make_good_at(sale, seq, "burnt", Uuid::now_v7()).await.unwrap();
    let again = world.engine.make_good_at(sale, seq + 1, "burnt", Uuid::now_v7()).await;
    assert!(matches!(again, Err(VerbError::Illegal(Illegal::BeingMadeGood(_)))), "{again:?}");
    let resumed = world.engine.resume(sale, "repaired").await;
    assert!(matches!(resumed, Err(VerbError::Illegal(Illegal::BeingMadeGood(_)))), "{resumed:?}");
    world.participants.release();
    until(&world, sale, "the sale completes", |saga| saga.status() == Status::Completed).await;
    let late = world.engine.make_good_at(sale, seq + 2, "burnt", Uuid::now_v7()).await;
    assert!(matches!(late, Err(VerbError::AlreadyFinal(_))), "{late:?}");
    let journal = world.engine.history(sale).await.unwrap().unwrap().records;
    let kinds: Vec<_> = journal.iter().rev().take(2).map(|entry| entry.record.kind()).collect();
    assert_eq!(kinds, ["completed", "made_good"]);
    assert!(matches!(journal[0].record, Record::Started(_)));
}
