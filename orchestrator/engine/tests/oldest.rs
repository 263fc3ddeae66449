//! What participants are told of the oldest saga that has not ended.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstitch_core::{Op, Outcome, Status};
use backstitch_engine::{Options, Started};
use backstitch_store::Store as _;
use bytes::Bytes;
use common::{Participants, World, run, synthetic};
use uuid::{NoContext, Timestamp, Uuid};

const PATIENCE: Duration = Duration::from_secs(30);
/// What the clock shows at first.
const NOW_MS: i64 = 1_000_000;

/// A saga born at so many Unix milliseconds.
fn born(ms: u64) -> Uuid {
    let nanos = u32::try_from(ms % 1_000).unwrap() * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, ms / 1_000, nanos))
}

/// What each call told, in order.
type Told = Arc<Mutex<Vec<(Uuid, Option<i64>)>>>;

/// A world whose participants write down what they are told, and cannot do what `broken` names.
struct Town {
    world: World,
    told: Told,
    broken: Arc<Mutex<BTreeSet<Uuid>>>,
}

impl Town {
    async fn open() -> Self {
        let (told, broken) = (Told::default(), Arc::<Mutex<BTreeSet<Uuid>>>::default());
        let (tells, breaks) = (told.clone(), broken.clone());
        let participants = Participants::answering(move |call| {
            tells.lock().unwrap().push((call.saga, call.oldest_unfinished_ms));
            match breaks.lock().unwrap().contains(&call.saga) {
                true => Outcome::Broken("a person has to look".into()),
                false => Outcome::Done(Bytes::new()),
            }
        });
        Self { world: World::with(participants, synthetic(1)).await, told, broken }
    }

    /// What the calls of a new saga tell, once it has come to rest.
    async fn told_by(&self, saga: Uuid, rests: Status) -> Option<i64> {
        let Started::New(_, follow) = self.world.engine.start(run(saga, None)).await.unwrap() else {
            panic!("{saga} was there already");
        };
        assert_eq!(follow.rested(PATIENCE).await.unwrap().state.status(), rests);
        let told = self.told.lock().unwrap();
        let mut told = told.iter().filter(|(id, _)| *id == saga).map(|(_, told)| *told);
        let first = told.next().unwrap();
        assert!(told.all(|told| told == first));
        first
    }

    /// After the next pass over the store.
    async fn later(&self) {
        tokio::time::sleep(Options::default().recovery_interval + Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_the_oldest_of_all_shards_that_has_not_ended_parked_included() {
    let town = Town::open().await;
    assert_eq!(town.told_by(born(900_000), Status::Completed).await, None, "nobody has looked yet");
    town.world.engine.spawn_recovery();
    town.later().await;
    assert_eq!(town.told_by(born(900_001), Status::Completed).await, Some(NOW_MS), "nothing is unfinished");

    // One in each shard, the oldest of them last.
    let mut parked = Vec::new();
    let mut shards = BTreeSet::new();
    while shards.len() < usize::from(town.world.store.shards()) {
        let saga = born(800_000 - u64::try_from(parked.len()).unwrap());
        town.broken.lock().unwrap().insert(saga);
        assert_eq!(town.told_by(saga, Status::Parked).await, Some(NOW_MS), "as it was last seen");
        shards.insert(town.world.store.load(saga).await.unwrap().unwrap().row.shard);
        parked.push(saga);
    }
    while let Some(oldest) = parked.pop() {
        town.later().await;
        let born_ms = 800_000 - i64::try_from(parked.len()).unwrap();
        assert_eq!(town.told_by(born(900_002), Status::Completed).await, Some(born_ms));
        town.broken.lock().unwrap().remove(&oldest);
        let seq = town.world.engine.view(oldest).await.unwrap().unwrap().state.seq;
        town.world.engine.resume_at(oldest, seq, "mended").await.unwrap();
        let ended = town.world.engine.wait_final(oldest, PATIENCE).await.unwrap().unwrap();
        assert_eq!(ended.state.status(), Status::Completed);
    }
    town.world.clock.0.store(NOW_MS + 7, Ordering::SeqCst);
    town.later().await;
    assert_eq!(town.told_by(born(900_003), Status::Completed).await, Some(NOW_MS + 7));
    assert!(town.world.participants.calls().iter().all(|(_, _, op)| *op == Op::Do));
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_last_is_told_while_the_store_cannot_be_read() {
    let town = Town::open().await;
    town.world.engine.spawn_recovery();
    town.later().await;
    town.world.clock.0.store(NOW_MS + 1, Ordering::SeqCst);
    town.world.store.fail_read_after(0);
    town.later().await;
    assert_eq!(town.told_by(born(900_000), Status::Completed).await, Some(NOW_MS));
    town.later().await;
    assert_eq!(town.told_by(born(900_001), Status::Completed).await, Some(NOW_MS + 1));
}

#[tokio::test(start_paused = true)]
async fn no_time_is_told_that_this_node_s_clock_has_not_reached() {
    let town = Town::open().await;
    // Another node's clock is ahead, and this saga waits for a person.
    let saga = born(u64::try_from(NOW_MS).unwrap() + 60_000);
    town.broken.lock().unwrap().insert(saga);
    assert_eq!(town.told_by(saga, Status::Parked).await, None);
    town.world.engine.spawn_recovery();
    town.later().await;
    assert_eq!(town.told_by(born(900_000), Status::Completed).await, Some(NOW_MS));
}
