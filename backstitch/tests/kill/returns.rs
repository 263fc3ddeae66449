//! One run in which what was bought is sent back: a shop, a place to die at, customers, and what came of it.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bank::{Bank, Provider};
use crate::books;
use crate::common::until;
use crate::customers::Told;
use crate::dice::Dice;
use crate::engines::Engines;
use crate::points::{Point, Who};
use crate::returners::{Returned, Returner};
use crate::run::Outcome;
use crate::sold::Sold;
use crate::stage::Stage;

/// For a place that is reached with the last answer, which everybody has while the process still stands there.
const DYING: Duration = Duration::from_secs(2);

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
    let (mut outcome, mut rested) = (Outcome::default(), Vec::new());
    match it_dies(&mut stage, &point, &mut asking, &mut rested).await {
        Ok(()) => outcome.kills += 1,
        Err(why) => outcome.violations.push(why),
    }
    stage.goes_on(point.who, &mut dice).await;
    rested.extend(asking.join_all().await);
    stage.start_all().await;
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

/// Waits until it dies, or until everybody has their answer and it has not.
pub(crate) async fn it_dies<T: 'static>(
    stage: &mut Stage,
    point: &Point,
    asking: &mut JoinSet<T>,
    rested: &mut Vec<T>,
) -> Result<(), String> {
    let what = format!("{} is reached", point.name);
    let dies = until(&what, async || {
        if let Some(died) = stage.has_died(point.who, &point.name) {
            return Some(died);
        }
        while let Some(asked) = asking.try_join_next() {
            rested.push(asked.unwrap());
        }
        asking.is_empty().then(|| Err(format!("{} was not reached", point.name)))
    });
    match dies.await {
        Ok(()) => Ok(()),
        Err(why) => {
            let dies = until("it dies", async || stage.has_died(point.who, &point.name));
            timeout(DYING, dies).await.unwrap_or(Err(why))
        }
    }
}
