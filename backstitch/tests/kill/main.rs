//! kill -9 at every boundary of a checkout and of a return, over real processes.
//!
//! For each place ([`points`]) a fresh shop in processes of its own is opened, one of them is told to die there, several
//! customers check out at once, or in a shop that has sold before ([`sold`]) want to send something back; the process dies,
//! another takes its place, and the customers ask again with the same keys. Then what the customers were told
//! ([`customers`], [`returners`]), the bank's statement, the stock, the orders, the carts and the mailbox are compared
//! ([`books`]), the reconciler looks, and the auditor reads the databases. A place that was not reached is a failure.
//!
//! `CHAOS_ROUNDS=30` does it all thirty times, `BACKSTITCH_SEED` plays a run again, `CHAOS_ONLY` names a part of the
//! places. `BLESS=1` writes what was counted into docs/chaos.md.

#![allow(clippy::unwrap_used)]

mod asker;
mod bank;
mod books;
#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod customers;
mod death;
mod dice;
mod engines;
mod freeze;
mod goods;
mod matrix;
mod money;
mod points;
mod relay;
mod repairs;
mod returners;
mod returns;
mod reversals;
mod run;
mod seat;
mod sold;
mod stage;
mod strangers;
mod table;

use bank::Bank;
use engines::Engines;
use freeze::{freeze, freeze_a_return};
use goods::{make_good, stuck_shop};
use matrix::matrix;
use points::Point;
use relay::relay;
use repairs::{repair, repair_at_stripe, visited_shop};
use returners::BUYERS;
use returns::{give_back, give_back_with_stripe};
use reversals::reversed;
use run::{run, run_overtaken, run_with_stripe};
use sold::Sold;

#[tokio::test]
async fn a_killed_orchestrator_ends_every_checkout_once() {
    matrix("orchestrator", &points::of_orchestrator(), &Engines::Sqlite, run).await;
}

#[tokio::test]
async fn a_killed_participant_ends_every_checkout_once() {
    matrix("participants", &points::of_participants(), &Engines::Sqlite, run).await;
}

#[tokio::test]
async fn a_killed_orchestrator_ends_every_return_once() {
    returns("orchestrator, returns", &points::of_orchestrator_in_returns(), &Engines::Sqlite).await;
}

#[tokio::test]
async fn a_killed_participant_ends_every_return_once() {
    returns("participants, returns", &points::of_participants_in_returns(), &Engines::Sqlite).await;
}

#[tokio::test]
async fn a_killed_orchestrator_on_postgres_ends_every_return_once() {
    returns("orchestrator, returns", &points::of_a_takeover_of_returns(), &Engines::postgres()).await;
}

#[tokio::test]
async fn killed_participants_on_postgres_end_every_return_once() {
    returns("participants, returns", &points::of_participants_in_returns(), &Engines::postgres()).await;
}

#[tokio::test]
async fn a_refund_that_fails_later_comes_to_one_case_whoever_is_killed() {
    matrix("either, failed refunds", &money::of_reversals(1), &Engines::Sqlite, reversed).await;
}

#[tokio::test]
async fn a_refund_that_fails_later_on_postgres_comes_to_one_case_whoever_is_killed() {
    matrix("either, failed refunds", &money::of_reversals(2), &Engines::postgres(), reversed).await;
}

#[tokio::test]
async fn what_a_person_makes_good_is_returned_once_whoever_is_killed() {
    good(&points::of_making_good(), &Engines::Sqlite).await;
}

#[tokio::test]
async fn what_is_made_good_is_taken_over_on_postgres() {
    good(&points::around_making_good(), &Engines::postgres()).await;
}

/// Everybody has paid before, and no parcel can leave; each run has a copy of that shop.
async fn good(points: &[Point], engines: &Engines) {
    let stuck = stuck_shop(engines).await;
    matrix("either, making good", points, engines, |point, engines, seed| {
        make_good(&stuck, point, engines, seed)
    })
    .await;
}

/// Everybody has bought before; each run has a copy of that shop.
async fn returns(who: &str, points: &[Point], engines: &Engines) {
    let sold = Sold::to(&BUYERS, engines, Bank::Sandbox).await;
    matrix(who, points, engines, |point, engines, seed| give_back(&sold, point, engines, seed)).await;
}

#[tokio::test]
async fn a_participant_killed_between_stripe_and_its_record_ends_every_checkout_once() {
    let points = money::of_payments_at_stripe();
    matrix("participants, Stripe", &points, &Engines::Sqlite, run_with_stripe).await;
}

#[tokio::test]
async fn participants_on_postgres_killed_between_stripe_and_their_record_end_every_checkout_once() {
    let points = money::not_alone(money::of_payments_at_stripe());
    matrix("participants, Stripe", &points, &Engines::postgres(), run_with_stripe).await;
}

