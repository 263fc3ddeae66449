//! Everything about one checkout, and what may be done about what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_proto::money::Money;

use super::Terms;
use super::sums::sums;
use crate::books::CLOCKS_MS;
use crate::finding::{About, Because, Finding, Move};
use crate::kind::{Kind, Remedy};
use crate::lines::{Case, Object, ObjectState, Order, Payment};
use crate::sagas::{Sagas, Standing};

/// Of which family an object is that no payment has: its saga's, else its own.
pub(crate) fn family_of(object: &Object) -> &str {
    if object.saga.is_empty() { &object.id } else { &object.saga }
}

/// The lines of one checkout.
#[derive(Debug, Default)]
pub(super) struct Family<'a> {
    pub(super) payments: Vec<&'a Payment>,
    pub(super) objects: Vec<&'a Object>,
    pub(super) orders: Vec<&'a Order>,
    pub(super) cases: Vec<&'a Case>,
}

/// Judges one family.
pub(super) struct Judge<'a> {
    pub(super) family: Family<'a>,
    pub(super) terms: &'a Terms,
    /// Every saga that may act on its money, and where it stands.
    sagas: BTreeMap<&'a str, Standing>,
    /// Something of it changed so recently that it may settle by itself.
    is_young: bool,
    /// Payments whose difference is told already.
    pub(super) told: BTreeSet<&'a str>,
    /// Payments that have another object's id: the object that was made for them is no second one.
    pub(super) astray: BTreeSet<&'a str>,
    found: Vec<Finding>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(family: Family<'a>, sagas: &Sagas, terms: &'a Terms) -> Self {
        let mut ids = BTreeSet::<&str>::new();
        ids.extend(family.payments.iter().map(|payment| payment.saga.as_str()));
        let refunds = family.payments.iter().flat_map(|payment| &payment.refunds);
        ids.extend(refunds.map(|refund| refund.saga.as_str()));
        ids.extend(family.objects.iter().map(|object| object.saga.as_str()));
        ids.extend(family.orders.iter().map(|order| order.saga.as_str()));
        let claims = family.orders.iter().flat_map(|order| &order.claims);
        ids.extend(claims.map(|claim| claim.saga.as_str()));
        ids.remove("");
        let told: Vec<_> = ids.into_iter().map(|id| (id, sagas.of(id))).collect();
        let moved = told.iter().map(|(_, saga)| saga.moved_ms);
        let moved = moved.chain(family.payments.iter().map(|payment| payment.updated_ms));
        let moved = moved.chain(family.objects.iter().map(|object| object.created_ms));
        let moved = moved.chain(family.orders.iter().map(|order| order.changed_ms));
        let mut moved = moved.chain(family.cases.iter().map(|case| case.opened_ms));
        // What moved long after now was written by a clock that was wrong, and would be young until that time has come.
        let is_young = moved.any(|at_ms| {
            terms.now_ms.saturating_sub(at_ms) < terms.grace_ms
                && at_ms.saturating_sub(terms.now_ms) <= CLOCKS_MS
        });
        let sagas = told.into_iter().map(|(id, saga)| (id, saga.standing)).collect();
        Self {
            family,
            terms,
            sagas,
            is_young,
            told: BTreeSet::new(),
            astray: BTreeSet::new(),
            found: Vec::new(),
        }
    }

    pub(super) fn findings(mut self) -> Vec<Finding> {
        self.open_cases();
        self.objects();
        self.orders();
        self.found
    }

    /// Whether nobody will do anything any more: every saga that may act has ended.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.sagas.values().any(|standing| is_going(*standing))
    }

    /// What returns that have not ended have claimed of an order: given back already, or not yet.
    pub(super) fn claimed(&self, order: &Order) -> i64 {
        let going = |saga: &str| self.sagas.get(saga).is_some_and(|standing| is_going(*standing));
        let of = order.claims.iter().filter(|claim| going(&claim.saga));
        of.fold(0, |sum: i64, claim| sum.saturating_add(claim.amount.max(0)))
    }

    pub(super) fn object_of(&self, payment: &Payment) -> Option<&'a Object> {
        let named = |object: &&&Object| !payment.object.is_empty() && object.id == payment.object;
        self.family.objects.iter().find(named).copied()
    }

    /// The order that says that this payment paid it.
    pub(super) fn order_on(&self, payment: &str) -> Option<&'a Order> {
        self.family.orders.iter().find(|order| order.payment == payment).copied()
    }

    /// Kept of the customer's money on a payment: by the provider, unless it was not asked about it.
    pub(super) fn kept(&self, payment: &Payment) -> i64 {
        self.object_of(payment).map_or_else(|| payment.kept(), Object::kept)
    }

    /// An order that stands on no money: what else was taken or is held in its family may be the money that it lacks.
    fn is_an_order_short(&self) -> bool {
        let paid = |order: &Order| {
            self.family.payments.iter().any(|p| p.id == order.payment && self.kept(p) >= order.total.minor)
        };
        self.family.orders.iter().any(|order| order.stands() && !paid(order))
    }

    pub(super) fn add(&mut self, kind: Kind, amount: Money, about: About, what: String) {
        let step = self.step(kind, &about);
        // What is missing is as much at risk as what is too much.
        let amount = Money::new(amount.minor.saturating_abs(), amount.currency);
        let sums = sums(&self.family, &about);
        self.found.push(Finding { kind, amount, about, sums, step, what });
    }

    /// What may be done. A repair only where every saga that may act on this money has ended, and no order can need it.
    fn step(&self, kind: Kind, about: &About) -> Move {
        if self.is_young {
            return Move::Wait;
        }
        let of = |wanted| self.sagas.iter().find(|(_, standing)| **standing == wanted).map(|(id, _)| *id);
        let note = |saga: &str, is_parked| Move::Note { saga: saga.to_owned(), is_parked };
        if let Some(saga) = of(Standing::Live) {
            return note(saga, false);
        }
        if let Some(saga) = of(Standing::Parked) {
            return note(saga, true);
        }
        if self.is_a_stranger_s() {
            return Move::Person(Because::Stranger);
        }
        if of(Standing::Unknown).is_some() {
            return Move::Person(Because::UnknownSaga);
        }
        if kind.remedy() == Remedy::Person {
            return Move::Person(Because::Judgement);
        }
        // What the provider does not show, at another one perhaps, can only be looked at by hand.
        let Some(object) = self.family.objects.iter().find(|object| object.id == about.object) else {
            return Move::Person(Because::Judgement);
        };
        if object.saga.is_empty() {
            return Move::Person(Because::Foreign);
        }
        if self.is_an_order_short() {
            return Move::Person(Because::Judgement);
        }
        match (kind.remedy(), object.state) {
            (Remedy::Cancel, ObjectState::Authorized) => Move::Repair { state: "authorized" },
            (Remedy::Refund, ObjectState::Captured) if self.is_owed_to_nobody(kind) => {
                Move::Repair { state: "captured" }
            }
            _ => Move::Person(Because::Judgement),
        }
    }

    /// Whether nothing but the provider's list has this checkout. Its id may be as old as those that are forgotten here: as
    /// old are those of every other shop on the account.
    fn is_a_stranger_s(&self) -> bool {
        let Family { payments, objects: _, orders, cases } = &self.family;
        let mut sagas = self.sagas.values();
        payments.is_empty()
            && orders.is_empty()
            && cases.is_empty()
            && !self.sagas.is_empty()
            && sagas.all(|standing| matches!(standing, Standing::Unknown | Standing::Forgotten))
    }

    /// Whether the checkout's own end says that this money is not the shop's. One that completed, and whose order does
    /// not stand, may have lost its order and not its right to the money; so may one that is forgotten.
    fn is_owed_to_nobody(&self, kind: Kind) -> bool {
        let completed = self.sagas.values().any(|standing| *standing == Standing::Completed);
        let forgotten = self.sagas.values().any(|standing| *standing == Standing::Forgotten);
        let stands = self.family.orders.iter().any(|order| order.stands());
        match kind {
            Kind::CapturedTwice => stands,
            Kind::OrphanCapture => stands || (!completed && !forgotten),
            _ => !completed && !forgotten,
        }
    }
}

fn is_going(standing: Standing) -> bool {
    matches!(standing, Standing::Live | Standing::Parked)
}
