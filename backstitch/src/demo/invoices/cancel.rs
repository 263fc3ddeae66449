//! Cancellations as returns: each of the last purchase before it in which the same customer bought all that it takes back.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use super::read::Invoice;
use super::summary::Fate;
use crate::demo::shop::Shop;

/// What was bought so far, in the order of the files.
#[derive(Default)]
pub(crate) struct Purchases {
    day: usize,
    all: Vec<Purchase>,
}

struct Purchase {
    /// The day, and its place among the day's invoices.
    at: (usize, usize),
    customer: String,
    order: String,
    units: BTreeMap<String, i64>,
}

impl Purchases {
    /// What follows is of the next file.
    pub(super) fn next_day(&mut self) {
        self.day += 1;
    }

    /// An invoice has become an order.
    pub(super) fn bought(&mut self, place: usize, invoice: &Invoice, order: String) {
        let units = invoice.units().into_iter().map(|(sku, quantity)| (sku.to_owned(), quantity)).collect();
        let (at, customer) = ((self.day, place), invoice.customer.clone());
        self.all.push(Purchase { at, customer, order, units });
    }

    /// Returns what a cancellation takes back, and says what became of it. How many may come back is the shop's to say.
    pub(super) async fn cancel(
        &self,
        shop: &mut Shop,
        day: &str,
        place: usize,
        invoice: &Invoice,
    ) -> anyhow::Result<Fate> {
        let purchase = match self.of(place, invoice) {
            Ok(purchase) => purchase,
            Err(why) => return Ok(Fate::Refused { kind: "no-earlier-purchase".into(), why }),
        };
        let items = invoice.units().into_iter();
        let items: Vec<_> =
            items.map(|(sku, n)| json!({ "sku": sku, "quantity": n.saturating_neg() })).collect();
        let body = json!({ "items": items, "reason": format!("cancelled by invoice {}", invoice.number) });
        let begun = Instant::now();
        let key = format!("{day}-{}", invoice.number);
        let answer = shop.give_back(&key, 30, &purchase.order, &body).await?;
        if !answer.status.is_success() {
            return Ok(Fate::refused(&answer));
        }
        Ok(Fate::of(&answer.body, "refund", begun.elapsed()))
    }

    /// The purchase that a cancellation is of, or why there is none.
    fn of(&self, place: usize, invoice: &Invoice) -> Result<&Purchase, String> {
        if invoice.customer.is_empty() {
            return Err("the invoice names no customer".into());
        }
        let (before, units) = ((self.day, place), invoice.units());
        let theirs = || self.all.iter().filter(|p| p.customer == invoice.customer && p.at < before);
        let has_all = |p: &&Purchase| units.keys().all(|sku| p.units.contains_key(*sku));
        theirs().filter(has_all).max_by_key(|p| p.at).ok_or_else(|| {
            let never = units.keys().find(|sku| theirs().all(|p| !p.units.contains_key(**sku)));
            let customer = &invoice.customer;
            match never {
                Some(sku) => format!("customer {customer} bought no {sku} before, in these files"),
                None => format!("customer {customer} bought these in different orders"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoice(customer: &str, items: &[(&str, i64)]) -> Invoice {
        Invoice {
            number: "C1".into(),
            customer: customer.into(),
            country: "EIRE".into(),
            items: items.iter().map(|&(sku, quantity)| (sku.to_owned(), quantity)).collect(),
        }
    }

    #[test]
    fn a_cancellation_is_of_the_last_purchase_before_it_that_has_all_of_it() {
        let mut purchases = Purchases::default();
        purchases.next_day();
        purchases.bought(0, &invoice("1", &[("A", 5), ("B", 1)]), "first".into());
        purchases.bought(1, &invoice("2", &[("A", 5)]), "another's".into());
        purchases.bought(4, &invoice("1", &[("A", 2), ("C", 1)]), "later".into());
        let of = |purchases: &Purchases, place, customer, items: &[(&str, i64)]| {
            purchases.of(place, &invoice(customer, items)).map(|p| p.order.clone())
        };
        assert_eq!(of(&purchases, 3, "1", &[("A", -1)]), Ok("first".into()));
        assert_eq!(of(&purchases, 5, "1", &[("A", -1)]), Ok("later".into()));
        assert_eq!(of(&purchases, 5, "1", &[("A", -1), ("B", -1)]), Ok("first".into()));
        assert!(of(&purchases, 5, "1", &[("B", -1), ("C", -1)]).unwrap_err().contains("different orders"));
        assert!(of(&purchases, 0, "1", &[("A", -1)]).unwrap_err().contains("bought no A before"));
        assert!(of(&purchases, 5, "3", &[("A", -1)]).unwrap_err().contains("customer 3"));
        assert!(of(&purchases, 5, "", &[("A", -1)]).unwrap_err().contains("no customer"));
        purchases.next_day();
        assert_eq!(of(&purchases, 0, "1", &[("A", -1)]), Ok("later".into()), "days are in order");
    }
}
