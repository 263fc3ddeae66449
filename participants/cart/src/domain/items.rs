//! What is in a cart.

use std::collections::HashMap;

use backstitch_proto::common::Item;
use participant_kit::text;
use serde::{Deserialize, Serialize};

use super::Invalid;

/// The most lines of one request, and the most products of one cart. The longest paper invoice seen has 592.
pub(crate) const MAX_LINES: usize = 1000;

/// The most of one product.
pub(crate) const MAX_QUANTITY: i64 = 1_000_000;

/// Products and how many of each, in the order in which they were put; each product once, each quantity positive.
/// Empty after everything was bought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Items(Vec<Item>);

/// Two carts are too much for one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMuch {
    /// More products than a cart may have.
    #[error("together they have more than {MAX_LINES} products")]
    Lines,
    /// More of this product than a cart may have.
    #[error("together they have more than {MAX_QUANTITY} of {0}")]
    Of(String),
}

impl Items {
    /// Parses 1 ..= [`MAX_LINES`] lines. Lines of one product add up, as they do on a till; a sum above
    /// [`MAX_QUANTITY`] is the fault of the line that exceeds it.
    pub(crate) fn parse(lines: &[Item]) -> Result<Self, Invalid> {
        if lines.is_empty() {
            return Err(Invalid::new("items", "must have at least one line"));
        }
        if lines.len() > MAX_LINES {
            return Err(Invalid::new("items", format!("must have at most {MAX_LINES} lines")));
        }
        let mut items = Vec::<Item>::with_capacity(lines.len());
        let mut at = HashMap::<&str, usize>::with_capacity(lines.len());
        for (i, line) in lines.iter().enumerate() {
            text::required(&line.sku, 64).map_err(|why| Invalid::new(format!("items[{i}].sku"), why))?;
            let quantity = |why| Invalid::new(format!("items[{i}].quantity"), why);
            if !(1..=MAX_QUANTITY).contains(&line.quantity) {
                return Err(quantity("must be from 1 to 1 000 000"));
            }
            let Some(item) = at.get(line.sku.as_str()).and_then(|&known| items.get_mut(known)) else {
                at.insert(&line.sku, items.len());
                items.push(line.clone());
                continue;
            };
            item.quantity += line.quantity;
            if item.quantity > MAX_QUANTITY {
                return Err(quantity("must not bring its product above 1 000 000 in all"));
            }
        }
        Ok(Self(items))
    }

    /// What is left when `bought` is taken out, line by line. More was bought of a product than is there if somebody
    /// took it out meanwhile: then none is left.
    pub(crate) fn without(&self, bought: &Self) -> Self {
        let bought: HashMap<_, _> = bought.0.iter().map(|item| (&item.sku, item.quantity)).collect();
        let left = |item: &Item| Item {
            sku: item.sku.clone(),
            quantity: item.quantity - bought.get(&item.sku).copied().unwrap_or(0),
        };
        Self(self.0.iter().map(left).filter(|item| item.quantity > 0).collect())
    }

    /// Both together: these first, then what only `other` has.
    pub(crate) fn with(&self, other: &Self) -> Result<Self, TooMuch> {
        let mut all = self.clone();
        for item in &other.0 {
            match all.0.iter_mut().find(|known| known.sku == item.sku) {
                Some(known) => known.quantity += item.quantity,
                None => all.0.push(item.clone()),
            }
        }
        if all.0.len() > MAX_LINES {
            return Err(TooMuch::Lines);
        }
        match all.0.iter().find(|item| item.quantity > MAX_QUANTITY) {
            Some(item) => Err(TooMuch::Of(item.sku.clone())),
            None => Ok(all),
        }
    }

    /// As they are stored.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&self.0)
    }

    /// As they were stored.
    pub(crate) fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json).map(Self)
    }

    pub(crate) fn as_slice(&self) -> &[Item] {
        &self.0
    }

    /// The same items in the order of their SKUs, in which two orders of the same lines are one.
    pub(crate) fn sorted(&self) -> Vec<&Item> {
        let mut items: Vec<_> = self.0.iter().collect();
        items.sort_by(|a, b| a.sku.cmp(&b.sku));
        items
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(sku: &str, quantity: i64) -> Item {
        Item { sku: sku.into(), quantity }
    }

    fn items(lines: &[(&str, i64)]) -> Items {
        Items(lines.iter().map(|(sku, quantity)| item(sku, *quantity)).collect())
    }

    #[test]
    fn lines_of_one_product_add_up_where_the_first_stood() {
        let parsed = Items::parse(&[item("B", 1), item("A", 2), item("B", 3)]).unwrap();
        assert_eq!(parsed, items(&[("B", 4), ("A", 2)]));
    }

    #[test]
    fn a_line_that_cannot_be_is_named_by_its_index() {
        let bad = |lines: &[Item]| Items::parse(lines).unwrap_err().field;
        assert_eq!(bad(&[]), "items");
        assert_eq!(bad(&vec![item("A", 1); MAX_LINES + 1]), "items");
        for quantity in [0, -1, MAX_QUANTITY + 1, 1 << 31, i64::MIN, i64::MAX] {
            assert_eq!(bad(&[item("A", 1), item("B", quantity)]), "items[1].quantity");
        }
        assert_eq!(bad(&[item("A", MAX_QUANTITY), item("B", 1), item("A", 1)]), "items[2].quantity");
        assert_eq!(bad(&[item("A", 1), item("", 1)]), "items[1].sku");
        assert_eq!(bad(&[item("A\u{7}", 1)]), "items[0].sku");
        assert_eq!(bad(&[item(&"x".repeat(65), 1)]), "items[0].sku");
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let many: Vec<_> = (0..MAX_LINES).map(|i| item(&format!("{i:064}"), MAX_QUANTITY)).collect();
        assert_eq!(Items::parse(&many).unwrap().as_slice(), many);
        assert!(Items::parse(&[item("A", MAX_QUANTITY - 1), item("A", 1)]).is_ok());
    }

    #[test]
    fn two_carts_that_are_too_much_for_one_are_not_merged() {
        let full = items(&[("A", MAX_QUANTITY)]);
        assert_eq!(full.with(&items(&[("A", 1)])), Err(TooMuch::Of("A".into())));
        let many = Items((0..MAX_LINES).map(|i| item(&i.to_string(), 1)).collect());
        assert_eq!(many.with(&items(&[("A", 1)])), Err(TooMuch::Lines));
        assert!(many.with(&items(&[("7", 1)])).is_ok());
    }

    fn few() -> impl Strategy<Value = Items> {
        let line = ("[A-E]", 1..5i64).prop_map(|(sku, quantity)| item(&sku, quantity));
        prop::collection::vec(line, 1..8).prop_map(|lines| Items::parse(&lines).unwrap())
    }

    proptest! {
        #[test]
        fn what_was_added_to_a_cart_survives_what_was_bought(bought in few(), added in few()) {
            let left = bought.with(&added).unwrap().without(&bought);
            prop_assert_eq!(left.sorted(), added.sorted());
        }

        #[test]
        fn no_line_is_ever_empty_or_owed(cart in few(), bought in few()) {
            let left = cart.without(&bought);
            prop_assert!(left.as_slice().iter().all(|item| item.quantity > 0));
            prop_assert_eq!(cart.without(&cart), Items::default());
        }

        #[test]
        fn what_is_stored_is_read(cart in few()) {
            prop_assert_eq!(Items::from_json(&cart.to_json().unwrap()).unwrap(), cart);
        }
    }
}
