//! I1, I2 and I7 are broken when what comes back is not given back for, or twice: every plant is found.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use backstitch_chaos::Invariant::{Events, Money, Once, Stock};
use common::returns::{Returns, planted};
use common::{NOON, assert_found, hex, thing};
use uuid::Uuid;

#[tokio::test]
async fn a_shop_with_returns_is_clean_whatever_of_them_is_in_flight_or_parked() {
    let returns = Returns::open().await;
    let report = returns.shop.audit().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.money["GBP"].refunded_minor, 1150 + 250 + 1150);
    let told = report.to_string();
    assert!(told.contains("over 2.50 GBP is claimed"), "{told}");
    assert!(told.contains("the inventory answers nonsense"), "{told}");
}

#[tokio::test]
async fn a_refund_without_a_return() {
    let refund = |order: fn(&Returns) -> Uuid, by: fn(&Returns) -> Uuid| {
        move |returns: &Returns| {
            let payment = thing(order(returns), "payment");
            format!(
                "INSERT INTO refunds (refund_id, payment_id, saga_id, step, root_id, amount_minor, status, created_at_ms,
                     updated_at_ms)
                 VALUES ('r', '{payment}', '{}', 's', '{}', 1, 'done', 0, 0)",
                by(returns),
                order(returns)
            )
        }
    };
    let sql = refund(|r| r.returning, |r| r.shop.completed[0]);
    planted(Money, "payment", sql, "which stands, but for no return of it", |r| r.shop.completed[0]).await;
    // A second refund by one return, and one by a return that was cancelled.
    let sql = refund(|r| r.returned, |r| r.first);
    planted(Money, "payment", sql, "is over 2.50 GBP, but 2.51 GBP was refunded", |r| r.first).await;
    let sql = refund(|r| r.returning, |r| r.cancelled);
    planted(Money, "payment", sql, "but 0.01 GBP was refunded for it", |r| r.cancelled).await;
}

#[tokio::test]
async fn a_completed_return_without_its_refund() {
    planted(
        Money,
        "payment",
        |r| format!("DELETE FROM refunds WHERE saga_id = '{}'", r.first),
        "The return with credit note CN-000001 of order",
        |r| r.first,
    )
    .await;
    // Nor is money kept that was credited.
    planted(
        Money,
        "order",
        |r| {
            format!(
                "UPDATE order_returns SET refund_minor = refund_minor + 100 WHERE return_id = '{}';
                 UPDATE orders SET returned_minor = returned_minor + 100 WHERE saga_id = '{}'",
                r.first, r.returned
            )
        },
        "The bank keeps 0.00 GBP of the customer's money, but order BS-000007 of 11.50 GBP, less 12.50 GBP",
        |r| r.returned,
    )
    .await;
}

#[tokio::test]
async fn money_given_back_that_no_return_credited() {
    planted(
        Money,
        "order",
        |r| {
            format!(
                "UPDATE order_returns SET status = 'cancelled', credit_note_number = NULL WHERE return_id = '{}'",
                r.rest
            )
        },
        "The bank keeps 0.00 GBP of the customer's money, but order BS-000007 of 11.50 GBP, less 2.50 GBP",
        |r| r.returned,
    )
    .await;
}

#[tokio::test]
async fn a_credit_above_what_was_paid() {
    planted(
        Money,
        "order",
        |r| format!("UPDATE order_returns SET refund_minor = 2000 WHERE return_id = '{}'", r.live),
        "of 11.50 GBP gives back 22.50 GBP by its returns",
        |r| thing(r.returning, "order"),
    )
    .await;
    planted(
        Money,
        "order",
        |r| format!("UPDATE orders SET returned_minor = 0 WHERE saga_id = '{}'", r.returning),
        "says that it gives 0.00 GBP back, but its returns say 5.00 GBP",
        |r| thing(r.returning, "order"),
    )
    .await;
}

