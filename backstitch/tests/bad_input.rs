//! What cannot be is refused at the door: a problem document names the field, and nothing is written.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Shop, address_in, gbp, item, order_of, product, with};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

const NOBODY: &str = "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90";

/// A shop with a cart of two of A, and carts that can be put but not be checked out.
async fn shop() -> Shop {
    let shop = Shop::stocked().await;
    let euros = with(product(500, 100), "/price/currency", json!("EUR"));
    shop.put("/api/v1/products/EUROS", &euros).await.ok();
    shop.fill("cart", &[("A", 2)]).await;
    shop.fill("unsold", &[("A", 1), ("GHOST", 1)]).await;
    shop.fill("mixed", &[("A", 1), ("EUROS", 1)]).await;
    let body = json!({"customer_id": "ada", "items": [item("A", 1)]});
    shop.put("/api/v1/carts/adas", &body).await.ok();
    shop
}

/// Everything that could have been written, as it is told.
async fn written(shop: &Shop) -> Vec<Value> {
    let mut told = vec![shop.get("/api/v1/products").await.ok().body, json!(shop.sagas().await)];
    for cart in ["cart", "unsold", "mixed", "adas"] {
        told.push(shop.get(&format!("/api/v1/carts/{cart}")).await.ok().body);
    }
    told
}

/// A request, and the status, kind and field of the problem that it is.
type Case = (RequestBuilder, u16, &'static str, &'static str);

/// Sends each, insists on its problem, and on that nothing has changed after all of them.
async fn all_are_refused(shop: &Shop, cases: impl IntoIterator<Item = Case>) {
    let before = written(shop).await;
    for (request, status, kind, field) in cases {
        let told = format!("{:?}", request.try_clone().map(|r| r.build()));
        let answer = shop.send(request).await;
        let is = (answer.status, answer.text("/type"), answer.text("/field"));
        assert_eq!(is, (status, format!("/problems/{kind}").as_str(), field), "{told}\n{answer:?}");
        answer.is_problem(status, kind, field);
    }
    assert_eq!(written(shop).await, before);
}

#[tokio::test]
async fn a_product_that_cannot_be() {
    let shop = shop().await;
    let put =
        |sku: &str, body: Value| shop.request(Method::PUT, &format!("/api/v1/products/{sku}")).json(&body);
    let edit = |pointer: &str, value: Value| put("NEW", with(product(500, 1), pointer, value));
    let without = |name: &str| {
        let mut body = product(500, 1);
        body.as_object_mut().unwrap().remove(name);
        put("NEW", body)
    };
    let raw = |body: &'static str| shop.request(Method::PUT, "/api/v1/products/NEW").body(body);
    let long = "x".repeat(65);
    let cases: Vec<Case> = vec![
        (edit("/price/amount_minor", json!(0)), 422, "invalid-field", "/price/amount_minor"),
        (edit("/price/amount_minor", json!(-1)), 422, "invalid-field", "/price/amount_minor"),
        (edit("/price/amount_minor", json!(12.5)), 400, "wrong-type", "/price/amount_minor"),
        (edit("/price/amount_minor", json!("500")), 400, "wrong-type", "/price/amount_minor"),
        (edit("/price/amount_minor", json!(u64::MAX)), 400, "wrong-type", "/price/amount_minor"),
        (edit("/price/currency", json!("gbp")), 422, "invalid-field", "/price/currency"),
        (edit("/price/currency", json!("POUNDS")), 422, "invalid-field", "/price/currency"),
        (edit("/price/tax", json!(1)), 400, "unknown-field", "/price/tax"),
        (edit("/price", json!(500)), 400, "wrong-type", "/price"),
        (edit("/name", json!("")), 422, "invalid-field", "/name"),
        (edit("/name", json!("a\u{0}b")), 422, "invalid-field", "/name"),
        (edit("/name", json!("a\nb")), 422, "invalid-field", "/name"),
        (edit("/name", json!("x".repeat(201))), 422, "invalid-field", "/name"),
        (edit("/stock", json!(-1)), 422, "invalid-field", "/stock"),
        (edit("/stock", json!(1_i64 << 31)), 422, "invalid-field", "/stock"),
        (edit("/stock", json!(true)), 400, "wrong-type", "/stock"),
        (edit("/weight_grams", json!(-1)), 422, "invalid-field", "/weight_grams"),
        (edit("/colour", json!("red")), 400, "unknown-field", "/colour"),
        (without("name"), 400, "missing-field", "/name"),
        (without("price"), 400, "missing-field", "/price"),
        (without("stock"), 400, "missing-field", "/stock"),
        (put(&long, product(500, 1)), 400, "invalid-parameter", "sku"),
        (put("a%00b", product(500, 1)), 400, "invalid-parameter", "sku"),
        (put("a%0Ab", product(500, 1)), 400, "invalid-parameter", "sku"),
        (raw(""), 400, "malformed-json", ""),
        (raw("{"), 400, "malformed-json", ""),
        (raw("{\"name\":\"a\"} {}"), 400, "malformed-json", ""),
        (raw("[]"), 400, "wrong-type", ""),
        (raw("{\"name\":\"a\",\"name\":\"b\"}"), 400, "missing-field", "/price"),
    ];
    all_are_refused(&shop, cases).await;
    let text = raw("{}").header("Content-Type", "text/plain");
    all_are_refused(&shop, [(text, 415, "unsupported-media-type", "Content-Type")]).await;
    shop.get("/api/v1/products/NEW").await.is_problem(404, "unknown-product", "sku");
    shop.close().await;
}

