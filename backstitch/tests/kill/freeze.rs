//! An orchestrator that stands still for three leases, and then goes on as if nothing had been.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::books;
use crate::common::{Impostor, until};
use crate::crowd::Crowd;
use crate::customers::{Customer, KINDS, Told};
use crate::dice::Dice;
use crate::engines::Engines;
use crate::points::{Point, Who};
use crate::returners::Returner;
use crate::run::Outcome;
use crate::sold::Sold;
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
    let ids = ids(customers.iter().map(|customer| &customer.told.id));
    let later = wake(&mut stage, &witnesses, &ids, customers.len(), &mut outcome).await;
    for customer in &mut customers {
        customer.look_until_it_rests().await;
    }
    customers.push(later);
    let mut told: Vec<Told> = customers.into_iter().map(Customer::told).collect();
    outcome.close(&mut told, &[]);
    outcome.violations.extend(books::compare(&mut stage, &told, &[], true).await);
    outcome.tell(&point, seed, &stage);
    stage.remove().await;
    outcome
}

/// The same in a copy of a shop that has sold, while something comes back.
pub(crate) async fn freeze_a_return(sold: &Sold, point: Point, engines: Engines, seed: u64) -> Outcome {
    let Sold { mut stage, mut told } = sold.copy(&engines).await;
    let witnesses = stage.watch().await;
    // Alone, so that every saga is its.
    stage.open_again(Who::Orchestrator, &format!("{}=freeze", point.name)).await;
    let end = if point.name.ends_with("/undo") { "REFUND_FAILED" } else { "completed" };
    let mut returners = Returner::all(&told, &stage.doors).into_iter();
    let mut returner = returners.find(|returner| returner.told.wish.end == end).expect("one of each");
    let asking = tokio::spawn(async move {
        returner.send_back().await;
        returner
    });
    until(&format!("{} is reached", point.name), async || stage.has_frozen(Who::Orchestrator, &point.name))
        .await;
    let frozen_until = Instant::now() + LONG;
    let mut outcome = Outcome { kills: 1, ..Outcome::default() };
    stage.start_all().await;
    let mut returner = asking.await.unwrap();
    tokio::time::sleep_until(frozen_until).await;
    let ids = ids([&returner.told.id].into_iter());
    let later = wake(&mut stage, &witnesses, &ids, told.len(), &mut outcome).await;
    returner.look_until_it_rests().await;
    let (mut returned, mut later) = ([returner.told()], [later.told()]);
    outcome.close(&mut later, &[]);
    outcome.close_returns(&mut returned);
    told.extend(later);
    outcome.violations.extend(books::compare(&mut stage, &told, &returned, true).await);
    outcome.tell(&point, seed, &stage);
    stage.remove().await;
    outcome
}

/// Wakes it, and looks on until it is back: it sees a whole checkout through, of the customer with this number. It must
/// not have called anybody about what was taken over.
async fn wake(
    stage: &mut Stage,
    witnesses: &[Impostor],
    taken_over: &[String],
    number: usize,
    outcome: &mut Outcome,
) -> Customer {
    let before = calls(witnesses, taken_over);
    if before.iter().all(|calls| *calls == 0) {
        outcome.violations.push("no call of the first orchestrator was seen".into());
    }
    stage.thaw(Who::Orchestrator);
    let its_door = Arc::new(vec![stage.doors[0].clone()]);
    let mut later = Customer::new(number, KINDS[0], &its_door, 0);
    later.shop().await;
    let after = calls(witnesses, taken_over);
    if after != before {
        outcome
            .violations
            .push(format!("I8: it called about what was taken over: {before:?}, then {after:?}"));
    }
    later
}

/// Calls of the first orchestrator about each of these.
fn calls(witnesses: &[Impostor], ids: &[String]) -> Vec<usize> {
    ids.iter().map(|id| witnesses.iter().map(|witness| witness.count(id)).sum()).collect()
}

fn ids<'a>(told: impl Iterator<Item = &'a Option<String>>) -> Vec<String> {
    told.map(|id| id.clone().unwrap_or_else(|| "nobody's".to_owned())).collect()
}
