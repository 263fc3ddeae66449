//! Somebody is asked many things at once, dies on the way, and what was asked comes to rest all the same.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::common::until;
use crate::dice::Dice;
use crate::points::Point;
use crate::run::Outcome;
use crate::stage::Stage;

/// For a place that is reached with the last answer, which everybody has while the process still stands there.
const DYING: Duration = Duration::from_secs(2);

/// It dies while they ask, somebody goes on in its place, and all come to rest; then everybody is there again.
pub(crate) async fn dies_meanwhile<T: 'static>(
    stage: &mut Stage,
    point: &Point,
    mut asking: JoinSet<T>,
    dice: &mut Dice,
    outcome: &mut Outcome,
) -> Vec<T> {
    let mut rested = Vec::new();
    outcome.died(it_dies(stage, point, &mut asking, &mut rested).await);
    stage.goes_on(point.who, dice).await;
    rested.extend(asking.join_all().await);
    stage.start_all().await;
    rested
}

/// Waits until it dies, or until everybody has their answer and it has not.
async fn it_dies<T: 'static>(
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