#[tokio::test]
async fn an_orchestrator_killed_around_what_comes_to_stripe_ends_every_checkout_once() {
    let points = money::of_orchestrator_at_stripe(1);
    matrix("orchestrator, Stripe", &points, &Engines::Sqlite, run_with_stripe).await;
}

#[tokio::test]
async fn what_comes_to_stripe_is_taken_over_on_postgres() {
    let points = money::of_orchestrator_at_stripe(2);
    matrix("orchestrator, Stripe", &points, &Engines::postgres(), run_with_stripe).await;
}

#[tokio::test]
async fn a_participant_killed_between_stripe_and_its_record_ends_every_return_once() {
    let points = money::of_refunds_at_stripe();
    matrix("participants, Stripe, returns", &points, &Engines::Sqlite, give_back_with_stripe).await;
}

#[tokio::test]
async fn participants_on_postgres_killed_between_stripe_and_their_record_end_every_return_once() {
    let points = money::not_alone(money::of_refunds_at_stripe());
    matrix("participants, Stripe, returns", &points, &Engines::postgres(), give_back_with_stripe).await;
}

#[tokio::test]
async fn an_orchestrator_killed_around_a_refund_at_stripe_ends_every_return_once() {
    let points = money::of_orchestrator_in_returns_at_stripe(1);
    matrix("orchestrator, Stripe, returns", &points, &Engines::Sqlite, give_back_with_stripe).await;
}

#[tokio::test]
async fn refunds_at_stripe_are_taken_over_on_postgres() {
    let points = money::of_orchestrator_in_returns_at_stripe(2);
    matrix("orchestrator, Stripe, returns", &points, &Engines::postgres(), give_back_with_stripe).await;
}

#[tokio::test]
async fn what_somebody_takes_at_stripe_is_given_back_once_whoever_is_killed() {
    let points = money::of_what_was_overtaken(1);
    matrix("either, Stripe, taken behind our back", &points, &Engines::Sqlite, run_overtaken).await;
}

#[tokio::test]
async fn what_somebody_takes_at_stripe_is_given_back_once_on_postgres() {
    let points = money::of_what_was_overtaken(2);
    matrix("either, Stripe, taken behind our back", &points, &Engines::postgres(), run_overtaken).await;
}

#[tokio::test]
async fn what_nobody_owns_is_taken_back_once_whoever_is_killed() {
    let (points, engines) = (money::of_taking_back(), Engines::Sqlite);
    let visited = visited_shop(&engines).await;
    matrix("participants, repairs", &points, &engines, |point, engines, seed| {
        repair(&visited, point, engines, seed)
    })
    .await;
}

#[tokio::test]
async fn what_nobody_owns_at_stripe_is_taken_back_once_whoever_is_killed() {
    matrix("any, Stripe, repairs", &money::of_repairs(1), &Engines::Sqlite, repair_at_stripe).await;
}

#[tokio::test]
async fn what_nobody_owns_at_stripe_is_taken_back_once_on_postgres() {
    matrix("any, Stripe, repairs", &money::of_repairs(2), &Engines::postgres(), repair_at_stripe).await;
}

#[tokio::test]
async fn a_killed_orchestrator_on_postgres_ends_every_checkout_once() {
    matrix("orchestrator", &points::of_orchestrator(), &Engines::postgres(), run).await;
}

#[tokio::test]
async fn killed_participants_on_postgres_end_every_checkout_once() {
    matrix("participants", &points::of_participants(), &Engines::postgres(), run).await;
}

#[tokio::test]
async fn an_orchestrator_that_was_frozen_does_nothing_about_what_was_taken_over() {
    matrix("frozen orchestrator", &points::to_freeze_at(), &Engines::postgres(), freeze).await;
}

#[tokio::test]
async fn an_orchestrator_that_was_frozen_does_nothing_about_a_return_that_was_taken_over() {
    let engines = Engines::postgres();
    let sold = Sold::to(&BUYERS, &engines, Bank::Sandbox).await;
    let points = points::to_freeze_returns_at();
    matrix("frozen orchestrator, returns", &points, &engines, |point, engines, seed| {
        freeze_a_return(&sold, point, engines, seed)
    })
    .await;
}

#[tokio::test]
async fn a_killed_relay_loses_no_event_and_lets_none_overtake() {
    matrix("relay", &points::of_relay(), &Engines::Sqlite, relay).await;
}

#[tokio::test]
async fn a_killed_relay_on_postgres_loses_no_event_and_lets_none_overtake() {
    matrix("relay", &points::of_relay(), &Engines::postgres(), relay).await;
}
