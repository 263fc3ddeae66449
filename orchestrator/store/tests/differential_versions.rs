//! One random history of announcements and switchings into the store in memory and into SQLite: equal answers, equal
//! rows, and nothing on that was not on everywhere when it was switched.
//!
//! `PROPTEST_CASES=10000 cargo test -p backstitch-store --test differential_versions` for a long run.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use backstitch_store::{
    Announced, Announcement, DefinitionRow, Store, Switch, Switched,
    testing::{Subject as _, T0},
};
use common::{Memory, Sqlite};
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

async fn step(op: &Op, now_ms: i64, memory: &dyn Store, sqlite: &dyn Store) -> Result<(), TestCaseError> {
    let live_since_ms = now_ms - WINDOW;
    match op {
        Op::Announce { node, versions: bits, changed } => {
            let definitions = versions(*bits, *changed);
            let announcement =
                Announcement { node: format!("node-{node}"), definitions, now_ms, live_since_ms };
            prop_assert_eq!(memory.announce(&announcement).await, sqlite.announce(&announcement).await);
        }
        Op::Withdraw(node) => {
            let node = format!("node-{node}");
            prop_assert_eq!(memory.withdraw(&node).await, sqlite.withdraw(&node).await);
        }
        Op::Switch { name: of, version, on } => {
            let (version, on, why) = (*version, *on, format!("at {now_ms}"));
            let switch = Switch { name: name(*of), version, on, why, now_ms, live_since_ms };
            let before = memory.definitions().await.unwrap();
            let switched = memory.switch(&switch).await;
            prop_assert_eq!(&switched, &sqlite.switch(&switch).await);
            if switched == Ok(Switched::Switched) && on {
                prop_assert!(is_everywhere(&before, &switch), "{:?} on {:?}", switch, before);
            }
        }
        Op::Wait(_) | Op::Reopen => {}
    }
    prop_assert_eq!(memory.definitions().await, sqlite.definitions().await);
    Ok(())
}

async fn run(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let (mut in_memory, mut in_file) = (Memory::default(), Sqlite::new());
    let memory = in_memory.open().await;
    let mut sqlite: Arc<dyn Store> = in_file.open().await;
    let mut now_ms = T0;
    for op in &ops {
        match op {
            Op::Wait(ms) => now_ms += ms,
            Op::Reopen => {
                drop(sqlite);
                sqlite = in_file.open().await;
            }
            _ => {}
        }
        step(op, now_ms, memory.as_ref(), sqlite.as_ref()).await?;
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
    fn memory_and_sqlite_switch_alike(history in prop::collection::vec(ops(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(history))?;
    }
}
