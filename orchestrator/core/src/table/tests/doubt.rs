//! When nobody knows whether a step's effect happened, as it stands when the step is called.

use super::script::World;
use super::shop::shop;

#[test]
#[rustfmt::skip] // A table reads by its columns.
fn a_call_is_in_doubt_once_an_attempt_was_sent_and_not_answered_for_certain() {
    let paid = "own; hold done; stock done; quote done; pay done";
    let closing = format!("{paid}; take unknown; due take; take unknown; due take; take unknown; due take");
    for (given, when, doubt) in [
        ("",                                              "own",          false), // The first calls.
        ("own; hold notnow",                              "due hold",     false), // That attempt had no effect.
        ("own; hold unknown; stock notnow",               "due stock",    false), // Another step's doubt.
        ("own; hold unknown",                             "due hold",     true),
        ("own; hold unknown(3s)",                         "due hold",     true),  // It only says when.
        ("own; hold unknown; due hold; hold notnow",      "due hold",     true),  // Only that attempt had none.
        ("own; hold pending",                             "due hold",     true),
        ("own; hold broken; stock done; quote done",      "resume",       true),  // It may follow an effect.
        ("own; hold superseded; stock done; quote done",  "resume",       true),
        ("",                                              "recover",      true),  // The former owner's calls.
        (paid,                                            "take refused", false), // Undone: it surely ran.
        ("own; hold done; quote done",                    "stock notnow; cancel", false),
        ("own; hold notnow; quote done; stock unknown",   "cancel",       true),  // Undone: it may have run.
        (&closing,                                        "take unknown", true),  // Closed.
    ] {
        let mut world = World::new(shop());
        let (before, last) = when.rsplit_once("; ").unwrap_or(("", when));
        world.run(&format!("{given}; {before}"));
        let said = world.when(last);
        let called = world.called.unwrap_or_else(|| panic!("`{when}` after `{given}` asks for no call: {said}"));
        assert_eq!(world.saga.maybe_run(called.step), doubt, "given {given}, when {when}: {said}");
    }
}
