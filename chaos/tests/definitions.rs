//! The laws for definitions find what is broken, and name the law that it breaks and the schedule that shows it.

#![allow(clippy::unwrap_used)]

mod shop;

use std::fmt::Debug;

use backstitch_chaos::definitions::barrier::{Aim, Decision, Manner, RowState, decide};
use backstitch_chaos::definitions::{Barrier, Broken, Law, Samples, laws_of, laws_under};
use backstitch_core::Definition;
use backstitch_proto::contract::Op;
use shop::{Answer, Ask, Quirk, shop, two_steps};

/// What the shop's participants answer, and what the shop means.
fn samples() -> Samples {
    let answer = |word: &str| Answer { word: word.into() };
    Samples::new(&Ask { word: "mugs".into() })
        .differing("quote", &[answer("490"), answer("510")])
        .answer("hold", &answer("held"))
        .answer("pay", &answer("paid"))
        .pending("pay", &answer("wait"))
        .answer("take", &answer("taken"))
        .outside("take")
        .answer("ship", &answer("shipped"))
        .needs("pay", "hold")
}

fn broken(definition: &Definition, samples: &Samples, what: impl Debug) -> Box<Broken> {
    match laws_of(definition, samples) {
        Err(broken) => broken,
        Ok(tally) => panic!("nobody minds {what:?}, after {} schedules", tally.schedules),
    }
}

#[test]
fn a_sound_definition_passes() {
    let tally = laws_of(&shop(Quirk::None), &samples()).unwrap_or_else(|broken| panic!("{broken}"));
    assert!(tally.completed > 1_000 && tally.compensated > 1_000 && tally.parked > 1_000, "{tally:?}");
}

#[test]
#[rustfmt::skip] // A table reads by its columns.
fn a_broken_definition_is_found_with_the_fewest_faults_that_show_it() {
    use Quirk::*;
    for (quirk, law, faults, words) in [
        (RequestIsDrawn,         Law::SameRequest,   1, "hold do"),          // A retry asks for something else.
        (UndoRequestIsDrawn,     Law::SameRequest,   2, "hold undo"),        // So does the retry of an undo.
        (RequestReadsTheClock,   Law::SameRequest,   1, "pay do"),           // Or only what is asked after a while.
        (QuoteIsNotSaidToDiffer, Law::SameRequest,   1, "pay"),              // A crash forgets the answer that was used.
        (GuardIsDrawn,           Law::SameEnd,       1, "pay"),              // Asked again after a crash, it says no.
        (AnswerIsBelievedAtFirst,Law::EndsByItself,  1, "pay"),              // Whoever asks again is told the same.
        (RequestFailsOnRetry,    Law::EndsByItself,  1, "hold"),             // And asks for the same.
        (LabelIsLeftBehind,      Law::UnwindsClean,  1, "label"),            // An undo is needed after all.
        (EdgeIsForgotten,        Law::NeedsStand,    1, "pay"),              // Money is asked for before goods are held.
        (RequestPanicsOnRetry,   Law::NeverPanics,   1, "index out of"),     // Or does not survive being asked.
        (AnswerIsNeverBelieved,  Law::SamplesFit,    0, "not what I meant"), // The samples, or the check, are wrong.
        (GuardRefusesTheSample,  Law::SamplesFit,    0, "Completed"),
    ] {
        let broken = broken(&shop(quirk), &samples(), quirk);
        assert_eq!((broken.law, broken.schedule.len()), (law, faults), "{quirk:?}\n{broken}");
        assert!(broken.to_string().contains(words), "{quirk:?} does not say `{words}`\n{broken}");
    }
}

/// The kit's table, but one cell decides otherwise.
macro_rules! but {
    ($row:pat, $op:pat => $decision:expr) => {
        |row: RowState, op: Op, manner: Manner, same: bool| match (row, op) {
            ($row, $op) => $decision,
            _ => decide(row, op, manner, same),
        }
    };
}

