//! Waiting for the customer, and for a participant that does not answer.

use std::time::Duration;

use super::script::{World, check};
use super::shop::{CUSTOMER, shop};
use crate::Status;
use crate::saga::Activity;

const PAYING: &str = "own; hold done; stock done; quote done";
const WAITING: &str = "own; hold done; stock done; quote done; pay pending";
const TAKING: &str = "own; hold done; stock done; quote done; pay done";

#[test]
fn the_customer_is_waited_for_at_growing_intervals_until_exactly_the_deadline() {
    let mut world = World::new(shop());
    world.run(WAITING);
    let began = world.now;
    let mut asked_at = Vec::new();
    loop {
        world.run("due pay");
        asked_at.push(began.until(world.now).as_secs());
        if world.when("pay pending").starts_with("turned_back") {
            break;
        }
        assert_eq!(world.saga.status(), Status::Waiting);
    }
    assert_eq!(asked_at, [1, 3, 7, 11, 15, 19, 23, 27, 31, 35, 39, 43, 47, 51, 55, 59, 60]);
    assert_eq!(world.saga.status(), Status::Compensating);
    assert!(world.records(0).contains("turned_back(unfinished pay)"));
}

#[test]
#[rustfmt::skip] // A table reads by its columns.
fn a_wait_is_recorded_once_and_again_when_the_instructions_change() {
    check(shop, &[
        (PAYING,                               "pay pending", "step_waiting(pay 60s), wait 1s do pay#2"),
        (&format!("{WAITING}; due pay"),       "pay pending", "wait 2s do pay#3"),
        (&format!("{WAITING}; due pay"),       "pay asks",    "step_waiting(pay 59s), wait 2s do pay#3"),
        (&format!("{WAITING}; due pay"),       "pay done",    "step_done(pay), pivot_intent, do take#1@7"),
        (&format!("{WAITING}; due pay"),       "pay refused", "step_refused(pay NO), turned_back(refused pay), undo stock#1@7, undo hold#1@7"),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_wake_up_is_only_a_hint() {
    check(shop, &[
        (WAITING,                                "wake",        "do pay#2@4"),
        // Before the wait, twice, while asking, after giving up: nothing.
        (PAYING,                                 "wake",        ""),
        (&format!("{PAYING}; wake"),             "pay pending", "step_waiting(pay 60s), wait 1s do pay#2"),
        (&format!("{WAITING}; wake"),            "wake",        ""),
        (&format!("{WAITING}; cancel"),          "wake",        ""),
        (&format!("{WAITING}; cancel; pay done; hold done; stock done"), "wake", ""),
        // It does not lengthen the wait, and the timer that it made needless is harmless.
        (&format!("{WAITING}; after 59s; wake"), "pay pending", "wait 1s do pay#3"),
        (&format!("{WAITING}; after 60s; wake"), "pay pending", "turned_back(unfinished pay), undo pay#1@6"),
        (&format!("{WAITING}; wake"),            "due pay#2 do", ""),
    ]);
}

#[test]
#[rustfmt::skip]
fn an_answer_that_the_customer_is_awaited_renews_the_budget_for_silence() {
    let long = format!("{WAITING}; after 50s; due pay; pay pending; due pay");
    check(shop, &[
        (&long, "pay unknown", "wait 4s do pay#4"),
        (&long, "pay notnow",  "wait 4s do pay#4"),
        (&format!("{long}; pay unknown; due pay; pay unknown; due pay"), "pay unknown", "turned_back(gave up pay: silence), undo pay#1@6"),
    ]);
}

#[test]
fn what_waits_has_perhaps_run() {
    let mut world = World::new(shop());
    world.run(WAITING);
    assert!(world.saga.step(world.step("pay")).maybe_run);
    assert_eq!(world.when("cancel"), "turned_back(cancelled: asked to), undo pay#1@6");
}

#[test]
#[rustfmt::skip]
fn a_wait_at_the_pivot_ends_in_close_and_after_it_parked() {
    let take = format!("{TAKING}; take pending; after 60s; wake");
    let ship = format!("{TAKING}; take done; ship pending; after 60s; wake");
    check(shop, &[
        (&format!("{TAKING}; take pending"), "deadline", ""),
        (&take, "take pending", "close_intent(take), close take#3@8"),
        (&ship, "ship pending", "step_parked(ship: no answer within its budget; last: the customer did not finish)"),
    ]);
    let mut world = World::new(shop());
    world.run(&format!("{take}; take pending"));
    assert_eq!(world.saga.status(), Status::Running, "what is being closed waits for no customer");
}

#[test]
#[rustfmt::skip]
fn a_wait_survives_its_owner_and_keeps_its_deadline() {
    let mut world = World::new(shop());
    world.run(&format!("{WAITING}; after 40s"));
    let records = world.journal.len();
    let mut heir = world.taken_over(records);
    assert_eq!(heir.saga.status(), Status::Waiting);
    assert_eq!(heir.when("recover"), "deadline 860s, do pay#1@4");
    assert_eq!(heir.when("pay pending"), "wait 1s do pay#2");
    assert_eq!(CUSTOMER, Duration::from_secs(60));
    heir.run("after 20s; wake");
    assert_eq!(heir.when("pay pending"), "turned_back(unfinished pay), undo pay#1@6");
}

#[test]
fn a_saga_parked_elsewhere_does_not_ask_its_customer_until_it_is_resumed() {
    let given = "own; hold done; stock done; quote done; pay pending; due pay; pay broken";
    let mut world = World::new(shop());
    world.run(given);
    assert_eq!(world.saga.status(), Status::Parked);
    assert_eq!(world.when("wake"), "");
    assert_eq!(world.when("resume"), "resumed, do pay#3@7");
}

#[test]
fn an_attempt_may_start_at_the_very_end_of_the_budget_and_not_after_it() {
    // The budget is 10 s, counted from the first attempt.
    check(
        shop,
        &[
            ("own", "hold notnow(10s)", "wait 10s do hold#2"),
            ("own", "hold notnow(11s)", "turned_back(gave up hold: not now), undo stock#1@2"),
            ("own; after 9s", "hold unknown", "wait 1s do hold#2"),
            (
                "own; after 10s",
                "hold unknown",
                "turned_back(gave up hold: silence), undo stock#1@2, undo hold#1@2",
            ),
        ],
    );
}

/// The same whether it is known that the attempt had no effect, or not: what differs is what has to be taken back.
#[test]
fn a_time_that_is_named_is_waited_for_within_the_budget_and_ends_it_beyond() {
    let taken = format!("{TAKING}; take done; mail done");
    let (spent, closing) = (
        "step_parked(ship: no answer within its budget; last: silence), rest",
        "close_intent(take), close take#2@7",
    );
    check(
        shop,
        &[
            ("own", "hold unknown(10s)", "wait 10s do hold#2"),
            ("own", "hold unknown(11s)", "turned_back(gave up hold: silence), undo stock#1@2, undo hold#1@2"),
            // Before a later attempt, what an earlier one left in doubt stays so.
            (
                "own; hold unknown(1s); due hold",
                "hold notnow(11s)",
                "turned_back(gave up hold: not now), undo stock#1@2, undo hold#1@2",
            ),
            (TAKING, "take unknown(10s)", "wait 10s do take#2"),
            (TAKING, "take unknown(11s)", closing),
            (TAKING, "take notnow(11s)", closing),
            (&taken, "ship unknown(10s)", "wait 10s do ship#2"),
            (&taken, "ship unknown(11s)", spent),
        ],
    );
}

#[test]
fn undo_has_its_own_budget_which_starts_with_its_first_call() {
    let back = "own; hold done; after 500s; stock refused";
    check(
        shop,
        &[
            (back, "hold notnow(20s)", "wait 20s undo hold#2"),
            (back, "hold notnow(21s)", "undo_parked(hold: no answer within its budget; last: not now), rest"),
        ],
    );
}

#[test]
fn a_resumed_step_has_its_whole_budget_again() {
    let given = "own; hold done; stock done; quote done; pay done; take done; mail done; ship broken; after 900s; resume";
    check(shop, &[(given, "ship unknown", "wait 2s do ship#3")]);
    let undo = "own; hold done; stock refused; hold broken; after 900s; resume";
    check(shop, &[(undo, "hold unknown", "wait 4s undo hold#3")]);
}

#[test]
fn a_hint_beyond_all_time_saturates() {
    let mut world = World::new(shop());
    world.run("own; hold done; stock refused");
    let step = world.step("hold");
    let outcome = crate::Outcome::NotNow { after: Duration::MAX, why: "never".into() };
    let event = crate::Event::Replied { step, op: crate::Op::Undo, attempt: 1, outcome };
    world.happens(event).unwrap();
    assert_eq!(world.saga.step(step).activity, Activity::Idle);
    assert_eq!(world.saga.status(), Status::Parked);
}
