//! At least once, in order, no gap: whatever fails and whenever the relay dies.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::{NOW, Outbox};
use outbox_relay::testing::{Fault, MemorySink};
use outbox_relay::{Lag, Options, PublishError, Relay, Row, RowId, Sink, Source, SourceError, TableSource};
use proptest::prelude::*;

/// A source whose relay dies between the acknowledgement and the mark, or just after the mark, when told.
struct Mortal {
    inner: TableSource,
    deaths: Mutex<VecDeque<Death>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    None,
    BeforeMark,
    AfterMark,
}

#[async_trait]
impl Source for Mortal {
    fn name(&self) -> &str {
        self.inner.name()
    }
    async fn pending(&self, limit: usize) -> Result<Vec<Row>, SourceError> {
        self.inner.pending(limit).await
    }
    async fn published(&self, rows: &[RowId], now_ms: i64) -> Result<(), SourceError> {
        let death = self.deaths.lock().unwrap().pop_front().unwrap_or(Death::None);
        if death != Death::BeforeMark {
            self.inner.published(rows, now_ms).await?;
        }
        if death == Death::None { Ok(()) } else { Err(SourceError::Unavailable("died".into())) }
    }
    async fn park(&self, row: &Row, why: &str, now_ms: i64) -> Result<(), SourceError> {
        self.inner.park(row, why, now_ms).await
    }
    async fn purge(&self, before_ms: i64, limit: usize) -> Result<u64, SourceError> {
        self.inner.purge(before_ms, limit).await
    }
    async fn published_since(
        &self,
        since_ms: i64,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Row>, SourceError> {
        self.inner.published_since(since_ms, after, limit).await
    }
    async fn lag(&self, now_ms: i64) -> Result<Lag, SourceError> {
        self.inner.lag(now_ms).await
    }
}

#[derive(Debug, Clone)]
enum Step {
    Commit { key: u8, poison: bool },
    RollBack { key: u8 },
    Tick,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4u8, prop::bool::weighted(0.06)).prop_map(|(key, poison)| Step::Commit { key, poison }),
        1 => (0..4u8).prop_map(|key| Step::RollBack { key }),
        3 => Just(Step::Tick),
    ];
    prop::collection::vec(step, 1..60)
}

fn transient() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![3 => Just(Fault::None), 1 => Just(Fault::Unavailable), 1 => Just(Fault::LostAck)];
    prop::collection::vec(fault, 0..60)
}

fn deaths() -> impl Strategy<Value = VecDeque<Death>> {
    let death =
        prop_oneof![2 => Just(Death::None), 1 => Just(Death::BeforeMark), 1 => Just(Death::AfterMark)];
    prop::collection::vec_deque(death, 0..12)
}

/// First appearances per key, in the order the sink took them.
fn first_appearances(taken: &[Row]) -> BTreeMap<String, Vec<i64>> {
    let (mut seen, mut order) = (BTreeSet::new(), BTreeMap::<String, Vec<i64>>::new());
    for row in taken {
        if seen.insert(row.event_id) {
            order.entry(row.event.key.clone()).or_default().push(row.sequence);
        }
    }
    order
}

async fn drain(relay: &Relay) {
    for _ in 0..200 {
        let progress = relay.tick(NOW).await.unwrap();
        if progress.published + progress.parked + progress.pending == 0 {
            return;
        }
    }
    panic!("the relay does not come to rest");
}

