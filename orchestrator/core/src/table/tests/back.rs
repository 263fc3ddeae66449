//! Turning back: who is undone, in which order, and what a parked undo means for the others.

use super::script::{World, check};
use super::shop::{Answer, Ask, UNDO, fork, graph, shop};
use crate::definition::{Definition, DefinitionBuilder, Operation};
use crate::retry::RetryPolicy;
use crate::status::Status;

/// a -> {b ∥ c} -> d.
fn diamond() -> Definition {
    graph(&[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"])])
}

/// Two chains that share nothing: a -> b, x -> y.
fn chains() -> Definition {
    graph(&[("a", &[]), ("b", &["a"]), ("x", &[]), ("y", &["x"])])
}

const ALL_OF_DIAMOND: &str = "own; a done; b done; c done; cancel";

#[test]
#[rustfmt::skip] // A table reads by its columns.
fn undo_runs_in_reverse_dependency_order_and_in_parallel_where_the_graph_allows() {
    check(diamond, &[
        ("own; a done; b done; c done",        "cancel", "turned_back(cancelled: asked to), undo d#1@5"),
        (ALL_OF_DIAMOND,                       "d done", "undo_done(d), undo c#1@5, undo b#1@5"),
        ("own; a done; b done; c done; cancel; d done",         "b done", "undo_done(b)"),
        ("own; a done; b done; c done; cancel; d done; b done", "c done", "undo_done(c), undo a#1@5"),
        ("own; a done; b done; c done; cancel; d done; c done; b done", "a done", "undo_done(a), compensated, rest"),
    ]);
    check(chains, &[
        ("own; a done; x done",         "cancel", "turned_back(cancelled: asked to), undo y#1@4, undo b#1@4"),
        ("own; a done; x done; cancel", "b done", "undo_done(b), undo a#1@4"),
        ("own; a done; x done; cancel; b done; y unknown", "a done", "undo_done(a)"),
    ]);
}

#[test]
#[rustfmt::skip]
fn only_what_may_have_run_is_undone() {
    let parked_pay = "own; hold done; stock done; quote done; pay done; take refused; pay done";
    check(diamond, &[
        ("",                               "cancel", "turned_back(cancelled: asked to), compensated, rest"),
        ("own",                            "cancel", "turned_back(cancelled: asked to), undo a#1@2"),
        ("own; a notnow",                  "cancel", "turned_back(cancelled: asked to), compensated, rest"),
        ("own; a notnow; due a",           "cancel", "turned_back(cancelled: asked to), undo a#1@2"),
        ("own; a unknown",                 "cancel", "turned_back(cancelled: asked to), undo a#1@2"),
        ("own; a unknown; due a; a notnow","cancel", "turned_back(cancelled: asked to), undo a#1@2"),
        ("own; a done; b notnow; c done",  "cancel", "turned_back(cancelled: asked to), undo c#1@4"),
        ("own",                            "a refused", "step_refused(a NO), turned_back(refused a), compensated, rest"),
        ("own; a unknown; due a",          "a refused", "step_refused(a NO), turned_back(refused a), compensated, rest"),
    ]);
    check(shop, &[
        // Neither the pivot nor a step that needs no undo.
        (parked_pay, "stock done", "undo_done(stock)"),
        (&format!("{parked_pay}; stock done"), "hold done", "undo_done(hold), compensated, rest"),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_refusing_guard_is_a_refusal_of_a_step_that_was_never_called() {
    check(shop, &[
        ("own; hold done; stock done", "quote done(dear)",
         "step_done(quote), step_refused(pay TOTAL_CHANGED uncalled), turned_back(refused pay), undo stock#1@6, undo hold#1@6"),
        ("own; hold done; stock done", "quote done(fair)", "step_done(quote), do pay#1@4"),
    ]);
    let mut world = World::new(shop());
    world.run("own; hold done; stock done; quote done(dear)");
    let pay = world.step("pay");
    assert_eq!((world.saga.step(pay).attempts, world.saga.step(pay).maybe_run), (0, false));
    assert_eq!(world.saga.refusal().map(|(step, refusal)| (step, refusal.reason.as_str())), Some((pay, "TOTAL_CHANGED")));
}

#[test]
#[rustfmt::skip]
fn what_the_turn_overtakes_in_its_own_transition_is_neither_called_nor_undone() {
    check(fork, &[
        ("own", "a done(dear)", "step_done(a), step_refused(c TOTAL_CHANGED uncalled), turned_back(refused c), undo a#1@4"),
        ("own; a done(dear)", "a done", "undo_done(a), compensated, rest"),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_parked_undo_counts_as_passed_for_the_others_and_keeps_the_saga_open() {
    let lost_d = format!("{ALL_OF_DIAMOND}; d broken");
    let lost_both = format!("{lost_d}; b broken");
    check(diamond, &[
        (ALL_OF_DIAMOND, "d broken", "undo_parked(d: a bug), undo c#1@6, undo b#1@6"),
        (&lost_d,        "b broken", "undo_parked(b: a bug)"),
        (&lost_both,     "c done",   "undo_done(c), undo a#1@8"),
        (&format!("{lost_both}; c done"), "a done", "undo_done(a), rest"),
    ]);
    let mut world = World::new(diamond());
    world.run(&format!("{lost_both}; c done; a done"));
    assert_eq!(world.saga.status(), Status::Parked);
    // Among what is left the order holds again.
    assert_eq!(world.when("resume"), "resumed, undo d#2@10");
    assert_eq!(world.when("d done"), "undo_done(d), undo b#2@10");
    assert_eq!(world.saga.status(), Status::Compensating);
    assert_eq!(world.when("b done"), "undo_done(b), compensated, rest");
    assert_eq!(world.saga.status(), Status::Compensated);
}

#[test]
#[rustfmt::skip]
fn an_undo_that_gives_up_lets_the_others_go_on() {
    let silent = format!("{ALL_OF_DIAMOND}; d unknown; due d; d unknown; due d; d unknown; due d");
    check(diamond, &[
        (&silent, "d unknown", "undo_parked(d: no answer within its budget; last: silence), undo c#1@6, undo b#1@6"),
    ]);
}

#[test]
fn a_refusal_while_others_are_in_flight_undoes_those_too() {
    check(
        || graph(&[("a", &[]), ("b", &[]), ("c", &["a", "b"])]),
        &[
            ("own", "a refused", "step_refused(a NO), turned_back(refused a), undo b#1@3"),
            ("own; a refused", "b notnow", "wait 2s undo b#2"),
            ("own; a refused", "b#1 do refused", ""),
        ],
    );
}

/// One step whose undo is tried three times.
fn thrice() -> Definition {
    let mut d = DefinitionBuilder::<Ask>::new("thrice", 1);
    d.step("a", Operation::<Ask, Answer>::new("somebody", "Do"))
        .undo_retry(RetryPolicy { attempts: 3, ..UNDO })
        .request(|c, ()| c.input.clone())
        .compensated_by(Operation::<Ask, Answer>::new("somebody", "Undo"), |c| c.input.clone());
    d.build().unwrap()
}

#[test]
fn an_undo_parks_with_its_last_attempt_and_is_resumed_with_as_many() {
    let twice = "own; cancel; a unknown; due a; a unknown; due a";
    check(
        thrice,
        &[
            ("own; cancel; a unknown; due a", "a unknown", "wait 4s undo a#3"),
            (twice, "a notnow", "undo_parked(a: no answer within its budget; last: not now), rest"),
            (&format!("{twice}; a notnow"), "resume", "resumed, undo a#4@4"),
            (&format!("{twice}; a notnow; resume"), "a notnow", "wait 8s undo a#5"),
        ],
    );
}
