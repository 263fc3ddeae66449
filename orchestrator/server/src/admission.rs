//! Admission: what happens before a checkout's saga exists. Writes nothing unless it accepts.
//!
//! The key is looked up first, because a retry must find its checkout although the cart is empty by now. Then the
//! cart is loaded, its items are validated and priced, and the saga starts with that snapshot. A problem here
//! promises nothing about the key.

use std::collections::BTreeSet;

use backstitch_engine::{Follow, NewRun, StartError, Started};
use backstitch_proto::cart::{Cart, GetCartRequest};
use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::common::{Item, PricedItem};
use backstitch_proto::inventory::{ValidateItemsRequest, ValidateItemsResponse};
use backstitch_proto::money::{Currency, Money, MoneyError};
use backstitch_sagas::definition;
use prost::Message as _;
use uuid::Uuid;

use crate::app::{App, KEY_SCOPE};
use crate::problem::{Problem, kind};
use crate::request::CheckoutRequest;
use crate::{document, failures, refusals};

/// The most that the items of one checkout may cost, in minor units: what shipping adds to it cannot overflow.
const MAX_SUBTOTAL_MINOR: i64 = 1_000_000_000_000_000;

/// A checkout that is durable.
pub(crate) enum Accepted {
    /// By this request.
    New(Uuid, Follow),
    /// By an earlier one with the same key and the same content.
    Earlier(Uuid),
}

impl Accepted {
    pub(crate) fn id(&self) -> Uuid {
        match self {
            Accepted::New(id, _) | Accepted::Earlier(id) => *id,
        }
    }

    pub(crate) fn is_new(&self) -> bool {
        matches!(self, Accepted::New(..))
    }
}

/// Accepts a checkout, or says what is wrong.
pub(crate) async fn start(
    app: &App,
    key: &str,
    request: CheckoutRequest,
    traceparent: String,
) -> Result<Accepted, Problem> {
    let request_hash = request.hash();
    if let Some(earlier) = holder(app, key, &request_hash).await? {
        return Ok(Accepted::Earlier(earlier));
    }
    let input = match snapshot(app, request).await {
        Ok(input) => input,
        // Meanwhile a twin of this request may have been accepted: it holds the cart by now, or has emptied it.
        Err(problem) => {
            let earlier = holder(app, key, &request_hash).await?;
            return earlier.map(Accepted::Earlier).ok_or(problem);
        }
    };
    let (id, cart) = (Uuid::now_v7(), input.cart_id.clone());
    if let Err(first) = app.under_way.enter(&app.engine, &cart, key, id) {
        return Err(refusals::cart_in_checkout(&first.to_string()));
    }
    // However this ends, also by a client that goes away: what is in the engine's memory by then is under way.
    let _settled = scopeguard(|| app.under_way.settle(&cart, id, app.engine.follow(id).is_some()));
    let run = NewRun {
        id,
        root: None,
        definition: definition::CHECKOUT.to_owned(),
        scope: KEY_SCOPE.to_owned(),
        key: Some(key.to_owned()),
        request_hash,
        input: input.encode_to_vec().into(),
        traceparent,
    };
    match app.engine.start(run).await {
        Ok(Started::New(id, follow)) => Ok(Accepted::New(id, follow)),
        Ok(Started::Existing(id)) => Ok(Accepted::Earlier(id)),
        Err(error) => Err(refused(app, error)),
    }
}

/// Does something when it is dropped.
fn scopeguard<F: FnMut()>(f: F) -> impl Drop {
    struct OnDrop<F: FnMut()>(F);
    impl<F: FnMut()> Drop for OnDrop<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    OnDrop(f)
}

/// The checkout that the key and request already stand for.
async fn holder(app: &App, key: &str, request_hash: &[u8; 32]) -> Result<Option<Uuid>, Problem> {
    match app.engine.store().key(KEY_SCOPE, key).await.map_err(failures::store)? {
        None => Ok(None),
        Some(row) => match row.saga {
            None => Err(failures::start(&app.engine, StartError::KeyBlocked)),
            Some(saga) if row.request_hash == *request_hash => Ok(Some(saga)),
            Some(saga) => Err(key_reused(saga)),
        },
    }
}

fn refused(app: &App, error: StartError) -> Problem {
    match error {
        StartError::KeyReused { saga } => key_reused(saga),
        error => failures::start(&app.engine, error),
    }
}

fn key_reused(saga: Uuid) -> Problem {
    Problem::new(&kind::KEY_REUSED, failures::KEY_REUSED)
        .at("Idempotency-Key")
        .with("checkout_id", saga.to_string())
        .location(document::path(saga))
}

