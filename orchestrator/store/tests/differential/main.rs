//! One random history into the store in memory, into SQLite and into Postgres: equal answers to every call, and equal
//! dumps.
//!
//! Short histories in a small world first: a failure prints the shortest that shows it. `PROPTEST_CASES=10000 cargo test
//! -p backstitch-store --test differential` tries more. Then one of 200,000 appends in a large world; its seed is
//! printed. `DIFFERENTIAL_APPENDS` is how many, `DIFFERENTIAL_SEED` takes a seed again.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod dump;
mod history;
mod ops;

use std::str::FromStr;

use common::{Memory, Postgres, Sqlite};
use history::History;
use ops::{Op, World, ops};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

const SMALL: World = World { sagas: 6, keys: 4, batch: 6, drift: 0, poisoned: 6 };
const LARGE: World = World { sagas: 900, keys: 600, batch: 700, drift: 40, poisoned: 3 };

fn number<T: FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

async fn run(world: World, ops: &mut dyn FnMut(u64) -> Option<Op>) -> Result<History, TestCaseError> {
    let (sqlite, postgres) = (Sqlite::new(), Postgres::new());
    let (directory, url) = (sqlite.directory().to_owned(), postgres.url.clone());
    let subjects = vec![Box::<Memory>::default() as _, Box::new(sqlite) as _, Box::new(postgres) as _];
    let mut history = History::begin(world, subjects).await?;
    while let Some(op) = ops(history.tally.appends()) {
        history.apply(&op).await?;
    }
    history.compare().await?;
    let (ours, theirs) = (dump::sqlite(&directory).await, dump::postgres(&url).await);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        prop_assert_eq!(ours, theirs, "SQLite's row and Postgres's");
    }
    prop_assert_eq!(ours.len(), theirs.len());
    Ok(history)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: number("PROPTEST_CASES").unwrap_or(40),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_store_answers_alike(history in prop::collection::vec(ops(SMALL), 1..50)) {
        let mut history = history.into_iter();
        runtime().block_on(run(SMALL, &mut |_| history.next()))?;
    }
}

#[test]
fn every_store_answers_alike_for_long() {
    let appends: u64 = number("DIFFERENTIAL_APPENDS").unwrap_or(200_000);
    let seed = number("DIFFERENTIAL_SEED").unwrap_or_else(|| u64::from(std::process::id()) << 20 ^ now());
    eprintln!("DIFFERENTIAL_SEED={seed} DIFFERENTIAL_APPENDS={appends}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let ops = ops(LARGE);
    let mut next = |done| (done < appends).then(|| ops.new_tree(&mut runner).unwrap().current());
    let tally = match runtime().block_on(run(LARGE, &mut next)) {
        Ok(history) => history.tally,
        Err(error) => panic!("DIFFERENTIAL_SEED={seed}: {error}"),
    };
    eprintln!("{tally:?}");
    // A history in which hardly anything happens shows nothing.
    assert!(tally.committed > appends / 4, "{tally:?}");
    assert!(
        [tally.taken, tally.fenced, tally.refused].iter().all(|count| *count > appends / 100),
        "{tally:?}"
    );
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos())
}
