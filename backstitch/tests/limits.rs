//! The largest that there may be works, and one more does not.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Shop, gbp, item, order_of};
use reqwest::{Body, Method};
use serde_json::json;

/// The most bytes of a body.
const LIMIT: usize = 1 << 20;

#[tokio::test]
async fn a_body_of_one_mebibyte_is_read_and_one_byte_more_is_not() {
    let shop = Shop::stocked().await;
    let padded = |size: usize| {
        let mut body = json!({"items": [item("A", 3)]}).to_string();
        body.extend(std::iter::repeat_n(' ', size - body.len()));
        body
    };
    let put = |cart: &str, body: Body| shop.request(Method::PUT, &format!("/api/v1/carts/{cart}")).body(body);
    // Announced by its length, and only found to be too long while it is read.
    let chunked = |size: usize| {
        let bytes = padded(size).into_bytes();
        let chunks = bytes.chunks(64 << 10).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect::<Vec<_>>();
        Body::wrap_stream(futures::stream::iter(chunks))
    };
    let checkout = shop.checkout_request("k", &order_of("cart", "tok_ok")).body(padded(LIMIT + 1));
    for request in [put("new", padded(LIMIT + 1).into()), put("new", chunked(LIMIT + 1)), checkout] {
        let refused = shop.send(request).await;
        refused.is_problem(413, "body-too-large", "");
        assert_eq!(refused.int("/limit_bytes"), i64::try_from(LIMIT).unwrap());
    }
    assert_eq!(shop.sagas().await, 0);
    shop.get("/api/v1/carts/new").await.is_problem(404, "unknown-cart", "cart_id");
    for (cart, body) in [("whole", padded(LIMIT).into()), ("chunked", chunked(LIMIT))] {
        assert_eq!(shop.send(put(cart, body)).await.ok().int("/items/0/quantity"), 3);
    }
    shop.close().await;
}

#[tokio::test]
async fn the_longest_paper_invoices_can_be_checked_out() {
    let shop = Shop::open().await;
    for i in 0..600 {
        shop.put_product(&format!("SKU-{i}"), 100 + i, 10).await.ok();
    }
    for lines in [592, 600] {
        let skus: Vec<String> = (0..lines).map(|i| format!("SKU-{i}")).collect();
        let cart: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
        let name = format!("lines-{lines}");
        shop.fill(&name, &cart).await;
        let done = shop.check_out(&name, &order_of(&name, "tok_ok")).await;
        assert_eq!(done.text("/status"), "completed", "{done:?}");
        let subtotal: i64 = (0..lines).map(|i| 100 + i).sum();
        // A pallet: 100 g a piece, so under the weight that its base price covers.
        assert_eq!(done.body["total"], gbp(subtotal + 4900));
        let order = shop.get(&format!("/api/v1/orders/{}", done.text("/order_id"))).await.ok();
        assert_eq!(order.body["items"].as_array().unwrap().len(), skus.len());
    }
    assert_eq!(shop.stock("SKU-591").await, (8, 0, 2));
    assert_eq!(shop.stock("SKU-592").await, (9, 0, 1));
    shop.close().await;
}