#[tokio::test]
async fn a_correction_of_stock_that_does_not_say_what_was_counted() {
    let shop = shop().await;
    let read = shop.get("/api/v1/products/A").await.ok();
    let put = |stock: i64| shop.request(Method::PUT, "/api/v1/products/A").json(&product(500, stock));
    let cases: Vec<Case> = vec![
        (put(90), 428, "precondition-required", "If-Match"),
        (put(90).header("If-Match", "\"no-such-tag\""), 412, "precondition-failed", "If-Match"),
        (put(90).header("If-Match", "*"), 400, "invalid-header", "If-Match"),
        (put(90).header("If-Match", "W/\"1\""), 400, "invalid-header", "If-Match"),
        (put(90).header("If-Match", "1"), 400, "invalid-header", "If-Match"),
    ];
    all_are_refused(&shop, cases).await;

    // A retry of the put that made it is no correction, and changes nothing.
    assert_eq!(shop.send(put(100)).await.ok().header("etag"), read.header("etag"));
    let corrected = shop.send(put(90).header("If-Match", read.header("etag"))).await.ok();
    assert_eq!(corrected.int("/on_hand"), 90);
    assert_ne!(corrected.header("etag"), read.header("etag"));
    let stale = put(80).header("If-Match", read.header("etag"));
    all_are_refused(&shop, [(stale, 412, "precondition-failed", "If-Match")]).await;

    // A sale changes the tag, and a retry of the last put still restocks nothing.
    let done = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    assert_eq!(shop.send(put(90)).await.ok().int("/on_hand"), 88);
    let stale = put(80).header("If-Match", corrected.header("etag"));
    shop.send(stale).await.is_problem(412, "precondition-failed", "If-Match");
    shop.close().await;
}

#[tokio::test]
async fn a_cart_that_cannot_be() {
    let shop = shop().await;
    let put =
        |cart: &str, body: Value| shop.request(Method::PUT, &format!("/api/v1/carts/{cart}")).json(&body);
    let line = |line: Value| put("cart", json!({"items": [item("A", 1), line]}));
    let lines = |n: usize| (0..n).map(|i| item(&format!("S{i}"), 1)).collect::<Vec<_>>();
    let cases: Vec<Case> = vec![
        (line(item("A", 0)), 422, "invalid-field", "/items/1/quantity"),
        (line(item("A", -1)), 422, "invalid-field", "/items/1/quantity"),
        (line(item("A", 1 << 31)), 422, "invalid-field", "/items/1/quantity"),
        (line(item("A", i64::MAX)), 422, "invalid-field", "/items/1/quantity"),
        (line(json!({"sku": "A", "quantity": u64::MAX})), 400, "wrong-type", "/items/1/quantity"),
        (line(json!({"sku": "A", "quantity": 1.5})), 400, "wrong-type", "/items/1/quantity"),
        (line(json!({"sku": "A", "quantity": "1"})), 400, "wrong-type", "/items/1/quantity"),
        (line(json!({"sku": "A"})), 400, "missing-field", "/items/1/quantity"),
        (line(json!({"sku": 7, "quantity": 1})), 400, "wrong-type", "/items/1/sku"),
        (line(json!({"sku": "A", "quantity": 1, "price": 1})), 400, "unknown-field", "/items/1/price"),
        (line(json!(["A", 1])), 400, "wrong-type", "/items/1"),
        (line(item("", 1)), 422, "invalid-field", "/items/1/sku"),
        (line(item("a\u{7}", 1)), 422, "invalid-field", "/items/1/sku"),
        (line(item(&"x".repeat(65), 1)), 422, "invalid-field", "/items/1/sku"),
        // Lines of one product add up, and the sum has the limit of a line.
        (line(item("A", 1_000_000)), 422, "invalid-field", "/items/1/quantity"),
        (put("cart", json!({"items": []})), 422, "invalid-field", "/items"),
        (put("cart", json!({"items": lines(1001)})), 422, "invalid-field", "/items"),
        (put("cart", json!({"items": "A"})), 400, "wrong-type", "/items"),
        (put("cart", json!({})), 400, "missing-field", "/items"),
        (put("cart", json!({"items": lines(1), "note": ""})), 400, "unknown-field", "/note"),
        (put("cart", json!({"items": lines(1), "customer_id": 7})), 400, "wrong-type", "/customer_id"),
        (
            put("adas", json!({"items": lines(1), "customer_id": "bob"})),
            422,
            "customer-mismatch",
            "/customer_id",
        ),
        (put(&"c".repeat(65), json!({"items": lines(1)})), 400, "invalid-parameter", "cart_id"),
        (put("a%07", json!({"items": lines(1)})), 400, "invalid-parameter", "cart_id"),
        (put("%ff", json!({"items": lines(1)})), 400, "invalid-parameter", "path"),
        (shop.request(Method::PUT, "/api/v1/carts/cart").body("{\"items\":"), 400, "malformed-json", ""),
        (shop.request(Method::GET, "/api/v1/carts/nothing"), 404, "unknown-cart", "cart_id"),
        (shop.request(Method::DELETE, "/api/v1/carts/nothing"), 404, "unknown-cart", "cart_id"),
    ];
    all_are_refused(&shop, cases).await;
    shop.close().await;
}

