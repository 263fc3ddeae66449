//! What must be durable before which call: the number after `@`, row by row of the safety table.

use super::script::check;
use super::shop::shop;

/// Records: started 1, quote 2, hold 3, stock 4.
const PAYING: &str = "own; quote done; hold done; stock done";
/// Then: pay 5, pivot_intent 6.
const TAKING: &str = "own; quote done; hold done; stock done; pay done";
const SPENT: &str = "take unknown; due take; take unknown; due take; take unknown; due take";

#[test]
#[rustfmt::skip] // A table reads by its columns.
fn a_forward_call_waits_for_started_and_nothing_that_repeats_the_same() {
    let after_take = format!("{TAKING}; take done");
    check(shop, &[
        ("",           "own",         "deadline 900s, do hold#1@1, do stock#1@1, do quote#1@1"),
        ("own; hold unknown", "due hold", "do hold#2@1"),
        (TAKING,       "take done",   "step_done(take), do ship#1@1, do mail#1@2"),
        (&after_take,  "ship notnow", "wait 1s do ship#2"),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_call_that_uses_an_output_that_may_differ_waits_for_it() {
    check(shop, &[
        ("own; quote done; hold done",  "stock done", "step_done(stock), do pay#1@2"),
        ("own; hold done; quote done",  "stock done", "step_done(stock), do pay#1@3"),
        ("own; hold done; stock done",  "quote done", "step_done(quote), do pay#1@4"),
    ]);
    let unknown = format!("{PAYING}; pay unknown");
    let pending = format!("{PAYING}; pay pending");
    check(shop, &[
        (&unknown, "due pay", "do pay#2@2"),
        (&pending, "wake",    "do pay#2@2"),
    ]);
}

#[test]
#[rustfmt::skip]
fn the_pivot_waits_for_its_intent_and_so_for_the_whole_prefix() {
    let unknown = format!("{TAKING}; take unknown");
    check(shop, &[
        (PAYING,   "pay done", "step_done(pay), pivot_intent, do take#1@6"),
        (&unknown, "due take", "do take#2@6"),
    ]);
}

#[test]
#[rustfmt::skip]
fn close_waits_for_its_intent() {
    let spent = format!("{TAKING}; {SPENT}");
    let again = format!("{TAKING}; {SPENT}; take unknown; take notnow");
    check(shop, &[
        (&spent, "take unknown", "close_intent(take), close take#5@7"),
        (&again, "due take",     "close take#6@7"),
    ]);
}

#[test]
#[rustfmt::skip]
fn undo_waits_for_the_turn() {
    let back = format!("{PAYING}; pay refused");
    let one = format!("{back}; hold done");
    let parked = format!("{back}; hold broken");
    check(shop, &[
        (PAYING,  "pay refused", "step_refused(pay NO), turned_back(refused pay), undo stock#1@6, undo hold#1@6"),
        (PAYING,  "cancel",      "turned_back(cancelled: asked to), undo pay#1@5"),
        ("own; quote done; hold done; stock done; cancel; pay done", "hold unknown", "wait 2s undo hold#2"),
        (&one,    "stock notnow", "wait 2s undo stock#2"),
        (&parked, "resume",      "resumed, undo hold#2@8"),
    ]);
}

#[test]
fn the_order_of_replies_does_not_change_what_undo_waits_for() {
    let back = "own; quote done; hold done; stock done; cancel; pay notnow";
    check(
        shop,
        &[
            (back, "due pay", "undo pay#2@5"),
            (&format!("{back}; due pay"), "pay done", "undo_done(pay), undo stock#1@5, undo hold#1@5"),
        ],
    );
}

#[test]
fn an_undo_that_passes_a_parked_one_waits_for_the_record_of_it() {
    // Lost in a crash, it would be an undo out of order that nothing explains.
    let back = "own; quote done; hold done; stock done; cancel";
    check(
        shop,
        &[
            (back, "pay broken", "undo_parked(pay: a bug), undo stock#1@6, undo hold#1@6"),
            (&format!("{back}; pay broken; hold unknown; resume"), "due hold", "undo hold#2@7"),
        ],
    );
}