async fn laws(steps: Vec<Step>, faults: Vec<Fault>, deaths: VecDeque<Death>, batch: usize) {
    let outbox = Outbox::open().await;
    let sink = Arc::new(MemorySink::default());
    let mut faults = VecDeque::from(faults);
    sink.script(move |row| match faults.pop_front().unwrap_or(Fault::None) {
        Fault::None if row.event.subject == "poison" => Fault::Poison,
        fault if row.event.subject == "poison" && fault == Fault::LostAck => Fault::Unavailable,
        fault => fault,
    });
    let source = Arc::new(Mortal { inner: outbox.source.clone(), deaths: Mutex::new(deaths) });
    let options = Options { batch, ..Options::default() };
    let relay = Relay::new(source, Arc::clone(&sink) as Arc<dyn Sink>, options.clone());

    let mut committed: BTreeMap<String, Vec<bool>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Commit { key, poison } => {
                let key = format!("key-{key}");
                outbox.commit(&key, if poison { "poison" } else { "fine" }).await;
                committed.entry(key).or_default().push(poison);
            }
            Step::RollBack { key } => outbox.roll_back(&format!("key-{key}"), "never").await,
            // A tick that died is what the next one repairs.
            Step::Tick => drop(relay.tick(NOW).await),
        }
        for (key, order) in first_appearances(&sink.taken()) {
            let contiguous: Vec<i64> = (1..).take(order.len()).collect();
            assert_eq!(order, contiguous, "{key} appeared out of order or with a gap");
        }
    }

    // Faults stop: everything that is not poison or behind it arrives.
    sink.script(|row| if row.event.subject == "poison" { Fault::Poison } else { Fault::None });
    let relay = Relay::new(Arc::new(outbox.source.clone()), Arc::clone(&sink) as Arc<dyn Sink>, options);
    drain(&relay).await;
    let order = first_appearances(&sink.taken());
    for (key, poisons) in &committed {
        let before_poison = poisons.iter().take_while(|poison| !**poison).count();
        let expected: Vec<i64> = (1..).take(before_poison).collect();
        assert_eq!(order.get(key).cloned().unwrap_or_default(), expected, "{key} before its poison");
    }
    let lag = outbox.source.lag(NOW).await.unwrap();
    let poisoned_keys = committed.values().filter(|poisons| poisons.contains(&true)).count();
    assert_eq!(lag.waiting, 0);
    assert_eq!(lag.parked, u64::try_from(poisoned_keys).unwrap(), "one parked row per poisoned key");

    // A person mends the cause and releases: the rest follows in order, nothing is lost.
    sink.script(|_| Fault::None);
    for parked in outbox.source.parked(100).await.unwrap() {
        assert!(outbox.source.release(parked.id).await.unwrap());
    }
    drain(&relay).await;
    let order = first_appearances(&sink.taken());
    for (key, poisons) in &committed {
        let expected: Vec<i64> = (1..).take(poisons.len()).collect();
        assert_eq!(order[key], expected, "{key} after the release");
    }
    assert!(sink.taken().iter().all(|row| row.event.subject != "never"), "an event without a commit");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_committed_event_appears_in_order_without_gap(
        steps in steps(), faults in transient(), deaths in deaths(), batch in 1..12usize,
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
            .block_on(laws(steps, faults, deaths, batch));
    }
}

/// Gives the other relay a turn at every row.
struct Yielding(MemorySink);

#[async_trait]
impl Sink for Yielding {
    async fn publish(&self, rows: &[Row]) -> Vec<Result<(), PublishError>> {
        let mut answers = Vec::new();
        for row in rows {
            tokio::task::yield_now().await;
            answers.extend(self.0.publish(std::slice::from_ref(row)).await);
        }
        answers
    }
}

#[tokio::test]
async fn two_relays_repeat_but_never_overtake() {
    let outbox = Outbox::open().await;
    let sink = Arc::new(Yielding(MemorySink::default()));
    let mut flip = 0u32;
    sink.0.script(move |_| {
        flip += 1;
        match flip {
            n if n.is_multiple_of(7) => Fault::Unavailable,
            n if n.is_multiple_of(5) => Fault::LostAck,
            _ => Fault::None,
        }
    });
    let options = Options { batch: 7, ..Options::default() };
    let relay =
        || Relay::new(Arc::new(outbox.source.clone()), Arc::clone(&sink) as Arc<dyn Sink>, options.clone());
    let (one, two) = (relay(), relay());
    for round in 0..20 {
        outbox.commit(&format!("key-{}", round % 3), "fine").await;
        outbox.commit("key-0", "fine").await;
        tokio::try_join!(one.tick(NOW), two.tick(NOW)).unwrap();
    }
    sink.0.script(|_| Fault::None);
    drain(&one).await;
    let order = first_appearances(&sink.0.taken());
    assert_eq!(order.values().map(Vec::len).sum::<usize>(), 40);
    for (key, order) in order {
        assert!(order.is_sorted(), "{key}: {order:?}");
    }
}
