//! The money against the orders and their returns.

use backstitch_proto::money::Money;

use super::family::Judge;
use super::objects::{about, signed};
use super::words;
use crate::finding::About;
use crate::kind::Kind;
use crate::lines::{Order, Payment};

impl<'a> Judge<'a> {
    /// A refund that failed later: told as that alone, until somebody has paid in another way.
    pub(super) fn open_cases(&mut self) {
        for case in self.family.cases.clone().into_iter().filter(|case| !case.is_resolved) {
            let about = About {
                saga: case.saga.clone(),
                payment: case.payment.clone(),
                refund: case.refund.clone(),
                ..About::default()
            };
            self.add(Kind::OpenCase, case.amount, about, words::open_case(case));
        }
    }

    pub(super) fn orders(&mut self) {
        for order in self.family.orders.clone() {
            let payment = self.family.payments.iter().find(|payment| payment.id == order.payment).copied();
            match payment {
                Some(payment) if self.told.contains(payment.id.as_str()) || self.is_old(payment) => {}
                Some(payment) => self.order_and_payment(order, payment),
                None => self.order_alone(order),
            }
        }
        for payment in self.family.payments.clone() {
            let is_paid_for = self.order_on(&payment.id).is_some();
            if !is_paid_for && !self.told.contains(payment.id.as_str()) && !self.is_old(payment) {
                self.money_alone(payment, None);
            }
        }
    }

    /// Paid before the time that is judged, and for that neither on the provider's list nor asked for by id.
    pub(super) fn is_old(&self, payment: &Payment) -> bool {
        payment.created_ms < self.terms.since_ms && !payment.is_asked_for && self.object_of(payment).is_none()
    }

    fn order_and_payment(&mut self, order: &'a Order, payment: &'a Payment) {
        if order.total.currency != payment.amount.currency {
            let what = words::currencies(order, payment);
            return self.of_order(Kind::AmountDiffers, order, Some(payment), order.total.minor, what);
        }
        if !order.stands() {
            return self.money_alone(payment, Some(order));
        }
        let object = self.object_of(payment);
        let captured = object.map_or(payment.captured, |object| object.captured);
        if captured == 0 {
            let what = words::unpaid(order, object);
            return self.of_order(Kind::OrderWithoutMoney, order, Some(payment), order.total.minor, what);
        }
        let owed = order.total.minor.saturating_sub(order.returned).saturating_add(self.failed(payment));
        // A provider counts a refund when it is asked for, and its bank may take days: until the return is through, what it
        // claims is kept or not.
        let claimed = self.claimed(order);
        let (least, kept) = (owed.saturating_sub(claimed), self.kept(payment));
        if !(least..=owed).contains(&kept) {
            let what = words::kept(order, kept, claimed);
            let differs = signed(kept.abs_diff(kept.clamp(least, owed)));
            self.of_order(Kind::KeptDiffers, order, Some(payment), differs, what);
        }
    }

    /// What failed refunds left here, which is told as cases.
    fn failed(&self, payment: &Payment) -> i64 {
        let of = self.family.cases.iter().filter(|case| case.payment == payment.id);
        of.fold(0, |sum, case| sum.saturating_add(case.amount.minor))
    }

    fn order_alone(&mut self, order: &'a Order) {
        // Money that was taken under the same checkout, and is told as nobody's, is what this order lacks.
        let taken = self.family.objects.iter().any(|object| object.kept() > 0);
        if order.stands() && !taken && order.created_ms >= self.terms.since_ms {
            let what = words::no_payment(order);
            self.of_order(Kind::OrderWithoutMoney, order, None, order.total.minor, what);
        }
    }

    /// Money that is kept, and no order that stands on it.
    fn money_alone(&mut self, payment: &'a Payment, order: Option<&'a Order>) {
        let kept = self.kept(payment).saturating_sub(self.failed(payment));
        if kept > 0 {
            let what = words::no_order(payment, kept, order);
            let about = about(payment, self.object_of(payment));
            self.add(Kind::MoneyWithoutOrder, Money::new(kept, payment.amount.currency), about, what);
        }
    }

    fn of_order(&mut self, kind: Kind, order: &Order, payment: Option<&Payment>, minor: i64, what: String) {
        let about = About {
            saga: order.saga.clone(),
            order: order.id.clone(),
            payment: order.payment.clone(),
            object: payment.map(|payment| payment.object.clone()).unwrap_or_default(),
            ..About::default()
        };
        self.add(kind, Money::new(minor, order.total.currency), about, what);
    }
}
