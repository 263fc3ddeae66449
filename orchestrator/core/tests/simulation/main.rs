//! Random sagas among random faults, deterministically.
//!
//! A case is a definition and a tape of choices. Every case is run until the tape ends, then without faults until the
//! saga rests, then with everything that was still on its way. The laws are in [`laws`]; a case that breaks one is
//! shrunk, told with a trace, and fails.
//!
//! `PROPTEST_CASES` sets the cases per test (5,000), `PROPTEST_RNG_SEED` the seed (fixed, so that a build that passes
//! passes again).

#![allow(clippy::unwrap_used)]

mod anything;
mod laws;
mod moves;
mod participant;
mod plan;
mod tape;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use moves::Trouble;
use plan::{Plan, any_plan};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use world::World;

const CASES: u32 = 5_000;
const SEED: u64 = 0x0bac_5717_c400_0001;

fn config() -> Config {
    let env = |name: &str| std::env::var(name).ok();
    let cases = env("PROPTEST_CASES").and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let seed = env("PROPTEST_RNG_SEED").and_then(|n| n.parse().ok()).unwrap_or(SEED);
    Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    }
}

/// What was seen in all cases of a test, and how often.
type Seen = BTreeMap<&'static str, u32>;

fn run(plan: &Plan, tape: &[u16], trouble: &Trouble) -> Result<Seen, String> {
    let mut world = World::new(plan, tape, false)?;
    world.run(trouble)?;
    Ok(world.seen)
}

/// The story of a case, up to where it goes wrong.
fn trace(plan: &Plan, tape: &[u16], trouble: &Trouble) -> String {
    let Ok(mut world) = World::new(plan, tape, true) else { return "it does not even start".into() };
    let broken = catch_unwind(AssertUnwindSafe(|| world.run(trouble)));
    let lines = world.trace.take().unwrap_or_default().join("\n");
    format!("{lines}\n{broken:?}")
}

/// Runs the cases of one kind of trouble and requires that what they are for was seen.
fn simulate(trouble: Trouble, sometimes: &[&'static str]) {
    let config = config();
    let (cases, seed) = (config.cases, config.rng_seed);
    let seen = RefCell::new(Seen::new());
    let case = (any_plan(), prop::collection::vec(any::<u16>(), 0..240));
    let result = TestRunner::new(config).run(&case, |(plan, tape)| {
        let once = run(&plan, &tape, &trouble).map_err(TestCaseError::fail)?;
        for (what, times) in once {
            *seen.borrow_mut().entry(what).or_default() += times;
        }
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, (plan, tape))) => panic!(
            "{reason}\n\nseed {seed}, {trouble:?}\n{plan:#?}\ntape {tape:?}\n\n{}",
            trace(&plan, &tape, &trouble)
        ),
        Err(other) => panic!("seed {seed}: {other}"),
    }
    let seen = seen.into_inner();
    let missing: Vec<_> = sometimes.iter().filter(|what| !seen.contains_key(*what)).collect();
    assert!(cases < CASES || missing.is_empty(), "never seen: {missing:?}; seen: {seen:#?}");
}

#[test]
fn nothing_half_happens_on_a_bad_network() {
    let trouble = Trouble { network: 20, people: 0, clock: 5, crash: 0, takeover: 0, restore: 0 };
    simulate(trouble, &["completed", "compensated", "undo_parked", "step_parked", "close_intent"]);
}

#[test]
fn nothing_half_happens_when_people_meddle_and_time_flies() {
    let trouble = Trouble { network: 10, people: 10, clock: 15, crash: 0, takeover: 0, restore: 0 };
    let meddled = [
        "completed",
        "compensated",
        "cancelled too late",
        "step_waiting",
        "resumed",
        "poisoned",
        "expired",
        "noted",
    ];
    simulate(trouble, &meddled);
}

#[test]
fn nothing_half_happens_when_a_return_makes_good_what_is_parked() {
    let trouble = Trouble { network: 30, people: 25, clock: 10, crash: 4, takeover: 2, restore: 0 };
    let good =
        ["made_good", "not_made_good", "completed", "resumed while it was made good", "made good too early"];
    simulate(trouble, &good);
}

#[test]
fn nothing_half_happens_when_owners_crash() {
    let trouble = Trouble { network: 15, people: 2, clock: 5, crash: 6, takeover: 0, restore: 0 };
    simulate(trouble, &["completed", "compensated", "records lost in a crash", "a reply to a former owner"]);
}

#[test]
fn nothing_half_happens_when_an_owner_lives_on_after_its_lease() {
    let trouble = Trouble { network: 15, people: 2, clock: 5, crash: 1, takeover: 4, restore: 0 };
    simulate(trouble, &["completed", "compensated", "superseded", "a stale copy after the end"]);
}

#[test]
fn nothing_half_happens_when_everything_comes_at_once() {
    let trouble = Trouble { network: 20, people: 5, clock: 10, crash: 3, takeover: 3, restore: 0 };
    simulate(trouble, &["completed", "compensated", "superseded", "a stale copy", "a crash", "resumed"]);
}

#[test]
fn nothing_half_happens_when_the_journal_is_restored_to_an_earlier_one() {
    let trouble = Trouble { network: 15, people: 4, clock: 8, crash: 2, takeover: 1, restore: 5 };
    let restored = [
        "completed",
        "compensated",
        "restored under way",
        "restored after it completed",
        "restored after it was compensated",
        "cancelled while it was settled",
    ];
    simulate(trouble, &restored);
}
