//! Checkouts over HTTP, from the request to the end of the saga.

#![allow(clippy::unwrap_used)]

mod support;

use backstitch_proto::common::{Money, PricedItem};
use serde_json::{Value, json};
use support::{Answer, Setup, World, answer, order_of};

const NOBODY: &str = "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90";

/// A world with product A and a cart of two of it.
async fn world() -> World {
    stocked(World::new().await)
}

fn stocked(world: World) -> World {
    world.participants.product("A", "GBP");
    world.participants.cart("cart-1", &[("A", 2)]);
    world
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

#[tokio::test]
async fn an_accepted_checkout_is_found_at_its_location_and_completes() {
    let world = world().await;
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    assert_eq!((accepted.status, accepted.text("/status")), (202, "running"));
    let location = accepted.header("location").to_owned();
    assert_eq!(location, format!("/api/v1/checkouts/{}", accepted.text("/checkout_id")));

    let waited =
        world.request(reqwest::Method::GET, &location).header("Prefer", "wait=30").send().await.unwrap();
    let document = answer(waited).await;
    assert_eq!((document.status, document.header("preference-applied")), (200, "wait=30"));
    assert_eq!(document.text("/status"), "completed");
    assert_eq!(document.body["total"], json!({"amount_minor": 1295, "currency": "GBP"}));
    assert_eq!(document.text("/order_number"), "BS-000001");
    assert_eq!(world.get(&location).await.body, document.body);

    let order = world.get(&format!("/api/v1/orders/{}", document.text("/order_id"))).await;
    assert_eq!((order.status, order.text("/status")), (200, "confirmed"));
    assert_eq!(order.body["total"], document.body["total"]);
    assert_eq!(order.text("/checkout_id"), document.text("/checkout_id"));
}

#[tokio::test]
async fn a_preference_to_wait_answers_with_the_final_document() {
    let world = world().await;
    let done = world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!((done.status, done.text("/status")), (200, "completed"));
    assert_eq!(done.header("location"), format!("/api/v1/checkouts/{}", done.text("/checkout_id")));
    assert_eq!(done.header("preference-applied"), "wait=30");
}

#[tokio::test]
async fn the_same_key_and_body_is_the_same_checkout_although_the_cart_is_empty_by_now() {
    let world = world().await;
    let first = world.checkout_final("k", &order_of("cart-1")).await;
    assert!(world.participants.state().carts["cart-1"].items.is_empty());

    let again = world.checkout_final("k", &with(order_of("cart-1"), "customer_id", Value::Null)).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let receipt = world.checkout("k", &order_of("cart-1")).await;
    assert_eq!((receipt.status, receipt.text("/status")), (202, "completed"));
    assert_eq!(receipt.header("location"), first.header("location"));
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused_and_names_what_it_started() {
    let world = world().await;
    let first = world.checkout_final("k", &order_of("cart-1")).await;
    let other = world.checkout("k", &with(order_of("cart-1"), "shipping_method", json!("express"))).await;
    other.is_problem(422, "key-reused", "Idempotency-Key");
    assert!(other.text("/detail").contains("use a new key"), "{}", other.body);
    assert_eq!(other.header("location"), first.header("location"));
    assert_eq!(other.text("/checkout_id"), first.text("/checkout_id"));
}

#[tokio::test]
async fn one_key_sent_many_times_at_once_is_one_checkout() {
    let world = world().await;
    let body = order_of("cart-1");
    let sent = (0..16).map(|_| world.checkout_final("k", &body));
    let answers = futures::future::join_all(sent).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body));
    }
    assert_eq!(world.participants.state().orders.len(), 1);
}

#[tokio::test]
async fn a_request_whose_twin_was_faster_finds_the_twin_s_checkout_and_not_its_traces() {
    let world = world().await;
    let body = order_of("cart-1");
    world.participants.hold_next("get_cart");
    let slow = tokio::spawn(world.checkout_request("k", &body).send());
    world.participants.called("get_cart", 1).await;
    // The key was free when the first looked it up; its twin has emptied the cart when the first sees it.
    let fast = world.checkout_final("k", &body).await;
    world.participants.release("get_cart");
    let slow = answer(slow.await.unwrap().unwrap()).await;
    assert_eq!((slow.status, fast.status), (202, 200));
    assert_eq!(slow.text("/checkout_id"), fast.text("/checkout_id"));
}