#[tokio::test]
async fn a_claim_whose_return_saga_is_gone() {
    let sql = |r: &Returns| {
        let id = common::hex(r.live.as_bytes());
        format!(
            "DELETE FROM sagas WHERE id = {id}; DELETE FROM journal WHERE saga_id = {id};
             DELETE FROM outbox WHERE saga = {id}"
        )
    };
    let words = "is unknown to the orchestrator, but its return of order";
    planted(Money, "orchestrator", sql, words, |r| r.live).await;
    planted(Events, "orchestrator", sql, "A saga made a return, but the orchestrator has no journal", |r| {
        r.live
    })
    .await;
}

#[tokio::test]
async fn a_return_that_says_otherwise_than_its_saga() {
    planted(
        Money,
        "order",
        |r| {
            format!(
                "UPDATE order_returns SET status = 'claimed', credit_note_number = NULL WHERE return_id = '{}'",
                r.first
            )
        },
        "The saga completed, but its return of order BS-000007 is claimed",
        |r| r.first,
    )
    .await;
    planted(
        Money,
        "order",
        |r| format!("UPDATE order_returns SET status = 'claimed' WHERE return_id = '{}'", r.cancelled),
        "The saga was compensated, but its return of order BS-000008 is claimed",
        |r| r.cancelled,
    )
    .await;
    planted(
        Money,
        "order",
        |r| format!("DELETE FROM order_returns WHERE return_id = '{}'", r.first),
        "The return completed, but no order knows of it",
        |r| r.first,
    )
    .await;
    planted(
        Money,
        "order",
        |r| {
            let stray = Uuid::nil();
            format!("UPDATE order_returns SET order_id = '{stray}' WHERE return_id = '{}'", r.live)
        },
        "A return is of an order that does not exist",
        |r| r.live,
    )
    .await;
}

#[tokio::test]
async fn more_that_comes_back_than_was_bought() {
    planted(
        Stock,
        "order",
        |r| format!("UPDATE order_return_lines SET quantity = 5 WHERE return_id = '{}'", r.live),
        "Of 3 of A in order BS-000008 6 are to come back",
        |r| thing(r.returning, "order"),
    )
    .await;
    planted(
        Stock,
        "order",
        |r| format!("UPDATE order_items SET returned = 0 WHERE order_id = '{}'", thing(r.returning, "order")),
        "says that 0 of A come back, but its returns say 2",
        |r| thing(r.returning, "order"),
    )
    .await;
    planted(
        Stock,
        "order",
        |r| format!("UPDATE order_return_lines SET line = 7 WHERE return_id = '{}'", r.live),
        "is of line 7, which it has not",
        |r| thing(r.returning, "order"),
    )
    .await;
}

/// Another restock of the same goods, booked everywhere as it should be.
fn twice(r: &Returns, by: Uuid) -> String {
    let (restock, reservation) = (Uuid::from_u128(7), thing(r.returned, "reservation"));
    format!(
        "INSERT INTO restocks VALUES ('{restock}', '{reservation}', '{by}', 0);
         INSERT INTO restock_lines VALUES ('{restock}', 'A', 1);
         UPDATE reservation_lines SET restocked = restocked + 1 WHERE reservation_id = '{reservation}';
         UPDATE stock SET on_hand = on_hand + 1, sold = sold - 1"
    )
}

#[tokio::test]
async fn units_that_came_back_twice() {
    let sql = |r: &Returns| twice(r, r.first);
    planted(Stock, "inventory", sql, "Of 3 of A that were reserved 4 came back", |r| {
        thing(r.returned, "reservation")
    })
    .await;
    planted(Stock, "inventory", sql, "is of 1 of A, but 2 of A came back into the stock by it", |r| r.first)
        .await;
    let stranger = |r: &Returns| twice(r, r.shop.completed[0]);
    planted(Stock, "inventory", stranger, "but by no return of what they were sold for", |r| {
        r.shop.completed[0]
    })
    .await;
}

