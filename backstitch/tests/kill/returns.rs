//! One run in which what was bought is sent back: a shop, a place to die at, customers, and what came of it.

use tokio::task::JoinSet;

use crate::bank::{Bank, Provider};
use crate::books;
use crate::customers::Told;
use crate::death::dies_meanwhile;
use crate::dice::Dice;
use crate::engines::Engines;
use crate::points::{Point, Who};
use crate::returners::{Returned, Returner};
use crate::run::Outcome;
use crate::sold::Sold;
use crate::stage::Stage;

/// Kills somebody at a place, in a copy of a shop that has sold.
pub(crate) async fn give_back(sold: &Sold, point: Point, engines: Engines, seed: u64) -> Outcome {
    let Sold { stage, told } = sold.copy(&engines).await;
    killed(stage, &told, point, seed).await
}

/// The same with Stripe as the bank, in a shop that sells first.
pub(crate) async fn give_back_with_stripe(point: Point, engines: Engines, seed: u64) -> Outcome {
    let bank = Bank::open(Provider::Stripe).await;
    let Sold { stage, told } = Sold::to(&bank.buyers(), &engines, bank).await;
    killed(stage, &told, point, seed).await
}

async fn killed(mut stage: Stage, told: &[Told], point: Point, seed: u64) -> Outcome {
    let mut dice = Dice::of(seed, &point.name);
    let armed = point.armed(&mut dice);
    // The only orchestrator, where there may be two: all shards are its, and it comes by every place.
    stage.open_again(point.who, &armed).await;
    let mut asking = JoinSet::new();
    for mut returner in Returner::all(told, &stage.doors) {
        let comes = dice.moment(30);
        asking.spawn(async move {
            tokio::time::sleep(comes).await;
            returner.send_back().await;
            returner
        });
    }
    let mut outcome = Outcome::default();
    let mut rested = dies_meanwhile(&mut stage, &point, asking, &mut dice, &mut outcome).await;
    for returner in &mut rested {
        // Asked for the last time, long after: the same answer.
        if !returner.ask(false).await {
            outcome.violations.push(format!("{}: not answered at rest", returner.told.key));
        }
        returner.look_until_it_rests().await;
    }
    let mut returned: Vec<Returned> = rested.into_iter().map(Returner::told).collect();
    outcome.close_returns(&mut returned);
    let mails_are_sent = point.who == Who::Orchestrator;
    outcome.violations.extend(books::compare(&mut stage, told, &returned, mails_are_sent).await);
    outcome.tell(&point, seed, &stage);
    stage.remove().await;
    outcome
}
