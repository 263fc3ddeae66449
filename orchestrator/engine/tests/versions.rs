//! Versions of a definition side by side: dark until switched on, pinned by fingerprint, waiting where they cannot run.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use backstitch_core::{Catalog, CatalogError, Definition, DefinitionBuilder, Op, Operation, Status};
use backstitch_engine::{NewRun, Options, ReadError, Recovered, StartError, Started};
use backstitch_store::testing::MemoryStore;
use backstitch_store::{Store as _, Switched};
use common::{Participants, World, run};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(60);
const DO: Operation<String, ()> = Operation::new("stock", "Do");
const UNDO: Operation<String, ()> = Operation::new("stock", "Undo");

/// A sale of these steps, one after the other.
fn sale(version: u32, steps: &[&'static str]) -> Definition {
    let mut d = DefinitionBuilder::<String>::new("sale", version);
    let mut before = None;
    for name in steps {
        let mut step = d.step(name, DO).request(|c, ()| c.input.clone());
        if let Some(before) = before {
            step = step.after([before]);
        }
        before = Some(step.compensated_by(UNDO, |c| c.input.clone()).step());
    }
    d.build().unwrap()
}

fn one() -> Definition {
    sale(1, &["hold", "sell"])
}

fn two() -> Definition {
    sale(2, &["hold", "wrap", "sell"])
}

fn both() -> Catalog {
    Catalog::default().with(one()).with(two())
}

/// A node of that name.
async fn node(name: &str, store: &Arc<MemoryStore>, catalog: Catalog) -> World {
    let options = Options { node: name.to_owned(), ..Options::default() };
    World::over(store.clone(), Participants::willing(), catalog, options).await
}

async fn start(world: &World) -> Result<Uuid, StartError> {
    let new = NewRun { definition: "sale".into(), ..run(Uuid::now_v7(), None) };
    match world.engine.start(new).await? {
        Started::New(id, _) => Ok(id),
        Started::Existing(id) => panic!("{id} was there already"),
    }
}

async fn switch(world: &World, version: u32, on: bool) {
    let switched = world.engine.switch("sale", version, on, "as the test says").await.unwrap();
    assert_eq!(switched, Switched::Switched);
}

/// Waits for a saga's end, and answers the version it ran and the steps it did.
async fn ran(world: &World, id: Uuid) -> (u32, Vec<String>) {
    let view = world.engine.wait_final(id, PATIENCE).await.unwrap().unwrap();
    assert_eq!(view.state.status(), Status::Completed);
    (view.definition.version, world.participants.asked(id, Op::Do))
}

fn steps(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn sagas_stay_with_the_version_that_they_started_with() {
    let world = node("a", &Arc::default(), both()).await;
    world.participants.hold();
    let dark = start(&world).await.unwrap();
    switch(&world, 2, true).await;
    let light = start(&world).await.unwrap();
    switch(&world, 2, false).await;
    let again = start(&world).await.unwrap();
    world.participants.release();
    let (old, new) = (steps(&["hold", "sell"]), steps(&["hold", "wrap", "sell"]));
    assert_eq!(ran(&world, dark).await, (1, old.clone()), "started before version 2 was switched on");
    assert_eq!(ran(&world, light).await, (2, new), "in flight when it was switched off");
    assert_eq!(ran(&world, again).await, (1, old), "started after that");
}

#[tokio::test(start_paused = true)]
async fn a_version_runs_on_after_a_restart_with_it_switched_off() {
    let store = Arc::default();
    let world = node("a", &store, both()).await;
    switch(&world, 2, true).await;
    world.participants.hold();
    let id = start(&world).await.unwrap();
    world.participants.until_called(1).await;
    switch(&world, 2, false).await;
    let next = node("a", &store, both()).await;
    assert_eq!(next.engine.recover().await.unwrap(), Recovered { adopted: 1, ..Default::default() });
    assert_eq!(ran(&next, id).await, (2, steps(&["hold", "wrap", "sell"])));
}

#[tokio::test(start_paused = true)]
async fn a_saga_waits_for_a_node_that_has_its_version() {
    let store = Arc::default();
    let world = node("new", &store, both()).await;
    switch(&world, 2, true).await;
    world.participants.hold();
    let id = start(&world).await.unwrap();
    world.participants.until_called(1).await;

    let old = node("old", &store, Catalog::default().with(one())).await;
    for _ in 0..2 {
        assert_eq!(old.engine.recover().await.unwrap(), Recovered { stranded: 1, ..Default::default() });
    }
    assert!(!old.engine.runs("sale", 2) && old.engine.runs("sale", 1));
    let missing = CatalogError::Unknown { name: "sale".into(), version: 2 };
    let read = old.engine.view(id).await.unwrap_err();
    assert!(matches!(read, ReadError::Definition { source, .. } if source == missing));
    assert_eq!(old.engine.lacking().await.unwrap(), [missing], "it is not ready while version 2 is on");
    let row = store.load(id).await.unwrap().unwrap();
    assert_eq!((row.row.status, row.records.len()), (Status::Running, 1), "not parked, and nothing written");
    assert_eq!(old.participants.calls(), [], "nothing is called");
    // What it has runs there meanwhile.
    let other = start(&old).await.unwrap();
    assert_eq!(ran(&old, other).await.0, 1);

    let back = node("new", &store, both()).await;
    assert_eq!(back.engine.recover().await.unwrap(), Recovered { adopted: 1, ..Default::default() });
    assert_eq!(ran(&back, id).await, (2, steps(&["hold", "wrap", "sell"])));
}

#[tokio::test(start_paused = true)]
async fn a_dark_version_that_a_node_lacks_does_not_matter() {
    let store = Arc::default();
    let world = node("new", &store, both()).await;
    let old = node("old", &store, Catalog::default().with(one())).await;
    assert_eq!(old.engine.lacking().await.unwrap(), []);
    switch(&world, 1, false).await;
    old.engine.renew().await.unwrap();
    assert!(matches!(start(&old).await, Err(StartError::NotSwitchedOn(name)) if name == "sale"));
}

#[tokio::test(start_paused = true)]
async fn a_definition_that_changed_under_its_number_runs_nothing() {
    let store = Arc::default();
    let world = node("a", &store, Catalog::default().with(one())).await;
    world.participants.hold();
    let id = start(&world).await.unwrap();
    world.participants.until_called(1).await;

    let changed = node("b", &store, Catalog::default().with(sale(1, &["sell", "hold"]))).await;
    assert_eq!(changed.engine.recover().await.unwrap(), Recovered { stranded: 1, ..Default::default() });
    let why = CatalogError::Changed { name: "sale".into(), version: 1 };
    assert_eq!(changed.engine.lacking().await.unwrap(), [why]);
    assert!(matches!(start(&changed).await, Err(StartError::NotSwitchedOn(_))));
    assert!(!changed.engine.runs("sale", 1));

    let back = node("a", &store, Catalog::default().with(one())).await;
    assert_eq!(back.engine.recover().await.unwrap(), Recovered { adopted: 1, ..Default::default() });
    assert_eq!(ran(&back, id).await, (1, steps(&["hold", "sell"])));
}

#[tokio::test(start_paused = true)]
async fn switching_on_waits_for_a_live_node_until_it_withdraws_or_falls_silent() {
    let store = Arc::default();
    let old = node("old", &store, Catalog::default().with(one())).await;
    let frozen = node("frozen", &store, Catalog::default().with(one())).await;
    let new = node("new", &store, both()).await;
    let ask = async || new.engine.switch("sale", 2, true, "it is time").await.unwrap();
    assert_eq!(ask().await, Switched::Lacking(vec!["frozen".into(), "old".into()]));
    old.engine.drain().await;
    assert_eq!(ask().await, Switched::Lacking(vec!["frozen".into()]));
    let liveness = i64::try_from(Options::default().liveness.as_millis()).unwrap();
    new.clock.0.fetch_add(liveness, Ordering::SeqCst);
    assert_eq!(ask().await, Switched::Lacking(vec!["frozen".into()]), "at the edge it still counts");
    new.clock.0.fetch_add(1, Ordering::SeqCst);
    new.engine.renew().await.unwrap();
    assert_eq!(ask().await, Switched::Switched);
    assert_eq!(new.engine.switch("sale", 3, true, "?").await.unwrap(), Switched::Unknown);
    drop(frozen);
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_another_node_made_counts_after_the_next_pass() {
    let store = Arc::default();
    let (a, b) = (node("a", &store, both()).await, node("b", &store, both()).await);
    switch(&a, 2, true).await;
    b.engine.renew().await.unwrap();
    let id = start(&b).await.unwrap();
    assert_eq!(ran(&b, id).await.0, 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_announces_itself_three_times_within_its_liveness() {
    let world = node("a", &Arc::default(), both()).await;
    let seen = async || world.store.definitions().await.unwrap()[0].nodes.clone();
    let (begun, third) = (world.clock.0.load(Ordering::SeqCst), 20_000);
    world.clock.0.fetch_add(third - 1, Ordering::SeqCst);
    world.engine.renew().await.unwrap();
    assert_eq!(seen().await, [("a".to_owned(), begun)]);
    world.clock.0.fetch_add(1, Ordering::SeqCst);
    world.engine.renew().await.unwrap();
    assert_eq!(seen().await, [("a".to_owned(), begun + third)]);
    // Set back, a clock would keep it silent for as long as it went back.
    world.clock.0.fetch_sub(third + 5, Ordering::SeqCst);
    world.engine.renew().await.unwrap();
    assert_eq!(seen().await, [("a".to_owned(), begun - 5)]);
    world.engine.drain().await;
    assert_eq!(seen().await, []);
    world.engine.renew().await.unwrap();
    assert_eq!(seen().await, [], "who stops announces nothing");
}
