//! The kit can fail: a participant that keeps the contract passes, and each way of breaking it is caught by its case.

#![allow(clippy::unwrap_used)]

mod liar;

use std::time::Duration;

use liar::{Fault, Host};
use participant_conformance::{Options, Profile, Report, Verdict, run};

/// Each fault, and the case that must catch it.
const FAULTS: [(Fault, &str); 29] = [
    (Fault::NoTombstoneOfUndo, "do-after-undo"),
    (Fault::NoTombstoneOfClose, "do-after-close"),
    (Fault::ForgetsRefusals, "refusal-outlives-its-cause"),
    (Fault::KeepsHalfOfRefused, "refused"),
    (Fault::IgnoresBody, "other-body"),
    (Fault::IgnoresBody, "refused-other-body"),
    (Fault::BareRefusals, "refused"),
    (Fault::DomainOfAnother, "error-info"),
    (Fault::KeyOfAnother, "error-info"),
    (Fault::OtherCodes, "verdict-codes"),
    (Fault::ChecksThenActs, "concurrent-duplicates"),
    (Fault::RunsEveryTime, "duplicate-do"),
    (Fault::FreshAnswers, "duplicate-do"),
    (Fault::RefusesUndo, "undo-after-refused"),
    (Fault::ReplaysAfterUndo, "do-again-after-undo"),
    (Fault::UndoesTwice, "undo-again"),
    (Fault::PretendsAtClose, "close-before-do"),
    (Fault::DeniesAtClose, "close-after-done"),
    (Fault::OneRowPerSaga, "two-steps"),
    (Fault::OneRowPerStep, "two-sagas"),
    (Fault::OneRowPerAttempt, "attempt-number"),
    (Fault::ForgetsOnRestart, "restart-keeps-done"),
    (Fault::DiesWithCaller, "slow-caller-gone"),
    (Fault::UndoesTooEarly, "undo-during-do"),
    (Fault::BelievesAnyKey, "key-mismatch"),
    (Fault::ForgivesMissing, "metadata-missing"),
    (Fault::ConfusesOps, "undo-op-at-do"),
    (Fault::NeverExpires, "expired-saga"),
    (Fault::FeelsSick, "health"),
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
    let runs = FAULTS.map(|(fault, case)| async move {
        // Silence is a fault too, and the kit waits for patience to end before it says so.
        let report = report_of(fault, &[case], Duration::from_secs(2)).await;
        let caught = matches!(report.rows[0].verdict(), Verdict::Failed(_)) && !report.is_conformant();
        (!caught).then(|| format!("{fault:?} is not caught by {case}:\n{report}"))
    });
    let missed: Vec<String> = futures::future::join_all(runs).await.into_iter().flatten().collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
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
