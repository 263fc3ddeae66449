//! What becomes of a checkout, seen from the outside: it completes, or it is refused and everything is taken back.
//! Each story ends with the shop stopped and the auditor over what it left.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use backstitch_proto::ids::born_ms;
use backstitch_services::{On, each_database};
use common::{Answer, Shop, address_in, gbp, order_of, program, run, until, with};
use serde_json::json;
use sqlx::{AnyConnection, Connection as _};

each_database!(
    a_checkout_completes_and_goods_money_cart_order_and_mail_agree,
    out_of_stock_is_told_with_what_is_there_and_takes_everything_back,
    all_lines_are_reserved_or_none,
    a_card_that_says_no_takes_everything_back,
    a_hold_that_the_bank_never_heard_of_ends_within_seconds_and_a_new_payment_goes_through,
    a_parcel_that_cannot_be_sent_takes_everything_back,
    a_total_that_is_not_the_expected_one_is_refused_with_the_new_total,
    a_challenge_is_shown_to_the_customer_and_decides,
    an_answer_that_is_lost_or_late_is_asked_for_again_and_nothing_happens_twice,
    every_participant_is_told_what_it_may_forget,
);

/// A refused checkout leaves nothing behind: no goods, no cart and no money are held.
async fn everything_is_back(shop: &Shop, cart: &str) {
    for sku in ["A", "B"] {
        assert_eq!(shop.stock(sku).await, (100, 0, 0), "{sku}");
    }
    let cart = shop.get(&format!("/api/v1/carts/{cart}")).await.ok();
    assert_eq!(cart.body.get("held_by"), None, "{cart:?}");
    assert_eq!(cart.body["items"], json!([{"sku": "A", "quantity": 2}]));
}

#[track_caller]
fn is_refused(answer: &Answer, step: &str, reason: &str) {
    assert_eq!(answer.text("/status"), "compensated", "{answer:?}");
    assert_eq!((answer.text("/refusal/step"), answer.text("/refusal/reason")), (step, reason), "{answer:?}");
    assert!(!answer.text("/refusal/detail").is_empty());
    assert_eq!((answer.body.get("order_id"), answer.body.get("order_number")), (None, None));
}

async fn a_checkout_completes_and_goods_money_cart_order_and_mail_agree(on: On) {
    let shop = Shop::stocked_on(on).await;
    shop.fill("cart", &[("A", 2), ("B", 1)]).await;
    let done = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    // 2 x 5.00 + 12.50, and a domestic parcel.
    assert_eq!(done.body["total"], gbp(2250 + 395));
    assert_eq!(done.body.get("refusal"), None);

    let order = shop.get(&format!("/api/v1/orders/{}", done.text("/order_id"))).await.ok();
    assert_eq!(order.text("/status"), "confirmed");
    assert_eq!(order.text("/order_number"), done.text("/order_number"));
    assert_eq!(order.text("/checkout_id"), done.text("/checkout_id"));
    assert_eq!((&order.body["total"], &order.body["shipping_price"]), (&gbp(2645), &gbp(395)));
    assert_eq!((order.text("/items/0/sku"), order.int("/items/0/quantity")), ("A", 2));
    assert_eq!(order.text("/history/1/status"), "confirmed");

    assert_eq!(shop.stock("A").await, (98, 0, 2));
    assert_eq!(shop.stock("B").await, (99, 0, 1));
    let cart = shop.get("/api/v1/carts/cart").await.ok();
    assert_eq!(cart.body["items"], json!([]));

    let mail = until("the mail is written", async || mails(&shop).into_iter().next()).await;
    assert!(mail.contains("To: ada@example.com") && mail.contains(done.text("/order_number")), "{mail}");
    let report = shop.close().await;
    assert_eq!(report["money"]["GBP"], json!({"captured_minor": 2645, "refunded_minor": 0, "held_minor": 0}));
}

fn mails(shop: &Shop) -> Vec<String> {
    let files = std::fs::read_dir(shop.data().join("mail")).unwrap();
    let whole = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
    whole.filter(|mail| !mail.is_empty()).collect()
}

async fn out_of_stock_is_told_with_what_is_there_and_takes_everything_back(on: On) {
    let shop = Shop::stocked_on(on).await;
    shop.fill("cart", &[("A", 101)]).await;
    let refused = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    is_refused(&refused, "reserve_stock", "OUT_OF_STOCK");
    assert_eq!(refused.text("/refusal/metadata/sku"), "A");
    shop.fill("cart", &[("A", 2)]).await;
    everything_is_back(&shop, "cart").await;
    shop.close().await;
}

