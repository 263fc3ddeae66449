//! kill -9 at every boundary of a checkout, over real processes.
//!
//! For each place ([`points`]) a fresh shop in processes of its own is opened, one of them is told to die there, several
//! customers check out at once, the process dies, another takes its place, and the customers ask again with the same
//! keys. Then what the customers were told ([`customers`]), the bank's statement, the stock, the orders, the carts and
//! the mailbox are compared ([`books`]), and the auditor reads the databases. A place that was not reached is a failure.
//!
//! `CHAOS_ROUNDS=30` does it all thirty times, `BACKSTITCH_SEED` plays a run again, `CHAOS_ONLY` names a part of the
//! places. `BLESS=1` writes what was counted into docs/chaos.md.

#![allow(clippy::unwrap_used)]

mod bank;
mod books;
#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod customers;
mod dice;
mod engines;
mod freeze;
mod matrix;
mod points;
mod relay;
mod run;
mod stage;
mod table;

use engines::Engines;
use freeze::freeze;
use matrix::matrix;
use relay::relay;
use run::{run, run_with_stripe};

#[tokio::test]
async fn a_killed_orchestrator_ends_every_checkout_once() {
    matrix("orchestrator", &points::of_orchestrator(), &Engines::Sqlite, run).await;
}

#[tokio::test]
async fn a_killed_participant_ends_every_checkout_once() {
    matrix("participants", &points::of_participants(), &Engines::Sqlite, run).await;
}

#[tokio::test]
async fn a_participant_killed_between_stripe_and_its_record_ends_every_checkout_once() {
    let points = points::of_payments_at_stripe();
    matrix("participants, Stripe", &points, &Engines::Sqlite, run_with_stripe).await;
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
async fn a_killed_relay_loses_no_event_and_lets_none_overtake() {
    matrix("relay", &points::of_relay(), &Engines::Sqlite, relay).await;
}

#[tokio::test]
async fn a_killed_relay_on_postgres_loses_no_event_and_lets_none_overtake() {
    matrix("relay", &points::of_relay(), &Engines::postgres(), relay).await;
}
