//! Replies that cannot be believed, and definitions that cannot ask.

use bytes::Bytes;
use prost::Message;

use super::script::{World, check};
use super::shop::{Ask, graph, shop};
use crate::Status;

const PAYING: &str = "own; hold done; stock done; quote done";
const TAKING: &str = "own; hold done; stock done; quote done; pay done";
const TAKEN: &str = "own; hold done; stock done; quote done; pay done; take done";

#[test]
fn an_unbelievable_reply_parks_that_step_and_makes_it_maybe_run() {
    for (word, why) in [
        ("lies", "it lies"),
        ("garbage", "the answer does not decode"),
        ("broken", "a bug"),
        ("superseded", "superseded although"),
    ] {
        for (given, step) in [(PAYING, "pay"), (TAKING, "take"), (TAKEN, "ship")] {
            let mut world = World::new(shop());
            world.run(given);
            let said = world.when(&format!("{step} {word}"));
            assert!(said.starts_with(&format!("step_parked({step}: {why}")), "{step} {word}: {said}");
            assert!(world.saga.step(world.step(step)).maybe_run, "{step} {word}");
            assert_eq!(world.saga.status(), Status::Parked, "{step} {word}");
        }
    }
}

#[test]
#[rustfmt::skip] // A table reads by its columns.
fn what_was_parked_by_a_hostile_reply_is_undone_when_the_saga_turns_back() {
    let lies = format!("{PAYING}; pay lies");
    let back_to_work = format!("{lies}; resume");
    check(shop, &[
        (&lies,         "cancel",      "turned_back(cancelled: asked to), undo pay#1@6"),
        (&back_to_work, "pay done",    "step_done(pay), pivot_intent, do take#1@8"),
        (&back_to_work, "pay refused", "step_refused(pay NO), turned_back(refused pay), undo stock#1@8, undo hold#1@8"),
        (&back_to_work, "cancel",      "turned_back(cancelled: asked to), undo pay#1@7"),
    ]);
}

#[test]
fn turning_back_takes_a_parked_step_to_work_again() {
    let mut world = World::new(shop());
    world.run(&format!("{PAYING}; pay lies"));
    assert_eq!(world.saga.status(), Status::Parked);
    world.run("cancel");
    assert_eq!(world.saga.status(), Status::Compensating);
    assert!(world.when("resume").starts_with('!'), "nothing is parked any more");
}

#[test]
#[rustfmt::skip]
fn before_the_pivot_a_parked_saga_makes_no_further_call_after_it_the_others_go_on() {
    let others = "own; hold broken; stock notnow; quote done";
    check(shop, &[
        ("own; hold broken",                     "stock done", "step_done(stock)"),
        ("own; hold broken; stock done",         "quote done", "step_done(quote), rest"),
        ("own; hold broken; quote done",         "stock refused", "step_refused(stock NO), turned_back(refused stock), undo hold#1@5"),
        (others,                                 "due stock",  "rest"),
        (&format!("{others}; due stock"),        "resume",     "resumed, do hold#2@4, do stock#2@4"),
        (&format!("{TAKEN}; ship broken"),       "mail done",  "step_done(mail), rest"),
        (&format!("{TAKEN}; ship broken; mail notnow"), "due mail", "do mail#2@4"),
        (&format!("{TAKEN}; ship broken; mail done; resume"), "ship done", "step_done(ship), completed, rest"),
    ]);
}

#[test]
fn a_parked_saga_rests_also_when_its_deadline_has_passed() {
    // The step that was backing off is asleep with the saga, not waiting for a timer that is gone.
    let asleep = "own; quote done; hold broken; stock notnow; after 1000s; due stock";
    check(
        shop,
        &[
            ("own; quote done; hold broken; stock notnow; after 1000s", "due stock", "rest"),
            (asleep, "resume", "resumed, turned_back(deadline), undo hold#1@5"),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn a_close_that_cannot_be_believed_parks_and_closes_again_when_resumed() {
    let closing = format!("{TAKING}; take unknown; due take; take unknown; due take; take unknown; due take; take unknown");
    let parked = format!("{closing}; take lies");
    check(shop, &[
        (&closing, "take lies", "step_parked(take: it lies), rest"),
        (&parked,  "resume",    "resumed, close take#6@9"),
        (&parked,  "cancel",    "! the pivot has begun; from then on it only goes forward"),
    ]);
}

#[test]
fn a_pivot_that_cannot_be_asked_for_has_not_begun() {
    let unaskable = || {
        let input = Ask { word: "unaskable".into() }.encode_to_vec();
        let mut world = World::with_input(shop(), input.into());
        world.run(PAYING);
        world
    };
    assert_eq!(
        unaskable().when("pay done"),
        "step_done(pay), step_parked(take: its request: the sum overflows), rest"
    );
    let mut world = unaskable();
    world.run("pay done");
    assert_eq!(world.when("cancel"), "turned_back(cancelled: asked to), undo pay#1@7");
}

#[test]
fn an_undo_that_cannot_be_built_parks_and_lets_those_before_it_park_or_pass_at_once() {
    // Only an input that does not decode does that: nobody can say what to take back.
    let chain = || graph(&[("a", &[]), ("b", &["a"])]);
    let mut world = World::with_input(chain(), Bytes::from_static(&[0xff]));
    let said = world.when("recover");
    assert!(said.starts_with("step_parked(a: its request: the saga's input"), "{said}");
    let said = world.when("cancel");
    let parked: Vec<_> = said.match_indices("undo_parked").collect();
    assert!(parked.len() == 2 && said.ends_with("rest"), "{said}");
}
