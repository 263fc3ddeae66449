//! A new owner: what it knows, what it does, and that it never gets stuck.

use super::script::World;
use super::shop::{graph, shop};
use crate::Status;
use crate::definition::Definition;
use crate::saga::{Activity, Saga};

const TAKING: &str = "own; hold done; stock done; quote done; pay done";
const SPENT: &str = "take unknown; due take; take unknown; due take; take unknown; due take; take unknown";

/// Lives that between them have every kind of record.
fn lives() -> Vec<String> {
    vec![
        format!("{TAKING}; take done; ship done; mail done"),
        format!("{TAKING}; take done; ship broken; mail done; resume; ship done"),
        format!("{TAKING}; {SPENT}; take done; ship done; mail done"),
        format!(
            "{TAKING}; {SPENT}; take broken; resume; take refused; pay broken; stock done; hold done; resume; pay done"
        ),
        "own; hold done; stock done; quote done; pay pending; due pay; pay refused; hold done; stock broken"
            .into(),
        "own; hold done; stock done; quote done(dear); hold done; stock done".into(),
        "own; hold broken; quote done; stock done; cancel; stock done; hold done".into(),
        "own; deadline; stock done; hold done".into(),
    ]
}

fn heir(life: &str, records: usize) -> World {
    let mut world = World::new(shop());
    world.run(life);
    world.taken_over(records)
}

fn length(life: &str) -> usize {
    let mut world = World::new(shop());
    world.run(life);
    world.journal.len()
}

#[test]
fn the_fold_of_the_journal_is_the_live_state_but_for_what_is_volatile() {
    for life in lives() {
        let mut world = World::new(shop());
        world.run(&life);
        let mut folded = Saga::replay(&world.definition, world.saga.id, &world.journal).unwrap();
        for (folded, live) in folded.steps.iter_mut().zip(&world.saga.steps) {
            folded.maybe_run = live.maybe_run;
            folded.activity = live.activity.clone();
            (folded.attempts, folded.undo_attempts) = (live.attempts, live.undo_attempts);
            (folded.since, folded.spent, folded.first_called) = (live.since, live.spent, live.first_called);
        }
        assert_eq!(folded, world.saga, "{life}");
    }
}

#[test]
fn any_prefix_of_a_journal_goes_on_or_is_visibly_parked_or_ended() {
    for life in lives() {
        for records in 1..=length(&life) {
            let mut world = heir(&life, records);
            world.run("recover");
            let busy = world.saga.steps.iter().any(|step| step.activity != Activity::Idle);
            let status = world.saga.status();
            assert!(
                busy || status.is_final() || status == Status::Parked,
                "{life} | {records} records: {status:?}"
            );
        }
    }
}

#[test]
fn a_refusal_whose_turn_was_lost_turns_back_again() {
    let life = "own; hold done; stock done; quote done; pay refused";
    let mut world = heir(life, 5);
    assert_eq!(world.records(4), "step_refused(pay NO)");
    assert_eq!(world.when("recover"), "turned_back(refused pay), undo stock#1@6, undo hold#1@6");
}

#[test]
fn an_end_that_was_lost_is_found_again() {
    let mut completed = heir(&format!("{TAKING}; take done; ship done; mail done"), 9);
    assert_eq!(completed.when("recover"), "completed, rest");
    let mut compensated = heir("own; hold done; stock refused; hold done", 5);
    assert!(compensated.when("recover").starts_with("undo pay#1@4"), "what a former owner may have called");
    compensated.run("pay done");
    assert_eq!(compensated.records(5), "undo_done(pay), compensated");
}

#[test]
fn after_a_takeover_every_compensatable_step_without_a_refusal_is_undone() {
    let everything = || graph(&[("a", &[]), ("b", &["a"]), ("c", &[]), ("d", &["c"])]);
    let back = |definition: Definition, life: &str, records: usize| {
        let mut world = World::new(definition);
        world.run(life);
        let mut world = world.taken_over(records);
        world.run("recover");
        world.when("cancel")
    };
    // Nothing but `started` is durable: the former owner may have got anywhere.
    assert_eq!(
        back(everything(), "own; a done", 1),
        "turned_back(cancelled: asked to), undo d#1@2, undo b#1@2"
    );
    assert_eq!(
        back(everything(), "own; a done", 2),
        "turned_back(cancelled: asked to), undo d#1@3, undo b#1@3"
    );
    // In the shop: pay, hold and stock, never the quote, the pivot or what follows it.
    assert_eq!(back(shop(), "own", 1), "turned_back(cancelled: asked to), undo pay#1@2");
    let mut world = heir("own; hold done; stock done; quote done; pay refused", 6);
    assert_eq!(world.when("recover"), "undo stock#1@6, undo hold#1@6", "a durable refusal needs no undo");
}

