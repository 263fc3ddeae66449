//! The ledger against the provider's list: refunds.

use std::cmp::Ordering;

use super::objects::signed;
use super::words;
use crate::kind::Kind;
use crate::lines::{Object, Payment, Refund, RefundState};

/// A refund that differs.
pub(super) struct Differs {
    pub(super) kind: Kind,
    pub(super) amount: i64,
    pub(super) refund: String,
    pub(super) what: String,
}

/// The differences between the refunds of a payment and of its object.
pub(super) fn differences(payment: &Payment, object: &Object, at_rest: bool) -> Vec<Differs> {
    let differs = |kind, amount: u64, refund: &str, what| Differs {
        kind,
        amount: signed(amount),
        refund: refund.to_owned(),
        what,
    };
    let asked = payment.refunds.iter().filter(|refund| refund.state != RefundState::Failed);
    let asked = asked.fold(0i64, |sum, refund| sum.saturating_add(refund.amount));
    let most = payment.refunded.max(object.refunded).max(asked);
    if most > payment.captured {
        let (kind, what) = (Kind::RefundedMoreThanCaptured, words::too_much(payment, most));
        return vec![differs(kind, most.abs_diff(payment.captured), "", what)];
    }
    if object.refunds.is_empty() && payment.refunds.is_empty() {
        // Sums alone, where neither tells its refunds one by one.
        let (ours, theirs) = (payment.refunded, object.refunded);
        let kind = match ours.cmp(&theirs) {
            Ordering::Equal => return Vec::new(),
            Ordering::Less => Kind::RefundUnknownHere,
            Ordering::Greater => Kind::RefundNotAtProvider,
        };
        return vec![differs(kind, theirs.abs_diff(ours), "", words::refunded(payment, object))];
    }
    let mut found = Vec::new();
    for theirs in object.refunds.iter().filter(|refund| refund.state != RefundState::Failed) {
        // One of ours stands for one of theirs: another one that bears its id was made besides.
        let known = payment.refunds.iter().find(|ours| is_same(ours, theirs));
        let known =
            known.filter(|ours| counterpart(ours, object).is_some_and(|one| std::ptr::eq(one, theirs)));
        let is_known = match (known.map(|ours| ours.state), theirs.state) {
            (None | Some(RefundState::Failed), _) => false,
            // The saga that asked will write it down, as long as there is one.
            (Some(RefundState::Pending), RefundState::Done) => !at_rest,
            _ => true,
        };
        if !is_known {
            let id = known.map_or(&theirs.object, |ours| &ours.id);
            let what = words::refund_unknown(payment, theirs, known);
            found.push(differs(Kind::RefundUnknownHere, theirs.amount.unsigned_abs(), id, what));
        }
    }
    for ours in payment.refunds.iter().filter(|refund| refund.state == RefundState::Done) {
        if counterpart(ours, object).is_none() {
            let has_failed = object.refunds.iter().any(|theirs| is_same(ours, theirs));
            let what = words::refund_missing(payment, ours, has_failed);
            found.push(differs(Kind::RefundNotAtProvider, ours.amount.unsigned_abs(), &ours.id, what));
        }
    }
    found
}

/// The provider's refund that ours is: the one whose id we have, or the first that bears ours. None: all have failed.
fn counterpart<'a>(ours: &Refund, object: &'a Object) -> Option<&'a Refund> {
    let live = object.refunds.iter().filter(|theirs| theirs.state != RefundState::Failed);
    live.filter(|theirs| is_same(ours, theirs)).min_by_key(|theirs| theirs.object != ours.object)
}

fn is_same(ours: &Refund, theirs: &Refund) -> bool {
    (!theirs.id.is_empty() && ours.id == theirs.id)
        || (!theirs.object.is_empty() && ours.object == theirs.object)
}
