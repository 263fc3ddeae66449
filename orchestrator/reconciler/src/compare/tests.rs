//! The table of kinds, row by row, and the laws of the comparison as a whole.

mod laws;
mod rows;
mod steps;

use backstitch_proto::money::{Currency, Money};

use super::*;
use crate::finding::Move;
use crate::lines::{Claim, ObjectState, Refund, RefundState};
use crate::sagas::{Saga, Standing};

const DAY: i64 = 24 * 3_600_000;
const NOW: i64 = 1_000 * DAY;
const TERMS: Terms = Terms { now_ms: NOW, since_ms: NOW - 30 * DAY, grace_ms: 60_000, ends_within_ms: DAY };

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::parse("GBP").unwrap())
}

/// One checkout's lines.
#[derive(Clone, Debug, Default)]
struct World {
    ledger: Vec<Payment>,
    provider: Vec<Object>,
    orders: Vec<Order>,
    cases: Vec<Case>,
}

impl World {
    fn compare(&self, sagas: &Sagas, terms: &Terms) -> Vec<Finding> {
        compare(&self.ledger, &self.provider, &self.orders, &self.cases, sagas, terms)
    }

    /// Under one standing of every saga.
    fn under(&self, standing: Standing) -> Vec<Finding> {
        self.compare(&all(standing), &TERMS)
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

fn all(standing: Standing) -> Sagas {
    let of = |id: &str| (id.to_owned(), Saga { standing, moved_ms: NOW - DAY });
    Sagas::Told(["saga", "other", "return"].map(of).into())
}

/// A day old: authorized, captured, or neither.
fn payment(status: &str, captured: i64) -> Payment {
    Payment {
        id: "payment".into(),
        saga: "saga".into(),
        order: "order".into(),
        object: "pi_1".into(),
        status: status.into(),
        amount: gbp(1_000),
        authorized: if status == "authorizing" { 0 } else { 1_000 },
        captured,
        refunded: 0,
        created_ms: NOW - DAY,
        updated_ms: NOW - DAY,
        refunds: Vec::new(),
        is_asked_for: false,
        is_elsewhere: false,
    }
}

fn object(state: ObjectState, captured: i64) -> Object {
    Object {
        id: "pi_1".into(),
        payment: "payment".into(),
        saga: "saga".into(),
        order: "order".into(),
        amount: gbp(1_000),
        state,
        authorized: 1_000,
        captured,
        refunded: 0,
        created_ms: NOW - DAY,
        capture_before_ms: NOW + 6 * DAY,
        refunds: Vec::new(),
        disputed: false,
    }
}

fn order(status: &str) -> Order {
    Order {
        id: "order".into(),
        number: "BS-000001".into(),
        saga: "saga".into(),
        payment: "payment".into(),
        status: status.into(),
        total: gbp(1_000),
        returned: 0,
        claims: Vec::new(),
        created_ms: NOW - DAY,
        changed_ms: NOW - DAY,
    }
}

fn refund(state: RefundState, amount: i64) -> Refund {
    Refund { id: "refund".into(), object: "re_1".into(), saga: "return".into(), state, amount }
}

fn case(is_resolved: bool) -> Case {
    Case {
        refund: "refund".into(),
        payment: "payment".into(),
        saga: "saga".into(),
        amount: gbp(400),
        why: "lost card".into(),
        is_resolved,
        opened_ms: NOW - DAY,
    }
}

/// Sold and paid.
fn sold() -> World {
    World {
        ledger: vec![payment("captured", 1_000)],
        provider: vec![object(ObjectState::Captured, 1_000)],
        orders: vec![order("confirmed")],
        cases: Vec::new(),
    }
}

/// Held, before its capture.
fn held() -> World {
    World {
        ledger: vec![payment("authorized", 0)],
        provider: vec![object(ObjectState::Authorized, 0)],
        orders: vec![order("pending")],
        cases: Vec::new(),
    }
}

/// Sold, and 4.00 of it came back.
fn returned() -> World {
    sold().with(|world| {
        world.ledger[0].refunded = 400;
        world.ledger[0].refunds.push(refund(RefundState::Done, 400));
        world.provider[0].refunded = 400;
        world.provider[0].refunds.push(refund(RefundState::Done, 400));
        world.orders[0].returned = 400;
    })
}

/// Sold; 4.00 went back and bounced days later.
fn bounced(is_resolved: bool) -> World {
    returned().with(|world| {
        world.provider[0].refunded = 0;
        world.provider[0].refunds[0].state = RefundState::Failed;
        world.cases.push(case(is_resolved));
    })
}

/// Taken back before its capture.
fn taken_back() -> World {
    held().with(|world| {
        world.ledger[0].status = "voided".into();
        world.provider[0].state = ObjectState::Cancelled;
        world.orders[0].status = "cancelled".into();
    })
}
