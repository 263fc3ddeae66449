//! I2 is broken when goods appear or vanish: every plant is found.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use backstitch_chaos::Invariant::Stock;
use common::{Shop, assert_found, planted, thing};

fn sku(_: &Shop) -> String {
    "A".to_owned()
}

#[tokio::test]
async fn units_from_nowhere() {
    let sql = |_: &Shop| "UPDATE stock SET on_hand = on_hand + 1".to_owned();
    planted(Stock, "inventory", sql, "is 1001, but people counted 1000", sku).await;
}

#[tokio::test]
async fn fewer_than_none() {
    let sql = |_: &Shop| "UPDATE stock SET on_hand = -1, sold = sold + on_hand + 1".to_owned();
    planted(Stock, "inventory", sql, "-1 units of A are on hand", sku).await;
}

#[tokio::test]
async fn a_sum_that_its_reservations_do_not_say() {
    let moved = |_: &Shop| "UPDATE stock SET reserved = reserved + 2, on_hand = on_hand - 2".to_owned();
    planted(Stock, "inventory", moved, "units are reserved, but its reservations say", sku).await;
    let sold = |_: &Shop| "UPDATE stock SET sold = sold + 2, on_hand = on_hand - 2".to_owned();
    planted(Stock, "inventory", sold, "units are sold, but its reservations say", sku).await;
}

#[tokio::test]
async fn a_reservation_whose_saga_ended() {
    planted(
        Stock,
        "inventory",
        |shop| {
            format!(
                "UPDATE reservations SET status = 'reserved', sold_at_ms = NULL WHERE saga_id = '{}';
                 UPDATE stock SET reserved = reserved + 3, sold = sold - 3",
                shop.completed[0]
            )
        },
        "completed, but its reservation is still open",
        |shop| shop.completed[0].to_string(),
    )
    .await;
}

#[tokio::test]
async fn a_reservation_of_a_saga_that_nobody_knows() {
    let nobody = "11111111-1111-4111-8111-111111111111";
    planted(
        Stock,
        "inventory",
        |shop| {
            format!("UPDATE reservations SET saga_id = '{nobody}' WHERE saga_id = '{}'", shop.in_flight[1])
        },
        "is unknown to the orchestrator, but its reservation is still open",
        |_| nobody.to_owned(),
    )
    .await;
}

#[tokio::test]
async fn goods_sold_before_the_order_stands() {
    planted(
        Stock,
        "inventory",
        |shop| {
            format!(
                "UPDATE reservations SET status = 'sold', sold_at_ms = 1 WHERE saga_id = '{}';
                 UPDATE stock SET reserved = reserved - 3, sold = sold + 3",
                shop.in_flight[2]
            )
        },
        "sold, but there is no order that stands for them",
        |shop| shop.in_flight[2].to_string(),
    )
    .await;
}

#[tokio::test]
async fn other_goods_sold_than_ordered() {
    planted(
        Stock,
        "order",
        |shop| {
            let order = thing(shop.completed[0], "order");
            format!("UPDATE order_items SET quantity = 2, unit_price_minor = 375 WHERE order_id = '{order}'")
        },
        "has 2 of A, but 3 were sold for it",
        |shop| shop.completed[0].to_string(),
    )
    .await;
}

#[tokio::test]
async fn a_parcel_for_no_standing_order() {
    planted(
        Stock,
        "shipping",
        |shop| {
            let (saga, order) = (shop.cancelled, thing(shop.cancelled, "order"));
            format!(
                "INSERT INTO shipments SELECT '{saga}', '{order}', '{saga}', 'T', method, weight_grams, status, to_name,
                     to_line1, to_line2, to_city, to_region, to_postal_code, to_country, created_at_ms
                 FROM shipments LIMIT 1"
            )
        },
        "no order that stands for it",
        |shop| shop.cancelled.to_string(),
    )
    .await;
}

#[tokio::test]
async fn a_completed_order_without_its_parcel_or_with_two() {
    let shop = Shop::open().await;
    let [first, second, _] = shop.completed[..] else { panic!("three completed") };
    let sql = format!(
        "UPDATE shipments SET status = 'cancelled' WHERE saga_id = '{first}';
         INSERT INTO shipments SELECT '{second}', order_id, saga_id, 'T', method, weight_grams, status, to_name,
             to_line1, to_line2, to_city, to_region, to_postal_code, to_country, created_at_ms
         FROM shipments WHERE saga_id = '{second}'"
    );
    shop.plant("shipping", &sql).await;
    let report = shop.audit().await;
    assert_found(&report, Stock, "has 0 parcels", first);
    assert_found(&report, Stock, "has 2 parcels", second);
}

#[tokio::test]
async fn a_promise_of_what_has_no_stock() {
    let sql = |_: &Shop| "UPDATE reservation_lines SET sku = 'B'".to_owned();
    planted(Stock, "inventory", sql, "promised, but it has no stock", |_| "B".to_owned()).await;
}