/// Loads and prices the cart: what the saga will work with, whatever changes afterwards.
async fn snapshot(app: &App, request: CheckoutRequest) -> Result<CheckoutInput, Problem> {
    let cart = load(app, &request).await?;
    let message = ValidateItemsRequest { items: cart.items.clone() };
    let inventory = app.clients.inventory();
    let validated = app.clients.read("inventory", message, |request| {
        let mut inventory = inventory.clone();
        async move { inventory.validate_items(request).await }
    });
    let answer = validated.await.map_err(|e| refusals::problem(e, &kind::UNKNOWN_SKU, "/cart_id"))?;
    let priced = price(&cart.items, answer)?;
    if let Some(expected) = request.expected_total.filter(|total| total.currency != priced.subtotal.currency)
    {
        let detail = format!("The cart is in {}, not in {}.", priced.subtotal.currency, expected.currency);
        return Err(Problem::new(&kind::CURRENCY_MISMATCH, detail)
            .at("/expected_total/currency")
            .with("currency", priced.subtotal.currency.as_str()));
    }
    Ok(CheckoutInput {
        cart_id: request.cart_id,
        cart_version: cart.version,
        customer_id: cart.customer_id,
        email: request.email.as_str().to_owned(),
        shipping_address: Some(request.shipping_address.to_proto()),
        shipping_method: request.shipping_method,
        payment_method: request.payment_method.reveal(),
        expected_total: request.expected_total.map(Money::to_proto),
        items: priced.items,
        subtotal: Some(priced.subtotal.to_proto()),
        weight_grams: priced.weight_grams,
    })
}

/// The cart, if it can be checked out by this customer now.
async fn load(app: &App, request: &CheckoutRequest) -> Result<Cart, Problem> {
    // What is bought rests on it.
    let message = GetCartRequest { cart_id: request.cart_id.clone(), fresh: true };
    let carts = app.clients.carts();
    let got = app.clients.read("cart", message, |request| {
        let mut carts = carts.clone();
        async move { carts.get(request).await }
    });
    let mut cart = got.await.map_err(|e| refusals::problem(e, &kind::UNKNOWN_CART, "/cart_id"))?;
    if cart.cart_id != request.cart_id {
        return Err(refusals::broken("cart", "another cart than was asked for"));
    }
    if !cart.held_by.is_empty() {
        return Err(refusals::cart_in_checkout(&cart.held_by));
    }
    if cart.items.is_empty() {
        return Err(Problem::new(&kind::EMPTY_CART, "The cart has no lines.").at("/cart_id"));
    }
    if cart.customer_id.is_empty() {
        cart.customer_id.clone_from(&request.customer_id);
    } else if !request.customer_id.is_empty() && cart.customer_id != request.customer_id {
        let detail = "The cart belongs to another customer than this request names.";
        return Err(Problem::new(&kind::CUSTOMER_MISMATCH, detail).at("/customer_id"));
    }
    Ok(cart)
}

/// Items with their prices, and sums over them.
#[derive(Debug)]
struct Priced {
    items: Vec<PricedItem>,
    subtotal: Money,
    weight_grams: i64,
}

/// Believes the inventory's answer only as far as it can be true, and adds it up.
fn price(asked: &[Item], answer: ValidateItemsResponse) -> Result<Priced, Problem> {
    if let Some(problem) = answer.problems.first() {
        let skus: Vec<_> = answer.problems.iter().map(|p| p.sku.as_str()).collect();
        return Err(Problem::new(&kind::UNKNOWN_SKU, format!("`{}` is not a product.", problem.sku))
            .at("/cart_id")
            .with("sku", problem.sku.as_str())
            .with("index", problem.index)
            .with("skus", skus));
    }
    let broken = |why: &str| refusals::broken("inventory", why);
    let same = |(a, b): (&Item, &PricedItem)| a.sku == b.sku && a.quantity == b.quantity;
    if asked.len() != answer.items.len() || !asked.iter().zip(&answer.items).all(same) {
        return Err(broken("other items than were asked about"));
    }
    let mut currencies = BTreeSet::<Currency>::new();
    let mut prices = Vec::with_capacity(answer.items.len());
    for item in &answer.items {
        let price = Money::parse(item.unit_price.as_ref()).map_err(|e| broken(&e.to_string()))?;
        if price.minor <= 0 || item.unit_weight_grams < 0 || item.quantity <= 0 {
            return Err(broken(&format!("a price, weight or quantity of {} that cannot be", item.sku)));
        }
        currencies.insert(price.currency);
        prices.push(price);
    }
    let Some(currency) = currencies.first().copied().filter(|_| currencies.len() == 1) else {
        let found: Vec<_> = currencies.iter().map(Currency::as_str).collect();
        return Err(Problem::new(
            &kind::MIXED_CURRENCIES,
            format!("The cart has prices in {}.", found.join(" and ")),
        )
        .at("/cart_id")
        .with("currencies", found));
    };
    let mut subtotal = Ok(Money::zero(currency));
    let mut weight_grams = Some(0_i64);
    for (item, price) in answer.items.iter().zip(prices) {
        subtotal = subtotal.and_then(|sum| sum.plus(price.times(item.quantity)?));
        weight_grams =
            weight_grams.and_then(|sum| sum.checked_add(item.unit_weight_grams.checked_mul(item.quantity)?));
    }
    let too_large = |what: &str| {
        Problem::new(
            &kind::TOTAL_TOO_LARGE,
            format!("The {what} of this cart is too large to be checked out."),
        )
        .at("/cart_id")
    };
    let subtotal = subtotal.map_err(|_: MoneyError| too_large("total"))?;
    let weight_grams = weight_grams.ok_or_else(|| too_large("weight"))?;
    if subtotal.minor > MAX_SUBTOTAL_MINOR {
        return Err(too_large("total"));
    }
    Ok(Priced { items: answer.items, subtotal, weight_grams })
}

