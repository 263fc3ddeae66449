//! One run in which the bank takes back refunds that it had reported as done: a place to die at, and what came of it.

use serde_json::{Value, json};

use crate::bank::{Bank, Provider};
use crate::books;
use crate::common::until;
use crate::customers::Kind;
use crate::dice::Dice;
use crate::engines::Engines;
use crate::points::{Point, Who};
use crate::returners::{Returned, Returner, SOME, WHOLE, buys};
use crate::run::Outcome;
use crate::sold::Sold;
use crate::stage::Stage;

/// Who have their money back, and will not have it any more.
const PAID_BACK: [Kind; 2] = [buys("pm_card_visa", "A", 2, &[SOME]), buys("pm_card_visa", "B", 1, &[WHOLE])];

/// Kills somebody at a place while refunds fail that were done. Each has to come to one case, that one person sees to.
pub(crate) async fn reversed(point: Point, engines: Engines, seed: u64) -> Outcome {
    let bank = Bank::open(Provider::Stripe).await;
    let Sold { mut stage, told } = Sold::to(&PAID_BACK, &engines, bank).await;
    let returners = Returner::all(&told, &stage.doors);
    let mut returned = pay_back(&mut stage, returners).await;
    let mut dice = Dice::of(seed, &point.name);
    stage.open_again(point.who, &point.armed(&mut dice)).await;
    stage.bank.take_refunds_back().await;
    let mut outcome = Outcome::default();
    outcome.died(until("it dies", async || stage.has_died(point.who, &point.name)).await);
    stage.goes_on(point.who, &mut dice).await;
    stage.start_all().await;

    let cases = until("each is a case that waits for a person", async || {
        let (cases, sagas) = (list(&stage, "cases?open=true", "cases").await, parked(&stage).await);
        (cases.len() == returned.len() && sagas.len() == returned.len()).then_some(cases)
    })
    .await;
    stage.all_webhooks_are_done().await;
    let found = stage.reconcile().await;
    let (open, sums) =
        (|found: &Value| found["kind"] == "open_case", |all: Vec<i64>| all.iter().sum::<i64>());
    let told_sum = sums(returned.iter().map(Returned::refunded).collect());
    let case_sum = sums(cases.iter().filter_map(|case| case["amount"]["amount_minor"].as_i64()).collect());
    if found.len() != cases.len() || !found.iter().all(open) || told_sum != case_sum {
        outcome
            .violations
            .push(format!("I1: {told_sum} came back, {cases:#?} are open, and found was {found:#?}"));
    }
    for case in &cases {
        let path = format!("/operator/v1/cases/{}/resolution", case["case_id"].as_str().unwrap_or_default());
        stage.post(&path, &json!({"resolution": "a bank transfer"})).await;
    }
    until("every case is settled", async || parked(&stage).await.is_empty().then_some(())).await;

    for returned in &mut returned {
        returned.is_reversed = true;
    }
    outcome.close_returns(&mut returned);
    let mails_are_sent = point.who == Who::Orchestrator;
    outcome.violations.extend(books::compare(&mut stage, &told, &returned, mails_are_sent).await);
    outcome.tell(&point, seed, &stage);
    stage.remove().await;
    outcome
}

/// A life in which nobody dies.
async fn pay_back(stage: &mut Stage, returners: Vec<Returner>) -> Vec<Returned> {
    stage.open_again(Who::Orchestrator, "").await;
    let mut returned = Vec::new();
    for mut returner in returners {
        returner.send_back().await;
        returned.push(returner.told());
    }
    stage.all_webhooks_are_done().await;
    stage.close().await;
    returned
}

async fn parked(stage: &Stage) -> Vec<Value> {
    list(stage, "sagas?status=parked", "sagas").await
}

async fn list(stage: &Stage, what: &str, member: &str) -> Vec<Value> {
    let listed = stage.get(&format!("/operator/v1/{what}")).await;
    listed.body[member].as_array().cloned().unwrap_or_default()
}