#[tokio::test]
async fn a_checkout_that_cannot_be() {
    let shop = shop().await;
    let post = |body: &Value| shop.checkout_request("k", body);
    let edit = |pointer: &str, value: Value| post(&with(order_of("cart", "tok_ok"), pointer, value));
    let cart = |cart: &str| post(&order_of(cart, "tok_ok"));
    let raw = |body: &'static str| {
        shop.request(Method::POST, "/api/v1/checkouts").header("Idempotency-Key", "k").body(body)
    };
    let euros = json!({"amount_minor": 1395, "currency": "EUR"});
    let cases: Vec<Case> = vec![
        (cart("nothing"), 404, "unknown-cart", "/cart_id"),
        (cart("unsold"), 422, "unknown-sku", "/cart_id"),
        (cart("mixed"), 422, "mixed-currencies", "/cart_id"),
        (edit("/expected_total", euros), 422, "currency-mismatch", "/expected_total/currency"),
        (edit("/expected_total", gbp(-1)), 422, "invalid-field", "/expected_total/amount_minor"),
        (edit("/expected_total", json!(1395)), 400, "wrong-type", "/expected_total"),
        (
            edit("/expected_total", json!({"amount_minor": 1})),
            400,
            "missing-field",
            "/expected_total/currency",
        ),
        (
            post(&with(order_of("adas", "tok_ok"), "/customer_id", json!("bob"))),
            422,
            "customer-mismatch",
            "/customer_id",
        ),
        (edit("/shipping_address", address_in("UK")), 422, "invalid-field", "/shipping_address/country"),
        (edit("/shipping_address", address_in("gb")), 422, "invalid-field", "/shipping_address/country"),
        (edit("/shipping_address", address_in("GBR")), 422, "invalid-field", "/shipping_address/country"),
        (edit("/shipping_address", address_in("XX")), 422, "invalid-field", "/shipping_address/country"),
        (edit("/shipping_address/country", json!(44)), 400, "wrong-type", "/shipping_address/country"),
        (
            edit("/shipping_address/city", json!("Lon\u{0}don")),
            422,
            "invalid-field",
            "/shipping_address/city",
        ),
        (
            edit("/shipping_address/line1", json!("x".repeat(201))),
            422,
            "invalid-field",
            "/shipping_address/line1",
        ),
        (edit("/shipping_address/zip", json!("N1")), 400, "unknown-field", "/shipping_address/zip"),
        (edit("/shipping_address", json!(null)), 400, "missing-field", "/shipping_address"),
        (edit("/email", json!("nobody")), 422, "invalid-field", "/email"),
        (edit("/email", json!("a@b.example\r\nBcc: c@d.example")), 422, "invalid-field", "/email"),
        (edit("/email", json!(null)), 400, "missing-field", "/email"),
        (edit("/cart_id", json!(7)), 400, "wrong-type", "/cart_id"),
        (edit("/cart_id", json!("c".repeat(65))), 422, "invalid-field", "/cart_id"),
        (edit("/payment_method", json!("")), 422, "invalid-field", "/payment_method"),
        (edit("/payment_method", json!("x".repeat(256))), 422, "invalid-field", "/payment_method"),
        (edit("/shipping_method", json!("\u{7}")), 422, "invalid-field", "/shipping_method"),
        (edit("/coupon", json!("X")), 400, "unknown-field", "/coupon"),
        (raw("{"), 400, "malformed-json", ""),
        (raw("null"), 400, "wrong-type", ""),
    ];
    all_are_refused(&shop, cases).await;
    // None of these used the key up.
    let done = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    // It is empty now: there to be filled again, and not to be checked out.
    shop.begin("k2", &order_of("cart", "tok_ok")).await.is_problem(422, "empty-cart", "/cart_id");
    shop.close().await;
}

