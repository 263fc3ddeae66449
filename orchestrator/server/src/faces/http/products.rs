//! Products and their stock: a face of the inventory participant.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use backstitch_proto::common;
use backstitch_proto::inventory::{GetProductRequest, ListProductsRequest, Product, PutProductRequest};
use serde::Serialize;

use super::parse::{JsonBody, Parameters, Segment, traceparent};
use super::reply;
use crate::app::App;
use crate::problem::{Problem, kind};
use crate::{fields, json, refusals};

const PART: &str = "inventory";

/// A product as it is told. `stock` is what the last put stated; `on_hand` is what is left of it.
#[derive(Serialize)]
struct Document {
    sku: String,
    name: String,
    price: Option<common::Money>,
    stock: i64,
    weight_grams: i64,
    on_hand: i64,
    reserved: i64,
    sold: i64,
}

#[derive(Serialize)]
struct Listing {
    products: Vec<Document>,
    #[serde(skip_serializing_if = "String::is_empty")]
    next_cursor: String,
}

impl From<Product> for Document {
    fn from(product: Product) -> Self {
        Self {
            sku: product.sku,
            name: product.name,
            price: product.price,
            stock: product.stated_stock,
            weight_grams: product.weight_grams,
            on_hand: product.on_hand,
            reserved: product.reserved,
            sold: product.sold,
        }
    }
}

/// `PUT /api/v1/products/{sku}`
pub(super) async fn put(
    State(app): State<Arc<App>>,
    sku: Segment,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let message = read(sku.words("sku", 64)?, if_match(&headers)?, &body)?;
    let traceparent = traceparent(headers.get("traceparent").map(|v| v.as_bytes()));
    let mut inventory = app.clients.inventory();
    let put = app
        .clients
        .change(PART, message, &traceparent, |request| async move { inventory.put_product(request).await });
    let product = put.await.map_err(|e| refusals::problem(e, &kind::UNKNOWN_PRODUCT, "sku"))?;
    Ok(answer(product))
}

/// `GET /api/v1/products/{sku}`
pub(super) async fn get(State(app): State<Arc<App>>, sku: Segment) -> Result<Response, Problem> {
    let message = GetProductRequest { sku: sku.words("sku", 64)? };
    let inventory = app.clients.inventory();
    let got = app.clients.read(PART, message, |request| {
        let mut inventory = inventory.clone();
        async move { inventory.get_product(request).await }
    });
    let product = got.await.map_err(|e| refusals::problem(e, &kind::UNKNOWN_PRODUCT, "sku"))?;
    Ok(answer(product))
}

/// `GET /api/v1/products`
pub(super) async fn list(State(app): State<Arc<App>>, mut query: Parameters) -> Result<Response, Problem> {
    let page_size = query.number("page_size", 1, 1000)?.unwrap_or(100);
    let cursor = query.take("cursor").unwrap_or_default();
    query.finish()?;
    if !cursor.is_empty() {
        fields::text(&kind::INVALID_PARAMETER, "cursor", &cursor, 64)?;
    }
    let message =
        ListProductsRequest { page_size: i32::try_from(page_size).unwrap_or(i32::MAX), page_token: cursor };
    let inventory = app.clients.inventory();
    let listed = app.clients.read(PART, message, |request| {
        let mut inventory = inventory.clone();
        async move { inventory.list_products(request).await }
    });
    let page = listed.await.map_err(|e| refusals::problem(e, &kind::UNKNOWN_PRODUCT, "cursor"))?;
    let products = page.products.into_iter().map(Document::from).collect();
    Ok(reply::json(StatusCode::OK, &Listing { products, next_cursor: page.next_page_token }))
}

fn answer(product: Product) -> Response {
    let etag = format!("\"{}\"", product.etag);
    reply::with_header(reply::json(StatusCode::OK, &Document::from(product)), header::ETAG, &etag)
}

