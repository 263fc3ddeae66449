//! What is so at the provider, in the ledger, with the orders, and of the sagas.

use std::collections::BTreeMap;

use backstitch_proto::common::Money;
use backstitch_proto::operator::{Acknowledgement, RepairObjectRequest, SagaDetail, SagaSummary};
use backstitch_proto::order::{Order, StatusChange};
use backstitch_proto::payment::{Case, PaymentDocument, ProviderObject, UnreadableObject};
use uuid::Uuid;

pub(crate) const DAY: i64 = 24 * 3_600_000;
pub(crate) const NOW: i64 = 20_000 * DAY;

pub(crate) fn gbp(amount_minor: i64) -> Option<Money> {
    Some(Money { amount_minor, currency: "GBP".into() })
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) objects: Vec<ProviderObject>,
    /// Objects that cannot be read; all on the first page.
    pub(crate) unreadable: Vec<UnreadableObject>,
    pub(crate) payments: Vec<PaymentDocument>,
    pub(crate) orders: Vec<Order>,
    pub(crate) cases: Vec<Case>,
    /// Status and when it changed last, by id.
    pub(crate) sagas: BTreeMap<String, (String, i64)>,
    pub(crate) notes: Vec<(String, String)>,
    pub(crate) repairs: Vec<RepairObjectRequest>,
    /// Who lists the objects.
    pub(crate) provider: String,
    /// What people have acknowledged, by the finding's id.
    pub(crate) acknowledged: BTreeMap<String, Acknowledgement>,
    /// Lines on a page; 0: all.
    pub(crate) page: usize,
    /// The last page leads to itself.
    pub(crate) is_ring: bool,
}

impl Facts {
    /// A payment as its service tells it: with its cases.
    pub(super) fn with_cases(&self, payment: PaymentDocument) -> PaymentDocument {
        let of = self.cases.iter().filter(|case| case.payment_id == payment.payment_id);
        PaymentDocument { cases: of.cloned().collect(), ..payment }
    }

    /// The page that begins at a token.
    pub(super) fn page<'a, T: Clone + 'a>(
        &self,
        all: impl Iterator<Item = &'a T>,
        token: &str,
    ) -> (Vec<T>, String) {
        let from = token.parse::<usize>().unwrap_or(0);
        let size = if self.page == 0 { usize::MAX } else { self.page };
        let mut rest = all.skip(from);
        let page: Vec<T> = rest.by_ref().take(size).cloned().collect();
        let next = rest.next().map_or_else(String::new, |_| (from + page.len()).to_string());
        (page, if self.is_ring && next.is_empty() { token.to_owned() } else { next })
    }

    /// A checkout that was sold a day ago for 10.00 GBP.
    pub(crate) fn sold(&mut self, n: u128) -> &mut Self {
        self.checkout(n, "completed", "captured", "confirmed")
    }

    /// A checkout whose saga, object and order have these states.
    pub(crate) fn checkout(&mut self, n: u128, saga_status: &str, object: &str, order: &str) -> &mut Self {
        let captured = if object == "captured" { 1_000 } else { 0 };
        let at = NOW - DAY;
        self.sagas.insert(saga(n), (saga_status.into(), at));
        self.objects.push(ProviderObject {
            provider_id: format!("pi_{n}"),
            payment_id: format!("payment-{n}"),
            saga_id: saga(n),
            amount: gbp(1_000),
            state: object.into(),
            authorized_minor: 1_000,
            captured_minor: captured,
            created_at_unix_ms: at,
            capture_before_unix_ms: NOW + 6 * DAY,
            ..Default::default()
        });
        self.payments.push(PaymentDocument {
            payment_id: format!("payment-{n}"),
            status: if object == "cancelled" { "voided" } else { object }.into(),
            amount: gbp(1_000),
            authorized_minor: 1_000,
            captured_minor: captured,
            provider_id: format!("pi_{n}"),
            saga_id: saga(n),
            order_id: format!("order-{n}"),
            created_at_unix_ms: at,
            updated_at_unix_ms: at,
            ..Default::default()
        });
        self.orders.push(Order {
            order_id: format!("order-{n}"),
            order_number: format!("BS-{n:06}"),
            checkout_id: saga(n),
            payment_id: format!("payment-{n}"),
            status: order.into(),
            total: gbp(1_000),
            history: vec![StatusChange { at_unix_ms: at, status: order.into() }],
            ..Default::default()
        });
        self
    }

    /// A second object of a checkout, which the ledger does not know.
    pub(crate) fn orphan(&mut self, n: u128, of: u128, state: &str) -> &mut Self {
        let captured = if state == "captured" { 1_000 } else { 0 };
        self.objects.push(ProviderObject {
            provider_id: format!("orphan_{n}"),
            payment_id: format!("lost-{n}"),
            saga_id: saga(of),
            amount: gbp(1_000),
            state: state.into(),
            authorized_minor: 1_000,
            captured_minor: captured,
            created_at_unix_ms: NOW - DAY,
            capture_before_unix_ms: NOW + 6 * DAY,
            ..Default::default()
        });
        self
    }

    pub(crate) fn object(&mut self, n: u128) -> &mut ProviderObject {
        self.objects.iter_mut().find(|object| object.provider_id == format!("pi_{n}")).unwrap()
    }

    pub(crate) fn payment(&mut self, n: u128) -> &mut PaymentDocument {
        self.payments.iter_mut().find(|payment| payment.payment_id == format!("payment-{n}")).unwrap()
    }

    pub(crate) fn order(&mut self, n: u128) -> &mut Order {
        self.orders.iter_mut().find(|order| order.order_id == format!("order-{n}")).unwrap()
    }

    pub(crate) fn moves(&mut self, n: u128, status: &str, at: i64) {
        self.sagas.insert(saga(n), (status.into(), at));
    }
}

/// Whether a payment is told among those on which something is open.
pub(crate) fn is_open(payment: &PaymentDocument) -> bool {
    !["captured", "voided", "refused"].contains(&payment.status.as_str())
        || payment.refunds.iter().any(|refund| refund.status == "pending")
}

/// When an order was made.
pub(crate) fn made_ms(order: &Order) -> i64 {
    order.history.iter().map(|change| change.at_unix_ms).min().unwrap_or_default()
}

/// The id of a saga.
pub(crate) fn saga(n: u128) -> String {
    Uuid::from_u128(n).to_string()
}

/// The id of a saga that was begun at a time.
pub(crate) fn begun(ms: i64) -> String {
    let ms = u64::try_from(ms).unwrap();
    let nanos = u32::try_from(ms % 1_000).unwrap() * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, ms / 1_000, nanos)).to_string()
}

/// A saga as the operator is told of it.
pub(crate) fn detail(id: &str, (status, at): (String, i64)) -> SagaDetail {
    let summary = SagaSummary { saga_id: id.into(), status, updated_at_unix_ms: at, ..Default::default() };
    SagaDetail { summary: Some(summary), ..Default::default() }
}
