//! An orchestrator that stands still for three leases, and then goes on as if nothing had been.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::books;
use crate::common::Impostor;
use crate::crowd::Crowd;
use crate::customers::{Customer, KINDS, Told, ends};
use crate::dice::Dice;
use crate::engines::Engines;
use crate::points::{Point, Who};
use crate::run::Outcome;
use crate::stage::Stage;

/// Three leases of a second.
const LONG: Duration = Duration::from_secs(3);

/// Freezes the first of two orchestrators at a place, lets the other take over, and wakes the first: what it was about to
/// do has been done by somebody else, so it must not call anybody about it.
pub(crate) async fn freeze(point: Point, engines: Engines, seed: u64) -> Outcome {
    let mut stage = Stage::new(&engines).await;
    let witnesses = stage.watch().await;
    stage.open(Who::Orchestrator, &format!("{}=freeze", point.name)).await;
    stage.start_all().await;
    // One at a time: a call of another that was handed to the network before cannot be called back, and may leave later.
    let turns_back = point.name.ends_with("/undo") || point.name.ends_with("turned_back");
    let kind = KINDS[usize::from(turns_back)];
    let mut crowd = Crowd::new(&[kind], &stage.doors, &Dice::of(seed, &point.name));
    crowd.come();
    if crowd.until(|| stage.has_frozen(Who::Orchestrator, &point.name)).await.is_none() {
        return Outcome { violations: vec![format!("{} was not reached", point.name)], ..Outcome::default() };
    }
    let frozen_until = Instant::now() + LONG;
    let mut outcome = Outcome { kills: 1, ..Outcome::default() };
    // It ends by the other's work.
    let mut customers = crowd.all_rest().await;
    tokio::time::sleep_until(frozen_until).await;
    let before = calls(&witnesses, &customers);
    if before.iter().all(|calls| *calls == 0) {
        outcome.violations.push("no call of the first orchestrator was seen".into());
    }

    stage.thaw(Who::Orchestrator);
    // It is back when it sees a whole checkout through.
    let its_door = Arc::new(vec![stage.doors[0].clone()]);
    let mut later = Customer::new(customers.len(), KINDS[0], &its_door, 0);
    later.shop().await;
    let after = calls(&witnesses, &customers);
    if after != before {
        outcome
            .violations
            .push(format!("I8: it called about what was taken over: {before:?}, then {after:?}"));
    }
    for customer in &mut customers {
        customer.look_until_it_rests().await;
    }
    customers.push(later);
    let mut told: Vec<Told> = customers.into_iter().map(Customer::told).collect();
    outcome.close(&mut told, Who::Orchestrator);
    outcome.violations.extend(books::compare(&mut stage, &told, &[], true).await);
    if !outcome.violations.is_empty() {
        let (said, wrong) = (stage.said(), &outcome.violations);
        eprintln!("{} with BACKSTITCH_SEED={seed}: {wrong:#?}\n{:?}\n{said}", point.name, ends(&told));
    }
    stage.remove().await;
    outcome
}

/// Calls of the first orchestrator about each customer's checkout.
fn calls(witnesses: &[Impostor], customers: &[Customer]) -> Vec<usize> {
    let ids = customers.iter().map(|customer| customer.told.id.as_deref().unwrap_or("nobody's"));
    ids.map(|id| witnesses.iter().map(|witness| witness.count(id)).sum()).collect()
}
