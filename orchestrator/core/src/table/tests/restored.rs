//! A journal from a backup: what the saga did after it is known to its participants alone.

use super::script::{World, check};
use super::shop::shop;
use crate::outcome::Op;
use crate::saga::{Activity, Direction};
use crate::status::Status;

const TAKING: &str = "own; hold done; stock done; quote done; pay done";
const WHOLE: &str = "own; hold done; stock done; quote done; pay done; take done; ship done; mail done";

fn whole() -> World {
    let mut world = World::new(shop());
    world.run(WHOLE);
    assert_eq!(world.saga.status(), Status::Completed);
    world
}

/// Answers every call until nothing is called any more; says whether one was an undo.
fn answer_all(world: &mut World, answer: impl Fn(&str, Op) -> &'static str) -> bool {
    let mut undone = false;
    loop {
        let called = world.definition.step_ids().find_map(|id| match world.saga.step(id).activity {
            Activity::Calling { op, .. } => Some((world.definition.step(id).name, op)),
            _ => None,
        });
        let Some((name, op)) = called else { return undone };
        undone |= op == Op::Undo;
        world.run(&format!("{name} {}", answer(name, op)));
    }
}

#[test]
fn one_that_was_completed_since_completes_and_nothing_of_it_is_taken_back() {
    for turn in ["", "deadline", "cancel", "after 9999s"] {
        for kept in 1..whole().journal.len() {
            let mut world = whole().taken_over(kept);
            if turn.starts_with("after") {
                world.run(turn);
            }
            world.run("restore");
            match turn {
                "deadline" => world.run(turn),
                "cancel" => assert!(world.when(turn).starts_with('!'), "{}", world.records(kept)),
                _ => {}
            }
            // They remember all of it.
            let undone = answer_all(&mut world, |_, _| "done");
            assert!(!undone, "{turn} after {kept} records: {}", world.records(kept));
            assert_eq!(world.saga.status(), Status::Completed, "{turn} after {kept} records");
        }
    }
}

#[test]
fn one_that_came_no_further_is_taken_back() {
    for kept in 1..whole().journal.len() {
        let mut world = whole().taken_over(kept);
        let known = world.saga.clone();
        if known.pivot_intent.is_some() {
            break;
        }
        world.run("restore");
        let ids = shop();
        answer_all(&mut world, |name, op| match op {
            // What the journal does not know was never asked for.
            Op::Close if known.output(ids.find(name).unwrap()).is_none() => "refused",
            _ => "done",
        });
        assert_eq!(world.saga.status(), Status::Compensated, "after {kept} records");
    }
}

/// Without this the first test shows nothing.
#[test]
fn without_the_word_that_it_was_restored_it_is_taken_back_at_once() {
    let mut world = whole().taken_over(4);
    world.run("recover; deadline");
    assert!(matches!(world.saga.direction, Direction::Back(_)));
}

const ASKED: &str = "noted(restored from a backup: its participants are asked how far it came)";

#[test]
#[rustfmt::skip] // A table reads by its columns.
fn it_asks_how_far_it_came_before_anything_else() {
    let paying = "own; hold done; stock done; quote done; restore";
    let parked = format!("{paying}; pay broken");
    let quoting = "own; hold done; stock done; restore";
    let poisoned = "own; hold done; stock done; quote done; poison";
    check(shop, &[
        ("own; hold done; quote done", "restore", &format!("{ASKED}, close_intent(stock), close_intent(pay), close_intent(take), close stock#1@5")),
        (paying, "pay done",    "step_done(pay), pivot_intent, close take#1@9"),
        (paying, "pay refused", "step_refused(pay NO), turned_back(refused pay), undo stock#1@9, undo hold#1@9"),
        // Its time does not run meanwhile, and nobody takes back what nobody knows.
        (paying, "deadline", ""),
        (paying, "cancel",   "! it was restored from a backup, and its participants are being asked how far it came; ask again when they have answered"),
        (paying, "restore",  "close pay#1@6"),
        (paying, "pay unknown", "wait 1s close pay#2"),
        (&format!("{paying}; pay unknown"), "due pay", "close pay#2@6"),
        (&format!("{paying}; pay done"), "take done",    "step_done(take), do ship#1@1, do mail#1@4"),
        (&format!("{paying}; pay done"), "take refused", "step_refused(take NO), turned_back(refused take), undo pay#1@11"),
        // Nobody knows yet.
        (paying, "pay broken", "step_parked(pay: a bug), rest"),
        (&parked, "resume", "resumed, close pay#2@9"),
        (&parked, "cancel", "! it was restored from a backup, and its participants are being asked how far it came; ask again when they have answered"),
        // What is refused now, by what it reads now, may have been given then.
        (quoting, "quote refused", "step_parked(quote: it is refused now (NO), but may have been given before the restore), rest"),
        (quoting, "quote done(dear)", "step_done(quote), close pay#1@7"),
        // Nothing of a poisoned one moves before a person says so.
        (poisoned, "restore", "deadline 900s, rest"),
        (&format!("{poisoned}; restore"), "resume", &format!("resumed, {ASKED}, close_intent(pay), close_intent(take), close pay#1@8")),
        // Begun: it only goes forward, and is told what was done.
        (TAKING, "restore", "do take#1@6"),
        (&format!("{TAKING}; restore"), "take superseded", "close_intent(take), close take#2@7"),
    ]);
}