#[tokio::test]
async fn units_that_never_came_back() {
    planted(
        Stock,
        "inventory",
        |r| {
            let restock = thing(r.first, "restock");
            format!(
                "DELETE FROM restock_lines WHERE restock_id = '{restock}';
                 DELETE FROM restocks WHERE restock_id = '{restock}';
                 UPDATE reservation_lines SET restocked = restocked - 1 WHERE reservation_id = '{}';
                 UPDATE stock SET on_hand = on_hand - 1, sold = sold + 1",
                thing(r.returned, "reservation")
            )
        },
        "but nothing came back into the stock by it",
        |r| r.first,
    )
    .await;
    planted(
        Stock,
        "inventory",
        |r| {
            let reservation = thing(r.returned, "reservation");
            format!("UPDATE reservation_lines SET restocked = 2 WHERE reservation_id = '{reservation}'")
        },
        "says that 2 of A came back, but its restocks say 3",
        |r| thing(r.returned, "reservation"),
    )
    .await;
    // Sold again for an order of which they came back.
    planted(
        Stock,
        "order",
        |r| format!("UPDATE order_return_lines SET quantity = 0 WHERE return_id = '{}'", r.first),
        "has 3 of A, of which 2 came back, but 0 were sold for it",
        |r| r.returned,
    )
    .await;
}

#[tokio::test]
async fn goods_of_what_was_made_good_that_are_still_reserved() {
    planted(
        Stock,
        "inventory",
        |r| {
            let (restock, reservation) = (thing(r.made_good, "restock"), thing(r.good, "reservation"));
            format!(
                "DELETE FROM restock_lines WHERE restock_id = '{restock}';
                 DELETE FROM restocks WHERE restock_id = '{restock}';
                 UPDATE reservation_lines SET restocked = 0 WHERE reservation_id = '{reservation}';
                 UPDATE stock SET on_hand = on_hand - 3, reserved = reserved + 3"
            )
        },
        "completed, but its reservation is still open",
        |r| r.good,
    )
    .await;
    planted(
        Money,
        "order",
        |r| format!("UPDATE order_returns SET make_good = 0 WHERE return_id = '{}'", r.made_good),
        "The saga completed, but its order BS-000009 is cancelled",
        |r| r.good,
    )
    .await;
}

#[tokio::test]
async fn a_cart_of_what_was_made_good_that_is_still_held() {
    planted(
        Once,
        "cart",
        |r| format!("UPDATE carts SET held_by = '{}' WHERE cart_id = 'cart-good'", r.good),
        "The saga completed, but it still holds its cart",
        |r| r.good,
    )
    .await;
    planted(
        Once,
        "cart",
        |r| format!("DELETE FROM carts_let_go WHERE checkout_id = '{}'", r.good),
        "A checkout was made good, but its cart was not let go of",
        |r| r.good,
    )
    .await;
    // The cart does not remember for longer than it answers: whoever is as old as that may be forgotten, nobody younger.
    for (before_ms, found) in [(NOON, 1), (NOON + 1, 0)] {
        let returns = Returns::open().await;
        let sql = format!(
            "DELETE FROM carts_let_go WHERE checkout_id = '{}'; INSERT INTO barrier_forgotten VALUES (1, {before_ms}, 0)",
            returns.good
        );
        returns.shop.plant("cart", &sql).await;
        let report = returns.shop.audit().await;
        assert_eq!(report.violations.len(), found, "{before_ms}: {report}");
    }
    // Nobody lets a cart go whose checkout is only returned, and nobody else's return is one of it.
    planted(
        Once,
        "cart",
        |r| format!("INSERT INTO carts_let_go VALUES ('{}', 'cart-returned', 0)", r.returned),
        "A checkout let its cart go, but nothing makes it good",
        |r| r.returned,
    )
    .await;
}

