//! I1 is broken when money is not where the orders say: every plant is found.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use backstitch_chaos::Invariant::Money;
use common::{Shop, assert_found, planted, thing};
use uuid::Uuid;

fn account(saga: Uuid) -> String {
    format!("sbx_{saga}")
}

fn payment(saga: Uuid) -> String {
    thing(saga, "payment").to_string()
}

#[tokio::test]
async fn a_hold_that_outlives_its_saga() {
    planted(
        Money,
        "sandbox",
        |shop| {
            format!(
                "DELETE FROM entries WHERE kind = 'voided' AND account_id = '{}'",
                account(shop.cancelled)
            )
        },
        "still holds 11.50 GBP",
        |shop| payment(shop.cancelled),
    )
    .await;
}

#[tokio::test]
async fn a_capture_for_an_order_that_does_not_stand() {
    planted(
        Money,
        "sandbox",
        |shop| {
            format!(
                "UPDATE entries SET kind = 'captured' WHERE kind = 'voided' AND account_id = '{}'",
                account(shop.cancelled)
            )
        },
        "keeps 11.50 GBP of the customer's money",
        |shop| payment(shop.cancelled),
    )
    .await;
}

#[tokio::test]
async fn an_order_that_stands_on_money_the_bank_never_took() {
    planted(
        Money,
        "sandbox",
        |shop| {
            format!(
                "DELETE FROM entries WHERE kind = 'captured' AND account_id = '{}'",
                account(shop.completed[0])
            )
        },
        "BS-000001 of 11.50 GBP stands, but the bank took 0.00 GBP",
        |shop| payment(shop.completed[0]),
    )
    .await;
}

#[tokio::test]
async fn a_ledger_that_claims_what_the_bank_does_not_show_even_in_flight() {
    planted(
        Money,
        "sandbox",
        |shop| {
            format!(
                "DELETE FROM entries WHERE kind = 'captured' AND account_id = '{}'",
                account(shop.in_flight[2])
            )
        },
        "Our ledger says 11.50 GBP captured, but the bank's statement shows 0.00 GBP",
        |shop| payment(shop.in_flight[2]),
    )
    .await;
}

#[tokio::test]
async fn money_that_the_bank_took_and_our_ledger_does_not_know_of() {
    let shop = Shop::open().await;
    let saga = shop.completed[1];
    let sql = format!(
        "DELETE FROM entries WHERE kind = 'captured' AND payment_id = '{0}';
         UPDATE payments SET status = 'capturing', captured_minor = 0 WHERE payment_id = '{0}'",
        payment(saga)
    );
    shop.plant("payment", &sql).await;
    let report = shop.audit().await;
    assert_found(&report, Money, "our ledger knows only of 0.00 GBP", payment(saga));
    assert_found(&report, Money, "its payment is still capturing", payment(saga));
}

#[tokio::test]
async fn an_account_with_money_for_no_payment_of_ours() {
    planted(
        Money,
        "payment",
        |shop| {
            format!(
                "DELETE FROM entries WHERE payment_id = '{0}'; DELETE FROM payments WHERE payment_id = '{0}'",
                payment(shop.in_flight[1])
            )
        },
        "for a payment that our ledger does not know",
        |shop| account(shop.in_flight[1]),
    )
    .await;
}

#[tokio::test]
async fn a_refund_for_an_order_that_stands() {
    planted(
        Money,
        "sandbox",
        |shop| {
            let account = account(shop.completed[2]);
            format!(
                "INSERT INTO entries SELECT '{account}', 9, 'refunded', 150, at_ms FROM entries
                     WHERE account_id = '{account}' LIMIT 1;
                 UPDATE accounts SET refunded_minor = 150 WHERE id = '{account}'"
            )
        },
        "keeps 10.00 GBP of the customer's money, but order BS-000003 of 11.50 GBP is confirmed",
        |shop| payment(shop.completed[2]),
    )
    .await;
}

#[tokio::test]
async fn a_refund_that_never_settled() {
    planted(
        Money,
        "payment",
        |shop| {
            let (saga, payment) = (shop.completed[0], payment(shop.completed[0]));
            format!(
                "INSERT INTO refunds (refund_id, payment_id, saga_id, step, root_id, amount_minor, status,
                     created_at_ms, updated_at_ms)
                 VALUES ('r', '{payment}', '{saga}', 's', '{saga}', 1, 'pending', 0, 0)"
            )
        },
        "refunds are still pending",
        |shop| payment(shop.completed[0]),
    )
    .await;
}

