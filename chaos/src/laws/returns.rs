//! I1 and I2 of returns, one by one: what comes back is given back for, once, and never more than was bought and paid.
//!
//! At every moment: all returns of an order that were not cancelled come to no more than its lines and its total; one that
//! is completed has its refund, its restock and its receipt, for it writes its credit note last; one that is cancelled has
//! none; and whatever was refunded, restocked or received belongs to a return. Who claims can let go: a claim's saga is in
//! flight or parked.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Findings;
use crate::Invariant::{Events, Money, Stock};
use crate::books::{Books, End, Order, Participants, Restock, Return, ReturnStatus, Standing, total};
use crate::report::money;

pub(super) fn check(books: &Books, participants: &Participants, found: &mut Findings) {
    for order in &participants.orders.all {
        no_more_than_was_bought(order, found);
        no_more_than_was_paid(order, found);
        for one in &order.returns {
            fits_its_saga(books, order, one, found);
            gives_its_money_back(order, one, participants, found);
            takes_its_goods(order, one, participants, found);
        }
    }
    for one in &participants.orders.strays {
        found.add(
            Money,
            "A return is of an order that does not exist.",
            [("return", &one.id), ("order", &one.order), ("saga", &one.saga)],
            "order: order_returns, orders",
        );
    }
    completed_sagas_have_returns(books, participants, found);
    refunds_have_returns(participants, found);
    goods_have_returns(participants, found);
    restocked_as_the_restocks_say(participants, found);
}

