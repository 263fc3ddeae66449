//! What cannot be delivered is made good by a return; and notes, which change nothing.

use super::super::MAX_NOTES;
use super::script::{World, check};
use super::shop::{graph, shop};
use crate::explain;
use crate::saga::{End, Saga};
use crate::status::Status;

const TAKING: &str = "own; hold done; stock done; quote done; pay done";
const TAKEN: &str = "own; hold done; stock done; quote done; pay done; take done";
/// Parked by a fault, and nothing else under way.
const STUCK: &str = "own; hold done; stock done; quote done; pay done; take done; mail done; ship broken";

/// Parked by silence, which is tried again when somebody answers.
fn silenced() -> String {
    format!("{TAKEN}; mail done; {}", ["ship unknown"; 4].join("; due ship; "))
}

#[test]
#[rustfmt::skip] // A table reads by its columns.
fn what_is_parked_after_its_pivot_is_made_good_by_a_return_and_nothing_else_is() {
    let closing = format!("{TAKING}; {}", ["take unknown"; 4].join("; due take; "));
    check(shop, &[
        (STUCK,                                   "make good", "made_good(9), rest"),
        (&format!("{STUCK}; poison"),             "make good", "made_good(9), rest"),
        (&format!("{TAKEN}; poison"),             "make good", "made_good(9), rest"),
        // What waits for its next attempt gets none.
        (&format!("{TAKEN}; mail unknown; ship broken"), "make good", "made_good(9), rest"),
        (&format!("{TAKEN}; ship broken"),        "make good", "! step 6 is being called right now; decide again when it is answered"),
        (TAKEN,                                   "make good", "! nothing of the saga is parked"),
        (&format!("{TAKING}; take broken"),       "make good", "! its pivot is not done; before that there is nothing to return"),
        (&format!("{closing}; take broken"),      "make good", "! its pivot is not done; before that there is nothing to return"),
        ("own; quote done; stock done; hold broken", "make good", "! its pivot is not done; before that there is nothing to return"),
        ("own; hold done; stock refused; hold broken", "make good", "! its pivot is not done; before that there is nothing to return"),
        (&format!("{TAKEN}; mail done; ship done"), "make good", "! the saga has ended"),
        (&format!("{STUCK}; make good"),          "make good", "! return 00000000-0000-0000-0000-000000000009 makes it good; nothing else is done about it meanwhile"),
    ]);
}

#[test]
fn a_definition_that_names_no_return_is_never_made_good() {
    let row = ("own; a broken", "make good", "! no return makes a saga of this definition good");
    check(|| graph(&[("a", &[])]), &[row]);
}

#[test]
#[rustfmt::skip]
fn from_then_on_no_call_is_made_whoever_asks_for_one() {
    let good = format!("{STUCK}; make good");
    let silent = format!("{}; make good", silenced());
    check(shop, &[
        (&good,   "resume",             "! return 00000000-0000-0000-0000-000000000009 makes it good; nothing else is done about it meanwhile"),
        (&good,   "cancel",             "! the pivot has begun; from then on it only goes forward"),
        (&good,   "wake",               ""),
        (&good,   "deadline",           "rest"),
        (&good,   "own",                "rest"),
        (&good,   "recover",            "rest"),
        (&silent, "available somebody", ""),
        (&silent, "ship#2 do done",     ""),
        (&format!("{TAKEN}; mail unknown; ship broken; make good"), "due mail#2 do", ""),
    ]);
}

#[test]
#[rustfmt::skip]
fn it_completes_with_its_return_and_is_its_person_s_again_if_that_turns_back() {
    let good = format!("{STUCK}; make good");
    let back = format!("{good}; returned back");
    check(shop, &[
        (&good, "returned",           "completed, rest"),
        (&good, "returned elsewhere", ""),
        (&good, "returned back",      "not_made_good(refund refused), rest"),
        (STUCK, "returned",           ""),
        (&format!("{good}; returned"), "returned",      ""),
        (&format!("{good}; returned"), "returned back", ""),
        // Parked as a whole: nobody's answer delivers by itself what a person decided to return.
        (&format!("{}; make good; returned back", silenced()), "available somebody", ""),
        (&back, "returned",           ""),
        (&back, "resume",             "resumed, do ship#2@12"),
        (&back, "make good",          "made_good(9), rest"),
    ]);
}

#[test]
fn it_shows_as_parked_until_its_return_has_ended_and_survives_its_owner() {
    let mut world = World::new(shop());
    world.run(STUCK);
    world.run("make good");
    assert_eq!(world.saga.status(), Status::Parked);
    let told = explain(&world.definition, &world.saga);
    assert!(told.starts_with("Being made good by return 00000000-0000-0000-0000-000000000009"), "{told}");
    let records = world.journal.len();
    let mut heir = world.taken_over(records);
    assert_eq!((heir.saga.status(), heir.when("recover").as_str()), (Status::Parked, "rest"));
    assert_eq!(heir.when("returned"), "completed, rest");
    assert_eq!((heir.saga.status(), heir.saga.end), (Status::Completed, Some(End::Completed)));
    assert!(heir.saga.made_good.is_some(), "an end that says how it came about");
    assert_eq!(explain(&heir.definition, &heir.saga), "Completed: what was not done was returned instead.");
}

#[test]
#[rustfmt::skip]
fn a_note_is_written_once_on_whatever_has_not_ended_and_changes_nothing() {
    check(shop, &[
        ("own",                           "note seen",  "noted(seen)"),
        ("own; note seen",                "note seen",  ""),
        ("own; note seen",                "note other", "noted(other)"),
        (STUCK,                           "note seen",  "noted(seen)"),
        (&format!("{STUCK}; make good"),  "note seen",  "noted(seen)"),
        ("own; poison",                   "note seen",  "noted(seen)"),
        ("own; cancel",                   "note seen",  "noted(seen)"),
        ("own; hold refused; stock done", "note seen",  "! the saga has ended"),
        (&format!("{TAKEN}; mail done; ship done"), "note seen", "! the saga has ended"),
        // What is under way goes on.
        ("own; note seen",                "hold done",  "step_done(hold)"),
        (&format!("{TAKING}; note seen"), "take done",  "step_done(take), do ship#1@1, do mail#1@4"),
    ]);
}

#[test]
fn a_saga_has_so_many_notes_and_not_one_more() {
    let mut world = World::new(shop());
    world.run("own");
    for nth in 1..MAX_NOTES {
        world.run(&format!("note n{nth}"));
    }
    assert_eq!(world.when("note last"), "noted(last)");
    assert_eq!(world.saga.notes.len(), MAX_NOTES);
    assert_eq!(world.when("note more"), "! it has 100 notes already");
    assert_eq!(world.when("note n1"), "", "what is noted is noted");
    assert_eq!(world.when("hold done"), "step_done(hold)", "and it goes on");
}

#[test]
fn notes_are_in_the_journal_and_in_the_sentence() {
    let mut world = World::new(shop());
    world.run("own; note one; after 5s; note two; note one");
    let folded = Saga::replay(&world.definition, world.saga.id, &world.journal).unwrap();
    let texts: Vec<&str> = folded.notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!((texts, folded.status()), (vec!["one", "two"], Status::Running));
    assert!(explain(&world.definition, &folded).ends_with(": two."));
}