/// One strong entity tag, as it was sent. What it matches is the inventory's to say.
fn if_match(headers: &HeaderMap) -> Result<String, Problem> {
    let invalid = || {
        Problem::new(&kind::INVALID_HEADER, "It must be the one ETag that the product was read with.")
            .at("If-Match")
    };
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(String::new()) };
    let tag = value.to_str().map_err(|_| invalid())?.trim();
    let bare = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    match bare {
        Some(bare) if values.next().is_none() && !bare.is_empty() && !bare.contains('"') => {
            Ok(tag.to_owned())
        }
        _ => Err(invalid()),
    }
}

fn read(sku: String, if_match: String, body: &[u8]) -> Result<PutProductRequest, Problem> {
    let mut o = json::object(body)?;
    let name = o.text("name")?;
    let mut p = o.object("price")?;
    let price = common::Money { amount_minor: p.int("amount_minor")?, currency: p.text("currency")? };
    p.finish()?;
    let stock = o.int("stock")?;
    let weight_grams = o.int("weight_grams")?;
    o.finish()?;

    fields::words("/name", &name, 200)?;
    fields::number("/price/amount_minor", price.amount_minor, 1, i64::MAX)?;
    fields::money("/price", &price)?;
    fields::number("/stock", stock, 0, 1_000_000_000)?;
    fields::number("/weight_grams", weight_grams, 0, i64::MAX)?;
    Ok(PutProductRequest { sku, name, price: Some(price), weight_grams, stock, if_match })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(name: &str, minor: i64, currency: &str, stock: i64, weight: i64) -> String {
        serde_json::json!({
            "name": name, "price": {"amount_minor": minor, "currency": currency}, "stock": stock, "weight_grams": weight,
        })
        .to_string()
    }

    #[test]
    fn a_product_is_read_and_its_flaws_are_named() {
        let good = read("A".into(), String::new(), body("Lantern", 1, "GBP", 0, 0).as_bytes()).unwrap();
        assert_eq!((good.sku.as_str(), good.stock), ("A", 0));
        assert!(
            read(
                "A".into(),
                String::new(),
                body(&"x".repeat(200), i64::MAX, "GBP", 1_000_000_000, 1).as_bytes()
            )
            .is_ok()
        );
        let cases = [
            (body("", 1, "GBP", 1, 1), "/name"),
            (body(&"x".repeat(201), 1, "GBP", 1, 1), "/name"),
            (body("a\u{1}", 1, "GBP", 1, 1), "/name"),
            (body("a", 0, "GBP", 1, 1), "/price/amount_minor"),
            (body("a", -1, "GBP", 1, 1), "/price/amount_minor"),
            (body("a", 1, "pounds", 1, 1), "/price/currency"),
            (body("a", 1, "GBP", -1, 1), "/stock"),
            (body("a", 1, "GBP", 1_000_000_001, 1), "/stock"),
            (body("a", 1, "GBP", 1, -1), "/weight_grams"),
            (r#"{"name":"a","price":{"amount_minor":1.5,"currency":"GBP"}}"#.into(), "/price/amount_minor"),
            (r#"{"name":"a","price":{"amount_minor":1,"currency":"GBP"},"stock":1}"#.into(), "/weight_grams"),
        ];
        for (body, field) in cases {
            let problem = read("A".into(), String::new(), body.as_bytes()).unwrap_err();
            assert_eq!(problem.field(), Some(field), "{body}");
        }
    }

    #[test]
    fn an_if_match_is_one_strong_tag() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_MATCH, value.parse().unwrap());
            }
            if_match(&headers)
        };
        assert_eq!(read(&[]).unwrap(), "");
        assert_eq!(read(&["\"4\""]).unwrap(), "\"4\"");
        for bad in [
            &["4"][..],
            &["*"],
            &["W/\"4\""],
            &["\"4\", \"5\""],
            &["\"4\"", "\"4\""],
            &["\"\""],
            &["\""],
            &[""],
        ] {
            assert_eq!(read(bad).unwrap_err().field(), Some("If-Match"), "{bad:?}");
        }
    }
}
