//! The heart: four books and the sagas' word in, findings out. Pure; knows no clock and nobody to ask.
//!
//! What is taken for true, where books differ: the provider about money, the orders about what the customer was
//! promised, the orchestrator about whether anybody will still act. Each sum of money is in one finding: an object that
//! differs from its payment is that finding, and what its order lacks by it is no other. A dispute is told beside these:
//! it says who wants the money, not that the books differ.

mod family;
mod objects;
mod orders;
mod refunds;
mod sums;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use self::family::family_of;
use self::family::{Family, Judge};
use crate::finding::Finding;
use crate::lines::{Case, Object, Order, Payment};
use crate::sagas::Sagas;

/// What is asked of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Now, Unix milliseconds.
    pub now_ms: i64,
    /// Payments and orders from before this are not judged, but for those whose object the provider was asked for by id.
    pub since_ms: i64,
    /// What changed less than this ago may settle by itself.
    pub grace_ms: i64,
    /// A hold that ends within this is told.
    pub ends_within_ms: i64,
}

/// Compares the ledger with the provider's list and with the orders. In any order, also of one checkout alone: lines
/// that belong together are those of one saga, and an object and whatever payment has its id.
pub fn compare(
    ledger: &[Payment],
    provider: &[Object],
    orders: &[Order],
    cases: &[Case],
    sagas: &Sagas,
    terms: &Terms,
) -> Vec<Finding> {
    let mut families = BTreeMap::<&str, Family<'_>>::new();
    let mut attached = BTreeMap::<&str, Vec<&str>>::new();
    for payment in ledger {
        families.entry(&payment.saga).or_default().payments.push(payment);
        if !payment.object.is_empty() {
            attached.entry(&payment.object).or_default().push(&payment.saga);
        }
    }
    for object in provider {
        let own = [family_of(object)];
        let mut of = attached.get(object.id.as_str()).map_or(&own[..], Vec::as_slice).to_vec();
        of.dedup();
        for saga in of {
            families.entry(saga).or_default().objects.push(object);
        }
    }
    for order in orders {
        families.entry(&order.saga).or_default().orders.push(order);
    }
    for case in cases {
        families.entry(&case.saga).or_default().cases.push(case);
    }
    families.into_values().flat_map(|family| Judge::new(family, sagas, terms).findings()).collect()
}