#[tokio::test]
async fn an_order_left_pending() {
    planted(
        Money,
        "order",
        |shop| format!("UPDATE orders SET status = 'pending' WHERE saga_id = '{}'", shop.cancelled),
        "was compensated, but its order BS-000004 is pending",
        |shop| shop.cancelled.to_string(),
    )
    .await;
}

#[tokio::test]
async fn a_completed_checkout_without_an_order() {
    planted(
        Money,
        "order",
        |shop| format!("DELETE FROM orders WHERE saga_id = '{}'", shop.completed[0]),
        "completed, but there is no order",
        |shop| shop.completed[0].to_string(),
    )
    .await;
}

#[tokio::test]
async fn an_order_whose_lines_do_not_add_up() {
    planted(
        Money,
        "order",
        |shop| {
            format!(
                "UPDATE order_items SET quantity = 4 WHERE order_id = '{}'",
                thing(shop.completed[0], "order")
            )
        },
        "total of 11.50 GBP, but its lines and shipping add up to 14.00 GBP",
        |shop| thing(shop.completed[0], "order").to_string(),
    )
    .await;
}

#[tokio::test]
async fn totals_that_their_own_entries_do_not_add_up_to() {
    planted(
        Money,
        "payment",
        |shop| {
            format!(
                "UPDATE payments SET refunded_minor = 5 WHERE payment_id = '{}'",
                payment(shop.completed[0])
            )
        },
        "its own entries add up to 0.00 GBP",
        |shop| payment(shop.completed[0]),
    )
    .await;
    planted(
        Money,
        "sandbox",
        |shop| format!("UPDATE accounts SET captured_minor = 5 WHERE id = '{}'", account(shop.completed[0])),
        "account says 0.05 GBP captured, its entries 11.50 GBP",
        |shop| account(shop.completed[0]),
    )
    .await;
}

/// authorized = captured + voided + released + still held: an entry that is missing, or one too many.
#[tokio::test]
async fn a_hold_that_its_entries_do_not_account_for() {
    let without = |kind: &'static str| {
        move |shop: &Shop| {
            let saga = if kind == "voided" { shop.cancelled } else { shop.completed[0] };
            format!(
                "DELETE FROM entries WHERE kind = '{kind}' AND payment_id = '{0}';
                 UPDATE payments SET {kind}_minor = 0 WHERE payment_id = '{0}'",
                payment(saga)
            )
        }
    };
    let left =
        |status: &str| format!("The payment is {status}, and of 11.50 GBP authorized 0.00 GBP were captured");
    planted(Money, "payment", without("voided"), &left("voided"), |shop| payment(shop.cancelled)).await;
    planted(Money, "payment", without("captured"), &left("captured"), |shop| payment(shop.completed[0]))
        .await;
    // A part was let go that was captured as well.
    planted(
        Money,
        "payment",
        |shop| {
            let id = payment(shop.completed[1]);
            format!(
                "INSERT INTO entries SELECT payment_id, 9, 'released', 1, '', at_ms FROM entries
                     WHERE payment_id = '{id}' LIMIT 1;
                 UPDATE payments SET released_minor = 1 WHERE payment_id = '{id}'"
            )
        },
        "11.50 GBP were captured, 0.00 GBP voided and 0.01 GBP released: -0.01 GBP are left, and should be 0.00 GBP",
        |shop| payment(shop.completed[1]),
    )
    .await;
    // Let go although it may still be captured.
    planted(
        Money,
        "payment",
        |shop| {
            let id = payment(shop.in_flight[1]);
            format!(
                "INSERT INTO entries SELECT payment_id, 9, 'voided', 1, '', at_ms FROM entries
                     WHERE payment_id = '{id}' LIMIT 1"
            )
        },
        "11.49 GBP are left, and should be 11.50 GBP",
        |shop| payment(shop.in_flight[1]),
    )
    .await;
}

