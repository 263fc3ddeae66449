//! Every row of the table in the module's documentation.

use super::script::check;
use super::shop::shop;

const PAYING: &str = "own; hold done; stock done; quote done";
const TAKING: &str = "own; hold done; stock done; quote done; pay done";
const SHIPPING: &str = "own; hold done; stock done; quote done; pay done; take done";
/// At the edge of its budget: attempts at 0, 1, 3 and 7 seconds, the next would be at 11.
const FOUR: &str = "unknown; due hold; hold unknown; due hold; hold unknown; due hold";

#[test]
#[rustfmt::skip] // A table reads by its columns.
fn starting_calls_what_depends_on_nothing_and_arms_the_deadline() {
    check(shop, &[
        ("",    "own",     "deadline 900s, do hold#1@1, do stock#1@1, do quote#1@1"),
        ("own", "recover", "deadline 900s, do hold#1@1, do stock#1@1, do quote#1@1"),
    ]);
}

#[test]
#[rustfmt::skip]
fn do_is_answered() {
    let pay_spent = format!("{PAYING}; pay {}", FOUR.replace("hold", "pay"));
    check(shop, &[
        ("own",    "hold done",            "step_done(hold)"),
        (PAYING,   "pay done",             "step_done(pay), pivot_intent, do take#1@6"),
        (TAKING,   "take done",            "step_done(take), do ship#1@1, do mail#1@4"),
        ("own",    "stock refused",        "step_refused(stock NO), turned_back(refused stock), undo hold#1@3"),
        (TAKING,   "take refused",         "step_refused(take NO), turned_back(refused take), undo pay#1@8"),
        (SHIPPING, "ship refused",         "step_parked(ship: it refused (NO) after the pivot, where it must not)"),
        ("own",    "hold notnow",          "wait 1s do hold#2"),
        ("own",    "hold notnow(3s)",      "wait 3s do hold#2"),
        ("own",    "hold unknown",         "wait 1s do hold#2"),
        ("own",    "hold unknown(3s)",     "wait 3s do hold#2"),
        (TAKING,   "take unknown",         "wait 1s do take#2"),
        (PAYING,   "pay pending",          "step_waiting(pay 60s), wait 1s do pay#2"),
        (PAYING,   "pay asks",             "step_waiting(pay 60s), wait 1s do pay#2"),
        ("own",    "hold broken",          "step_parked(hold: a bug)"),
        ("own",    "hold superseded",      "step_parked(hold: superseded although this node owns the saga: settled)"),
        (&pay_spent, "pay unknown",        "turned_back(gave up pay: silence), undo pay#1@5"),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_spent_budget_turns_back_before_the_pivot_closes_at_it_and_parks_after_it() {
    let first = |step: &str| FOUR.replace("hold", step);
    let hold = format!("own; hold {}", first("hold"));
    let take = format!("{TAKING}; take {}", first("take"));
    let ship = format!("{SHIPPING}; ship {}", first("ship"));
    check(shop, &[
        (&hold, "hold unknown", "turned_back(gave up hold: silence), undo stock#1@2, undo hold#1@2"),
        (&hold, "hold notnow",  "turned_back(gave up hold: not now), undo stock#1@2, undo hold#1@2"),
        (&take, "take unknown", "close_intent(take), close take#5@7"),
        (&take, "take notnow",  "close_intent(take), close take#5@7"),
        (&ship, "ship unknown", "step_parked(ship: no answer within its budget; last: silence)"),
        (&ship, "ship notnow",  "step_parked(ship: no answer within its budget; last: not now)"),
    ]);
}

#[test]
#[rustfmt::skip]
fn close_is_answered() {
    let closing = format!("{TAKING}; take {}; take unknown", FOUR.replace("hold", "take"));
    let silent = format!("{closing}; take unknown; due take; take unknown; due take");
    check(shop, &[
        (&closing, "take done",       "step_done(take), do ship#1@1, do mail#1@4"),
        (&closing, "take refused",    "step_refused(take NO), turned_back(refused take), undo pay#1@9"),
        (&closing, "take notnow",     "wait 4s close take#6"),
        (&closing, "take unknown",    "wait 4s close take#6"),
        (&closing, "take unknown(5s)", "wait 5s close take#6"),
        (&closing, "take pending",    "wait 4s close take#6"),
        (&closing, "take broken",     "step_parked(take: a bug), rest"),
        (&closing, "take superseded", "step_parked(take: settled), rest"),
        (&silent,  "take unknown",    "step_parked(take: no answer within its budget; last: silence), rest"),
    ]);
}

#[test]
#[rustfmt::skip]
fn undo_is_answered() {
    let back = "own; hold done; stock refused";
    let silent = format!("{back}; hold unknown; due hold; hold unknown; due hold; hold unknown; due hold");
    check(shop, &[
        (back,    "hold done",       "undo_done(hold), compensated, rest"),
        (back,    "hold notnow",     "wait 2s undo hold#2"),
        (back,    "hold notnow(9s)", "wait 9s undo hold#2"),
        (back,    "hold unknown",    "wait 2s undo hold#2"),
        (back,    "hold pending",    "wait 2s undo hold#2"),
        (back,    "hold refused",    "undo_parked(hold: its undo was refused (NO), which no undo may be), rest"),
        (back,    "hold broken",     "undo_parked(hold: a bug), rest"),
        (back,    "hold superseded", "undo_parked(hold: its undo was superseded: settled), rest"),
        (&silent, "hold unknown",    "undo_parked(hold: no answer within its budget; last: silence), rest"),
    ]);
}

#[test]
#[rustfmt::skip]
fn deadline_and_cancel_turn_back_until_the_pivot_begins() {
    let parked = "own; quote done; stock done; hold broken";
    let ended = "own; hold refused; stock done";
    check(shop, &[
        ("own",    "deadline",       "turned_back(deadline), undo stock#1@2, undo hold#1@2"),
        (PAYING,   "deadline",       "turned_back(deadline), undo pay#1@5"),
        (PAYING,   "early deadline", "deadline 900s"),
        (TAKING,   "deadline",       ""),
        (SHIPPING, "deadline",       ""),
        (parked,   "deadline",       "rest"),
        ("own",    "cancel",         "turned_back(cancelled: asked to), undo stock#1@2, undo hold#1@2"),
        (parked,   "cancel",         "turned_back(cancelled: asked to), undo stock#1@5, undo hold#1@5"),
        ("own; cancel", "cancel",    ""),
        ("own; cancel", "deadline",  ""),
        (TAKING,   "cancel",         "! the pivot has begun; from then on it only goes forward"),
        (SHIPPING, "cancel",         "! the pivot has begun; from then on it only goes forward"),
        (ended,    "cancel",         "! the saga has ended"),
        (ended,    "deadline",       "rest"),
    ]);
}

#[test]
#[rustfmt::skip]
fn wake_asks_again_what_waits_for_the_customer() {
    let waiting = format!("{PAYING}; pay pending");
    let asked = format!("{waiting}; wake");
    check(shop, &[
        (&waiting, "wake", "do pay#2@4"),
        (&asked,   "wake", ""),
        (PAYING,   "wake", ""),
        ("own; hold unknown", "wake", ""),
        ("own; cancel",       "wake", ""),
    ]);
}

#[test]
#[rustfmt::skip]
fn resume_calls_what_was_parked() {
    let undo_parked = "own; hold done; stock refused; hold broken";
    let ship_parked = format!("{SHIPPING}; ship broken");
    check(shop, &[
        ("own; hold broken", "resume", "resumed, do hold#2@3"),
        (undo_parked,        "resume", "resumed, undo hold#2@6"),
        (&ship_parked,       "resume", "resumed, do ship#2@9"),
        ("own",              "resume", "! nothing of the saga is parked"),
        (SHIPPING,           "resume", "! nothing of the saga is parked"),
    ]);
}