#[cfg(test)]
mod tests {
    use backstitch_proto::common;
    use backstitch_proto::inventory::ItemProblem;
    use proptest::prelude::*;

    use super::*;

    fn item(sku: &str, quantity: i64) -> Item {
        Item { sku: sku.into(), quantity }
    }

    fn priced(sku: &str, quantity: i64, minor: i64, currency: &str, grams: i64) -> PricedItem {
        PricedItem {
            sku: sku.into(),
            quantity,
            name: sku.into(),
            unit_price: Some(common::Money { amount_minor: minor, currency: currency.into() }),
            unit_weight_grams: grams,
        }
    }

    fn answer(items: Vec<PricedItem>) -> ValidateItemsResponse {
        ValidateItemsResponse { items, problems: Vec::new() }
    }

    #[test]
    fn a_cart_is_added_up_in_its_own_order() {
        let asked = [item("B", 3), item("A", 2)];
        let answered = vec![priced("B", 3, 100, "GBP", 10), priced("A", 2, 255, "GBP", 1)];
        let sum = price(&asked, answer(answered)).unwrap();
        assert_eq!((sum.subtotal.to_string().as_str(), sum.weight_grams), ("8.10 GBP", 32));
        assert_eq!(sum.items.iter().map(|i| i.sku.as_str()).collect::<Vec<_>>(), ["B", "A"]);
    }

    #[test]
    fn what_is_wrong_with_a_cart_is_named() {
        let unknown =
            ItemProblem { index: 1, sku: "X".into(), reason: "UNKNOWN_SKU".into(), detail: String::new() };
        let unknown = ValidateItemsResponse { items: Vec::new(), problems: vec![unknown] };
        let mixed = answer(vec![priced("A", 1, 1, "GBP", 1), priced("B", 1, 1, "EUR", 1)]);
        let large = answer(vec![priced("A", 1, i64::MAX, "GBP", 1), priced("B", 1, 1, "GBP", 1)]);
        let heavy = answer(vec![priced("A", 1, 1, "GBP", i64::MAX), priced("B", 1, 1, "GBP", 1)]);
        for (answer, slug) in [
            (unknown, "unknown-sku"),
            (mixed, "mixed-currencies"),
            (large, "total-too-large"),
            (heavy, "total-too-large"),
        ] {
            let problem = price(&[item("A", 1), item("B", 1)], answer).unwrap_err();
            assert_eq!(
                (problem.kind().slug, problem.kind().status, problem.field()),
                (slug, 422, Some("/cart_id"))
            );
        }
    }

    #[test]
    fn an_answer_that_cannot_be_is_the_inventory_s_fault_and_not_the_cart_s() {
        let hostile = [
            vec![],
            vec![priced("A", 1, 1, "GBP", 1), priced("A", 1, 1, "GBP", 1)],
            vec![priced("B", 1, 1, "GBP", 1)],
            vec![priced("A", 2, 1, "GBP", 1)],
            vec![priced("A", 1, 0, "GBP", 1)],
            vec![priced("A", 1, -1, "GBP", 1)],
            vec![priced("A", 1, 1, "gbp", 1)],
            vec![priced("A", 1, 1, "", 1)],
            vec![priced("A", 1, 1, "GBP", -1)],
            vec![PricedItem { unit_price: None, ..priced("A", 1, 1, "GBP", 1) }],
        ];
        for items in hostile {
            let shown = format!("{items:?}");
            assert_eq!(price(&[item("A", 1)], answer(items)).unwrap_err().kind().status, 502, "{shown}");
        }
    }

    proptest! {
        #[test]
        fn the_sum_is_exact_or_refused(lines in prop::collection::vec((1..=1_000_000_i64, 1..=i64::MAX), 1..20)) {
            let asked: Vec<_> = lines.iter().map(|(quantity, _)| item("A", *quantity)).collect();
            let items = lines.iter().map(|(quantity, minor)| priced("A", *quantity, *minor, "GBP", 0)).collect();
            let exact: i128 = lines.iter().map(|(q, m)| i128::from(*q) * i128::from(*m)).sum();
            match price(&asked, answer(items)) {
                Ok(sum) => prop_assert_eq!(i128::from(sum.subtotal.minor), exact),
                Err(problem) => {
                    prop_assert_eq!(problem.kind().slug, "total-too-large");
                    prop_assert!(exact > i128::from(i64::MAX));
                }
            }
        }
    }
}
