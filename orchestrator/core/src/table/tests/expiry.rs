//! What an offer's or a hold's end does to a saga that is still before its pivot.

use std::time::Duration;

use super::script::{World, check};
use super::shop::{Answer, Ask, FORWARD};
use crate::definition::{Definition, DefinitionBuilder, DefinitionError, Operation};
use crate::record::Record;
use crate::saga::Saga;

const DO: Operation<Ask, Answer> = Operation::new("somebody", "Do");
const UNDO: Operation<Ask, Answer> = Operation::new("somebody", "Undo");

fn seconds(answer: &Answer) -> Option<Duration> {
    answer.word.parse().ok().map(Duration::from_secs)
}

/// {quote, which lasts as many seconds as it says ∥ slow} -> **take**, which may take 5 s. Deadline 900 s.
fn offer() -> Definition {
    let mut d = DefinitionBuilder::<Ask>::new("offer", 1).deadline(Duration::from_secs(900));
    let quote = d
        .step("quote", DO)
        .retry(FORWARD)
        .lasting(seconds)
        .request(|c, ()| c.input.clone())
        .compensated_by(UNDO, |c| c.input.clone());
    let slow = d.step("slow", DO).request(|c, ()| c.input.clone()).needs_no_undo("it only looks");
    d.step("take", DO)
        .after([quote.step(), slow.step()])
        .timeout(Duration::from_secs(5))
        .request(|c, ()| c.input.clone())
        .pivot();
    d.build().unwrap()
}

#[test]
fn it_turns_back_before_an_offer_ends_less_the_time_of_the_pivot() {
    let quoted = "own; quote done(100)";
    check(
        offer,
        &[
            ("own", "quote done(100)", "step_done(quote), deadline 95s"),
            ("own", "quote done(2000)", "step_done(quote)"),
            ("own", "quote done(forever)", "step_done(quote)"),
            (quoted, "early deadline", "deadline 95s"),
            (&format!("{quoted}; after 94s"), "slow done", "step_done(slow), pivot_intent, do take#1@4"),
            (&format!("{quoted}; after 95s"), "early deadline", "turned_back(expired quote), undo quote#1@3"),
            (
                &format!("{quoted}; after 95s"),
                "slow done",
                "step_done(slow), turned_back(expired quote), undo quote#1@4",
            ),
            (&format!("{quoted}; slow done; after 95s"), "early deadline", ""),
        ],
    );
}

#[test]
fn its_time_runs_from_the_first_call() {
    let late = "own; after 3s; quote unknown; due quote; after 1s";
    check(offer, &[(late, "quote done(100)", "step_done(quote), deadline 90s")]);
}

#[test]
fn after_a_takeover_its_time_runs_from_the_start_of_the_saga() {
    let mut world = World::new(offer());
    world.run("own; after 50s; recover");
    assert_eq!(world.when("quote done(100)"), "step_done(quote), deadline 45s");
}

#[test]
fn its_end_is_in_the_journal() {
    let mut world = World::new(offer());
    world.run("own; quote done(100)");
    let Record::StepDone { valid_until: Some(until), .. } = &world.journal[1].record else { panic!() };
    assert_eq!(world.now.until(*until), Duration::from_secs(100));
    let folded = Saga::replay(&world.definition, world.saga.id, &world.journal).unwrap();
    assert_eq!(folded.deadline(&world.definition), world.saga.deadline(&world.definition));
}

#[test]
fn nothing_expires_from_the_pivot_on() {
    let mut d = DefinitionBuilder::<Ask>::new("late", 1);
    d.step("take", DO).lasting(seconds).request(|c, ()| c.input.clone()).pivot();
    assert_eq!(d.build().map(|_| ()).unwrap_err(), DefinitionError::LastingTooLate("take"));
}