#[tokio::test]
async fn a_key_that_cannot_be() {
    let shop = shop().await;
    let body = order_of("cart", "tok_ok");
    let post = |key: &str| shop.checkout_request(key, &body);
    let delete = |query: &str| shop.request(Method::DELETE, &format!("/api/v1/checkouts{query}"));
    let cases: Vec<Case> = vec![
        (
            shop.request(Method::POST, "/api/v1/checkouts").json(&body),
            400,
            "missing-header",
            "Idempotency-Key",
        ),
        (post(""), 400, "invalid-header", "Idempotency-Key"),
        (post(&"k".repeat(256)), 400, "invalid-header", "Idempotency-Key"),
        (post("a\tb"), 400, "invalid-header", "Idempotency-Key"),
        (post("k").header("Idempotency-Key", "l"), 400, "invalid-header", "Idempotency-Key"),
        (delete(""), 400, "invalid-parameter", "key"),
        (delete("?key="), 400, "invalid-parameter", "key"),
        (delete(&format!("?key={}", "k".repeat(256))), 400, "invalid-parameter", "key"),
        (delete("?key=a%00"), 400, "invalid-parameter", "key"),
        (delete("?key=a&key=b"), 400, "invalid-parameter", "key"),
        (delete("?key=a&all=true"), 400, "invalid-parameter", "all"),
    ];
    all_are_refused(&shop, cases).await;
    let done = shop.check_out(&"k".repeat(255), &body).await;
    assert_eq!(done.text("/status"), "completed");
    shop.close().await;
}

#[tokio::test]
async fn an_id_or_a_parameter_that_cannot_be() {
    let shop = shop().await;
    let get = |path: &str| shop.request(Method::GET, path);
    let mut cases: Vec<Case> = Vec::new();
    for (method, before, after, field, missing) in [
        (Method::GET, "/api/v1/checkouts/", "", "checkout_id", "unknown-checkout"),
        (Method::GET, "/api/v1/checkouts/", "/events", "checkout_id", "unknown-checkout"),
        (Method::POST, "/api/v1/checkouts/", "/cancel", "checkout_id", "unknown-checkout"),
        (Method::POST, "/api/v1/checkouts/", "/wake", "checkout_id", "unknown-checkout"),
        (Method::GET, "/api/v1/orders/", "", "order_id", "unknown-order"),
        (Method::GET, "/operator/v1/sagas/", "", "saga_id", "unknown-saga"),
    ] {
        for id in ["seven", "01978a3e5f2d7c419b7a0f6d3c2b1a90", &NOBODY[1..]] {
            let path = format!("{before}{id}{after}");
            cases.push((shop.request(method.clone(), &path), 400, "invalid-id", field));
        }
        let path = format!("{before}{NOBODY}{after}");
        cases.push((shop.request(method, &path), 404, missing, field));
    }
    cases.extend([
        (get("/operator/v1/sagas?status=sleeping"), 400, "invalid-parameter", "status"),
        (get("/operator/v1/sagas?page_size=0"), 400, "invalid-parameter", "page_size"),
        (get("/operator/v1/sagas?page_size=501"), 400, "invalid-parameter", "page_size"),
        (get("/operator/v1/sagas?cursor=nonsense"), 400, "invalid-parameter", "cursor"),
        (
            get("/operator/v1/sagas?started_from_unix_ms=now"),
            400,
            "invalid-parameter",
            "started_from_unix_ms",
        ),
        (get("/operator/v1/sagas?state=parked"), 400, "invalid-parameter", "state"),
        (get("/api/v1/products?page_size=1001"), 400, "invalid-parameter", "page_size"),
        (get("/api/v1/products/nothing"), 404, "unknown-product", "sku"),
        (get("/api/v2/products"), 404, "unknown-path", ""),
        (shop.request(Method::PATCH, "/api/v1/products/A"), 405, "method-not-allowed", ""),
    ]);
    all_are_refused(&shop, cases).await;
    shop.close().await;
}
