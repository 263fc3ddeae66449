//! The ledger against the provider's list: holds and captures.

use backstitch_proto::money::Money;

use super::family::Judge;
use super::words;
use crate::finding::About;
use crate::kind::Kind;
use crate::lines::{Object, ObjectState, Payment};

/// A payment that the ledger believes to be held, or on the way there or from there.
const OPEN: [&str; 3] = ["authorized", "capturing", "voiding"];

/// A payment that has ended without money.
const ENDED: [&str; 2] = ["voided", "refused"];

impl<'a> Judge<'a> {
    pub(super) fn objects(&mut self) {
        for payment in self.family.payments.clone() {
            match self.object_of(payment) {
                Some(object) => self.attached(payment, object),
                None => self.without_object(payment),
            }
        }
        self.paid_twice();
        for object in self.family.objects.clone() {
            if self.family.payments.iter().all(|payment| payment.object != object.id) {
                self.loose(object);
            }
        }
    }

    fn tell(&mut self, kind: Kind, payment: &'a Payment, object: Option<&Object>, amount: i64, what: String) {
        self.told.insert(&payment.id);
        let money = Money::new(amount, payment.amount.currency);
        self.add(kind, money, about(payment, object), what);
    }

    /// Our payment against its object: the first difference tells, and the rest follows from it.
    fn attached(&mut self, payment: &'a Payment, object: &'a Object) {
        let at_stake =
            payment.kept().max(object.kept()).max(payment.amount.minor * i64::from(is_open(payment)));
        let mut others = self.family.payments.iter().filter(|p| p.object == object.id);
        let is_another_s = if object.payment.is_empty() {
            others.next().is_some_and(|first| first.id != payment.id)
        } else {
            object.payment != payment.id
        };
        if is_another_s {
            self.astray.insert(&payment.id);
            return self.tell(
                Kind::ObjectShared,
                payment,
                Some(object),
                at_stake,
                words::shared(payment, object),
            );
        }
        // Beside whatever else is wrong: the books may agree, and the money be gone.
        if object.disputed && object.kept() > 0 {
            let money = Money::new(object.kept(), object.amount.currency);
            self.add(Kind::Disputed, money, about(payment, Some(object)), words::disputed(object));
        }
        if object.amount != payment.amount {
            let (ours, theirs) = (payment.amount, object.amount);
            let differs = if ours.currency == theirs.currency {
                ours.minor.abs_diff(theirs.minor)
            } else {
                ours.minor.unsigned_abs()
            };
            let what = words::amount(payment, object);
            return self.tell(Kind::AmountDiffers, payment, Some(object), signed(differs), what);
        }
        match (payment.captured, object.captured) {
            (0, taken) if taken > 0 => {
                let what = words::missed_capture(payment, object);
                return self.tell(Kind::MissedCapture, payment, Some(object), taken, what);
            }
            (booked, 0) if booked > 0 => {
                let what = words::no_capture(payment, object);
                return self.tell(Kind::CaptureNotAtProvider, payment, Some(object), booked, what);
            }
            (booked, taken) if booked != taken => {
                let (differs, what) = (signed(booked.abs_diff(taken)), words::captured(payment, object));
                return self.tell(Kind::CapturedAmountDiffers, payment, Some(object), differs, what);
            }
            _ => {}
        }
        let mut refunds = super::refunds::differences(payment, object, self.is_at_rest());
        // One that failed later is told as its case.
        refunds.retain(|found| self.family.cases.iter().all(|case| case.refund != found.refund));
        if !refunds.is_empty() {
            self.told.insert(&payment.id);
            for found in refunds {
                let about = About { refund: found.refund, ..about(payment, Some(object)) };
                self.add(found.kind, Money::new(found.amount, payment.amount.currency), about, found.what);
            }
            return;
        }
        self.hold(payment, object);
    }

