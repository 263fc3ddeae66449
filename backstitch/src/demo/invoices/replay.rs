//! Putting a day's products and checking out its invoices, many at a time; then giving back what its cancellations do, which
//! are no carts.

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::cancel::Purchases;
use super::country;
use super::read::{Day, Invoice, Product};
use super::summary::{Fate, Summary};
use crate::demo::shop::{Shelf, Shop, checkout_of};
use crate::demo::stage::Stage;
use crate::demo::timeline::Timeline;

/// Replays a day and says what became of every invoice.
pub(crate) async fn replay(
    stage: &mut Stage,
    day: &Day,
    in_flight: usize,
    purchases: &mut Purchases,
    timeline: &mut Timeline,
) -> anyhow::Result<Summary> {
    let repriced = day.products.iter().filter(|p| p.repriced).count();
    timeline.scene(
        &format!("The invoices of {}", day.name),
        &format!(
            "{} invoices over {} products. {repriced} of those changed their price within the day; here the first \
             one stands, so totals differ from the paper.",
            day.invoices.len(),
            day.products.len()
        ),
    );
    let mut summary = Summary::new(&day.name, repriced);
    let mut shop = stage.shop().await?;
    for product in &day.products {
        if let Some(reason) = put(&mut shop, product).await? {
            summary.product_refused(&product.sku, &reason);
        }
    }

    let bar = progress(day.invoices.len());
    let (cancellations, sales): (Vec<usize>, Vec<usize>) =
        (0..day.invoices.len()).partition(|at| day.invoices[*at].is_cancellation());
    let queue: Arc<Mutex<VecDeque<usize>>> = Arc::new(Mutex::new(sales.into()));
    let begun = Instant::now();
    let workers = (0..in_flight).map(|_| async {
        let mut shop = stage.shop().await?;
        let mut fates = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((at, invoice)) = next.and_then(|at| Some((at, day.invoices.get(at)?))) else {
                return anyhow::Ok(fates);
            };
            fates.push((at, &invoice.number, check_out(&mut shop, &day.name, invoice).await?));
            bar.inc(1);
        }
    });
    let mut fates: Vec<_> = futures::future::try_join_all(workers).await?.into_iter().flatten().collect();
    // Told in the file's order, whoever was faster.
    fates.sort_unstable_by_key(|(at, ..)| *at);
    purchases.next_day();
    for (at, number, (fate, order)) in fates {
        if let (Some(order), Some(invoice)) = (order, day.invoices.get(at)) {
            purchases.bought(at, invoice, order);
        }
        summary.invoice(number, fate);
    }
    summary.took(begun.elapsed());
    // One after the other: what one gives back, the next one cannot.
    for (at, invoice) in cancellations.into_iter().filter_map(|at| Some((at, day.invoices.get(at)?))) {
        match check_out(&mut shop, &day.name, invoice).await? {
            (Fate::Refused { .. }, None) => summary.refused_as_a_cart(),
            _ => bail!("{} takes back, and was bought as if it were a cart", invoice.number),
        }
        summary.cancellation(&invoice.number, purchases.cancel(&mut shop, &day.name, at, invoice).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    timeline.lines(&summary.to_string());
    Ok(summary)
}

/// Puts a product with as much stock as the day asks for; answers why it was refused, if it was.
async fn put(shop: &mut Shop, product: &Product) -> anyhow::Result<Option<String>> {
    let there = shop.shelf(&product.sku).await?;
    let body = json!({
        "name": product.name,
        "price": { "amount_minor": product.price_minor, "currency": "GBP" },
        "stock": delivery(there.as_ref(), product.wanted),
        "weight_grams": 100,
    });
    let answer =
        shop.put_product(&product.sku, &body, there.as_ref().map(|shelf| shelf.etag.as_str())).await?;
    if answer.status.is_success() {
        return Ok(None);
    }
    ensure!(answer.status.as_u16() == 422, "putting {}: {}", product.sku, answer.problem());
    Ok(Some(answer.problem()))
}

/// The stock to put: what an earlier day left, and what this one asks for on top of it. The same number as the last
/// put's would be a retry of that, which restocks nothing; then one more is delivered.
fn delivery(there: Option<&Shelf>, wanted: i64) -> i64 {
    match there {
        None => wanted,
        Some(shelf) if shelf.on_hand + wanted == shelf.stated => shelf.stated + 1,
        Some(shelf) => shelf.on_hand + wanted,
    }
}

/// What became of an invoice, and the order that it has become, if any.
async fn check_out(shop: &mut Shop, day: &str, invoice: &Invoice) -> anyhow::Result<(Fate, Option<String>)> {
    let cart = format!("{day}-{}", invoice.number);
    let items: Vec<_> = invoice.items.iter().map(|(sku, n)| json!({ "sku": sku, "quantity": n })).collect();
    let mut body = json!({ "items": items });
    if !invoice.customer.is_empty() {
        body["customer_id"] = json!(invoice.customer);
    }
    let filled = shop.put_cart(&cart, &body).await?;
    if !filled.status.is_success() {
        return Ok((Fate::refused(&filled), None));
    }
    let who = if invoice.customer.is_empty() {
        format!("guest-{}", invoice.number)
    } else {
        format!("customer-{}", invoice.customer)
    };
    let email = format!("{}@example.com", who.to_lowercase());
    let mut body =
        checkout_of(&cart, "tok_ok", &email, &who, &invoice.country, country::code(&invoice.country));
    if !invoice.customer.is_empty() {
        body["customer_id"] = json!(invoice.customer);
    }
    let begun = Instant::now();
    let answer = shop.check_out(&cart, 30, &body).await?;
    let took = begun.elapsed();
    if !answer.status.is_success() {
        return Ok((Fate::refused(&answer), None));
    }
    let fate = Fate::of(&answer.body, "total", took);
    let order = answer.body["order_id"].as_str().filter(|_| matches!(fate, Fate::Completed { .. }));
    Ok((fate, order.map(str::to_owned)))
}

fn progress(invoices: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(invoices as u64);
    if let Ok(style) = ProgressStyle::with_template("   {bar:40} {pos}/{len} invoices  {per_sec}  {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_never_taken_for_a_retry_of_the_last_one() {
        let shelf = |stated, on_hand| Shelf { etag: String::new(), stated, on_hand };
        assert_eq!(delivery(None, 7), 7);
        assert_eq!(delivery(Some(&shelf(7, 0)), 5), 5);
        assert_eq!(delivery(Some(&shelf(7, 2)), 5), 8);
        assert_eq!(delivery(Some(&shelf(7, 7)), 5), 12);
    }
}
