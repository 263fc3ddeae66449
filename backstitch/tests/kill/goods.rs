//! One run in which a person makes good what cannot be delivered: a shop, a place to die at, and what came of it.

use std::time::Instant;

use backstitch_proto::contract::Verdict;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::asker::Asker;
use crate::bank::Bank;
use crate::books;
use crate::common::{Act, Call};
use crate::customers::{Customer, Kind, Told};
use crate::death::dies_meanwhile;
use crate::dice::Dice;
use crate::engines::Engines;
use crate::points::{Point, Who};
use crate::returners::{Returned, WHOLE, buys};
use crate::run::Outcome;
use crate::sold::Sold;
use crate::stage::Stage;

/// Who have paid, and whose parcel no carrier takes.
const STUCK: [Kind; 3] = [stuck("A", 2), stuck("B", 1), stuck("A", 1)];

const fn stuck(sku: &'static str, quantity: i64) -> Kind {
    Kind { end: "parked", ..buys("tok_ok", sku, quantity, &[]) }
}

/// A shop whose every checkout is parked after its capture, closed.
pub(crate) async fn stuck_shop(engines: &Engines) -> Sold {
    let mut stage = Stage::with_bank(engines, Bank::Sandbox).await;
    let burnt_down = |call: &Call| {
        let broken = Verdict::Broken("the warehouse has burnt down".into());
        match call.method == "CreateShipment" {
            true => Act::Say(Err(broken.into_status("shipping", &call.key))),
            false => Act::PassOn,
        }
    };
    stage.put_before("shipping", burnt_down).await;
    Sold::in_shop(stage, &STUCK).await
}

/// A person who decides about one checkout, and the customer who waits for it.
struct Person {
    asker: Asker,
    customer: Customer,
}

impl Person {
    /// Decides, as often as it takes, and looks until the customer has what it comes to.
    async fn see_to_it(&mut self) {
        let begun = Instant::now();
        while !self.is_decided().await {
            if self.asker.gives_up(begun, "it is being made good").await {
                return;
            }
        }
        while !(self.customer.look().await && self.customer.told.is_completed()) {
            if self.asker.gives_up(begun, "it is made good").await {
                return;
            }
        }
    }

    async fn is_decided(&mut self) -> bool {
        if self.customer.look().await && self.customer.told.made_good.is_some() {
            return true;
        }
        let path = format!("/operator/v1/sagas/{}", self.customer.told.id.as_deref().unwrap_or_default());
        let Some(seen) = self.asker.ask(self.asker.request(Method::GET, &path)).await else { return false };
        let decision = json!({"reason": "the warehouse has burnt down", "seq": seen.body["seq"]});
        let verb = self.asker.request(Method::POST, &format!("{path}/make-good")).json(&decision);
        // An earlier one that was not answered may be what has moved it on; the next look tells.
        let _ = self.asker.ask_or(verb, 409).await;
        false
    }
}

/// Kills somebody at a place while a person makes good what is parked in a copy of `sold`.
pub(crate) async fn make_good(sold: &Sold, point: Point, engines: Engines, seed: u64) -> Outcome {
    let Sold { mut stage, told } = sold.copy(&engines).await;
    let mut dice = Dice::of(seed, &point.name);
    stage.open_again(point.who, &point.armed(&mut dice)).await;
    let mut asking = JoinSet::new();
    for (number, told) in told.into_iter().enumerate() {
        let mut person = Person {
            asker: Asker::new(&format!("the person of {}", told.key), &stage.doors, number % 2),
            customer: Customer::again(told, &stage.doors),
        };
        asking.spawn(async move {
            person.see_to_it().await;
            person
        });
    }
    let mut outcome = Outcome::default();
    let rested = dies_meanwhile(&mut stage, &point, asking, &mut dice, &mut outcome).await;
    let (mut told, mut returned) = (Vec::new(), Vec::new());
    for Person { mut asker, customer } in rested {
        outcome.asked_again += asker.unanswered;
        outcome.violations.append(&mut asker.violations);
        let mut one = customer.told();
        outcome.violations.append(&mut one.violations);
        returned.push(back(&stage, &one).await);
        told.push(one);
    }
    outcome.sagas = told.len();
    let mails_are_sent = point.who == Who::Orchestrator;
    outcome.violations.extend(books::compare(&mut stage, &told, &returned, mails_are_sent).await);
    outcome.tell(&point, seed, &stage);
    stage.remove().await;
    outcome
}

/// The return that its checkout names.
async fn back(stage: &Stage, told: &Told) -> Returned {
    let path = format!("/api/v1/returns/{}", told.made_good.as_deref().unwrap_or_default());
    let mut returned = Returned::new(format!("{}-made-good", told.key), told, WHOLE);
    returned.hear(&stage.get(&path).await);
    returned
}
