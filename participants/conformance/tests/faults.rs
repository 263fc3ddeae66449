//! The kit can fail: a participant that keeps the contract passes, and each way of breaking it is caught by its case.

#![allow(clippy::unwrap_used)]

mod liar;

use std::time::Duration;

use futures::StreamExt as _;
use liar::{Fault, Host};
use participant_conformance::{Options, Profile, Report, Verdict, cases, run};

/// Each fault, and a case that must catch it.
const FAULTS: [(Fault, &str); 68] = [
    (Fault::NoTombstoneOfUndo, "do-after-undo"),
    (Fault::NoTombstoneOfClose, "do-after-close"),
    (Fault::ForgetsRefusals, "refusal-outlives-its-cause"),
    (Fault::FreshRefusals, "refused-again"),
    (Fault::FreshRefusals, "concurrent-refusals"),
    (Fault::FreshRefusals, "close-after-refused"),
    (Fault::MumblesReasons, "refusal-says-why"),
    (Fault::KeepsHalfOfRefused, "refused"),
    (Fault::IgnoresBody, "other-body"),
    (Fault::IgnoresBody, "other-body-close"),
    (Fault::IgnoresBody, "concurrent-bodies"),
    (Fault::IgnoresBody, "refused-other-body"),
    (Fault::BareRefusals, "refused"),
    (Fault::DomainOfAnother, "error-info"),
    (Fault::KeyOfAnother, "error-info"),
    (Fault::OtherCodes, "verdict-codes"),
    (Fault::DoesNothing, "first-do"),
    (Fault::ChecksThenActs, "concurrent-duplicates"),
    (Fault::ChecksThenActs, "do-races-close"),
    (Fault::ChecksThenActs, "do-races-undo"),
    (Fault::RunsEveryTime, "duplicate-do"),
    (Fault::FreshAnswers, "duplicate-do"),
    (Fault::RefusesUndo, "undo-after-refused"),
    (Fault::UndoesNothing, "undo-takes-back"),
    (Fault::UndoesTwice, "undo-again"),
    (Fault::UndoesTwice, "concurrent-undos"),
    (Fault::BreaksAtEarlyUndo, "undo-without-do"),
    (Fault::BreaksAtEarlyUndo, "undo-after-close"),
    (Fault::ReplaysAfterUndo, "do-again-after-undo"),
    (Fault::PretendsAtClose, "close-before-do"),
    (Fault::PretendsAtClose, "close-after-undo"),
    (Fault::PretendsAtClose, "close-after-early-undo"),
    (Fault::PretendsAtClose, "concurrent-closes"),
    (Fault::PretendsAtClose, "undo-races-close"),
    (Fault::DeniesAtClose, "close-after-done"),
    (Fault::SealsAtClose, "undo-after-close-of-done"),
    (Fault::OneRowPerSaga, "two-steps"),
    (Fault::OneRowPerSaga, "undo-is-of-one-step"),
    (Fault::OneRowPerStep, "two-sagas"),
    (Fault::OneRowPerStep, "undo-is-of-one-saga"),
    (Fault::OneRowPerStep, "many-sagas"),
    (Fault::OneRowPerAttempt, "attempt-number"),
    (Fault::OneRowPerTrace, "traceparent"),
    (Fault::OneRowPerRequestId, "unrelated-metadata"),
    (Fault::DiesWithCaller, "caller-gone"),
    (Fault::DiesWithCaller, "slow-caller-gone"),
    (Fault::PromisesDuringDo, "duplicate-during-do"),
    (Fault::ClosesTooEarly, "close-during-do"),
    (Fault::UndoesTooEarly, "undo-during-do"),
    (Fault::VagueAtClosing, "do-during-closing"),
    (Fault::BelievesAnyKey, "key-mismatch"),
    (Fault::ForgivesMissing, "metadata-missing"),
    (Fault::ForgivesMissing, "metadata-malformed"),
    (Fault::ForgivesMissing, "undo-metadata"),
    (Fault::ConfusesOps, "undo-op-at-do"),
    (Fault::ConfusesOps, "do-op-at-undo"),
    (Fault::NeverExpires, "expired-saga"),
    (Fault::FeelsSick, "health"),
    (Fault::ListsAnother, "reflection"),
    (Fault::ForgetsOnRestart, "restart-keeps-done"),
    (Fault::ForgetsOnRestart, "restart-keeps-refused"),
    (Fault::ForgetsOnRestart, "restart-keeps-undone"),
    (Fault::ForgetsOnRestart, "restart-keeps-closed"),
    (Fault::ActsBeforeItWrites, "crash-during-do"),
    (Fault::ActsBeforeItWrites, "crash-during-close"),
    (Fault::ActsBeforeItWrites, "crash-during-slow-do"),
    (Fault::ActsBeforeItWrites, "crash-while-undoing"),
    (Fault::UndoesBeforeItWrites, "crash-during-undo"),
];

/// Cases that no fault here is planted for: the messages and methods of a generated server cannot be made to lie about
/// these, or the tiny participant has no customer to wait for and nothing after a pivot.
const UNPLANTED: [&str; 10] = [
    "unknown-method",
    "oversized-request",
    "other-encoding",
    "garbage-request",
    "pending-again",
    "pending-undo",
    "pending-close",
    "pending-other-body",
    "after-pivot-never-refuses",
    "old-saga",
];

async fn report_of(fault: Fault, only: &[&str], patience: Duration) -> Report {
    let host = Host::start(fault);
    let options = Options {
        address: host.address(),
        only: only.iter().map(ToString::to_string).collect(),
        patience,
        restart: Some(host.restart()),
    };
    let profile = Profile::parse(include_str!("liar/profile.toml")).unwrap();
    run(profile, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_keeps_the_contract_passes_every_case_that_applies() {
    let report = report_of(Fault::None, &[], Duration::from_secs(20)).await;
    assert!(report.is_conformant(), "{report}");
    let [passed, failed, _, not_run] = report.counts();
    assert_eq!((failed, not_run), (0, 0), "{report}");
    assert!(passed >= 60, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_caught_by_its_case() {
    // Silence is a fault too, and the kit waits for patience to end before it says so.
    let caught = |(fault, case)| async move {
        let report = report_of(fault, &[case], Duration::from_secs(2)).await;
        let caught = matches!(report.rows[0].verdict(), Verdict::Failed(_)) && !report.is_conformant();
        (!caught).then(|| format!("{fault:?} is not caught by {case}:\n{report}"))
    };
    let runs = futures::stream::iter(FAULTS).map(|planted| Box::pin(caught(planted))).buffer_unordered(12);
    let missed: Vec<String> = runs.filter_map(async |missed| missed).collect().await;
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn every_other_case_has_a_fault_that_it_catches() {
    for case in cases() {
        let planted = FAULTS.iter().any(|(_, caught)| *caught == case.id);
        assert_ne!(planted, UNPLANTED.contains(&case.id), "{}", case.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_what_was_sent_what_came_back_and_what_the_contract_wants() {
    let report = report_of(Fault::KeyOfAnother, &["other-body"], Duration::from_secs(1)).await;
    let Verdict::Failed(why) = report.rows[0].verdict() else { panic!("{report}") };
    for part in [
        "sent: do of Reserve, step `reserve`, another request under the same key",
        "came back: Internal `another request under this key`, its ErrorInfo echoes the key `some/other/key`",
        "the contract wants: Broken: a done row with another hash",
    ] {
        assert!(why.contains(part), "{part} in {why}");
    }
}
