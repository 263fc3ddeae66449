//! I3 is broken when something happened twice, I4 when money was both taken and let go: every plant is found.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use backstitch_chaos::Invariant::{CaptureOrVoid, Once};
use common::{Shop, assert_found, hex, planted, thing, unconstrained};

#[tokio::test]
async fn two_orders_of_one_checkout() {
    planted(
        Once,
        "order",
        |shop| {
            format!(
                "{} UPDATE orders SET checkout_id = '{1}', saga_id = '{1}' WHERE saga_id = '{2}'",
                unconstrained("orders"),
                shop.completed[0],
                shop.completed[1]
            )
        },
        "One checkout has 2 orders: BS-000001, BS-000002",
        |shop| shop.completed[0].to_string(),
    )
    .await;
}

#[tokio::test]
async fn two_captures_for_one_saga_on_two_accounts() {
    planted(
        Once,
        "sandbox",
        |shop| {
            format!(
                "UPDATE accounts SET saga_id = '{}' WHERE saga_id = '{}'",
                shop.completed[0], shop.completed[1]
            )
        },
        "The bank took money 2 times",
        |shop| shop.completed[0].to_string(),
    )
    .await;
    planted(
        Once,
        "payment",
        |shop| {
            format!(
                "{} UPDATE payments SET saga_id = '{}' WHERE saga_id = '{}'",
                unconstrained("payments"),
                shop.completed[0],
                shop.completed[1]
            )
        },
        "Our ledger has 2 captures",
        |shop| shop.completed[0].to_string(),
    )
    .await;
}

#[tokio::test]
async fn two_captures_on_one_account() {
    planted(
        Once,
        "sandbox",
        |shop| {
            let saga = shop.parked;
            format!("INSERT INTO entries VALUES ('sbx_{saga}', 9, 'captured', 1150, 0)")
        },
        "The bank took money 2 times",
        |shop| shop.parked.to_string(),
    )
    .await;
}

#[tokio::test]
async fn one_saga_under_two_keys() {
    planted(
        Once,
        "orchestrator",
        |shop| {
            let saga = hex(shop.completed[0].as_bytes());
            format!("INSERT INTO keys SELECT scope, 'another', saga, request_hash, 0 FROM keys WHERE saga = {saga}")
        },
        "answers to 2 idempotency keys",
        |shop| shop.completed[0].to_string(),
    )
    .await;
}

#[tokio::test]
async fn a_cart_held_by_a_checkout_that_ended() {
    planted(
        Once,
        "cart",
        |shop| format!("UPDATE carts SET held_by = '{}' WHERE cart_id = 'cart-0'", shop.completed[0]),
        "completed, but it still holds its cart",
        |_| "cart-0".to_owned(),
    )
    .await;
}

#[tokio::test]
async fn two_live_checkouts_that_both_took_the_hold_of_one_cart() {
    let shop = Shop::open().await;
    let (one, other) = (shop.in_flight[1], shop.in_flight[2]);
    // The other saga's journal says that it checks out the first one's cart too.
    let (a, b) = (hex(one.as_bytes()), hex(other.as_bytes()));
    let sql = format!(
        "UPDATE journal SET record = (SELECT record FROM journal WHERE saga_id = {a} AND seq = 1)
         WHERE saga_id = {b} AND seq = 1"
    );
    shop.plant("orchestrator", &sql).await;
    let report = shop.audit().await;
    assert_found(&report, Once, "2 live checkouts hold one cart", "cart-authorized");
    assert_found(&report, Once, "the cart does not know", other);
}

#[tokio::test]
async fn a_live_checkout_whose_cart_was_given_away() {
    planted(
        Once,
        "cart",
        |_| "UPDATE carts SET held_by = NULL WHERE cart_id = 'cart-parked'".to_owned(),
        "the cart does not know",
        |shop| shop.parked.to_string(),
    )
    .await;
}

#[tokio::test]
async fn one_version_of_a_cart_bought_twice() {
    planted(
        Once,
        "orchestrator",
        |shop| {
            let (a, b) = (hex(shop.completed[0].as_bytes()), hex(shop.completed[1].as_bytes()));
            format!(
                "UPDATE journal SET record = (SELECT record FROM journal WHERE saga_id = {a} AND seq = 1)
                 WHERE saga_id = {b} AND seq = 1"
            )
        },
        "Version 1 of one cart was bought twice",
        |_| "cart-0".to_owned(),
    )
    .await;
}

#[tokio::test]
async fn a_void_after_a_capture() {
    planted(
        CaptureOrVoid,
        "sandbox",
        |shop| format!("INSERT INTO entries VALUES ('sbx_{}', 9, 'voided', 1150, 0)", shop.completed[0]),
        "At the bank, a void came after the capture",
        |shop| format!("sbx_{}", shop.completed[0]),
    )
    .await;
}

#[tokio::test]
async fn a_capture_after_a_void() {
    planted(
        CaptureOrVoid,
        "sandbox",
        |shop| format!("INSERT INTO entries VALUES ('sbx_{}', 9, 'captured', 1150, 0)", shop.cancelled),
        "At the bank, a capture came after the void",
        |shop| format!("sbx_{}", shop.cancelled),
    )
    .await;
    planted(
        CaptureOrVoid,
        "payment",
        |shop| {
            let payment = thing(shop.cancelled, "payment");
            format!("INSERT INTO entries VALUES ('{payment}', 9, 'captured', 1150, '', 0)")
        },
        "In our ledger, a capture came after the void",
        |shop| thing(shop.cancelled, "payment").to_string(),
    )
    .await;
}

#[tokio::test]
async fn more_captured_than_held_and_more_refunded_than_captured() {
    let shop = Shop::open().await;
    let [first, second, _] = shop.completed[..] else { panic!("three completed") };
    let sql = format!(
        "UPDATE entries SET amount_minor = 2000 WHERE kind = 'captured' AND account_id = 'sbx_{first}';
         INSERT INTO entries VALUES ('sbx_{second}', 9, 'refunded', 1151, 0)"
    );
    shop.plant("sandbox", &sql).await;
    let report = shop.audit().await;
    assert_found(&report, CaptureOrVoid, "2000 were captured of 1150 that were held", format!("sbx_{first}"));
    assert_found(
        &report,
        CaptureOrVoid,
        "1151 were refunded of 1150 that were captured",
        format!("sbx_{second}"),
    );
}

#[tokio::test]
async fn a_hold_after_the_void_and_a_second_void() {
    let shop = Shop::open().await;
    let account = format!("sbx_{}", shop.cancelled);
    let sql = format!(
        "INSERT INTO entries VALUES ('{account}', 8, 'authorized', 1150, 0), ('{account}', 9, 'voided', 0, 0)"
    );
    shop.plant("sandbox", &sql).await;
    let report = shop.audit().await;
    assert_found(&report, CaptureOrVoid, "a hold was taken after the void", &account);
    assert_found(&report, CaptureOrVoid, "it was voided twice", &account);
}
