//! Carts: a face of the cart participant.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use backstitch_proto::cart::{Cart, DeleteCartRequest, GetCartRequest, PutCartRequest};
use backstitch_proto::common::Item;
use serde::Serialize;

use super::parse::{JsonBody, Segment, traceparent};
use super::reply;
use crate::app::App;
use crate::clients::CallError;
use crate::problem::{Problem, kind};
use crate::{fields, json, refusals};

const PART: &str = "cart";

/// A cart as it is told.
#[derive(Serialize)]
struct Document {
    cart_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    customer_id: String,
    items: Vec<Item>,
    version: i64,
    /// The checkout that holds it.
    #[serde(skip_serializing_if = "String::is_empty")]
    held_by: String,
}

impl From<Cart> for Document {
    fn from(cart: Cart) -> Self {
        Self {
            cart_id: cart.cart_id,
            customer_id: cart.customer_id,
            items: cart.items,
            version: cart.version,
            held_by: cart.held_by,
        }
    }
}

fn problem(error: CallError) -> Problem {
    refusals::problem(error, &kind::UNKNOWN_CART, "cart_id")
}

/// `PUT /api/v1/carts/{cart_id}`
pub(super) async fn put(
    State(app): State<Arc<App>>,
    cart_id: Segment,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let message = read(cart_id.words("cart_id", 64)?, &body)?;
    let traceparent = traceparent(headers.get("traceparent").map(|v| v.as_bytes()));
    let mut carts = app.clients.carts();
    let put =
        app.clients.change(PART, message, &traceparent, |request| async move { carts.put(request).await });
    let cart = put.await.map_err(problem)?;
    Ok(reply::json(StatusCode::OK, &Document::from(cart)))
}

/// `GET /api/v1/carts/{cart_id}`
pub(super) async fn get(State(app): State<Arc<App>>, cart_id: Segment) -> Result<Response, Problem> {
    let message = GetCartRequest { cart_id: cart_id.words("cart_id", 64)?, fresh: false };
    let carts = app.clients.carts();
    let got = app.clients.read(PART, message, |request| {
        let mut carts = carts.clone();
        async move { carts.get(request).await }
    });
    let cart = got.await.map_err(problem)?;
    Ok(reply::json(StatusCode::OK, &Document::from(cart)))
}

/// `DELETE /api/v1/carts/{cart_id}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    cart_id: Segment,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let message = DeleteCartRequest { cart_id: cart_id.words("cart_id", 64)? };
    let traceparent = traceparent(headers.get("traceparent").map(|v| v.as_bytes()));
    let mut carts = app.clients.carts();
    let deleted =
        app.clients.change(PART, message, &traceparent, |request| async move { carts.delete(request).await });
    deleted.await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn read(cart_id: String, body: &[u8]) -> Result<PutCartRequest, Problem> {
    let mut o = json::object(body)?;
    let customer_id = o.optional_text("customer_id")?;
    let lines = o.objects("items")?;
    o.finish()?;
    let mut items = Vec::with_capacity(lines.len());
    for mut line in lines {
        items.push(Item { sku: line.text("sku")?, quantity: line.int("quantity")? });
        line.finish()?;
    }
    fields::optional_words("/customer_id", &customer_id, 64)?;
    fields::items(&items)?;
    Ok(PutCartRequest { cart_id, customer_id, items })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(n: usize) -> Vec<serde_json::Value> {
        (0..n).map(|i| json!({"sku": format!("SKU-{i}"), "quantity": 1})).collect()
    }

    #[test]
    fn a_cart_of_600_lines_is_read() {
        let body = json!({"customer_id": "17850", "items": lines(600)}).to_string();
        let cart = read("c".into(), body.as_bytes()).unwrap();
        assert_eq!((cart.items.len(), cart.customer_id.as_str()), (600, "17850"));
        assert!(read("c".into(), json!({"items": lines(1000)}).to_string().as_bytes()).is_ok());
    }

    #[test]
    fn flaws_of_a_cart_are_named() {
        let line = |sku: &str, quantity: i64| json!({"items": [{"sku": "A", "quantity": 1}, {"sku": sku, "quantity": quantity}]});
        let cases = [
            (json!({}), "missing-field", "/items"),
            (json!({"items": []}), "invalid-field", "/items"),
            (json!({"items": lines(1001)}), "invalid-field", "/items"),
            (line("B", 0), "invalid-field", "/items/1/quantity"),
            (line("B", -1), "invalid-field", "/items/1/quantity"),
            (line("B", 1 << 31), "invalid-field", "/items/1/quantity"),
            (line("B", 1_000_001), "invalid-field", "/items/1/quantity"),
            (line("", 1), "invalid-field", "/items/1/sku"),
            (line("a\u{0}", 1), "invalid-field", "/items/1/sku"),
            (line(&"x".repeat(65), 1), "invalid-field", "/items/1/sku"),
            (json!({"items": [{"sku": "A"}]}), "missing-field", "/items/0/quantity"),
            (json!({"items": [{"sku": "A", "quantity": "1"}]}), "wrong-type", "/items/0/quantity"),
            (json!({"items": [{"sku": "A", "quantity": 1, "price": 1}]}), "unknown-field", "/items/0/price"),
            (json!({"items": [[]]}), "wrong-type", "/items/0"),
            (json!({"customer_id": 7, "items": []}), "wrong-type", "/customer_id"),
            (json!({"customer_id": "x".repeat(65), "items": lines(1)}), "invalid-field", "/customer_id"),
            (json!({"items": lines(1), "total": 1}), "unknown-field", "/total"),
        ];
        for (body, slug, field) in cases {
            let problem = read("c".into(), body.to_string().as_bytes()).unwrap_err();
            assert_eq!((problem.kind().slug, problem.field()), (slug, Some(field)), "{body}");
        }
    }
}
