//! One run: a shop, a place to die at, customers, and what came of it.

use crate::bank::{Bank, Provider};
use crate::books;
use crate::common::until;
use crate::crowd::Crowd;
use crate::customers::{Customer, SLOW, Told, ends};
use crate::dice::Dice;
use crate::engines::Engines;
use crate::points::{Point, When, Who};
use crate::returners::Returned;
use crate::seat::was_too_slow;
use crate::stage::Stage;

/// What a run counted.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) kills: usize,
    /// Checkouts, or returns.
    pub(crate) sagas: usize,
    /// Questions that had to be asked again.
    pub(crate) asked_again: usize,
    pub(crate) violations: Vec<String>,
}

impl Outcome {
    /// Counts a death that was wanted.
    pub(crate) fn died(&mut self, as_told: Result<(), String>) {
        match as_told {
            Ok(()) => self.kills += 1,
            Err(why) => self.violations.push(why),
        }
    }

    /// Counts what customers were told of their checkouts, each of which may also end as one of `besides`.
    pub(crate) fn close(&mut self, all: &mut [Told], besides: &[&str]) {
        for told in all.iter_mut() {
            if told.end() != told.kind.end && !besides.contains(&told.end()) {
                told.violations.push(format!("{}: {} ended as {}", told.key, told.kind.token, told.end()));
            }
            self.violations.append(&mut told.violations);
            self.asked_again += told.unanswered;
        }
        self.sagas += all.len();
    }

    /// What was wrong, for people.
    pub(crate) fn tell(&self, point: &Point, seed: u64, stage: &Stage) {
        if !self.violations.is_empty() {
            let (wrong, said) = (&self.violations, stage.said());
            eprintln!("{} with BACKSTITCH_SEED={seed}: {wrong:#?}\n{said}", point.name);
        }
    }

    /// Counts what customers were told of their returns: whoever was killed, each ends as its card and its goods say.
    pub(crate) fn close_returns(&mut self, all: &mut [Returned]) {
        for told in all.iter_mut() {
            if told.end() != told.wish.end {
                told.violations.push(format!("{}: {:?} ended as {}", told.key, told.wish, told.end()));
            }
            self.violations.append(&mut told.violations);
            self.asked_again += told.unanswered;
        }
        self.sagas += all.len();
    }
}

pub(crate) async fn run(point: Point, engines: Engines, seed: u64) -> Outcome {
    run_with(Provider::Sandbox, point, engines, seed).await
}

/// The same with Stripe as the bank.
pub(crate) async fn run_with_stripe(point: Point, engines: Engines, seed: u64) -> Outcome {
    run_with(Provider::Stripe, point, engines, seed).await
}

/// The same where somebody takes at Stripe what we let go: the undo gives it back.
pub(crate) async fn run_overtaken(point: Point, engines: Engines, seed: u64) -> Outcome {
    run_with(Provider::Overtaken, point, engines, seed).await
}

async fn run_with(provider: Provider, point: Point, engines: Engines, seed: u64) -> Outcome {
    let mut dice = Dice::of(seed, &point.name);
    let armed = point.armed(&mut dice);
    let mut stage = Stage::with_bank(&engines, Bank::open(provider).await).await;
    let serving = point.when == When::Serving;
    stage.open(point.who, if serving { &armed } else { "" }).await;
    let mut crowd = Crowd::new(stage.bank.kinds(), &stage.doors, &dice);
    let mut outcome = Outcome::default();
    let died = match point.when {
        When::Serving => {
            stage.start_all().await;
            crowd.come();
            let died = crowd.until(|| stage.has_died(point.who, &point.name)).await;
            died.unwrap_or_else(|| Err(format!("{} was not reached", point.name)))
        }
        When::Starting(lives) => {
            crowd.come();
            crowd.one_comes(SLOW, 0);
            tokio::time::sleep(dice.moment(400)).await;
            stage.under_way().await;
            stage.kill(point.who);
            outcome.kills += 1;
            stage.choose_the_other();
            die_on_the_way_up(&mut stage, &point, &armed, lives).await
        }
    };
    outcome.died(died);
    stage.kill(point.who);
    // Taken over by the other, where there is one; or its own successor comes first.
    let alone = engines.nodes() > 1 && point.who == Who::Orchestrator && dice.roll(2) == 0;
    if !alone || point.when != When::Serving {
        stage.start_all().await;
    }
    let mut customers = crowd.all_rest().await;
    stage.start_all().await;
    for customer in &mut customers {
        // Asked for the last time, long after: the same answer.
        if !customer.check_out(false).await {
            outcome.violations.push(format!("{}: not answered at rest", customer.told.key));
        }
        customer.look_until_it_rests().await;
    }
    let mut told: Vec<Told> = customers.into_iter().map(Customer::told).collect();
    let besides = stage.bank.besides().iter().filter(|_| point.who == Who::Participants);
    outcome.close(&mut told, &besides.copied().collect::<Vec<_>>());
    outcome.violations.extend(books::compare(&mut stage, &told, &[], point.who == Who::Orchestrator).await);
    if !outcome.violations.is_empty() {
        let said = stage.said();
        eprintln!(
            "{} with BACKSTITCH_SEED={seed}: {:#?}\n{:?}\n{said}",
            point.name,
            outcome.violations,
            ends(&told)
        );
    }
    stage.remove().await;
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
        let died = until("it dies", async || stage.has_died(point.who, &point.name)).await;
        // As a supervisor does it.
        if died.as_ref().is_err_and(|why| was_too_slow(why)) {
            stage.spawn(point.who, armed);
            until("it dies", async || stage.has_died(point.who, &point.name)).await?;
        } else {
            died?;
        }
    }
    Ok(())
}