#[tokio::test]
async fn another_key_for_a_cart_in_checkout_is_told_where_the_first_one_is() {
    let world = world().await;
    world.participants.hold("authorize");
    let first = world.checkout("k1", &order_of("cart-1")).await;
    world.participants.called("authorize", 1).await;
    let second = world.checkout("k2", &order_of("cart-1")).await;
    second.is_problem(409, "cart-in-checkout", "/cart_id");
    assert_eq!(second.header("location"), first.header("location"));
    let deleted = world.delete("/api/v1/carts/cart-1").await;
    deleted.is_problem(409, "cart-in-checkout", "/cart_id");
    // The same key is not another checkout of the cart: it is this one.
    let retry = world.checkout("k1", &order_of("cart-1")).await;
    assert_eq!((retry.status, retry.header("location")), (202, first.header("location")));
    world.participants.release("authorize");
}

#[tokio::test]
async fn another_key_is_told_before_the_first_checkout_holds_the_cart() {
    let world = world().await;
    world.participants.hold("hold");
    let (keys, body) = ((0..8).map(|n| format!("k{n}")).collect::<Vec<_>>(), order_of("cart-1"));
    let answers = keys.iter().map(|key| world.checkout(key, &body));
    let answers = futures::future::join_all(answers).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 202);
    assert_eq!((accepted.len(), refused.len()), (1, 7));
    for refused in refused {
        refused.is_problem(409, "cart-in-checkout", "/cart_id");
        assert_eq!(refused.header("location"), accepted[0].header("location"));
    }
    world.participants.release("hold");
}

#[tokio::test]
async fn a_cart_that_cannot_be_checked_out_is_a_problem_and_nothing_is_written() {
    let world = world().await;
    world.participants.product("E", "EUR");
    world.participants.cart("unsold", &[("A", 1), ("X", 1)]);
    world.participants.cart("mixed", &[("A", 1), ("E", 1)]);
    world.participants.cart("empty", &[]);
    world.participants.cart("ada", &[("A", 1)]);
    world.participants.state().carts.get_mut("ada").unwrap().customer_id = "ada".into();
    let euros = json!({"amount_minor": 1295, "currency": "EUR"});
    let cases = [
        (order_of("nothing"), 404, "unknown-cart", "/cart_id"),
        (order_of("empty"), 422, "empty-cart", "/cart_id"),
        (order_of("unsold"), 422, "unknown-sku", "/cart_id"),
        (order_of("mixed"), 422, "mixed-currencies", "/cart_id"),
        (
            with(order_of("cart-1"), "expected_total", euros),
            422,
            "currency-mismatch",
            "/expected_total/currency",
        ),
        (with(order_of("ada"), "customer_id", json!("bob")), 422, "customer-mismatch", "/customer_id"),
        (with(order_of("cart-1"), "email", json!("nobody")), 422, "invalid-field", "/email"),
        (with(order_of("cart-1"), "coupon", json!("x")), 400, "unknown-field", "/coupon"),
    ];
    for (body, status, slug, field) in cases {
        world.checkout("k", &body).await.is_problem(status, slug, field);
    }
    let unsold = world.checkout("k", &order_of("unsold")).await;
    assert_eq!((unsold.text("/sku"), &unsold.body["index"]), ("X", &json!(1)));
    assert_eq!(world.store.commits(), 0);
    // A problem promises nothing about the key.
    assert_eq!(world.checkout_final("k", &order_of("cart-1")).await.status, 200);
}

#[tokio::test]
async fn a_key_is_required_and_has_1_to_255_characters() {
    let world = world().await;
    let none = world.request(reqwest::Method::POST, "/api/v1/checkouts").json(&order_of("cart-1"));
    answer(none.send().await.unwrap()).await.is_problem(400, "missing-header", "Idempotency-Key");
    world.checkout(&"k".repeat(256), &order_of("cart-1")).await.is_problem(
        400,
        "invalid-header",
        "Idempotency-Key",
    );
    assert_eq!(world.store.commits(), 0);
    assert_eq!(world.checkout_final(&"k".repeat(255), &order_of("cart-1")).await.status, 200);
}

