//! The sentences of findings. No times in them but what the books say, so that the same finding reads the same again.

use std::fmt::Display;

use backstitch_proto::money::Money;

use crate::lines::{Case, Object, ObjectState, Order, Payment, Refund};

fn show(minor: i64, like: Money) -> impl Display {
    Money::new(minor, like.currency)
}

pub(super) fn orphan_hold(object: &Object, ours: bool) -> String {
    let held = show(object.authorized, object.amount);
    format!("The provider holds {held} on {}, {}.", object.id, nobody_s(object, ours))
}

pub(super) fn orphan_capture(object: &Object, ours: bool) -> String {
    let kept = show(object.kept(), object.amount);
    format!("The provider took {kept} on {}, {}.", object.id, nobody_s(object, ours))
}

fn nobody_s(object: &Object, ours: bool) -> String {
    match (object.payment.as_str(), ours) {
        ("", _) => "which somebody else made".to_owned(),
        (payment, true) => format!("and payment {payment} never stored its id"),
        (payment, false) => format!("made for payment {payment}, which the ledger does not have"),
    }
}

pub(super) fn twice(object: &Object, paid: &Payment) -> String {
    let (kept, first) = (show(object.kept(), object.amount), &paid.object);
    format!("The provider took {kept} on {} too; {first} paid this checkout already.", object.id)
}

pub(super) fn paid_twice(payment: &Payment, first: &Payment) -> String {
    let kept = show(payment.captured.max(payment.kept()), payment.amount);
    format!("Payment {} took {kept} too; payment {} paid this checkout already.", payment.id, first.id)
}

pub(super) fn left_over(payment: &Payment, object: &Object) -> String {
    let held = show(object.authorized, object.amount);
    format!(
        "The provider still holds {held} on {}; its payment is {} and nobody will capture it.",
        object.id, payment.status
    )
}

pub(super) fn may_still_pay(payment: &Payment, object: &Object) -> String {
    let amount = object.amount;
    format!(
        "The customer can still pay {amount} on {}; its payment is {} and nobody will capture it.",
        object.id, payment.status
    )
}

pub(super) fn ends_soon(payment: &Payment, object: &Object, left_ms: i64) -> String {
    let held = show(object.authorized, object.amount);
    // In whole days, so that it does not read differently at every look.
    let when = match left_ms / (24 * 3_600_000) {
        _ if left_ms <= 0 => "has run out".to_owned(),
        0 => "ends within a day".to_owned(),
        days => format!("ends within {} days", days + 1),
    };
    format!("The hold of {held} on {} {when}, and its payment is {}.", object.id, payment.status)
}

pub(super) fn hold_gone(payment: &Payment, object: &Object) -> String {
    let held = show(payment.authorized, payment.amount);
    let end = if object.state == ObjectState::Refused { "declined" } else { "cancelled" };
    format!("The payment is {} over {held}, but {} is {end} at the provider.", payment.status, object.id)
}

pub(super) fn disputed(object: &Object) -> String {
    let kept = show(object.kept(), object.amount);
    format!("The cardholder has disputed the {kept} that were taken on {}.", object.id)
}

pub(super) fn missed_capture(payment: &Payment, object: &Object) -> String {
    let taken = show(object.captured, object.amount);
    format!("The provider took {taken} on {}, but its payment is {} here.", object.id, payment.status)
}

pub(super) fn no_capture(payment: &Payment, object: &Object) -> String {
    let booked = show(payment.captured, payment.amount);
    format!("The ledger says that {booked} were taken on {}, but the provider took nothing.", object.id)
}

pub(super) fn captured(payment: &Payment, object: &Object) -> String {
    let (ours, theirs) = (show(payment.captured, payment.amount), show(object.captured, object.amount));
    format!("The ledger says that {ours} were taken on {}, the provider says {theirs}.", object.id)
}

pub(super) fn refunded(payment: &Payment, object: &Object) -> String {
    let (ours, theirs) = (show(payment.refunded, payment.amount), show(object.refunded, object.amount));
    format!("The ledger says that {ours} went back on {}, the provider says {theirs}.", object.id)
}

pub(super) fn refund_unknown(payment: &Payment, theirs: &Refund, ours: Option<&Refund>) -> String {
    let amount = show(theirs.amount, payment.amount);
    match ours {
        Some(ours) => format!(
            "The provider refunded {amount} as {}, but refund {} has not gone through here.",
            theirs.object, ours.id
        ),
        None => {
            format!("The provider refunded {amount} as {}, which the ledger does not have.", theirs.object)
        }
    }
}

pub(super) fn refund_missing(payment: &Payment, ours: &Refund, failed: bool) -> String {
    let amount = show(ours.amount, payment.amount);
    let there = if failed { "it failed" } else { "there is no such refund" };
    format!("The ledger says that {amount} went back by refund {}, but at the provider {there}.", ours.id)
}

pub(super) fn too_much(payment: &Payment, back: i64) -> String {
    let (back, taken) = (show(back, payment.amount), show(payment.captured, payment.amount));
    format!("{back} went back or are going back on {}, but only {taken} were taken.", payment.object)
}

pub(super) fn unknown(payment: &Payment) -> String {
    format!("The payment is {} on {}, which the provider does not know.", payment.status, payment.object)
}

pub(super) fn shared(payment: &Payment, object: &Object) -> String {
    match object.payment.as_str() {
        "" => format!("Payment {} has {}, which another payment has too.", payment.id, object.id),
        other => format!("Payment {} has {}, which was made for payment {other}.", payment.id, object.id),
    }
}

pub(super) fn amount(payment: &Payment, object: &Object) -> String {
    format!("The payment is over {}, but {} is over {}.", payment.amount, object.id, object.amount)
}

pub(super) fn currencies(order: &Order, payment: &Payment) -> String {
    format!(
        "Order {} is over {}, but its payment is in {}.",
        order.number, order.total, payment.amount.currency
    )
}

pub(super) fn unpaid(order: &Order, object: Option<&Object>) -> String {
    match object.filter(|object| object.state == ObjectState::Authorized) {
        Some(object) => format!(
            "Order {} over {} stands, but {} is only held: nothing was taken.",
            order.number, order.total, object.id
        ),
        None => format!("Order {} over {} stands, but nothing was taken for it.", order.number, order.total),
    }
}

pub(super) fn no_payment(order: &Order) -> String {
    let (number, total) = (&order.number, order.total);
    format!("Order {number} over {total} stands, but the ledger has no payment {}.", order.payment)
}

pub(super) fn kept(order: &Order, kept: i64, claimed: i64) -> String {
    let (kept, back) = (show(kept, order.total), show(order.returned, order.total));
    let (number, total) = (&order.number, order.total);
    match claimed {
        0 => format!("Order {number} over {total} stands, {back} of it came back, but {kept} are kept."),
        claimed => {
            let claimed = show(claimed, order.total);
            format!(
                "Order {number} over {total} stands, {back} of it came back and {claimed} may be on the way, but {kept} are kept."
            )
        }
    }
}

pub(super) fn no_order(payment: &Payment, kept: i64, order: Option<&Order>) -> String {
    let (kept, object) = (show(kept, payment.amount), &payment.object);
    match order {
        Some(order) => {
            format!("{kept} are kept on {object}, but order {} is {}.", order.number, order.status)
        }
        None => format!("{kept} are kept on {object}, but there is no order of it."),
    }
}

pub(super) fn open_case(case: &Case) -> String {
    let why = if case.why.is_empty() { "the provider gave no reason" } else { case.why.as_str() };
    format!("Refund {} of {} failed after it had been reported as done ({why}).", case.refund, case.amount)
}