#[test]
#[rustfmt::skip] // A table reads by its columns.
fn a_participant_whose_barrier_has_a_wrong_cell_is_found() {
    use Decision::*;
    use RowState::*;
    let cells: [(&str, Barrier, Law); 16] = [
        ("an undo before its do leaves no tombstone",       but!(Absent,       Op::Undo  => Success),          Law::NeverAfterUndo),
        ("a close before its do leaves no tombstone",       but!(Absent,       Op::Close => NeverHappens),     Law::NeverAfterUndo),
        ("an undo before its do is superseded",             but!(Absent,       Op::Undo  => Superseded),       Law::EndsByItself),
        ("a repeated do happens again",                     but!(Done,         Op::Do    => Perform),          Law::OnceOnly),
        ("a repeated do is superseded",                     but!(Done,         Op::Do    => Superseded),       Law::EndsByItself),
        ("a repeated do reaches its provider again",        but!(Doing,        Op::Do    => Perform),          Law::OnceOnly),
        ("a do after its undo happens",                     but!(Closed,       Op::Do    => Perform),          Law::NeverAfterUndo),
        ("a do after it was taken back happens again",      but!(Undone,       Op::Do    => Perform),          Law::NeverAfterUndo),
        ("a refusal is not remembered",                     but!(Refused,      Op::Do    => Perform),          Law::UnwindsClean),
        ("an undo says that it is done, and is not",        but!(Done,         Op::Undo  => Success),          Law::UnwindsClean),
        ("an undo of what is under way does not wait",      but!(Doing,        Op::Undo  => Success),          Law::UnwindsClean),
        ("a repeated undo takes back again",                but!(Undone,       Op::Undo  => TakeBack),         Law::UndoneOnce),
        ("a repeated undo is superseded",                   but!(Undone,       Op::Undo  => Superseded),       Law::EndsByItself),
        ("a close denies what is done",                     but!(Done,         Op::Close => NeverHappens),     Law::NothingUndoneAfterPivot),
        ("a close of what is under way does not look",      but!(Doing,        Op::Close => Bury),             Law::NothingUndoneAfterPivot),
        ("an undo of what is closing is forgotten",         but!(Closing(Aim::Undo), Op::Undo => Success),     Law::UndoOrder),
    ];
    for (what, barrier, law) in cells {
        let broken = broken(&shop(Quirk::None), &samples().barrier(barrier), what);
        assert_eq!(broken.law, law, "{what}\n{broken}");
    }
}

/// Deeper cells need a third fault, which a definition of two steps can afford.
#[test]
fn a_third_fault_reaches_what_two_do_not() {
    let samples = Samples::new(&Ask { word: "mugs".into() }).outside("pay").outside("take");
    laws_under(&two_steps(), &samples, 3).unwrap_or_else(|broken| panic!("{broken}"));
    let a_do_while_it_is_undone = but!(RowState::Closing(Aim::Undo), Op::Do => Decision::Perform);
    let samples = samples.barrier(a_do_while_it_is_undone);
    assert!(laws_of(&two_steps(), &samples).is_ok(), "two faults are enough");
    let broken = laws_under(&two_steps(), &samples, 3).unwrap_err();
    assert_eq!((broken.law, broken.schedule.len()), (Law::OnceOnly, 3), "{broken}");
}

#[test]
fn a_guard_that_refuses_is_no_fault() {
    let samples = samples().is_refused();
    let tally = laws_of(&shop(Quirk::GuardRefusesTheSample), &samples).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(tally.completed, 0);
}

#[test]
fn samples_of_a_step_that_is_not_there_are_told() {
    let broken = broken(&shop(Quirk::None), &samples().outside("tkae"), "a typo");
    assert_eq!(broken.law, Law::SamplesFit);
    assert!(broken.why.contains("`tkae`"), "{broken}");
}

#[test]
fn the_same_schedules_are_run_every_time() {
    let run = || laws_of(&shop(Quirk::None), &samples()).unwrap();
    assert_eq!(run(), run());
    let report = || broken(&shop(Quirk::LabelIsLeftBehind), &samples(), "a label").to_string();
    assert_eq!(report(), report());
}

#[test]
fn without_a_fault_there_is_one_schedule_in_each_rhythm() {
    assert_eq!(laws_under(&shop(Quirk::None), &samples(), 0).unwrap().schedules, 2);
}

#[test]
fn a_report_names_the_law_the_schedule_and_what_happened() {
    let report = broken(&shop(Quirk::LabelIsLeftBehind), &samples(), "a label").to_string();
    assert_eq!(report, include_str!("shop/report.txt"));
}