#[test]
fn a_pivot_that_has_begun_is_repeated_and_never_turned_back_by_guess() {
    let mut world = heir(TAKING, 6);
    assert_eq!(world.records(5), "pivot_intent");
    assert_eq!(world.when("recover"), "do take#1@6");
    assert!(world.when("cancel").starts_with('!'));
    world.run(SPENT);
    assert_eq!(world.records(6), "close_intent(take)");
    assert_eq!(world.when("deadline"), "");
}

#[test]
fn a_pivot_without_a_durable_intent_was_never_called_and_may_be_turned_back() {
    let mut world = heir(TAKING, 5);
    world.run("after 900s");
    assert_eq!(world.when("recover"), "turned_back(deadline), undo pay#1@6");
}

#[test]
fn a_step_that_is_being_closed_is_closed_again_and_not_done() {
    let closing = format!("{TAKING}; {SPENT}");
    let mut world = heir(&closing, 7);
    assert_eq!(world.when("recover"), "close take#1@7");
    world.run("take unknown");
    assert_eq!(world.when("due take"), "close take#2@7");
}

#[test]
fn what_is_parked_stays_parked_for_the_new_owner_until_it_is_resumed() {
    let cases = [
        ("own; stock done; quote done; hold broken", "deadline 900s, rest", "resumed, do hold#1@5"),
        ("own; hold done; stock refused; hold broken", "undo pay#1@4", "resumed"),
        (&format!("{TAKING}; take broken"), "rest", "resumed, do take#1@8"),
        (&format!("{TAKING}; {SPENT}; take broken"), "rest", "resumed, close take#1@9"),
        (&format!("{TAKING}; take done; ship broken; mail done"), "rest", "resumed, do ship#1@10"),
    ];
    for (life, recovered, resumed) in cases {
        let mut world = heir(life, length(life));
        assert_eq!(world.saga.status(), Status::Parked, "{life}");
        assert_eq!(world.when("recover"), recovered, "{life}");
        assert_eq!(world.when("resume"), resumed, "{life}");
    }
}

#[test]
fn owning_a_saga_again_forgets_no_doubt() {
    let said = |script: &str, event: &str| {
        let mut world = World::new(graph(&[("a", &[])]));
        world.run(script);
        world.when(event)
    };
    assert_eq!(said("own; own; a notnow", "cancel"), "turned_back(cancelled: asked to), undo a#1@2");
    assert_eq!(
        said("recover; a notnow; own; a notnow", "cancel"),
        "turned_back(cancelled: asked to), undo a#1@2"
    );
    assert_eq!(said("recover; cancel; a broken; own", "resume"), "resumed, undo a#1@4");
}

#[test]
fn a_poisoned_saga_does_nothing_until_its_person_resumes_it() {
    let mut world = heir(&format!("{TAKING}; take done; ship done; mail done"), 9);
    let poison = crate::Entry { at: world.now, record: crate::Record::Poisoned { why: "unreadable".into() } };
    world.saga.fold(&poison).unwrap();
    world.journal.push(poison);
    assert_eq!(world.when("recover"), "rest");
    assert_eq!(world.when("available somebody"), "");
    assert_eq!(world.when("resume"), "resumed, completed, rest");
    assert_eq!(world.when("resume"), "! nothing of the saga is parked");
}

#[test]
fn records_that_cannot_follow_are_no_journal() {
    let mut world = World::new(shop());
    world.run("own; hold refused; stock done");
    let id = world.saga.id;
    let replay =
        |journal: &[crate::Entry]| Saga::replay(&shop(), id, journal).map(|_| ()).unwrap_err().to_string();
    assert_eq!(replay(&[]), "the journal does not begin with `started`");
    assert_eq!(replay(&world.journal[1..]), "the journal does not begin with `started`");
    let mut twice = vec![world.journal[0].clone(); 2];
    assert_eq!(replay(&twice), "record 2 (`started`) cannot follow what is before it");
    twice = world.journal.clone();
    twice.push(world.journal[1].clone());
    assert_eq!(replay(&twice), "record 6 (`step_refused`) cannot follow what is before it");
    let shorter = graph(&[("a", &[])]);
    let mut other = World::new(shop());
    other.run("own; stock done");
    let missing = Saga::replay(&shorter, id, &other.journal).map(|_| ()).unwrap_err().to_string();
    assert_eq!(missing, "record 2 names step 1, which the definition does not have");
}