async fn all_lines_are_reserved_or_none(on: On) {
    let shop = Shop::stocked_on(on).await;
    shop.fill("cart", &[("A", 2), ("B", 101)]).await;
    is_refused(&shop.check_out("k", &order_of("cart", "tok_ok")).await, "reserve_stock", "OUT_OF_STOCK");
    assert_eq!(shop.stock("A").await, (100, 0, 0));
    // The same cart can be checked out later, under another key.
    shop.fill("cart", &[("A", 2), ("B", 100)]).await;
    let done = shop.check_out("k2", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    assert_eq!(shop.stock("B").await, (0, 0, 100));
    shop.close().await;
}

async fn a_card_that_says_no_takes_everything_back(on: On) {
    let shop = Shop::stocked_on(on).await;
    for (token, step, reason) in [
        ("tok_declined", "authorize_payment", "CARD_DECLINED"),
        ("tok_insufficient_funds", "authorize_payment", "INSUFFICIENT_FUNDS"),
        ("tok_nobody_issued_this", "authorize_payment", "UNKNOWN_PAYMENT_METHOD"),
        // The pivot itself says no: nothing was taken, so everything before it is taken back.
        ("tok_capture_fails", "capture_payment", "CAPTURE_FAILED"),
    ] {
        shop.fill(token, &[("A", 2)]).await;
        is_refused(&shop.check_out(token, &order_of(token, token)).await, step, reason);
        everything_is_back(&shop, token).await;
    }
    let report = shop.close().await;
    assert_eq!(report["counts"]["orders_standing"], 0);
    assert_eq!(report["money"]["GBP"], json!({"captured_minor": 0, "refunded_minor": 0, "held_minor": 0}));
}

async fn a_hold_that_the_bank_never_heard_of_ends_within_seconds_and_a_new_payment_goes_through(on: On) {
    let shop = Shop::stocked_on(on).await;
    shop.fill("cart", &[("A", 2)]).await;
    let began = Instant::now();
    let lost = shop.check_out("k", &order_of("cart", "tok_timeout_not_executed")).await;
    is_refused(&lost, "authorize_payment", "PAYMENT_INTERRUPTED");
    // Five of them are the bank's silence; on a server thirty are another process's, which might be in the call.
    let within = if on == On::Sqlite { 20 } else { 50 };
    assert!(began.elapsed() < Duration::from_secs(within), "{:?}", began.elapsed());
    everything_is_back(&shop, "cart").await;
    let again = shop.check_out("k2", &order_of("cart", "tok_ok")).await;
    assert_eq!(again.text("/status"), "completed");
    shop.close().await;
}

async fn a_parcel_that_cannot_be_sent_takes_everything_back(on: On) {
    let shop = Shop::stocked_on(on).await;
    let body = |pointer: &str, value: serde_json::Value| with(order_of("cart", "tok_ok"), pointer, value);
    for (n, (body, reason)) in [
        (body("/shipping_method", json!("by_owl")), "UNKNOWN_METHOD"),
        (body("/shipping_address", address_in("AQ")), "UNSUPPORTED_COUNTRY"),
    ]
    .into_iter()
    .enumerate()
    {
        shop.fill("cart", &[("A", 2)]).await;
        is_refused(&shop.check_out(&format!("k{n}"), &body).await, "quote_shipping", reason);
        everything_is_back(&shop, "cart").await;
    }
    shop.close().await;
}

async fn a_total_that_is_not_the_expected_one_is_refused_with_the_new_total(on: On) {
    let shop = Shop::stocked_on(on).await;
    shop.fill("cart", &[("A", 2)]).await;
    let expecting = |minor| with(order_of("cart", "tok_ok"), "/expected_total", gbp(minor));
    let shown = 1000 + 395;
    shop.put_product("A", 501, 100).await.ok();
    let refused = shop.check_out("k", &expecting(shown)).await;
    is_refused(&refused, "authorize_payment", "TOTAL_CHANGED");
    assert_eq!(refused.body["total"], gbp(shown + 2));
    assert_eq!(refused.text("/refusal/metadata/total_amount_minor"), (shown + 2).to_string());
    // The card was never asked.
    let saga = shop.saga(refused.text("/checkout_id")).await;
    let payment = saga.body["steps"].as_array().unwrap().iter().find(|s| s["name"] == "authorize_payment");
    assert_eq!(payment.unwrap()["attempts"], 0);
    everything_is_back(&shop, "cart").await;

    let done = shop.check_out("k2", &expecting(shown + 2)).await;
    assert_eq!((done.text("/status"), &done.body["total"]), ("completed", &gbp(shown + 2)));
    let report = shop.close().await;
    assert_eq!(report["counts"]["payments"], 1);
}

async fn a_challenge_is_shown_to_the_customer_and_decides(on: On) {
    let shop = Shop::stocked_on(on).await;
    for cart in ["passes", "fails"] {
        shop.fill(cart, &[("A", 2)]).await;
    }
    let passes = shop.begin("passes", &order_of("passes", "tok_3ds_ok")).await.ok();
    let fails = shop.begin("fails", &order_of("fails", "tok_3ds_fail")).await.ok();
    for started in [&passes, &fails] {
        let waiting = shop.reaches(started.text("/checkout_id"), &["waiting"]).await;
        assert_eq!(waiting.text("/next_action/kind"), "redirect");
        assert!(waiting.text("/next_action/url").starts_with("https://"), "{waiting:?}");
        // A hint that the customer is through; asking again by itself would be enough.
        let woken = shop.post(&format!("{}/wake", started.header("location"))).await;
        assert!(matches!(woken.status, 200 | 202), "{woken:?}");
    }
    let done = shop.rested(passes.text("/checkout_id")).await;
    assert_eq!((done.text("/status"), done.body.get("next_action")), ("completed", None));
    let refused = shop.rested(fails.text("/checkout_id")).await;
    is_refused(&refused, "authorize_payment", "AUTHENTICATION_FAILED");
    shop.close().await;
}

async fn an_answer_that_is_lost_or_late_is_asked_for_again_and_nothing_happens_twice(on: On) {
    let shop = Shop::stocked_on(on).await;
    let tokens = ["tok_timeout_executed", "tok_slow_capture"];
    let mut started = Vec::new();
    for token in tokens {
        shop.fill(token, &[("A", 2)]).await;
        started.push(shop.begin(token, &order_of(token, token)).await.ok());
    }
    for started in &started {
        let done = shop.rested(started.text("/checkout_id")).await;
        assert_eq!(done.text("/status"), "completed");
    }
    assert_eq!(shop.stock("A").await, (96, 0, 4));
    let report = shop.close().await;
    let taken = json!({"captured_minor": 2 * (1000 + 395), "refunded_minor": 0, "held_minor": 0});
    assert_eq!(report["money"]["GBP"], taken);
}

#[test]
fn the_demo_tells_all_of_it_and_survives_its_own_crash() {
    let directory = tempfile::tempdir().unwrap();
    let said = run(program(directory.path()).args(["demo", "--data", "kept"]));
    assert_eq!(said.code, Some(0), "{said:?}");
    for told in [
        "A checkout completes",
        "OUT_OF_STOCK",
        "CARD_DECLINED",
        "held once",
        "finishing later is impossible",
        "resumed",
        "kill -9",
        "Every invariant holds.",
    ] {
        assert!(said.out.contains(told), "{told:?} in {}", said.out);
    }
    // What it kept can be audited again, by whoever doubts it.
    let audited = run(program(directory.path()).args(["audit", "--data", "kept/data"]));
    assert_eq!(audited.code, Some(0), "{audited:?}");
    assert!(audited.out.contains("Every invariant holds."));

    let said = run(program(directory.path()).args(["demo", "--json"]));
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &told["holds"]), (Some(0), &json!(true)));
    let scenes = &told["told"];
    for (scene, status) in [
        ("/crashed", "completed"),
        ("/doubt", "completed"),
        ("/customer/accepted", "completed"),
        ("/customer/failed", "compensated"),
        ("/customer/never", "compensated"),
        ("/parked/parked", "parked"),
        ("/parked/resumed", "compensated"),
    ] {
        assert_eq!(scenes.pointer(scene).unwrap()["status"], status, "{scene}");
    }
    assert_eq!(scenes["out_of_stock"]["refusal"]["reason"], "OUT_OF_STOCK");
    assert_eq!(scenes["same_key"]["first"]["checkout_id"], scenes["same_key"]["again"]["checkout_id"]);
}

async fn every_participant_is_told_what_it_may_forget(on: On) {
    let shop = Shop::stocked_on(on).await;
    shop.fill("cart", &[("A", 1)]).await;
    let done = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    let checkout = done.text("/checkout_id").parse().unwrap();
    // Nothing is unfinished but this one: so 45 days before the newest saga, which it is.
    let mark = born_ms(checkout).unwrap() - 45 * 24 * 60 * 60 * 1000;
    sqlx::any::install_default_drivers();
    for participant in ["inventory", "shipping", "payment", "order", "cart", "notification"] {
        let mut conn = AnyConnection::connect(&shop.database(participant)).await.unwrap();
        let looks = format!("{participant} was told and has looked");
        let raised = until(&looks, async || {
            let mark = sqlx::query_scalar::<_, i64>("SELECT before_ms FROM barrier_forgotten");
            mark.fetch_optional(&mut conn).await.unwrap()
        });
        assert_eq!(raised.await, mark, "{participant}");
    }
    shop.close().await;
}