/// Before there was `make_good`, a `return` made good and let no cart go. Then a person does, if the cart is still held.
#[tokio::test]
async fn a_cart_that_a_person_has_let_go_of() {
    for (sql, words) in [
        ("", None),
        ("DELETE FROM carts_let_go", None),
        ("UPDATE carts SET held_by = 'GOOD' WHERE cart_id = 'cart-good'", Some("it still holds its cart")),
    ] {
        let returns = Returns::open().await;
        let made_good = hex(returns.made_good.as_bytes());
        let older = format!("UPDATE sagas SET definition = 'return' WHERE id = {made_good}");
        returns.shop.plant("orchestrator", &older).await;
        returns.shop.plant("cart", &sql.replace("GOOD", &returns.good.to_string())).await;
        let report = returns.shop.audit().await;
        match words {
            None => assert!(report.is_clean(), "{sql}: {report}"),
            Some(words) => assert_found(&report, Once, words, returns.good),
        }
    }
}

#[tokio::test]
async fn a_parcel_that_is_with_the_carrier_although_it_was_called_back() {
    planted(
        Stock,
        "shipping",
        |r| format!("UPDATE shipments SET status = 'created' WHERE saga_id = '{}'", r.returned),
        "stands and its saga ended, but it has 1 parcels",
        |r| r.returned,
    )
    .await;
    planted(
        Stock,
        "shipping",
        |r| format!("DELETE FROM receipts WHERE saga_id = '{}'", r.first),
        "has 0 receipts",
        |r| r.first,
    )
    .await;
    planted(
        Stock,
        "shipping",
        |r| format!("UPDATE receipts SET saga_id = '{}' WHERE saga_id = '{}'", r.shop.completed[0], r.first),
        "A parcel was taken back, but by no return of its order",
        |r| r.shop.completed[0],
    )
    .await;
}

#[tokio::test]
async fn what_came_back_and_is_told_to_nobody_and_what_is_told_and_did_not() {
    for (book, kind, subject) in [
        ("order", "order.returned", "order"),
        ("inventory", "inventory.restocked", "restock"),
        ("shipping", "shipping.received", "shipment"),
    ] {
        let of = |r: &Returns| thing(if subject == "restock" { r.first } else { r.returned }, subject);
        let words = format!("(com.backstitch.{kind}.v1), but it happened");
        let other = |r: &Returns| {
            format!(
                "UPDATE outbox SET kind = 'com.backstitch.{book}.other.v1'
                 WHERE kind = 'com.backstitch.{kind}.v1' AND subject = '{}'",
                of(r)
            )
        };
        planted(Events, book, other, &words, of).await;
        let never = Uuid::from_u128(9);
        let invented = |r: &Returns| {
            format!(
                "UPDATE outbox SET subject = '{never}'
                 WHERE kind = 'com.backstitch.{kind}.v1' AND subject = '{}'",
                of(r)
            )
        };
        planted(Events, book, invented, "but it happened never", |_| never).await;
    }
}

#[tokio::test]
async fn a_return_that_is_told_of_under_another_key_or_never_ends_for_those_who_listen() {
    let (root, id) = (
        |r: &Returns| common::hex(r.shop.completed[0].as_bytes()),
        |saga: Uuid| common::hex(saga.as_bytes()),
    );
    planted(
        Events,
        "orchestrator",
        |r| format!("UPDATE outbox SET root = {} WHERE saga = {}", root(r), id(r.first)),
        "of the saga is keyed by another root",
        |r| r.first,
    )
    .await;
    planted(
        Events,
        "orchestrator",
        |r| format!("UPDATE sagas SET root = {} WHERE id = {}", root(r), id(r.live)),
        "is of another family than its checkout",
        |r| r.live,
    )
    .await;
    planted(
        Events,
        "orchestrator",
        |r| {
            format!(
                "UPDATE outbox SET kind = 'com.backstitch.return.parked.v1'
                 WHERE kind = 'com.backstitch.return.completed.v1' AND saga = {}",
                id(r.first)
            )
        },
        "The return completed, but the last thing it published is that it parked",
        |r| r.first,
    )
    .await;
}
