//! Lines of an order: so many of one product each.

use std::collections::BTreeMap;

use backstitch_proto::common::Item;

use super::{Invalid, Sku};

/// The most lines that one call may have. The longest paper invoice seen has 592.
pub(crate) const MAX_LINES: usize = 1000;

/// The most of one product in one line.
pub(crate) const MAX_QUANTITY: i64 = 1_000_000;

/// So many of one product; the quantity is positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) sku: Sku,
    pub(crate) quantity: i64,
}

/// Items as they were sent, in their order. 1 ..= [`MAX_LINES`], each quantity 1 ..= [`MAX_QUANTITY`].
pub(crate) fn parse_items(items: &[Item]) -> Result<Vec<Line>, Invalid> {
    if items.is_empty() {
        return Err(Invalid::new("items", "must have at least one line"));
    }
    if items.len() > MAX_LINES {
        return Err(Invalid::new("items", format!("must have at most {MAX_LINES} lines")));
    }
    let parse = |(i, item): (usize, &Item)| {
        let sku = Sku::parse(&format!("items[{i}].sku"), &item.sku)?;
        if !(1..=MAX_QUANTITY).contains(&item.quantity) {
            return Err(Invalid::new(format!("items[{i}].quantity"), "must be from 1 to 1 000 000"));
        }
        Ok(Line { sku, quantity: item.quantity })
    };
    items.iter().enumerate().map(parse).collect()
}

/// What is to be reserved: each product once, in the order of SKUs, so that the same wish is always the same value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lines(Vec<Line>);

impl Lines {
    /// Lines of one product add up: 1000 lines of a million each fit in an `i64` many times over.
    pub(crate) fn parse(items: &[Item]) -> Result<Self, Invalid> {
        let mut sums = BTreeMap::<Sku, i64>::new();
        for line in parse_items(items)? {
            *sums.entry(line.sku).or_default() += line.quantity;
        }
        Ok(Self(sums.into_iter().map(|(sku, quantity)| Line { sku, quantity }).collect()))
    }

    pub(crate) fn as_slice(&self) -> &[Line] {
        &self.0
    }
}

/// The message that travels.
pub(crate) fn to_items(lines: &[Line]) -> Vec<Item> {
    lines.iter().map(|line| Item { sku: line.sku.to_string(), quantity: line.quantity }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(sku: &str, quantity: i64) -> Item {
        Item { sku: sku.into(), quantity }
    }

    #[test]
    fn lines_of_one_product_add_up_whatever_their_order() {
        let one = Lines::parse(&[item("B", 1), item("A", 2), item("B", 3)]).unwrap();
        let other = Lines::parse(&[item("A", 2), item("B", 4)]).unwrap();
        assert_eq!(one, other);
        assert_eq!(to_items(one.as_slice()), [item("A", 2), item("B", 4)]);
    }

    #[test]
    fn a_line_that_cannot_be_is_named_by_its_index() {
        let bad = |items: &[Item]| Lines::parse(items).unwrap_err().field;
        assert_eq!(bad(&[]), "items");
        assert_eq!(bad(&vec![item("A", 1); MAX_LINES + 1]), "items");
        for quantity in [0, -1, MAX_QUANTITY + 1, i64::from(i32::MAX) + 1, i64::MIN] {
            assert_eq!(bad(&[item("A", 1), item("B", quantity)]), "items[1].quantity");
        }
        assert_eq!(bad(&[item("A", 1), item("A", 1), item("", 1)]), "items[2].sku");
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let all = Lines::parse(&vec![item("A", MAX_QUANTITY); MAX_LINES]).unwrap();
        assert_eq!(to_items(all.as_slice()), [item("A", 1_000_000_000)]);
    }
}
