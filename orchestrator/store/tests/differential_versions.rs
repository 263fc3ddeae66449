//! One random history of announcements and switchings into the store in memory, into SQLite and into Postgres: equal
//! answers, equal rows, and nothing on that was not on everywhere when it was switched.
//!
//! `PROPTEST_CASES=10000 cargo test -p backstitch-store --test differential_versions` for a long run.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use backstitch_store::{
    Announced, Announcement, DefinitionRow, Store, Switch, Switched,
    testing::{Subject, T0},
};
use common::{Memory, Postgres, Sqlite};
use proptest::prelude::*;

const WINDOW: i64 = 100;

#[derive(Debug, Clone)]
enum Op {
    /// Versions as bits; one in a while means another definition under its number.
    Announce {
        node: u8,
        versions: u8,
        changed: bool,
    },
    Withdraw(u8),
    Switch {
        name: u8,
        version: u32,
        on: bool,
    },
    Wait(i64),
    Reopen,
}

fn ops() -> impl Strategy<Value = Op> {
    let announce = (0_u8..3, any::<u8>(), prop::bool::weighted(0.1));
    prop_oneof![
        6 => announce.prop_map(|(node, versions, changed)| Op::Announce { node, versions, changed }),
        1 => (0_u8..3).prop_map(Op::Withdraw),
        5 => (0_u8..2, 1_u32..5, any::<bool>()).prop_map(|(name, version, on)| Op::Switch { name, version, on }),
        2 => (0..WINDOW).prop_map(Op::Wait),
        1 => Just(Op::Reopen),
    ]
}

fn name(nth: u8) -> String {
    format!("definition-{nth}")
}

/// The versions that the bits stand for: four of each of two names.
fn versions(bits: u8, changed: bool) -> Vec<Announced> {
    let all = (0..2_u8).flat_map(|of| (1..5_u32).map(move |version| (of, version)));
    let of = |(of, version)| Announced { name: name(of), version, fingerprint: [u8::from(changed); 32] };
    all.enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, version)| of(version)).collect()
}

/// Who is live, and whether they all can run it.
fn is_everywhere(rows: &[DefinitionRow], switch: &Switch) -> bool {
    let live = |row: &DefinitionRow| {
        let nodes = row.nodes.iter().filter(|(_, seen)| *seen >= switch.live_since_ms);
        nodes.map(|(node, _)| node.clone()).collect::<Vec<_>>()
    };
    let row = rows
        .iter()
        .find(|row| (&row.definition.name, row.definition.version) == (&switch.name, switch.version));
    let runners = row.map(live).unwrap_or_default();
    !runners.is_empty() && rows.iter().flat_map(live).all(|node| runners.contains(&node))
}

/// What all of them answer: the first is the model.
fn same<T: PartialEq + std::fmt::Debug>(mut answers: Vec<T>) -> Result<T, TestCaseError> {
    let model = answers.remove(0);
    for (nth, answer) in (1..).zip(&answers) {
        prop_assert_eq!(&model, answer, "store {}", nth);
    }
    Ok(model)
}

async fn step(op: &Op, now_ms: i64, stores: &[Arc<dyn Store>]) -> Result<(), TestCaseError> {
    let live_since_ms = now_ms - WINDOW;
    let before = stores[0].definitions().await.unwrap();
    let mut switched = Vec::new();
    for store in stores {
        match op {
            Op::Announce { node, versions: bits, changed } => {
                let definitions = versions(*bits, *changed);
                let announcement =
                    Announcement { node: format!("node-{node}"), definitions, now_ms, live_since_ms };
                switched.push(store.announce(&announcement).await.map(|refused| (refused, None)));
            }
            Op::Withdraw(node) => {
                let gone = store.withdraw(&format!("node-{node}")).await;
                switched.push(gone.map(|()| (Vec::new(), None)));
            }
            Op::Switch { name: of, version, on } => {
                let (version, on, why) = (*version, *on, format!("at {now_ms}"));
                let switch = Switch { name: name(*of), version, on, why, now_ms, live_since_ms };
                let answer = store.switch(&switch).await;
                if answer == Ok(Switched::Switched) && on {
                    prop_assert!(is_everywhere(&before, &switch), "{:?} on {:?}", switch, before);
                }
                switched.push(answer.map(|switched| (Vec::new(), Some(switched))));
            }
            Op::Wait(_) | Op::Reopen => switched.push(Ok((Vec::new(), None))),
        }
    }
    let answer = same(switched)?;
    prop_assert!(answer.is_ok(), "{:?}", answer);
    let mut rows = Vec::new();
    for store in stores {
        rows.push(store.definitions().await);
    }
    same(rows).map(drop)
}

async fn run(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let mut subjects: Vec<Box<dyn Subject>> =
        vec![Box::<Memory>::default(), Box::new(Sqlite::new()), Box::new(Postgres::new())];
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for subject in &mut subjects {
        stores.push(subject.open().await);
    }
    let mut now_ms = T0;
    for op in &ops {
        match op {
            Op::Wait(ms) => now_ms += ms,
            Op::Reopen => {
                // The store in memory has nothing else to keep.
                stores.truncate(1);
                for subject in &mut subjects[1..] {
                    stores.push(subject.open().await);
                }
            }
            _ => {}
        }
        step(op, now_ms, &stores).await?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(40),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_store_switches_alike(history in prop::collection::vec(ops(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(history))?;
    }
}
