//! What the HTTP face promises beside checkouts: other nouns, errors as problems, what machines ask.

#![allow(clippy::unwrap_used)]

mod support;

use reqwest::Method;
use serde_json::{Value, json};
use support::{Setup, World, answer, order_of};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn lantern(stock: i64) -> Value {
    json!({
        "name": "Lantern", "price": {"amount_minor": 255, "currency": "GBP"}, "stock": stock, "weight_grams": 100,
    })
}

#[tokio::test]
async fn a_product_is_put_read_and_counted_under_its_etag() {
    let world = World::new().await;
    let path = "/api/v1/products/85123A%20%2F%20red";
    let put = world.put(path, &lantern(10)).await;
    assert_eq!((put.status, put.text("/sku"), &put.body["on_hand"]), (200, "85123A / red", &json!(10)));
    let etag = put.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2, "{etag}");
    let got = world.get(path).await;
    assert_eq!((got.status, &got.body, got.header("etag")), (200, &put.body, etag.as_str()));

    world.put(path, &lantern(12)).await.is_problem(428, "precondition-required", "If-Match");
    let count = async |tag: &str| {
        let request = world.request(Method::PUT, path).header("If-Match", tag).json(&lantern(12));
        answer(request.send().await.unwrap()).await
    };
    let stale = count("\"99\"").await;
    stale.is_problem(412, "precondition-failed", "If-Match");
    assert_eq!(stale.text("/etag"), etag);
    count("*").await.is_problem(400, "invalid-header", "If-Match");
    let counted = count(&etag).await;
    assert_eq!((counted.status, &counted.body["stock"]), (200, &json!(12)));
    assert_ne!(counted.header("etag"), etag);
}

#[tokio::test]
async fn products_are_listed_a_page_at_a_time() {
    let world = World::new().await;
    for sku in ["A", "B", "C"] {
        world.participants.product(sku, "GBP");
    }
    let first = world.get("/api/v1/products?page_size=2").await;
    assert_eq!((first.text("/products/0/sku"), first.text("/products/1/sku")), ("A", "B"));
    let next =
        world.get(&format!("/api/v1/products?page_size=2&cursor={}", first.text("/next_cursor"))).await;
    assert_eq!((next.text("/products/0/sku"), next.body.get("next_cursor")), ("C", None));
    for (query, field) in
        [("page_size=0", "page_size"), ("page_size=1001", "page_size"), ("sort=name", "sort")]
    {
        world.get(&format!("/api/v1/products?{query}")).await.is_problem(400, "invalid-parameter", field);
    }
}

#[tokio::test]
async fn what_cannot_be_a_product_is_refused_by_its_field_and_not_sent_on() {
    let world = World::new().await;
    let mut free = lantern(1);
    free["price"]["amount_minor"] = json!(0);
    world.put("/api/v1/products/A", &free).await.is_problem(422, "invalid-field", "/price/amount_minor");
    let long = format!("/api/v1/products/{}", "x".repeat(65));
    world.put(&long, &lantern(1)).await.is_problem(400, "invalid-parameter", "sku");
    world.get("/api/v1/products/a%00b").await.is_problem(400, "invalid-parameter", "sku");
    world.get("/api/v1/products/a%FFb").await.is_problem(400, "invalid-parameter", "path");
    world.get("/api/v1/products/none").await.is_problem(404, "unknown-product", "sku");
    assert!(world.participants.state().products.is_empty());
}