/// A refund of one penny that was done and failed later, with these cases.
fn bounced(shop: &Shop, cases: &str) -> String {
    let (saga, id, other) = (shop.completed[0], payment(shop.completed[0]), shop.completed[1]);
    format!(
        "INSERT INTO refunds (refund_id, payment_id, saga_id, step, root_id, amount_minor, status,
             created_at_ms, updated_at_ms) VALUES ('r', '{id}', '{other}', 's', '{saga}', 1, 'failed', 0, 0);
         INSERT INTO entries SELECT payment_id, 8, 'refunded', 1, 'r', at_ms FROM entries
             WHERE payment_id = '{id}' LIMIT 1;
         INSERT INTO entries SELECT payment_id, 9, 'reversed', 1, 'r', at_ms FROM entries
             WHERE payment_id = '{id}' LIMIT 1;
         INSERT INTO cases (case_id, payment_id, order_id, root_id, amount_minor, currency, why, opened_at_ms)
         SELECT column1, column2, 'o', '{saga}', column3, 'GBP', 'closed', 0 FROM (VALUES {cases})
             WHERE column1 <> ''"
    )
}

#[tokio::test]
async fn a_refund_that_failed_later_without_a_case_of_its_own() {
    let bounces = |shop: &Shop| payment(shop.completed[0]);
    let case = |id: &str, payment: String, minor: i64| format!("('{id}', '{payment}', {minor})");
    planted(
        Money,
        "payment",
        |shop| bounced(shop, &case("", bounces(shop), 1)),
        "failed after it was done, and there is no case of it",
        bounces,
    )
    .await;
    planted(
        Money,
        "payment",
        |shop| bounced(shop, &case("r", bounces(shop), 2)),
        "A refund of 0.01 GBP failed after it was done, and its case is about 0.02 GBP",
        bounces,
    )
    .await;
    planted(
        Money,
        "payment",
        |shop| bounced(shop, &case("r", payment(shop.completed[1]), 1)),
        "its case is about payment",
        bounces,
    )
    .await;
    planted(
        Money,
        "payment",
        |shop| {
            format!(
                "{}; DELETE FROM entries WHERE kind = 'reversed'",
                bounced(shop, &case("r", bounces(shop), 1))
            )
        },
        "a case of a refund that never failed after it was done",
        |_| "r".to_owned(),
    )
    .await;
    planted(
        Money,
        "payment",
        |shop| {
            let (saga, id) = (shop.cancelled, payment(shop.cancelled));
            format!(
                "INSERT INTO refunds (refund_id, payment_id, saga_id, step, root_id, amount_minor, status,
                     created_at_ms, updated_at_ms) VALUES ('u', '{id}', '{saga}', 's', '{saga}', 1, 'failed', 0, 0)"
            )
        },
        "failed that an undo needs, and there is no case of it",
        |shop| payment(shop.cancelled),
    )
    .await;
    // As it should be, and nothing of this is found.
    let shop = Shop::open().await;
    shop.plant("payment", &bounced(&shop, &case("r", bounces(&shop), 1))).await;
    let report = shop.audit().await;
    assert!(report.of(Money).all(|found| !found.what.contains("case")), "{report}");
}

#[tokio::test]
async fn another_amount_or_currency_at_the_bank() {
    for change in ["amount_minor = 1151", "currency = 'EUR'"] {
        planted(
            Money,
            "sandbox",
            |shop| format!("UPDATE accounts SET {change} WHERE id = '{}'", account(shop.in_flight[1])),
            "but our payment is of 11.50 GBP",
            |shop| account(shop.in_flight[1]),
        )
        .await;
    }
}

#[tokio::test]
async fn a_payment_made_for_another_order() {
    planted(
        Money,
        "order",
        |shop| {
            let (a, b) = (thing(shop.completed[0], "order"), payment(shop.completed[1]));
            format!("UPDATE orders SET payment_id = '{b}' WHERE order_id = '{a}'")
        },
        "was made for order",
        |shop| thing(shop.completed[0], "order").to_string(),
    )
    .await;
}

#[tokio::test]
async fn parked_sagas_are_listed_with_their_money_not_accused() {
    let shop = Shop::open().await;
    let report = shop.audit().await;
    let parked = &report.parked[0];
    assert_eq!(parked.saga, shop.parked.to_string());
    assert!(parked.leaves.iter().any(|line| line.contains("11.50 GBP captured")), "{parked:?}");
    assert!(report.is_clean());
}
