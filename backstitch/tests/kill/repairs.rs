//! One run in which the reconciler has taken back what nobody owns: a shop, a place to die at, and what came of it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;

use serde_json::Value;

use crate::asker::rests;
use crate::bank::{Bank, Provider};
use crate::books;
use crate::common::until;
use crate::customers::{Kind, Told, kind};
use crate::dice::Dice;
use crate::engines::Engines;
use crate::points::{Point, Who};
use crate::run::Outcome;
use crate::sold::Sold;
use crate::stage::Stage;

/// Under whose ids somebody else holds or has taken something: beside what they have paid, or in place of it.
const NAMED: [Kind; 4] = [
    kind("tok_ok", "A", "completed"),
    kind("tok_ok", "B", "completed"),
    kind("tok_capture_fails", "A", "CAPTURE_FAILED"),
    kind("tok_capture_fails", "B", "CAPTURE_FAILED"),
];
const NAMED_AT_STRIPE: [Kind; 4] = [
    Kind { token: "pm_card_visa", ..NAMED[0] },
    Kind { token: "pm_card_visa", ..NAMED[1] },
    Kind { token: "pm_card_captureDeclined", ..NAMED[2] },
    Kind { token: "pm_card_captureDeclined", ..NAMED[3] },
];

/// A shop at whose bank somebody else has been, closed.
pub(crate) async fn visited_shop(engines: &Engines) -> Sold {
    Sold::to(&NAMED, engines, Bank::Sandbox).await.with_strangers().await
}

/// Kills somebody at a place in the course of repairs, in a copy of `sold`.
pub(crate) async fn repair(sold: &Sold, point: Point, engines: Engines, seed: u64) -> Outcome {
    let Sold { stage, told } = sold.copy(&engines).await;
    killed(stage, &told, point, seed).await
}

/// The same with Stripe as the bank, in a shop that sells first.
pub(crate) async fn repair_at_stripe(point: Point, engines: Engines, seed: u64) -> Outcome {
    let bank = Bank::open(Provider::Stripe).await;
    let Sold { stage, told } = Sold::to(&NAMED_AT_STRIPE, &engines, bank).await.with_strangers().await;
    killed(stage, &told, point, seed).await
}

async fn killed(mut stage: Stage, told: &[Told], point: Point, seed: u64) -> Outcome {
    let mut dice = Dice::of(seed, &point.name);
    let armed = point.armed(&mut dice);
    stage.open_again(point.who, &armed).await;
    let mut outcome = Outcome { sagas: stage.strangers.len(), ..Outcome::default() };
    if point.who == Who::Reconciler {
        outcome.died(is_killed(&stage.repair(&armed).await, &point));
    } else {
        let what = format!("{} is reached", point.name);
        let died = until(&what, async || {
            let unanswered = found(&stage.repair("").await).is_none();
            outcome.asked_again += usize::from(unanswered);
            stage.has_died(point.who, &point.name)
        })
        .await;
        outcome.died(died);
        stage.goes_on(point.who, &mut dice).await;
    }
    until("nothing is left to repair", async || {
        let found = found(&stage.repair("").await);
        outcome.asked_again += usize::from(found.is_none());
        found?.is_empty().then_some(())
    })
    .await;
    stage.start_all().await;
    // What was taken back is shown so by the bank before its repair has ended.
    let ends = until("every repair has ended", async || {
        let ends = ends_of_repairs(&stage).await;
        ends.iter().all(|end| rests(end)).then_some(ends)
    })
    .await;
    if ends.len() != outcome.sagas || ends.iter().any(|end| end != "completed") {
        outcome.violations.push(format!("I5: of {} repairs is told {ends:?}", outcome.sagas));
    }
    let mails_are_sent = point.who != Who::Participants;
    outcome.violations.extend(books::compare(&mut stage, told, &[], mails_are_sent).await);
    outcome.tell(&point, seed, &stage);
    stage.remove().await;
    outcome
}

/// How each repair has ended.
async fn ends_of_repairs(stage: &Stage) -> Vec<String> {
    let listed = stage.get("/operator/v1/sagas?page_size=500").await;
    let sagas = listed.body["sagas"].as_array().unwrap().iter();
    let repairs = sagas.filter(|saga| saga["definition"] == "repair");
    repairs.map(|saga| saga["status"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What a reconciler has found; None if somebody did not answer it.
fn found(said: &Output) -> Option<Vec<Value>> {
    let report: Value = serde_json::from_slice(&said.stdout).ok()?;
    report["findings"].as_array().cloned()
}

/// Whether the reconciler has died where it was told to.
fn is_killed(said: &Output, point: &Point) -> Result<(), String> {
    let err = String::from_utf8_lossy(&said.stderr);
    let as_told = said.status.signal() == Some(9) && err.contains(&format!("failpoint {}", point.name));
    if as_told { Ok(()) } else { Err(format!("{}: it ended with {}:\n{err}", point.name, said.status)) }
}
