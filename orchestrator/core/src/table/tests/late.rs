//! What comes late, twice or never asked for changes nothing, or is an error with a name.

use super::script::{World, check};
use super::shop::shop;
use crate::definition::StepId;
use crate::outcome::{Op, Outcome};
use crate::table::{Event, Illegal};

const OUTCOMES: [&str; 10] =
    ["done", "asks", "lies", "garbage", "refused", "notnow", "pending", "unknown", "broken", "superseded"];

/// States by the script that leads there, with a reply or timer that is not awaited there any more.
#[rustfmt::skip] // A table reads by its columns.
const STALE: [(&str, &str); 12] = [
    ("own; hold done",                                     "hold#1 do"),
    ("own; hold unknown",                                  "hold#1 do"),
    ("own; hold unknown; due hold",                        "hold#1 do"),
    ("own; hold refused",                                  "hold#1 do"),
    ("own; hold broken",                                   "hold#1 do"),
    ("own; cancel",                                        "hold#1 do"),
    ("own; cancel",                                        "stock#1 do"),
    ("own; cancel; hold done",                             "hold#1 undo"),
    ("own; cancel; hold broken",                           "hold#1 undo"),
    ("own; cancel; hold unknown; due hold",                "hold#1 undo"),
    ("own; cancel; hold done; stock done",                 "hold#1 undo"),
    ("own; hold done; stock done; quote done; pay done; take done; ship done; mail done", "take#1 do"),
];

#[test]
fn a_late_or_repeated_reply_changes_nothing() {
    for (given, named) in STALE {
        for outcome in OUTCOMES {
            let mut world = World::new(shop());
            world.run(given);
            let before = world.saga.clone();
            assert_eq!(world.when(&format!("{named} {outcome}")), "", "{given} | {named} {outcome}");
            assert_eq!(world.saga, before, "{given} | {named} {outcome}");
        }
    }
}

#[test]
fn a_stale_timer_changes_nothing() {
    for (given, named) in STALE {
        let mut world = World::new(shop());
        world.run(given);
        let before = world.saga.clone();
        assert_eq!(world.when(&format!("due {named}")), "", "{given} | due {named}");
        assert_eq!(world.saga, before, "{given} | due {named}");
    }
}

#[test]
fn a_reply_to_a_do_is_no_answer_to_the_close_that_followed_it() {
    let closing = "own; hold done; stock done; quote done; pay done; \
                   take unknown; due take; take unknown; due take; take unknown; due take; take unknown";
    check(shop, &[(closing, "take#4 do refused", ""), (closing, "take#5 do done", "")]);
}

#[test]
#[rustfmt::skip]
fn what_was_never_asked_is_an_error_with_a_name() {
    check(shop, &[
        ("own",              "hold#2 do done",   "! a reply to do attempt 2 of step 0, which was never made"),
        ("own",              "hold#0 do done",   "! a reply to do attempt 0 of step 0, which was never made"),
        ("own",              "pay#1 do done",    "! a reply to do attempt 1 of step 3, which was never made"),
        ("own",              "hold#1 undo done", "! a reply to undo attempt 1 of step 0, which was never made"),
        ("own; hold refused", "hold#1 undo done", "! a reply to undo attempt 1 of step 0, which was never made"),
    ]);
    let mut world = World::new(shop());
    world.run("own");
    let step = StepId::new(20).unwrap();
    let outcome = Outcome::Done(bytes::Bytes::new());
    let reply = Event::Replied { step, op: Op::Do, attempt: 1, outcome };
    assert_eq!(world.happens(reply), Err(Illegal::NoSuchStep(20)));
    assert_eq!(world.happens(Event::RetryDue { step, op: Op::Do, attempt: 1 }), Err(Illegal::NoSuchStep(20)));
}

#[test]
fn nothing_follows_the_end() {
    let completed = "own; hold done; stock done; quote done; pay done; take done; ship done; mail done";
    for given in [completed, "own; hold refused; stock done"] {
        for event in ["wake", "deadline", "recover", "due hold#1 do", "hold#1 do refused", "resume", "cancel"]
        {
            let mut world = World::new(shop());
            world.run(given);
            assert!(world.saga.status().is_final());
            let (records, said) = (world.journal.len(), world.when(event));
            assert!(said.is_empty() || said == "rest" || said.starts_with('!'), "{given} | {event}: {said}");
            assert_eq!(world.journal.len(), records, "{given} | {event}");
        }
    }
}