#[tokio::test]
async fn a_total_that_differs_from_the_expected_one_is_taken_back_with_the_new_total() {
    let world = world().await;
    let expected = json!({"amount_minor": 1294, "currency": "GBP"});
    let back = world.checkout_final("k", &with(order_of("cart-1"), "expected_total", expected)).await;
    assert_eq!((back.status, back.text("/status")), (200, "compensated"));
    assert_eq!(back.text("/refusal/reason"), "TOTAL_CHANGED");
    assert_eq!(back.text("/refusal/step"), "authorize_payment");
    assert_eq!(back.body["total"], json!({"amount_minor": 1295, "currency": "GBP"}));
    assert_eq!(back.body.get("order_id"), None);
    assert_eq!(world.participants.state().carts["cart-1"].held_by, "");

    let expected = json!({"amount_minor": 1295, "currency": "GBP"});
    let done = world.checkout_final("k2", &with(order_of("cart-1"), "expected_total", expected)).await;
    assert_eq!(done.text("/status"), "completed");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_step_its_reason_and_its_facts() {
    let world = world().await;
    let declined = with(order_of("cart-1"), "payment_method", json!("tok_declined"));
    let declined = world.checkout_final("k1", &declined).await;
    assert_eq!((declined.status, declined.text("/status")), (200, "compensated"));
    assert_eq!(declined.body["refusal"]["reason"], "CARD_DECLINED");
    world.participants.state().out_of_stock = true;
    let out = world.checkout_final("k2", &order_of("cart-1")).await;
    let told = json!({
        "step": "reserve_stock", "reason": "OUT_OF_STOCK", "detail": "only 2 left", "metadata": {"sku": "A"},
    });
    assert_eq!(out.body["refusal"], told);
}

#[tokio::test]
async fn a_lying_inventory_is_not_the_customer_s_fault_and_nothing_is_written() {
    let world = world().await;
    for (minor, currency) in [(-500, "GBP"), (0, "GBP"), (500, "")] {
        let unit_price = Some(Money { amount_minor: minor, currency: currency.into() });
        let item =
            PricedItem { sku: "A".into(), quantity: 2, name: "A".into(), unit_price, unit_weight_grams: 1 };
        world.participants.state().lie = Some(vec![item]);
        let answer = world.checkout("k", &order_of("cart-1")).await;
        answer.is_problem(502, "participant-broken", "");
        assert_eq!(answer.text("/part"), "inventory");
    }
    assert_eq!(world.store.commits(), 0);
}

#[tokio::test]
async fn a_participant_that_is_away_is_named_and_nothing_is_written() {
    let world = World::with(Setup { away: &["inventory"], ..Setup::default() }).await;
    world.participants.cart("cart-1", &[("A", 2)]);
    let answer = world.checkout("k", &order_of("cart-1")).await;
    answer.is_problem(503, "unavailable", "");
    assert_eq!((answer.text("/part"), answer.header("retry-after")), ("inventory", "1"));
    assert_eq!(world.store.commits(), 0);
}

#[tokio::test]
async fn too_much_to_do_is_429_with_a_hint() {
    let world = stocked(World::with(Setup { max_live: 1, ..Setup::default() }).await);
    world.participants.cart("cart-2", &[("A", 1)]);
    world.participants.hold("authorize");
    let first = world.checkout("k1", &order_of("cart-1")).await;
    assert_eq!(first.status, 202);
    let busy = world.checkout("k2", &order_of("cart-2")).await;
    busy.is_problem(429, "busy", "");
    assert_eq!(busy.header("retry-after"), "1");
    // A retry of what was accepted is not new work.
    assert_eq!(world.checkout("k1", &order_of("cart-1")).await.status, 202);
    world.participants.release("authorize");
}

#[tokio::test]
async fn while_a_participant_does_not_serve_us_new_checkouts_are_refused_and_earlier_ones_wait() {
    let world = world().await;
    world.participants.cart("cart-2", &[("A", 1)]);
    world.participants.state().unserved.insert("authorize");
    assert_eq!(world.checkout("k1", &order_of("cart-1")).await.status, 202);
    // Others may be balanced to other nodes, which would not help them: this one stays ready.
    let degraded = loop {
        let ready = world.get("/readyz").await;
        assert_eq!(ready.status, 200);
        if ready.text("/status") == "degraded" {
            break ready;
        }
    };
    assert_eq!(degraded.text("/parts/0/part"), "payment");

    let refused = world.checkout("k2", &order_of("cart-2")).await;
    refused.is_problem(503, "unavailable", "");
    assert_eq!((refused.text("/part"), refused.header("retry-after")), ("payment", "1"));
    let told = refused.text("/detail");
    assert!(told.contains("payment does not serve what is asked of it"), "{told}");
    assert!(told.contains("no such method"), "{told}");
    // A retry of what was accepted is not new work.
    assert_eq!(world.checkout("k1", &order_of("cart-1")).await.status, 202);

    world.participants.state().unserved.clear();
    let done = world.checkout_final("k1", &order_of("cart-1")).await;
    assert_eq!((done.status, done.text("/status")), (200, "completed"), "{done:?}");
    assert_eq!(world.get("/readyz").await.body, json!({"status": "ready"}));
    assert_eq!(world.checkout_final("k2", &order_of("cart-2")).await.text("/status"), "completed");
}

#[tokio::test]
async fn a_key_that_is_given_up_unused_starts_nothing_ever() {
    let world = world().await;
    for _ in 0..2 {
        let blocked = world.delete("/api/v1/checkouts?key=k%201").await;
        assert_eq!((blocked.status, &blocked.body), (204, &json!("")));
    }
    world.checkout("k 1", &order_of("cart-1")).await.is_problem(409, "key-given-up", "Idempotency-Key");
    world.delete("/api/v1/checkouts").await.is_problem(400, "invalid-parameter", "key");
    world.delete("/api/v1/checkouts?key=").await.is_problem(400, "invalid-parameter", "key");
    world.delete("/api/v1/checkouts?key=a%00").await.is_problem(400, "invalid-parameter", "key");
    let long = "k".repeat(256);
    world.delete(&format!("/api/v1/checkouts?key={long}")).await.is_problem(400, "invalid-parameter", "key");
    world.delete("/api/v1/checkouts?key=a&all=1").await.is_problem(400, "invalid-parameter", "all");
}

#[tokio::test]
async fn giving_a_used_key_up_takes_its_checkout_back_or_says_that_it_is_too_late() {
    let world = world().await;
    world.participants.hold("authorize");
    let first = world.checkout("k1", &order_of("cart-1")).await;
    world.participants.called("authorize", 1).await;
    let given_up = world.delete("/api/v1/checkouts?key=k1").await;
    assert!(matches!(given_up.status, 200 | 202), "{given_up:?}");
    assert_eq!(given_up.header("location"), first.header("location"));
    assert_eq!(given_up.text("/refusal/reason"), "CANCELLED");
    world.participants.release("authorize");
    let back = world.checkout_final("k1", &order_of("cart-1")).await;
    assert_eq!(back.text("/status"), "compensated");

    let done = world.checkout_final("k2", &order_of("cart-1")).await;
    assert_eq!(done.text("/status"), "completed");
    let late = world.delete("/api/v1/checkouts?key=k2").await;
    late.is_problem(409, "too-late-to-cancel", "");
    assert!(late.text("/detail").ends_with("its order can be returned."), "{}", late.body);
    assert_eq!(late.header("location"), done.header("location"));
}

#[tokio::test]
async fn a_cancel_is_durable_before_it_is_answered_and_can_be_repeated() {
    let world = world().await;
    world.participants.hold("authorize");
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    world.participants.called("authorize", 1).await;
    let cancel = format!("{}/cancel", accepted.header("location"));
    let cancelled = world.post(&cancel).await;
    assert!(matches!(cancelled.text("/status"), "compensating" | "compensated"), "{cancelled:?}");
    world.participants.release("authorize");
    let waited =
        world.request(reqwest::Method::POST, &cancel).header("Prefer", "wait=30").send().await.unwrap();
    let back = answer(waited).await;
    assert_eq!((back.status, back.text("/status")), (200, "compensated"));
    assert_eq!(world.post(&cancel).await.body, back.body);
    assert!(world.participants.state().orders.values().all(|o| o.status != "confirmed"));
}

#[tokio::test]
async fn after_the_pivot_a_cancel_is_too_late() {
    let world = world().await;
    world.participants.hold("capture");
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    world.participants.called("capture", 1).await;
    let cancel = format!("{}/cancel", accepted.header("location"));
    let late = world.post(&cancel).await;
    late.is_problem(409, "too-late-to-cancel", "");
    assert!(late.text("/detail").ends_with("its order can be returned."), "{}", late.body);
    world.participants.release("capture");
    let done = world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(done.text("/status"), "completed");
    let late = world.post(&cancel).await;
    late.is_problem(409, "too-late-to-cancel", "");
    assert!(late.text("/detail").ends_with("its order can be returned."), "{}", late.body);
}

#[tokio::test]
async fn a_waiting_checkout_says_what_to_do_and_a_wake_up_makes_it_ask_again() {
    let world = world().await;
    world.participants.state().customer_acts = true;
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    let location = accepted.header("location").to_owned();
    let mut events = world.request(reqwest::Method::GET, &format!("{location}/events")).send().await.unwrap();
    let waiting = until(&mut events, |document| document["status"] == "waiting").await;
    let action = &waiting["next_action"];
    assert_eq!((&action["kind"], &action["url"]), (&json!("redirect"), &json!("https://psp.example/3ds")));
    assert!(action["until_unix_ms"].as_i64().unwrap() > 0, "{action}");
    world.participants.state().customer_acts = false;
    let woken = world.post(&format!("{location}/wake")).await;
    assert!(matches!(woken.status, 200 | 202), "{woken:?}");
    let done = until(&mut events, |document| document["status"] == "completed").await;
    assert_eq!(done.get("next_action"), None);
}

#[tokio::test]
async fn a_preference_to_wait_answers_with_what_the_customer_has_to_do() {
    let world = world().await;
    world.participants.state().customer_acts = true;
    let wait = async |method, path: &str| {
        let request = world.request(method, path).header("Prefer", "wait=30");
        // Far less than the 30 seconds that were asked for.
        answer(request.timeout(std::time::Duration::from_secs(10)).send().await.unwrap()).await
    };
    let told = |seen: &Answer, status: u16| {
        assert_eq!((seen.status, seen.text("/status")), (status, "waiting"));
        assert_eq!(seen.text("/next_action/url"), "https://psp.example/3ds");
        assert_eq!(seen.header("preference-applied"), "wait=30");
    };
    let request = world.checkout_request("k", &order_of("cart-1")).header("Prefer", "wait=30");
    let first = request.timeout(std::time::Duration::from_secs(10)).send().await.unwrap();
    let first = answer(first).await;
    told(&first, 202);
    // A retry and a read are told the same.
    told(&world.checkout_final("k", &order_of("cart-1")).await, 202);
    let location = first.header("location");
    told(&wait(reqwest::Method::GET, location).await, 200);
    // Who cancels waits for the end, as nobody waits for the customer any more.
    let back = wait(reqwest::Method::POST, &format!("{location}/cancel")).await;
    assert_eq!((back.status, back.text("/status")), (200, "compensated"));
}

#[tokio::test]
async fn a_wait_goes_on_to_the_end_once_the_customer_has_acted() {
    let world = world().await;
    world.participants.state().customer_acts = true;
    let waiting = world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(waiting.text("/status"), "waiting");
    world.participants.hold("capture");
    world.participants.state().customer_acts = false;
    world.post(&format!("{}/wake", waiting.header("location"))).await;
    world.participants.called("capture", 1).await;
    let request = world.checkout_request("k", &order_of("cart-1")).header("Prefer", "wait=30");
    let (done, ()) = tokio::join!(request.send(), async { world.participants.release("capture") });
    let done = answer(done.unwrap()).await;
    assert_eq!((done.status, done.text("/status")), (200, "completed"));
}

/// Reads events until one has a document like this; panics when the stream ends before.
async fn until(events: &mut reqwest::Response, like: impl Fn(&Value) -> bool) -> Value {
    let mut read = String::new();
    loop {
        let chunk = events.chunk().await.unwrap().expect("the stream goes on");
        read.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some(end) = read.find("\n\n") {
            let event: String = read.drain(..end + 2).collect();
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            let document = data.map(|data| serde_json::from_str::<Value>(data).unwrap());
            if let Some(document) = document.filter(&like) {
                return document;
            }
        }
    }
}

#[tokio::test]
async fn events_tell_the_document_now_and_after_each_change_and_end_with_the_final_one() {
    let world = world().await;
    world.participants.hold("authorize");
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    let path = format!("{}/events", accepted.header("location"));
    let events = world.request(reqwest::Method::GET, &path).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    world.participants.release("authorize");
    let text = events.text().await.unwrap();

    let mut last_id = 0;
    let mut documents = Vec::new();
    for event in text.split("\n\n").filter(|e| e.contains("data: ")) {
        let field = |name: &str| event.lines().find_map(|l| l.strip_prefix(name)).unwrap();
        assert_eq!(field("event: "), "checkout");
        let id: u32 = field("id: ").parse().unwrap();
        assert!(id > last_id, "{text}");
        last_id = id;
        documents.push(serde_json::from_str::<Value>(field("data: ")).unwrap());
    }
    assert_eq!(documents.first().unwrap()["checkout_id"], accepted.body["checkout_id"]);
    assert_eq!(documents.last().unwrap()["status"], "completed");
    // An order that was told of is never taken away again.
    let orders: Vec<_> = documents.iter().map(|d| d.get("order_id").is_some()).collect();
    assert!(orders.is_sorted(), "{orders:?}");

    let again = world.request(reqwest::Method::GET, &path).header("Last-Event-ID", last_id.to_string());
    assert_eq!(again.send().await.unwrap().status(), 204);
    let from_before =
        world.request(reqwest::Method::GET, &path).header("Last-Event-ID", "1").send().await.unwrap();
    assert!(from_before.text().await.unwrap().contains("completed"));
}

#[tokio::test]
async fn ids_that_are_none_and_ids_of_nothing_are_told_apart() {
    let world = world().await;
    for (method, tail) in [("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/wake")] {
        let method = method.parse::<reqwest::Method>().unwrap();
        let ask = async |id: &str| {
            let path = format!("/api/v1/checkouts/{id}{tail}");
            answer(world.request(method.clone(), &path).send().await.unwrap()).await
        };
        ask("seven").await.is_problem(400, "invalid-id", "checkout_id");
        ask(NOBODY).await.is_problem(404, "unknown-checkout", "checkout_id");
    }
    world.get("/api/v1/orders/seven").await.is_problem(400, "invalid-id", "order_id");
    world.get(&format!("/api/v1/orders/{NOBODY}")).await.is_problem(404, "unknown-order", "order_id");
}

#[tokio::test]
async fn a_cart_of_600_lines_is_put_and_checked_out() {
    let world = World::new().await;
    let mut items = Vec::new();
    for i in 0..600 {
        let sku = format!("SKU-{i}");
        world.participants.product(&sku, "GBP");
        items.push(json!({"sku": sku, "quantity": 1 + i % 7}));
    }
    let put = world.put("/api/v1/carts/long", &json!({ "items": items })).await;
    assert_eq!(put.status, 200);
    let done = world.checkout_final("k", &order_of("long")).await;
    assert_eq!(done.text("/status"), "completed");
    let quantity: i64 = (0..600).map(|i| 1 + i % 7).sum();
    assert_eq!(done.body["total"]["amount_minor"], quantity * 500 + 295);
}

#[tokio::test]
async fn at_shutdown_whoever_waits_is_answered_with_what_is_known() {
    let world = world().await;
    world.participants.hold("authorize");
    let waiting =
        tokio::spawn(world.checkout_request("k", &order_of("cart-1")).header("Prefer", "wait=30").send());
    world.participants.called("authorize", 1).await;
    let listed = world.get("/operator/v1/sagas").await;
    let id = listed.text("/sagas/0/saga_id");
    let events =
        world.request(reqwest::Method::GET, &format!("/api/v1/checkouts/{id}/events")).send().await.unwrap();
    world.shutdown.cancel();
    // Far less than the 30 seconds that were asked for.
    let soon = tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await;
    let answered = answer(soon.unwrap().unwrap().unwrap()).await;
    assert_eq!((answered.status, answered.text("/status")), (202, "running"));
    assert!(events.text().await.unwrap().contains("running"));
    world.serving.await.unwrap().unwrap();
}
