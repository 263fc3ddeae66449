//! Families: a return runs where its checkout did, and its events leave after that one's, in one lane.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use backstitch_core::{Catalog, Definition, DefinitionBuilder, Operation, Publication, Record};
use backstitch_engine::{NewRun, Options, Started};
use backstitch_store::testing::MemoryStore;
use backstitch_store::{Purge, Store as _};
use bytes::Bytes;
use common::{Participants, World, run};
use uuid::Uuid;

/// One step, and an event at the start and at the end.
fn telling() -> Definition {
    const ACT: Operation<String, ()> = Operation::new("somebody", "Act");
    let mut d = DefinitionBuilder::<String>::new("telling", 1).publishing(|_, _, record| {
        let publication = || Publication {
            topic: "checkout.events",
            kind: record.kind().into(),
            payload: Bytes::from_static(b"{}"),
        };
        matches!(record, Record::Started(_) | Record::Completed).then(publication)
    });
    d.step("act", ACT).request(|c, ()| c.input.clone()).pivot();
    d.build().unwrap()
}

fn telling_run(root: Option<Uuid>) -> NewRun {
    NewRun { root, definition: "telling".into(), ..run(Uuid::now_v7(), None) }
}

async fn world(shards: u16) -> World {
    let store = Arc::new(MemoryStore::new(shards));
    World::over(store, Participants::willing(), Catalog::default().with(telling()), Options::default()).await
}

/// Runs one to its end.
async fn ended(world: &World, run: NewRun) -> Uuid {
    let Started::New(id, follow) = world.engine.start(run).await.unwrap() else { panic!("it was there") };
    follow.rested(std::time::Duration::from_secs(10)).await.unwrap();
    id
}

async fn shard_of(world: &World, id: Uuid) -> u16 {
    world.store.load(id).await.unwrap().unwrap().row.shard
}

#[tokio::test]
async fn a_family_lives_in_one_shard_and_leaves_by_one_lane_in_order() {
    let world = world(8).await;
    let mut shards = BTreeSet::new();
    for _ in 0..20 {
        let root = ended(&world, telling_run(None)).await;
        let first = ended(&world, telling_run(Some(root))).await;
        let second = ended(&world, telling_run(Some(root))).await;
        let shard = shard_of(&world, root).await;
        shards.insert(shard);
        for member in [first, second] {
            let row = world.store.load(member).await.unwrap().unwrap().row;
            assert_eq!((row.shard, row.root), (shard, root));
        }
        let lane = world.store.lane_pending(shard, 1_000).await.unwrap();
        let of_family = lane.iter().filter(|row| row.root == root);
        let told: Vec<_> = of_family.map(|row| (row.saga, row.sequence, row.event.kind.as_str())).collect();
        let told_of = |saga| [(saga, 1, "started"), (saga, 2, "completed")];
        assert_eq!(told, [told_of(root), told_of(first), told_of(second)].concat());
        let numbers: Vec<_> = lane.iter().map(|row| row.number).collect();
        let expected: Vec<_> = (1..=i64::try_from(lane.len()).unwrap()).collect();
        assert_eq!(numbers, expected, "without a gap");
    }
    assert!(shards.len() > 1, "families spread over the shards");
}

#[tokio::test]
async fn a_family_whose_root_is_forgotten_still_has_one_shard() {
    let world = world(8).await;
    let mut shards = BTreeSet::new();
    for _ in 0..8 {
        let root = ended(&world, telling_run(None)).await;
        let purge = Purge { now_ms: i64::MAX, sagas_after_ms: 0, keys_after_ms: 0, limit: 100 };
        world.store.purge(&purge).await.unwrap();
        assert!(world.store.load(root).await.unwrap().is_none());
        let first = ended(&world, telling_run(Some(root))).await;
        let second = ended(&world, telling_run(Some(root))).await;
        assert_eq!(shard_of(&world, first).await, shard_of(&world, second).await);
        shards.insert(shard_of(&world, first).await);
    }
    assert!(shards.len() > 1, "families spread over the shards");
}

#[tokio::test]
async fn a_member_is_recovered_as_what_it_is() {
    let world = world(4).await;
    let root = ended(&world, telling_run(None)).await;
    world.participants.hold();
    let Started::New(member, _) = world.engine.start(telling_run(Some(root))).await.unwrap() else {
        panic!("it was there")
    };
    world.participants.until_called(2).await;
    let heir = world.restarted(Participants::willing()).await;
    heir.engine.recover().await.unwrap();
    let view = heir.engine.wait_final(member, std::time::Duration::from_secs(10)).await.unwrap().unwrap();
    assert_eq!((view.state.start.root, view.state.end.is_some()), (root, true));
    world.participants.release();
}