    fn hold(&mut self, payment: &'a Payment, object: &'a Object) {
        let order_stands = self.order_on(&payment.id).is_some_and(|order| order.stands());
        let nobody_acts = self.is_at_rest() || ENDED.contains(&payment.status.as_str());
        match object.state {
            // An order that stands on a hold alone is told as one without money.
            ObjectState::Authorized if nobody_acts && !order_stands => {
                let what = words::left_over(payment, object);
                self.tell(Kind::HoldLeftOver, payment, Some(object), object.authorized, what);
            }
            ObjectState::Authorized if !nobody_acts => {
                let left = object.capture_before_ms.saturating_sub(self.terms.now_ms);
                if object.capture_before_ms > 0 && left <= self.terms.ends_within_ms {
                    let what = words::ends_soon(payment, object, left);
                    self.tell(Kind::HoldEndsSoon, payment, Some(object), object.authorized, what);
                }
            }
            ObjectState::CustomerAction if nobody_acts => {
                let what = words::may_still_pay(payment, object);
                self.tell(Kind::HoldLeftOver, payment, Some(object), object.amount.minor, what);
            }
            // Of one that is being voided it is what is wanted.
            ObjectState::Cancelled | ObjectState::Refused
                if is_open(payment) && payment.status != "voiding" =>
            {
                let what = words::hold_gone(payment, object);
                self.tell(Kind::HoldGone, payment, Some(object), payment.authorized, what);
            }
            _ => {}
        }
    }

    /// The ledger has an id, and the provider's list has no such object.
    fn without_object(&mut self, payment: &'a Payment) {
        if payment.object.is_empty() || payment.is_elsewhere || self.is_old(payment) {
            return;
        }
        self.astray.insert(&payment.id);
        let at_stake = if is_open(payment) { payment.authorized } else { payment.kept() };
        self.tell(Kind::ObjectUnknown, payment, None, at_stake, words::unknown(payment));
    }

    /// Two payments of ours took money for one checkout.
    fn paid_twice(&mut self) {
        let took = |payment: &&&'a Payment| self.kept(payment) > 0;
        let took: Vec<&Payment> = self.family.payments.iter().filter(took).copied().collect();
        let Some(first) = took.iter().find(|payment| self.order_on(&payment.id).is_some()).or(took.first())
        else {
            return;
        };
        let first = *first;
        for payment in took.into_iter().filter(|payment| payment.id != first.id) {
            if !self.told.contains(payment.id.as_str()) {
                let (kept, object) = (self.kept(payment), self.object_of(payment));
                self.tell(Kind::CapturedTwice, payment, object, kept, words::paid_twice(payment, first));
            }
        }
    }

    /// An object that no payment has attached.
    fn loose(&mut self, object: &'a Object) {
        if self.astray.contains(object.payment.as_str()) {
            return;
        }
        let about = About {
            saga: object.saga.clone(),
            payment: object.payment.clone(),
            object: object.id.clone(),
            order: self.family.orders.first().map(|order| order.id.clone()).unwrap_or_default(),
            ..About::default()
        };
        let ours = self.family.payments.iter().any(|payment| payment.id == object.payment);
        let currency = object.amount.currency;
        if object.kept() > 0 {
            let paid = self.family.payments.iter().find(|payment| self.kept(payment) > 0).copied();
            let money = Money::new(object.kept(), currency);
            return match paid {
                Some(payment) => self.add(Kind::CapturedTwice, money, about, words::twice(object, payment)),
                None => self.add(Kind::OrphanCapture, money, about, words::orphan_capture(object, ours)),
            };
        }
        if object.state == ObjectState::Authorized {
            let money = Money::new(object.authorized, currency);
            self.add(Kind::OrphanHold, money, about, words::orphan_hold(object, ours));
        }
    }
}

pub(super) fn about(payment: &Payment, object: Option<&Object>) -> About {
    About {
        saga: payment.saga.clone(),
        order: payment.order.clone(),
        payment: payment.id.clone(),
        object: object.map_or_else(|| payment.object.clone(), |object| object.id.clone()),
        refund: String::new(),
    }
}

fn is_open(payment: &Payment) -> bool {
    OPEN.contains(&payment.status.as_str())
}

pub(super) fn signed(minor: u64) -> i64 {
    i64::try_from(minor).unwrap_or(i64::MAX)
}
