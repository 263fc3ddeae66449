//! What sets a parked saga going again, and what does not.

use super::script::{World, check};
use super::shop::{Ask, shop};
use crate::saga::Saga;
use crate::status::Status;
use crate::table::MAX_REQUEST_BYTES;
use prost::Message as _;

const SHIPPING: &str = "own; hold done; stock done; quote done; pay done; take done; mail done";

/// Says so of a step until its budget is spent.
fn silence(step: &str, times: usize) -> String {
    vec![format!("{step} unknown"); times].join(&format!("; due {step}; "))
}

#[test]
fn a_participant_that_answers_again_sets_going_what_its_silence_parked_and_nothing_else() {
    let ship = format!("{SHIPPING}; {}", silence("ship", 4));
    let undo = format!("own; hold done; stock refused; {}", silence("hold", 4));
    check(
        shop,
        &[
            (&ship, "available somebody", "resumed, do ship#5@10"),
            (&ship, "available nobody", ""),
            (&undo, "available somebody", "resumed, undo hold#5@6"),
            (&format!("{SHIPPING}; ship broken"), "available somebody", ""),
            ("own; hold broken", "available somebody", ""),
            ("own", "available somebody", ""),
        ],
    );
}

#[test]
fn what_is_to_be_asked_again_later_is_asked_when_its_participant_knows_more() {
    let back = "own; hold done; stock refused; hold unknown";
    check(
        shop,
        &[
            ("own; hold unknown", "available somebody", "do hold#2@1"),
            ("own; hold unknown", "available nobody", ""),
            ("own; hold unknown; available somebody", "due hold#2 do", ""),
            ("own; hold unknown; available somebody", "available somebody", ""),
            ("own; hold unknown; poison", "available somebody", ""),
            (back, "available somebody", "undo hold#2@4"),
            (&format!("{SHIPPING}; ship unknown"), "available somebody", "do ship#2@1"),
        ],
    );
}

#[test]
fn what_a_fault_parked_stays_parked_when_its_neighbour_goes_on() {
    let mut world = World::new(shop());
    world.run("own; hold done; stock done; quote done; pay refused; hold broken");
    world.run(&silence("stock", 4));
    assert_eq!(world.when("available somebody"), "resumed, undo stock#5@9");
    world.run("stock done");
    let hold = world.step("hold");
    assert_eq!(world.saga.status(), Status::Parked);
    assert!(world.saga.step(hold).undo_parked.is_some());
}

#[test]
fn a_poisoned_saga_makes_no_call_and_hears_no_answer() {
    check(
        shop,
        &[
            ("own; stock done", "poison", "poisoned(it panicked), rest"),
            ("own; poison", "hold#1 do done", ""),
            ("own; poison", "poison", "rest"),
            ("own; poison", "deadline", "rest"),
            ("own; poison", "wake", ""),
            ("own; hold unknown; poison", "due hold#2 do", ""),
            ("own; quote done; poison", "resume", "resumed, do hold#2@4, do stock#2@4"),
            ("own; poison", "cancel", "turned_back(cancelled: asked to), undo stock#1@3, undo hold#1@3"),
            ("own; cancel; poison", "resume", "resumed, undo stock#2@4, undo hold#2@4"),
            ("own; hold refused; stock done", "poison", "! the saga has ended"),
        ],
    );
}

#[test]
fn poison_is_in_the_journal() {
    let mut world = World::new(shop());
    world.run("own; hold done; poison");
    let folded = Saga::replay(&world.definition, world.saga.id, &world.journal).unwrap();
    assert_eq!((folded.status(), folded.poisoned.as_deref()), (Status::Parked, Some("it panicked")));
    let mut heir = world.taken_over(3);
    assert_eq!(heir.when("recover"), "deadline 900s, rest");
    assert_eq!(heir.when("resume"), "resumed, do stock#1@4, do quote#1@4");
}

#[test]
fn a_request_at_the_limit_is_sent_and_one_byte_more_parks() {
    let asked = |bytes: usize| {
        let mut world = World::with_input(shop(), Ask { word: "x".repeat(bytes) }.encode_to_vec().into());
        world.when("own")
    };
    // Tag and length of the one field.
    let most = MAX_REQUEST_BYTES - 4;
    assert_eq!(asked(most), "deadline 900s, do hold#1@1, do stock#1@1, do quote#1@1");
    assert_eq!(
        asked(most + 1),
        "step_parked(hold: its request: it has 1048577 bytes, over the limit of 1048576), deadline 900s, rest"
    );
}