#[tokio::test]
async fn a_cart_is_put_read_and_deleted() {
    let world = World::new().await;
    let body = json!({"customer_id": "17850", "items": [{"sku": "A", "quantity": 2}]});
    let put = world.put("/api/v1/carts/cart%201", &body).await;
    assert_eq!((put.status, put.text("/cart_id"), put.text("/customer_id")), (200, "cart 1", "17850"));
    assert_eq!((&put.body["items"], put.body.get("held_by")), (&body["items"], None));
    assert_eq!(world.get("/api/v1/carts/cart%201").await.body, put.body);
    let mut other = body.clone();
    other["customer_id"] = json!("99");
    world.put("/api/v1/carts/cart%201", &other).await.is_problem(422, "customer-mismatch", "/customer_id");
    assert_eq!(world.delete("/api/v1/carts/cart%201").await.status, 204);
    world.get("/api/v1/carts/cart%201").await.is_problem(404, "unknown-cart", "cart_id");
    world.delete("/api/v1/carts/cart%201").await.is_problem(404, "unknown-cart", "cart_id");

    for quantity in [0, -1, 1_i64 << 31] {
        let body = json!({"items": [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": quantity}]});
        world.put("/api/v1/carts/c", &body).await.is_problem(422, "invalid-field", "/items/1/quantity");
    }
    world.put("/api/v1/carts/c", &json!({"items": []})).await.is_problem(422, "invalid-field", "/items");
    let long = format!("/api/v1/carts/{}", "x".repeat(65));
    world.put(&long, &body).await.is_problem(400, "invalid-parameter", "cart_id");
    assert!(world.participants.state().carts.is_empty());
}

#[tokio::test]
async fn a_trace_goes_along_with_a_change() {
    let world = World::new().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let put = world.request(Method::PUT, "/api/v1/products/A").header("traceparent", trace).json(&lantern(1));
    assert_eq!(put.send().await.unwrap().status(), 200);
    let put =
        world.request(Method::PUT, "/api/v1/products/B").header("traceparent", "nonsense").json(&lantern(1));
    assert_eq!(put.send().await.unwrap().status(), 200);
    assert_eq!(world.participants.state().traces, [trace]);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_problem() {
    let world = World::new().await;
    let put = async |body: Vec<u8>, media_type: Option<&str>| {
        let request = world.request(Method::PUT, "/api/v1/carts/c").body(body);
        let request = media_type.into_iter().fold(request, |r, m| r.header("Content-Type", m));
        let answer = answer(request.send().await.unwrap()).await;
        // The whole body is a place too: its pointer is empty, and not absent.
        assert!(answer.status == 200 || answer.body["field"].is_string(), "{}", answer.body);
        answer
    };
    put(b"{\"items\":".to_vec(), None).await.is_problem(400, "malformed-json", "");
    put(b"\xff\xfe".to_vec(), None).await.is_problem(400, "malformed-json", "");
    put(Vec::new(), None).await.is_problem(400, "malformed-json", "");
    put(b"[]".to_vec(), None).await.is_problem(400, "wrong-type", "");
    put(b"{}".to_vec(), Some("text/plain")).await.is_problem(415, "unsupported-media-type", "Content-Type");
    // White space up to the limit is a body that can be read; one byte more is not.
    let padded = |size: usize| {
        let mut body = json!({"items": [{"sku": "A", "quantity": 1}]}).to_string().into_bytes();
        body.resize(size, b' ');
        body
    };
    assert_eq!(put(padded(1 << 20), Some("application/json")).await.status, 200);
    put(padded((1 << 20) + 1), Some("application/json")).await.is_problem(413, "body-too-large", "");
}

#[tokio::test]
async fn a_body_without_announced_length_is_cut_off_at_the_limit() {
    let world = World::new().await;
    let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1 << 16]));
    let chunks = futures::StreamExt::take(chunks, 17);
    let request = world.request(Method::PUT, "/api/v1/carts/c").body(reqwest::Body::wrap_stream(chunks));
    let refused = answer(request.send().await.unwrap()).await;
    refused.is_problem(413, "body-too-large", "");
    assert_eq!(refused.body["field"], "");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let world = World::new().await;
    for path in
        ["/", "/api/v1", "/api/v2/checkouts", "/api/v1/checkouts/", "/bench/v1/sagas", "/problems/x/y"]
    {
        let unknown = world.get(path).await;
        unknown.is_problem(404, "unknown-path", "");
        assert!(unknown.text("/detail").contains("GET /openapi.json"), "{}", unknown.body);
    }
    let wrong = answer(world.request(Method::PATCH, "/api/v1/carts/c").send().await.unwrap()).await;
    wrong.is_problem(405, "method-not-allowed", "");
    let mut allowed: Vec<_> = wrong.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD", "PUT"]);
    world.post("/healthz").await.is_problem(405, "method-not-allowed", "");
}

#[tokio::test]
async fn a_request_that_is_no_http_does_not_hurt_the_next_one() {
    let world = World::new().await;
    let mut raw = tokio::net::TcpStream::connect(world.http.trim_start_matches("http://")).await.unwrap();
    raw.write_all(b"\x16\x03\x01 nonsense\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    raw.read_to_end(&mut read).await.unwrap();
    assert!(read.starts_with(b"HTTP/1.1 400") || read.is_empty(), "{read:?}");
    assert_eq!(world.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn readiness_names_every_part_with_trouble_and_is_lost_by_what_this_node_lacks() {
    let world = World::new().await;
    assert_eq!(world.get("/healthz").await.body, json!({"status": "ok"}));
    assert_eq!(world.get("/readyz").await.body, json!({"status": "ready"}));

    let world = World::with(Setup { away: &["payment", "cart"], ..Setup::default() }).await;
    assert_eq!(world.get("/healthz").await.status, 200);
    // Every node would miss them, and there is a lot to do without them.
    let degraded = world.get("/readyz").await;
    assert_eq!((degraded.status, degraded.text("/status")), (200, "degraded"));
    assert_eq!((degraded.text("/parts/0/part"), degraded.text("/parts/1/part")), ("cart", "payment"));
    assert_eq!(degraded.body["parts"].as_array().unwrap().len(), 2, "{}", degraded.body);
    assert!(degraded.text("/parts/1/why").starts_with("answers Unavailable"), "{}", degraded.body);

    // What a definition calls and nobody told the address of is missing too.
    // It is another node's chance, and what is wrong for all of them is listed after it.
    let world = World::with(Setup { unknown: &["shipping"], away: &["payment"], ..Setup::default() }).await;
    let missing = world.get("/readyz").await;
    missing.is_problem(503, "not-ready", "");
    assert_eq!(missing.text("/detail"), "shipping has no address here.");
    assert_eq!(missing.body["parts"][0], json!({"part": "shipping", "why": "has no address here"}));
    assert_eq!(missing.text("/parts/1/part"), "payment", "{}", missing.body);
}

#[tokio::test]
async fn a_participant_stays_listed_when_its_breaker_opens() {
    let world = World::with(Setup { away: &["payment", "shipping"], ..Setup::default() }).await;
    world.participants.product("A", "GBP");
    for cart in ["cart-1", "cart-2", "cart-3"] {
        world.participants.cart(cart, &[("A", 1)]);
        assert_eq!(world.checkout(cart, &order_of(cart)).await.status, 202);
    }
    let mut kept_from = false;
    while !kept_from {
        kept_from = !world.engine.troubles().is_empty();
        let degraded = world.get("/readyz").await;
        assert_eq!((degraded.status, degraded.text("/status")), (200, "degraded"));
        let parts = degraded.body["parts"].as_array().unwrap();
        let names: Vec<_> = parts.iter().map(|part| part["part"].as_str().unwrap()).collect();
        assert_eq!(names, ["payment", "shipping"], "{}", degraded.body);
    }
}

#[tokio::test]
async fn the_description_and_the_kinds_of_problems_are_served() {
    let world = World::new().await;
    let described = world.get("/openapi.json").await;
    assert!(described.body["paths"]["/api/v1/checkouts"]["post"].is_object());
    let kinds = world.get("/problems").await;
    for kind in kinds.body["problems"].as_array().unwrap() {
        let page = world.get(kind["type"].as_str().unwrap()).await;
        assert_eq!((page.status, &page.body), (200, kind));
    }
    world.get("/problems/nothing").await.is_problem(404, "unknown-problem", "slug");
    let metrics = world.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").starts_with("text/plain"));
}

#[tokio::test]
async fn operators_list_sagas_by_what_they_look_for_and_page_through_them() {
    let world = World::new().await;
    world.participants.product("A", "GBP");
    for i in 0..5 {
        let cart = format!("cart-{i}");
        world.participants.cart(&cart, &[("A", 1)]);
        world.participants.state().out_of_stock = i == 3;
        world.checkout_final(&format!("k{i}"), &order_of(&cart)).await;
    }
    let all = world.get("/operator/v1/sagas").await;
    assert_eq!(all.body["sagas"].as_array().unwrap().len(), 5);
    assert_eq!(all.body.get("next_cursor"), None);
    let back = world.get("/operator/v1/sagas?status=compensated&definition=checkout").await;
    assert_eq!(back.body["sagas"].as_array().unwrap().len(), 1);
    let none = world.get("/operator/v1/sagas?started_until_unix_ms=1").await;
    assert_eq!(none.body, json!({"sagas": []}));
    let since = world.get("/operator/v1/sagas?started_from_unix_ms=1&definition=return").await;
    assert_eq!(since.body, json!({"sagas": []}));

    let mut seen = Vec::new();
    let mut path = "/operator/v1/sagas?page_size=2".to_owned();
    loop {
        let page = world.get(&path).await;
        seen.extend(page.body["sagas"].as_array().unwrap().iter().map(|s| s["saga_id"].clone()));
        match page.body.get("next_cursor") {
            Some(cursor) => {
                path = format!("/operator/v1/sagas?page_size=2&cursor={}", cursor.as_str().unwrap())
            }
            None => break,
        }
    }
    let listed: Vec<_> = all.body["sagas"].as_array().unwrap().iter().map(|s| s["saga_id"].clone()).collect();
    assert_eq!(seen, listed);

    for (query, field) in [
        ("status=done", "status"),
        ("cursor=x", "cursor"),
        ("page_size=501", "page_size"),
        ("started_from_unix_ms=yesterday", "started_from_unix_ms"),
        ("state=running", "state"),
    ] {
        world.get(&format!("/operator/v1/sagas?{query}")).await.is_problem(400, "invalid-parameter", field);
    }
}

#[tokio::test]
async fn operators_see_every_step_and_record_and_a_sentence_but_no_payment_token() {
    let world = World::new().await;
    world.participants.product("A", "GBP");
    world.participants.cart("c", &[("A", 1)]);
    let mut body = order_of("c");
    body["payment_method"] = json!("tok_declined");
    let done = world.checkout_final("k", &body).await;
    let saga = world.get(&format!("/operator/v1/sagas/{}", done.text("/checkout_id"))).await;
    assert_eq!(
        (saga.status, saga.text("/status"), saga.text("/definition")),
        (200, "compensated", "checkout")
    );
    assert!(saga.text("/explanation").starts_with("Compensated"), "{}", saga.body);
    let step = |name: &str| {
        let steps = saga.body["steps"].as_array().unwrap();
        steps.iter().find(|s| s["name"] == name).unwrap().clone()
    };
    let reserve = step("reserve_stock");
    assert_eq!(
        (&reserve["forward"], &reserve["undo"], &reserve["class"]),
        (&json!("done"), &json!("done"), &json!("compensatable"))
    );
    assert_eq!((&reserve["attempts"], &reserve["undo_attempts"]), (&json!(1), &json!(1)));
    assert!(reserve["undone_at_unix_ms"].as_i64() >= reserve["settled_at_unix_ms"].as_i64());
    let authorize = step("authorize_payment");
    assert_eq!((&authorize["forward"], &authorize["undo"]), (&json!("refused"), &json!("-")));
    assert_eq!(authorize["detail"], "CARD_DECLINED: the card was declined");
    assert_eq!(step("capture_payment")["forward"], "idle");

    let records = saga.body["records"].as_array().unwrap();
    let seqs: Vec<_> = records.iter().map(|r| r["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=records.len() as u64).collect::<Vec<_>>());
    let kinds: Vec<_> = records.iter().map(|r| r["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"started"), Some(&"compensated")));
    assert!(kinds.contains(&"turned_back"));
    assert!(!saga.body.to_string().contains("tok_declined"), "{}", saga.body);

    world.get("/operator/v1/sagas/seven").await.is_problem(400, "invalid-id", "saga_id");
    let nobody = "/operator/v1/sagas/01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90";
    world.get(nobody).await.is_problem(404, "unknown-saga", "saga_id");
}

#[tokio::test]
async fn the_benchmark_s_saga_runs_where_it_is_offered_and_is_nobody_s_checkout() {
    let world = World::with(Setup { bench: true, ..Setup::default() }).await;
    let start = async |key: Option<&str>, payload: &'static str, wait: bool| {
        let request = world.request(Method::POST, "/bench/v1/sagas").body(payload);
        let request = key.into_iter().fold(request, |r, k| r.header("Idempotency-Key", k));
        let request = if wait { request.header("Prefer", "wait=30") } else { request };
        answer(request.send().await.unwrap()).await
    };
    let done = start(None, "payload", true).await;
    assert_eq!((done.status, done.text("/status")), (200, "completed"));
    let id = done.text("/saga_id");
    world.get(&format!("/api/v1/checkouts/{id}")).await.is_problem(404, "unknown-checkout", "checkout_id");
    assert_eq!(world.get(&format!("/operator/v1/sagas/{id}")).await.text("/definition"), "synthetic");

    let keyed = start(Some("k"), "payload", true).await;
    assert_ne!(keyed.text("/saga_id"), id);
    assert_eq!(start(Some("k"), "payload", true).await.body, keyed.body);
    start(Some("k"), "other", true).await.is_problem(422, "key-reused", "Idempotency-Key");
    world.participants.hold("act");
    assert_eq!(start(None, "", false).await.status, 202);
    world.participants.release("act");
}
