//! One run: a shop, a place to die at, customers, and what came of it.

use tokio::task::JoinSet;

use crate::books;
use crate::customers::{Customer, KINDS, SLOW, Told, ends};
use crate::dice::Dice;
use crate::points::{Point, When, Who};
use crate::stage::{Engines, Stage};

/// How a checkout may end besides, where a participant was killed: whoever dies between the intent to ask the bank and
/// the answer, and then sees nothing there, never asks a second time but makes sure that it cannot happen.
const GIVEN_UP: &str = "PAYMENT_INTERRUPTED";

/// What a run counted.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) kills: usize,
    pub(crate) checkouts: usize,
    /// Questions that had to be asked again.
    pub(crate) asked_again: usize,
    pub(crate) violations: Vec<String>,
}

pub(crate) async fn run(point: Point, engines: Engines, seed: u64) -> Outcome {
    let mut dice = Dice::of(seed, &point.name);
    let times = if point.often { 1 + dice.roll(2) } else { 1 };
    // At once, or with a pause in which whoever ought to wait might not.
    let pause = 25 * dice.roll(2);
    let armed = format!("{}@{times}=abort+{pause}", point.name);
    let mut kinds = KINDS.to_vec();
    let first_life = match point.when {
        When::Serving => armed.as_str(),
        When::Starting(_) => {
            kinds.push(SLOW);
            ""
        }
    };
    let mut stage = Stage::open(&engines, point.who, first_life).await;

    let mut shopping = JoinSet::new();
    for (number, kind) in kinds.into_iter().enumerate() {
        let mut customer = Customer::new(number, kind, &stage.doors, number);
        let comes = dice.moment(30);
        shopping.spawn(async move {
            tokio::time::sleep(comes).await;
            customer.shop().await;
            customer
        });
    }

    let mut outcome = Outcome::default();
    let died = match point.when {
        When::Serving => stage.dies(point.who, &point.name).await,
        When::Starting(lives) => {
            tokio::time::sleep(dice.moment(400)).await;
            stage.under_way().await;
            stage.kill(point.who);
            outcome.kills += 1;
            die_on_the_way_up(&mut stage, &point, &armed, lives).await
        }
    };
    match died {
        Ok(()) => outcome.kills += 1,
        Err(why) => outcome.violations.push(why),
    }
    stage.kill(point.who);
    stage.start(point.who, "").await;

    let mut customers = shopping.join_all().await;
    for customer in &mut customers {
        // Asked for the last time, long after: the same answer.
        if !customer.check_out(false).await {
            outcome.violations.push(format!("{}: not answered at rest", customer.told.key));
        }
        customer.look_until_it_rests().await;
    }
    let mut told: Vec<Told> = customers.into_iter().map(|customer| customer.told).collect();
    for told in &mut told {
        let given_up = point.who == Who::Participants && told.end() == GIVEN_UP;
        if told.end() != told.kind.end && !given_up {
            told.violations.push(format!("{}: {} ended as {}", told.key, told.kind.token, told.end()));
        }
        outcome.violations.append(&mut told.violations);
        outcome.asked_again += told.unanswered;
    }
    outcome.checkouts = told.len();
    outcome.violations.extend(books::compare(&mut stage, &told, point.who == Who::Orchestrator).await);
    if !outcome.violations.is_empty() {
        let said = stage.said();
        eprintln!(
            "{} with BACKSTITCH_SEED={seed}: {:#?}\n{:?}\n{said}",
            point.name,
            outcome.violations,
            ends(&told)
        );
    }
    outcome
}

/// Dies `lives` times in a row before or while it takes up what was under way.
async fn die_on_the_way_up(
    stage: &mut Stage,
    point: &Point,
    armed: &str,
    lives: usize,
) -> Result<(), String> {
    for life in 0..lives {
        if life > 0 {
            stage.kill(point.who);
        }
        stage.spawn(point.who, armed);
        stage.dies(point.who, &point.name).await?;
    }
    Ok(())
}
