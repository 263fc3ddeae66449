//! A request to return something, parsed and checked, whichever face it came through.

use std::collections::BTreeMap;

use backstitch_proto::common::Item;
use backstitch_proto::returns::StartReturnRequest;
use uuid::Uuid;

use crate::fields;
use crate::problem::Problem;
use crate::request::Canonical;
use crate::sagas::MAX_REASON;

/// A return as it was asked for, valid by itself.
#[derive(Debug)]
pub(crate) struct ReturnRequest {
    pub(crate) order: Uuid,
    /// One line a SKU, by SKU; none: everything that is left.
    pub(crate) items: Vec<Item>,
    pub(crate) reason: String,
}

impl ReturnRequest {
    /// Checks everything that can be checked without asking anybody. The key and the wait are the face's.
    pub(crate) fn check(message: StartReturnRequest) -> Result<Self, Problem> {
        let order = fields::id("order_id", &message.order_id)?;
        if !message.items.is_empty() {
            fields::items(&message.items)?;
        }
        fields::optional_words("/reason", &message.reason, MAX_REASON)?;
        // At most so many lines of so many: no sum overflows.
        let mut quantities = BTreeMap::<String, i64>::new();
        for Item { sku, quantity } in message.items {
            *quantities.entry(sku).or_default() += quantity;
        }
        let items = quantities.into_iter().map(|(sku, quantity)| Item { sku, quantity }).collect();
        Ok(Self { order, items, reason: message.reason })
    }

    /// What a key is compared by: the request as it was understood. In which order the lines were, and through which face
    /// it came, makes no difference.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hash = Canonical::new("return/1");
        hash.bytes(self.order.as_bytes());
        hash.bytes(self.reason.as_bytes());
        for Item { sku, quantity } in &self.items {
            hash.bytes(sku.as_bytes());
            hash.bytes(&quantity.to_be_bytes());
        }
        hash.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "01978a3e-5f2d-8c41-9b7a-0f6d3c2b1a90";

    fn message(items: &[(&str, i64)], reason: &str) -> StartReturnRequest {
        let items = items.iter().map(|(sku, quantity)| Item { sku: (*sku).into(), quantity: *quantity });
        StartReturnRequest {
            order_id: ORDER.into(),
            items: items.collect(),
            reason: reason.into(),
            ..Default::default()
        }
    }

    fn hash(items: &[(&str, i64)], reason: &str) -> [u8; 32] {
        ReturnRequest::check(message(items, reason)).unwrap().hash()
    }

    #[test]
    fn lines_of_one_product_add_up_and_their_order_does_not_count() {
        let one = ReturnRequest::check(message(&[("B", 1), ("A", 2), ("B", 3)], "")).unwrap();
        let lines: Vec<_> = one.items.iter().map(|item| (item.sku.as_str(), item.quantity)).collect();
        assert_eq!(lines, [("A", 2), ("B", 4)]);
        assert_eq!(one.hash(), hash(&[("A", 2), ("B", 4)], ""));
    }

    #[test]
    fn everything_that_is_asked_counts_in_the_hash() {
        let all = [
            hash(&[], ""),
            hash(&[("A", 1)], ""),
            hash(&[("A", 2)], ""),
            hash(&[("A", 1), ("B", 1)], ""),
            hash(&[("A", 1)], "chipped"),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn a_field_that_cannot_be_is_named_and_the_limits_are_allowed() {
        let lines = |n: usize| vec![("A", 1); n];
        let cases = [
            (StartReturnRequest { order_id: "seven".into(), ..message(&[], "") }, "order_id"),
            (message(&[("A", 0)], ""), "/items/0/quantity"),
            (message(&[("A", 1), ("B", 1_000_001)], ""), "/items/1/quantity"),
            (message(&[("", 1)], ""), "/items/0/sku"),
            (message(&lines(1001), ""), "/items"),
            (message(&[], &"x".repeat(501)), "/reason"),
            (message(&[], "a\nb"), "/reason"),
            (message(&[], "put it on 4242 4242 4242 4242, please"), "/reason"),
        ];
        for (message, field) in cases {
            assert_eq!(ReturnRequest::check(message).unwrap_err().field(), Some(field));
        }
        let most = message(&vec![("A", 1_000_000); 1000], &"x".repeat(500));
        assert_eq!(ReturnRequest::check(most).unwrap().items[0].quantity, 1_000_000_000);
    }
}