fn no_more_than_was_bought(order: &Order, found: &mut Findings) {
    let mut back: BTreeMap<i64, i64> = BTreeMap::new();
    for (line, quantity) in order.returns.iter().filter(|one| one.counts()).flat_map(|one| &one.lines) {
        let sum = back.entry(*line).or_default();
        *sum = sum.saturating_add(*quantity);
    }
    let ids: [(&'static str, &dyn ToString); 2] = [("order", &order.id), ("saga", &order.saga)];
    const AT: &str = "order: order_items, order_returns and order_return_lines of this order";
    for (number, line) in &order.lines {
        let back = back.remove(number).unwrap_or(0);
        if back > line.quantity {
            let (name, sku) = (order.name(), &line.sku);
            let what = format!("Of {} of {sku} in order {name} {back} are to come back.", line.quantity);
            found.add(Stock, what, ids, AT);
        }
        if back != line.returned {
            let what = format!(
                "Order {} says that {} of {} come back, but its returns say {back}.",
                order.name(),
                line.returned,
                line.sku
            );
            found.add(Stock, what, ids, AT);
        }
    }
    for line in back.keys() {
        let what = format!("A return of order {} is of line {line}, which it has not.", order.name());
        found.add(Stock, what, ids, AT);
    }
}

fn no_more_than_was_paid(order: &Order, found: &mut Findings) {
    let back = total(order.returns.iter().filter(|one| one.counts()).map(|one| one.refund_minor));
    let show = |minor| money(minor, &order.currency);
    let ids: [(&'static str, &dyn ToString); 2] = [("order", &order.id), ("saga", &order.saga)];
    const AT: &str = "order: orders and order_returns of this order";
    if back > order.total_minor {
        let what = format!(
            "Order {} of {} gives back {} by its returns.",
            order.name(),
            show(order.total_minor),
            show(back)
        );
        found.add(Money, what, ids, AT);
    }
    if back != order.returned_minor {
        let what = format!(
            "Order {} says that it gives {} back, but its returns say {}.",
            order.name(),
            show(order.returned_minor),
            show(back)
        );
        found.add(Money, what, ids, AT);
    }
}

fn fits_its_saga(books: &Books, order: &Order, one: &Return, found: &mut Findings) {
    let ids: [(&'static str, &dyn ToString); 3] =
        [("return", &one.id), ("order", &order.id), ("saga", &one.saga)];
    const AT: &str = "order: order_returns and barrier of this saga; orchestrator: sagas and journal of it";
    let standing = books.standing(one.saga);
    let wrong = match standing {
        Standing::Ended(End::Completed) => one.status != ReturnStatus::Completed,
        Standing::Ended(End::Compensated) => one.status != ReturnStatus::Cancelled,
        Standing::Unknown => one.status == ReturnStatus::Claimed,
        Standing::InFlight | Standing::Parked => false,
    };
    if wrong {
        let what =
            format!("The saga {standing}, but its return of order {} is {}.", order.name(), one.status);
        found.add(Money, what, ids, AT);
    }
    if let Some(saga) = books.sagas.get(&one.saga)
        && saga.root != order.saga
    {
        let what = format!("A return of order {} is of another family than its checkout.", order.name());
        found.add(Events, what, ids, AT);
    }
}

/// The refund comes before the credit note, and a return that was refunded is never cancelled.
fn gives_its_money_back(order: &Order, one: &Return, participants: &Participants, found: &mut Findings) {
    let payment = participants.payments.all.get(&order.payment);
    let refunds = payment.into_iter().flat_map(|payment| &payment.refunds);
    // One that failed later was done when the credit note was written.
    let failed_later = one.status == ReturnStatus::Completed;
    let given = |status: &str| status == "done" || (failed_later && status == "failed");
    let refunds = refunds.filter(|refund| refund.saga == one.saga && given(&refund.status));
    let refunded = total(refunds.map(|refund| refund.amount_minor));
    let wrong = match one.status {
        ReturnStatus::Claimed => refunded != 0 && refunded != one.refund_minor,
        ReturnStatus::Completed => refunded != one.refund_minor,
        ReturnStatus::Cancelled => refunded != 0,
    };
    if wrong {
        let show = |minor| money(minor, &order.currency);
        found.add(
            Money,
            format!(
                "{} of order {} is over {}, but {} was refunded for it.",
                one.name(),
                order.name(),
                show(one.refund_minor),
                show(refunded)
            ),
            [("return", &one.id), ("order", &order.id), ("payment", &order.payment), ("saga", &one.saga)],
            "order: order_returns; payment: refunds of this saga",
        );
    }
}

/// The goods come before the credit note too.
fn takes_its_goods(order: &Order, one: &Return, participants: &Participants, found: &mut Findings) {
    let ids: [(&'static str, &dyn ToString); 3] =
        [("return", &one.id), ("order", &order.id), ("saga", &one.saga)];
    let asked = order.back([one]);
    let mut back: BTreeMap<&str, i64> = BTreeMap::new();
    for (sku, quantity) in restocks_of(participants, one.saga).flat_map(|restock| &restock.lines) {
        let sum = back.entry(sku).or_default();
        *sum = sum.saturating_add(*quantity);
    }
    let wrong = match one.status {
        ReturnStatus::Claimed => !back.is_empty() && back != asked,
        ReturnStatus::Completed => back != asked,
        ReturnStatus::Cancelled => !back.is_empty(),
    };
    if wrong {
        let what = format!(
            "{} of order {} is of {}, but {} came back into the stock by it.",
            one.name(),
            order.name(),
            listed(&asked),
            listed(&back)
        );
        found.add(Stock, what, ids, "order: order_return_lines; inventory: restocks of this saga");
    }
    let receipts = participants.shipments.receipts.iter().filter(|receipt| receipt.saga == one.saga).count();
    let wrong = match one.status {
        ReturnStatus::Claimed => receipts > 1,
        ReturnStatus::Completed => receipts != 1,
        ReturnStatus::Cancelled => receipts > 0,
    };
    if wrong {
        let what = format!("{} of order {} has {receipts} receipts.", one.name(), order.name());
        found.add(Stock, what, ids, "order: order_returns; shipping: receipts of this saga");
    }
}

fn restocks_of(participants: &Participants, saga: Uuid) -> impl Iterator<Item = &Restock> {
    participants.stock.restocks.iter().filter(move |restock| restock.saga == saga)
}

fn listed(units: &BTreeMap<&str, i64>) -> String {
    if units.is_empty() {
        return "nothing".to_owned();
    }
    units.iter().map(|(sku, quantity)| format!("{quantity} of {sku}")).collect::<Vec<_>>().join(", ")
}

fn completed_sagas_have_returns(books: &Books, participants: &Participants, found: &mut Findings) {
    for (id, saga) in books.sagas.iter().filter(|(_, saga)| saga.is_return()) {
        let ended = saga.standing() == Standing::Ended(End::Completed);
        if ended && participants.orders.return_of(*id).is_none() {
            found.add(
                Money,
                "The return completed, but no order knows of it.",
                [("saga", id)],
                "order: order_returns and barrier of this saga; orchestrator: journal",
            );
        }
    }
}

/// Of an order that stands nothing is refunded but for a return.
fn refunds_have_returns(participants: &Participants, found: &mut Findings) {
    for payment in participants.payments.all.values() {
        let order = participants.orders.of_payment(payment.id).filter(|order| order.stands());
        let Some(order) = order else { continue };
        for refund in payment.refunds.iter().filter(|refund| refund.status == "done") {
            if order.returns.iter().all(|one| one.saga != refund.saga) {
                let what = format!(
                    "{} was refunded of order {}, which stands, but for no return of it.",
                    money(refund.amount_minor, &payment.currency),
                    order.name()
                );
                found.add(
                    Money,
                    what,
                    [("refund", &refund.id), ("payment", &payment.id), ("saga", &refund.saga)],
                    "payment: refunds; order: order_returns of this order",
                );
            }
        }
    }
}

fn goods_have_returns(participants: &Participants, found: &mut Findings) {
    for restock in &participants.stock.restocks {
        let of =
            participants.stock.reservations.get(&restock.reservation).map(|reservation| reservation.saga);
        let by = participants.orders.return_of(restock.saga);
        if by.is_none_or(|(order, _)| Some(order.saga) != of) {
            found.add(
                Stock,
                "Goods came back into the stock, but by no return of what they were sold for.",
                [("restock", &restock.id), ("reservation", &restock.reservation), ("saga", &restock.saga)],
                "inventory: restocks; order: order_returns of this saga",
            );
        }
    }
    for receipt in &participants.shipments.receipts {
        if participants.orders.return_of(receipt.saga).is_none_or(|(order, _)| order.id != receipt.order) {
            found.add(
                Stock,
                "A parcel was taken back, but by no return of its order.",
                [("receipt", &receipt.id), ("order", &receipt.order), ("saga", &receipt.saga)],
                "shipping: receipts; order: order_returns of this saga",
            );
        }
    }
}

/// No unit comes back twice.
fn restocked_as_the_restocks_say(participants: &Participants, found: &mut Findings) {
    let mut back: BTreeMap<(Uuid, &str), i64> = BTreeMap::new();
    for restock in &participants.stock.restocks {
        for (sku, quantity) in &restock.lines {
            let sum = back.entry((restock.reservation, sku)).or_default();
            *sum = sum.saturating_add(*quantity);
        }
    }
    const AT: &str = "inventory: reservation_lines, restocks and restock_lines of this reservation";
    for reservation in participants.stock.reservations.values() {
        let ids: [(&'static str, &dyn ToString); 2] =
            [("reservation", &reservation.id), ("saga", &reservation.saga)];
        for (sku, line) in &reservation.lines {
            let back = back.remove(&(reservation.id, sku)).unwrap_or(0);
            if back > line.quantity || line.restocked > line.quantity {
                let (were, back) = (line.quantity, back.max(line.restocked));
                let what = format!("Of {were} of {sku} that were reserved {back} came back.");
                found.add(Stock, what, ids, AT);
            }
            if back != line.restocked {
                let what = format!(
                    "A reservation says that {} of {sku} came back, but its restocks say {back}.",
                    line.restocked
                );
                found.add(Stock, what, ids, AT);
            }
        }
    }
    for ((reservation, sku), quantity) in back {
        let what = format!("{quantity} of {sku} came back of a reservation that has none.");
        found.add(Stock, what, [("reservation", &reservation)], AT);
    }
}
