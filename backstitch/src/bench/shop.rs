//! A small shop over HTTP for the checkout benchmark.

use anyhow::bail;
use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::client::Connection;

const SKUS: usize = 20;

/// Puts products with more stock than any run sells.
pub(crate) async fn stock(connection: &mut Connection) -> anyhow::Result<()> {
    for n in 0..SKUS {
        let product = json!({
            "name": format!("Bench product {n}"),
            "price": { "amount_minor": 199 + n, "currency": "GBP" },
            "stock": 100_000_000,
            "weight_grams": 120,
        });
        let path = format!("/api/v1/products/BENCH-{n}");
        connection.must(Method::PUT, &path, &[], product.to_string().into()).await?;
    }
    Ok(())
}

/// Two lines, as the median shop's cart.
pub(crate) async fn fill_cart(connection: &mut Connection, cart: &str) -> anyhow::Result<()> {
    let place = cart.bytes().fold(0, |sum: usize, b| sum + usize::from(b));
    let items = json!([
        { "sku": format!("BENCH-{}", place % SKUS), "quantity": 1 },
        { "sku": format!("BENCH-{}", (place + 7) % SKUS), "quantity": 2 },
    ]);
    let body = json!({ "items": items }).to_string();
    connection.must(Method::PUT, &format!("/api/v1/carts/{cart}"), &[], body.into()).await.map(drop)
}

/// Checks a cart out and insists on completion.
pub(crate) async fn check_out(
    connection: &mut Connection,
    cart: &str,
    wait: (&str, &str),
) -> anyhow::Result<()> {
    let body = json!({
        "cart_id": cart,
        "email": "bench@example.com",
        "shipping_address": {
            "name": "Ada Bench", "line1": "1 Loop Road", "city": "London", "postal_code": "N1 1AA", "country": "GB",
        },
        "shipping_method": "standard",
        "payment_method": "tok_ok",
    });
    let headers = [wait, ("idempotency-key", cart)];
    let answer: Bytes =
        connection.must(Method::POST, "/api/v1/checkouts", &headers, body.to_string().into()).await?;
    let document: serde_json::Value = serde_json::from_slice(&answer)?;
    if document["status"] != "completed" {
        bail!("checkout of {cart} did not complete: {document}");
    }
    Ok(())
}
