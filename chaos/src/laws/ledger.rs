//! I1, our payment ledger by itself, at every moment: its totals are the sums of its entries, what was authorized is
//! accounted for to the penny, and a refund that failed after it was done has a case. (That no more is given back than was
//! captured is `capture_or_void`'s, which follows the entries one by one.)

use super::Findings;
use crate::Invariant::Money;
use crate::books::{Participants, Payment};
use crate::report::money;

pub(super) fn check(participants: &Participants, found: &mut Findings) {
    for payment in participants.payments.all.values() {
        own_sums(payment, found);
        hold_is_accounted_for(payment, found);
    }
    failures_have_cases(participants, found);
}

/// Our rows are the sums of our entries.
fn own_sums(payment: &Payment, found: &mut Findings) {
    for (kind, row) in [
        ("authorized", payment.authorized_minor),
        ("captured", payment.captured_minor),
        ("voided", payment.voided_minor),
        ("released", payment.released_minor),
        ("refunded", payment.refunded_minor),
    ] {
        let entries = payment.sum(kind);
        if entries != row {
            found.add(
                Money,
                format!(
                    "Our ledger says {} {kind}, but its own entries add up to {}.",
                    money(row, &payment.currency),
                    money(entries, &payment.currency)
                ),
                [("payment", &payment.id), ("saga", &payment.saga)],
                "payment: payments and entries of this payment_id",
            );
        }
    }
}

/// While money may be held nothing of it has gone anywhere; after that, all of it has.
const HOLDING: [&str; 3] = ["authorized", "capturing", "voiding"];

/// authorized = captured + voided + released + still held.
fn hold_is_accounted_for(payment: &Payment, found: &mut Findings) {
    let authorized = payment.sum("authorized");
    let held = if HOLDING.contains(&payment.status.as_str()) { authorized } else { 0 };
    if payment.held_minor() != held {
        let show = |minor| money(minor, &payment.currency);
        let (captured, voided) = (payment.sum("captured"), payment.sum("voided"));
        found.add(
            Money,
            format!(
                "The payment is {}, and of {} authorized {} were captured, {} voided and {} released: {} are left, and \
                 should be {}.",
                payment.status,
                show(authorized),
                show(captured),
                show(voided),
                show(payment.sum("released")),
                show(payment.held_minor()),
                show(held)
            ),
            [("payment", &payment.id), ("saga", &payment.saga), ("order", &payment.order)],
            "payment: payments and entries of this payment_id",
        );
    }
}

/// The reversal of a refund and its case are one commit, and so are the end of an undo's refund that failed and its case: a
/// customer without their money is never without somebody who is told.
fn failures_have_cases(participants: &Participants, found: &mut Findings) {
    let cases = &participants.payments.cases;
    for payment in participants.payments.all.values() {
        let reversed = payment.reversals.iter().map(|(id, minor)| (id, *minor, "after it was done"));
        let is_reversed = |id: &String| payment.reversals.iter().any(|(reversed, _)| reversed == id);
        let undone = payment.failed_undos().filter(|refund| !is_reversed(&refund.id));
        let undone = undone.map(|refund| (&refund.id, refund.amount_minor, "that an undo needs"));
        for (refund, minor, how) in reversed.chain(undone) {
            let case = cases.iter().find(|case| case.id == *refund);
            let show = |minor| money(minor, &payment.currency);
            let wrong = match case {
                None => "there is no case of it".to_owned(),
                Some(case) if case.payment != payment.id => {
                    format!("its case is about payment {}", case.payment)
                }
                Some(case) if case.amount_minor != minor => {
                    format!("its case is about {}", show(case.amount_minor))
                }
                Some(_) => continue,
            };
            found.add(
                Money,
                format!("A refund of {} failed {how}, and {wrong}.", show(minor)),
                [("refund", refund), ("payment", &payment.id), ("saga", &payment.saga)],
                "payment: entries with this reference, refunds, cases",
            );
        }
    }
    for case in cases {
        let failed = participants.payments.all.get(&case.payment).is_some_and(|payment| {
            payment.reversals.iter().any(|(refund, _)| *refund == case.id)
                || payment.failed_undos().any(|refund| refund.id == case.id)
        });
        if !failed {
            found.add(
                Money,
                "There is a case of a refund that never failed after it was done, nor is an undo's that failed.",
                [("refund", &case.id), ("payment", &case.payment)],
                "payment: cases; entries with this reference",
            );
        }
    }
}
