//! What was looked at, what is parked, and what could not be looked at.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::money::{Position, positions};
use crate::books::{Books, End, Part, Participants, Saga, Standing};
use crate::report::money;
use crate::{Amounts, Counts, Parked, Report};

/// A report without violations.
pub(super) fn report(books: &Books) -> Report {
    let mut report = Report { counts: counts(books), ..Report::default() };
    match &books.participants {
        None => report.not_audited.push("the participants: only the orchestrator's store was given".into()),
        Some(Participants { bank: None, .. }) => report.not_audited.push(
            "the bank's statement: the provider's books are not here, so our own ledger stands in for them"
                .into(),
        ),
        Some(_) => {}
    }
    if let Some(participants) = &books.participants {
        report.money = amounts(participants);
    }
    let parked = books.sagas.iter().filter(|(_, saga)| saga.standing() == Standing::Parked);
    let positions = books.participants.as_ref().map(positions).unwrap_or_default();
    report.parked =
        parked.map(|(id, saga)| tell(*id, saga, books.participants.as_ref(), &positions)).collect();
    report
}

fn counts(books: &Books) -> Counts {
    let standing = |wanted: Standing| books.sagas.values().filter(|saga| saga.standing() == wanted).count();
    let records: i64 = books.sagas.values().map(|saga| saga.journal.last).sum();
    let mut counts = Counts {
        sagas: books.sagas.len(),
        completed: standing(Standing::Ended(End::Completed)),
        compensated: standing(Standing::Ended(End::Compensated)),
        in_flight: standing(Standing::InFlight),
        records: usize::try_from(records).unwrap_or(0),
        events: books.lanes.iter().map(|lane| lane.rows.len()).sum(),
        ..Counts::default()
    };
    if let Some(participants) = &books.participants {
        counts.orders = participants.orders.all.len();
        counts.orders_standing = participants.orders.all.iter().filter(|order| order.stands()).count();
        counts.payments = participants.payments.all.len();
        counts.accounts = participants.bank.as_ref().map_or(0, |bank| bank.accounts.len());
        counts.skus = participants.stock.skus.len();
        counts.reservations = participants.stock.reservations.len();
        counts.carts = participants.carts.count;
        counts.shipments = participants.shipments.all.len();
        counts.events += participants.outboxes().iter().map(|outbox| outbox.rows.len()).sum::<usize>();
    }
    counts
}

fn amounts(participants: &Participants) -> BTreeMap<String, Amounts> {
    let mut money: BTreeMap<String, Amounts> = BTreeMap::new();
    let mut add = |currency: &str, captured: i64, refunded: i64, held: i64| {
        let amounts = money.entry(currency.to_owned()).or_default();
        amounts.captured_minor = amounts.captured_minor.saturating_add(captured);
        amounts.refunded_minor = amounts.refunded_minor.saturating_add(refunded);
        amounts.held_minor = amounts.held_minor.saturating_add(held);
    };
    if let Some(bank) = &participants.bank {
        for account in &bank.accounts {
            add(&account.currency, account.sum("captured"), account.sum("refunded"), account.held_minor());
        }
    } else {
        for payment in participants.payments.all.values() {
            add(&payment.currency, payment.captured_minor, payment.refunded_minor, payment.held_minor());
        }
    }
    money
}

/// Why a saga is parked and what it leaves in the air.
fn tell(
    id: Uuid,
    saga: &Saga,
    participants: Option<&Participants>,
    positions: &BTreeMap<Uuid, Position>,
) -> Parked {
    let parked = &saga.journal.parked;
    let why = parked.iter().map(|((step, part), why)| match part {
        Part::Do => format!("step {step}: {why}"),
        Part::Undo => format!("undo of step {step}: {why}"),
    });
    let whole = saga.journal.poisoned.iter().map(|why| format!("the saga as a whole: {why}"));
    let why = whole.chain(why).collect();
    let mut leaves = Vec::new();
    if let Some(participants) = participants {
        for payment in participants.payments.all.values().filter(|payment| payment.saga == id) {
            let at = positions.get(&payment.id).copied().unwrap_or_default();
            let show = |minor| money(minor, &payment.currency);
            leaves.push(format!(
                "payment {}: {} captured, {} refunded, {} held",
                payment.id,
                show(at.captured),
                show(at.refunded),
                show(at.held)
            ));
        }
        for order in participants.orders.all.iter().filter(|order| order.saga == id) {
            leaves.push(format!("order {} is {}", order.name(), order.status));
        }
        if let Some((order, one)) = participants.orders.return_of(id) {
            let refund = money(one.refund_minor, &order.currency);
            leaves.push(format!("a return of order {} over {refund} is {}", order.name(), one.status));
        }
        for reservation in participants.stock.reservations.values().filter(|r| r.saga == id && r.is_open()) {
            leaves.push(format!("reservation {} is open", reservation.id));
        }
        for (cart, _) in participants.carts.held_by.iter().filter(|(_, holder)| **holder == id) {
            leaves.push(format!("cart {cart} is held"));
        }
    }
    Parked { saga: id.to_string(), definition: saga.definition.clone(), why, leaves }
}
