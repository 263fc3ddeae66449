//! Discrepancies of every kind that a database can be given, all at once, each found as itself.

use backstitch_services::On;

use crate::common::{Asked, Shop, reconcile};
use crate::rows::{At, Rows, TOTAL, checkout, told};

/// What it is found as, and what is planted into a checkout for it.
type Planting = (&'static str, i64, &'static [(At, &'static str)]);

/// Into checkouts that were sold.
const SOLD: [Planting; 12] = [
    ("missed_capture", TOTAL, &[
        (At::Ledger, "DELETE FROM entries WHERE kind = 'captured' AND payment_id IN (SELECT payment_id FROM payments WHERE saga_id = ?)"),
        (At::Ledger, "UPDATE payments SET status = 'authorized', captured_minor = 0 WHERE saga_id = ?"),
    ]),
    ("capture_not_at_provider", TOTAL, &[
        (At::Bank, "DELETE FROM entries WHERE kind = 'captured' AND account_id IN (SELECT id FROM accounts WHERE saga_id = ?)"),
        (At::Bank, "UPDATE accounts SET state = 'authorized', captured_minor = 0 WHERE saga_id = ?"),
    ]),
    ("captured_amount_differs", 1, &[(At::Bank, "UPDATE accounts SET captured_minor = captured_minor - 1 WHERE saga_id = ?")]),
    ("refund_unknown_here", 100, &[
        (At::Bank, "INSERT INTO refunds (id, account_id, number, reference, amount_minor, currency, state)
         SELECT 're_planted', id, 99, 'f0000000-0000-4000-8000-000000000001', 100, currency, 'succeeded'
         FROM accounts WHERE saga_id = ?"),
        (At::Bank, "UPDATE accounts SET refunded_minor = 100 WHERE saga_id = ?"),
    ]),
    ("refund_not_at_provider", 100, &[
        (At::Ledger, "INSERT INTO refunds (refund_id, payment_id, saga_id, step, root_id, amount_minor, status, created_at_ms, updated_at_ms)
         SELECT 'f0000000-0000-4000-8000-000000000002', payment_id, saga_id, 'planted', root_id, 100, 'done', 0, 0
         FROM payments WHERE saga_id = ?"),
        (At::Ledger, "UPDATE payments SET refunded_minor = 100 WHERE saga_id = ?"),
    ]),
    ("money_without_order", TOTAL, &[
        (At::Orders, "UPDATE orders SET status = 'cancelled' WHERE saga_id = ?"),
        (At::Orders, "UPDATE order_status_changes SET status = 'cancelled' WHERE status = 'confirmed' AND order_id IN (SELECT order_id FROM orders WHERE saga_id = ?)"),
    ]),
    ("kept_differs", 1, &[
        (At::Orders, "UPDATE orders SET total_minor = total_minor + 1, shipping_price_minor = shipping_price_minor + 1 WHERE saga_id = ?"),
    ]),
    ("object_unknown", TOTAL, &[(At::Bank, "DELETE FROM accounts WHERE saga_id = ?")]),
    ("object_shared", TOTAL, &[
        (At::Ledger, "DROP INDEX payments_by_provider_id"),
        (At::Ledger, "UPDATE payments SET provider_id = (SELECT other.provider_id FROM payments other WHERE other.saga_id <> ?
         AND other.status = 'captured' ORDER BY other.created_at_ms DESC LIMIT 1) WHERE saga_id = ?"),
    ]),
    ("refunded_more_than_captured", 100, &[
        (At::Bank, "UPDATE accounts SET refunded_minor = captured_minor + 100 WHERE saga_id = ?"),
    ]),
    ("hold_gone", TOTAL, &[
        (At::Ledger, "DELETE FROM entries WHERE kind = 'captured' AND payment_id IN (SELECT payment_id FROM payments WHERE saga_id = ?)"),
        (At::Ledger, "UPDATE payments SET status = 'authorized', captured_minor = 0 WHERE saga_id = ?"),
        (At::Bank, "DELETE FROM entries WHERE kind = 'captured' AND account_id IN (SELECT id FROM accounts WHERE saga_id = ?)"),
        (At::Bank, "UPDATE accounts SET state = 'voided', captured_minor = 0 WHERE saga_id = ?"),
    ]),
    ("amount_differs", 1, &[(At::Bank, "UPDATE accounts SET amount_minor = amount_minor + 1 WHERE saga_id = ?")]),
];

/// Into checkouts that were taken back.
const BACK: [Planting; 3] = [
    (
        "order_without_money",
        TOTAL,
        &[
            (At::Orders, "UPDATE orders SET status = 'confirmed' WHERE saga_id = ?"),
            (At::Orders, "UPDATE order_status_changes SET status = 'confirmed' WHERE status = 'cancelled' AND order_id IN (SELECT order_id FROM orders WHERE saga_id = ?)"),
        ],
    ),
    (
        "hold_left_over",
        TOTAL,
        &[
            (At::Bank, "DELETE FROM entries WHERE kind = 'voided' AND account_id IN (SELECT id FROM accounts WHERE saga_id = ?)"),
            (At::Bank, "UPDATE accounts SET state = 'authorized' WHERE saga_id = ?"),
        ],
    ),
    (
        "open_case",
        100,
        &[
            (
                At::Ledger,
                "INSERT INTO refunds (refund_id, payment_id, saga_id, step, root_id, amount_minor, status, created_at_ms, updated_at_ms)
                 SELECT 'f0000000-0000-4000-8000-000000000003', payment_id, saga_id, 'planted', root_id, 100, 'failed', 0, 0
                 FROM payments WHERE saga_id = ?",
            ),
            (
                At::Ledger,
                "INSERT INTO cases (case_id, payment_id, order_id, root_id, amount_minor, currency, why, opened_at_ms)
                 SELECT 'f0000000-0000-4000-8000-000000000003', payment_id, order_id, root_id, 100, currency, 'closed', 0
                 FROM payments WHERE saga_id = ?",
            ),
        ],
    ),
];

#[tokio::test]
async fn each_planted_discrepancy_is_found_with_its_kind_and_its_amount() {
    each_is_found(On::Sqlite).await;
}

#[tokio::test]
async fn each_planted_discrepancy_is_found_on_postgres_too() {
    each_is_found(On::Postgres).await;
}

async fn each_is_found(on: On) {
    let mut shop = Shop::stocked_on(on).await;
    let plantings = SOLD.iter().map(|planting| ("tok_ok", planting));
    let plantings: Vec<_> =
        plantings.chain(BACK.iter().map(|planting| ("tok_capture_fails", planting))).collect();
    let (mut planted, mut wanted) = (Vec::new(), Vec::new());
    for (token, (kind, amount, statements)) in plantings {
        let made = checkout(&shop, kind, token).await;
        planted.push((made.clone(), *statements));
        wanted.push(((*kind).to_owned(), *amount, made));
    }
    let held = checkout(&shop, "orphan_hold", "tok_ok").await;
    let twice = checkout(&shop, "captured_twice", "tok_ok").await;
    let taken = checkout(&shop, "orphan_capture", "tok_capture_fails").await;
    // The last sale: whole, and what `object_shared` points to.
    checkout(&shop, "whole", "tok_ok").await;
    assert_eq!(reconcile(shop.directory(), &Asked::of(&shop), &[]), Vec::<serde_json::Value>::new());

    shop.stop().await;
    let mut rows = Rows::open(&shop).await;
    for (saga, statements) in planted {
        rows.set(&saga, statements).await;
    }
    for (kind, made, is_captured) in
        [("orphan_hold", held, false), ("captured_twice", twice, true), ("orphan_capture", taken, true)]
    {
        rows.bank.second_object(&made, kind, is_captured).await;
        wanted.push((kind.to_owned(), TOTAL, made));
    }
    rows.close().await;
    shop.start().await;

    let found = reconcile(shop.directory(), &Asked::of(&shop), &[]);
    wanted.sort();
    assert_eq!(told(&found), wanted, "{found:#?}");
    // It is not for this command to put right what it was not told to.
    let again = reconcile(shop.directory(), &Asked::of(&shop), &[]);
    assert_eq!(again, found);
}

/// A checkout that is parked with a hold which ends soon is told of it, once.
#[tokio::test]
async fn a_hold_that_ends_soon_leaves_a_note_on_its_parked_saga() {
    let mut shop = Shop::closed();
    shop.start_with(&["--undo-attempts", "3"]).await;
    shop.put_a_and_b().await;
    let parked = checkout(&shop, "parked", "tok_void_fails_3").await;
    assert_eq!(reconcile(shop.directory(), &Asked::of(&shop), &[]), Vec::<serde_json::Value>::new());
    shop.stop().await;
    let mut rows = Rows::open(&shop).await;
    rows.set(
        &parked,
        &[(At::Bank, "UPDATE accounts SET capture_before_ms = created_at_ms + 3600000 WHERE saga_id = ?")],
    )
    .await;
    rows.close().await;
    shop.start_with(&["--undo-attempts", "3"]).await;

    for _ in 0..2 {
        let found = reconcile(shop.directory(), &Asked::of(&shop), &[]);
        assert_eq!(told(&found), [("hold_ends_soon".to_owned(), TOTAL, parked.clone())]);
        assert_eq!(found[0]["move"], "note", "{found:#?}");
        assert_eq!(found[0].get("trouble"), None, "{found:#?}");
        let saga = shop.saga(&parked).await;
        let records = saga.body["records"].as_array().unwrap();
        let notes =
            records.iter().filter(|record| record.to_string().contains("reconcile found hold_ends_soon"));
        assert_eq!(notes.count(), 1, "{saga:?}");
    }
}
