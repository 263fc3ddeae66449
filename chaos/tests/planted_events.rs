//! I7 is broken when a journal is not whole or an event is missing, doubled or out of order: every plant is found.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use backstitch_chaos::Invariant::Events;
use backstitch_proto::journal::{Compensated, Completed, PivotIntent, Record, TurnedBack, record::Kind};
use common::{NOON, Shop, assert_found, hex, planted, thing};
use prost::Message;
use uuid::Uuid;

/// Appends a record to a journal.
fn append(saga: Uuid, kind: Kind) -> String {
    let record = hex(&Record { at_unix_ms: NOON, kind: Some(kind) }.encode_to_vec());
    let id = hex(saga.as_bytes());
    format!("INSERT INTO journal SELECT {id}, max(seq) + 1, {record} FROM journal WHERE saga_id = {id}")
}

fn completed(shop: &Shop) -> String {
    shop.completed[0].to_string()
}

/// Plants in the orchestrator's store, about the first completed checkout.
async fn in_store(sql: &str, words: &str) {
    let fill = |shop: &Shop| sql.replace("$saga", &hex(shop.completed[0].as_bytes()));
    planted(Events, "orchestrator", fill, words, completed).await;
}

#[tokio::test]
async fn a_hole_in_a_journal() {
    in_store(
        "DELETE FROM journal WHERE saga_id = $saga AND seq = 4",
        "a hole: record 4 is missing before record 5",
    )
    .await;
}

#[tokio::test]
async fn a_journal_without_its_start() {
    in_store(
        "DELETE FROM journal WHERE saga_id = $saga AND seq = 1",
        "started in no record, not in record 1",
    )
    .await;
}

#[tokio::test]
async fn a_journal_that_is_gone_or_belongs_to_nobody() {
    in_store("DELETE FROM journal WHERE saga_id = $saga", "A saga has no journal").await;
    in_store("DELETE FROM sagas WHERE id = $saga", "A journal belongs to no saga").await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read() {
    in_store(
        "UPDATE journal SET record = X'ff' WHERE saga_id = $saga AND seq = 3",
        "Record 3 cannot be read",
    )
    .await;
    in_store("UPDATE journal SET record = X'' WHERE saga_id = $saga AND seq = 3", "Record 3 cannot be read")
        .await;
}

#[tokio::test]
async fn two_ends_and_records_after_the_end() {
    let twice = |shop: &Shop| append(shop.completed[0], Kind::Completed(Completed {}));
    planted(Events, "orchestrator", twice, "It ended more than once", completed).await;
    let after = |shop: &Shop| append(shop.completed[0], Kind::PivotIntent(PivotIntent {}));
    planted(Events, "orchestrator", after, "but records follow up to", completed).await;
}

#[tokio::test]
async fn an_end_that_its_direction_does_not_allow() {
    planted(
        Events,
        "orchestrator",
        |shop| append(shop.parked, Kind::Compensated(Compensated {})),
        "compensated without ever turning back",
        |shop| shop.parked.to_string(),
    )
    .await;
    planted(
        Events,
        "orchestrator",
        |shop| {
            let back = append(shop.in_flight[0], Kind::TurnedBack(TurnedBack::default()));
            format!("{back}; {}", append(shop.in_flight[0], Kind::Completed(Completed {})))
        },
        "It turned back and yet completed",
        |shop| shop.in_flight[0].to_string(),
    )
    .await;
}

#[tokio::test]
async fn a_row_that_says_something_else_than_the_journal() {
    in_store(
        "UPDATE sagas SET status = 0 WHERE id = $saga",
        "says running, but its journal adds up to completed",
    )
    .await;
}

#[tokio::test]
async fn effects_without_a_journal() {
    let shop = Shop::open().await;
    let saga = shop.completed[0];
    let id = hex(saga.as_bytes());
    let sql = format!("DELETE FROM journal WHERE saga_id = {id}; DELETE FROM sagas WHERE id = {id}");
    shop.plant("orchestrator", &sql).await;
    let report = shop.audit().await;
    for thing in ["order", "payment", "reservation", "shipment"] {
        let words = format!("A saga made a {thing}, but the orchestrator has no journal of it");
        assert_found(&report, Events, &words, saga);
    }
}

#[tokio::test]
async fn a_lane_with_a_gap() {
    let shop = Shop::open().await;
    shop.plant("orchestrator", "DELETE FROM outbox WHERE number = 4").await;
    assert_found(&shop.audit().await, Events, "event 4 is missing before event 5", 0);
}

#[tokio::test]
async fn a_lane_that_lost_its_beginning_too_early_or_its_end() {
    in_store("DELETE FROM outbox WHERE number = 1", "The first 1 of the saga's 2 events are missing").await;
    let shop = Shop::open().await;
    shop.plant("orchestrator", "DELETE FROM outbox WHERE number > 12").await;
    assert_found(&shop.audit().await, Events, "but it ends before 13", 0);
    let shop = Shop::open().await;
    shop.plant("orchestrator", "DELETE FROM outbox WHERE number < 5; UPDATE lanes SET watermark = 2").await;
    assert_found(&shop.audit().await, Events, "begins with event 5, but is published only up to event 2", 0);
}

#[tokio::test]
async fn an_end_that_was_not_told() {
    in_store(
        "UPDATE outbox SET kind = 'com.backstitch.checkout.parked.v1' WHERE saga = $saga AND sequence = 2",
        "completed, but the last thing it published is that it parked",
    )
    .await;
    in_store(
        "DELETE FROM outbox WHERE saga = $saga; UPDATE sagas SET events = 0 WHERE id = $saga",
        "never published an event",
    )
    .await;
}

#[tokio::test]
async fn an_end_that_was_told_and_is_none() {
    planted(
        Events,
        "orchestrator",
        |shop| {
            let saga = hex(shop.in_flight[0].as_bytes());
            format!("UPDATE outbox SET kind = 'com.backstitch.checkout.completed.v1' WHERE saga = {saga}")
        },
        "published that the checkout completed, but it has not ended",
        |shop| shop.in_flight[0].to_string(),
    )
    .await;
}

#[tokio::test]
async fn a_saga_whose_events_skip_a_number_or_count_wrong() {
    in_store(
        "UPDATE outbox SET sequence = 3 WHERE saga = $saga AND sequence = 2",
        "Event 2 of the saga should follow",
    )
    .await;
    in_store("UPDATE sagas SET events = 5 WHERE id = $saga", "counts 5 events, but its last one is number 2")
        .await;
    in_store(
        "UPDATE outbox SET root = X'00112233445566778899aabbccddeeff' WHERE saga = $saga",
        "keyed by another root",
    )
    .await;
}

#[tokio::test]
async fn an_order_confirmed_and_never_placed() {
    planted(
        Events,
        "order",
        |shop| {
            let saga = shop.completed[0];
            format!("DELETE FROM outbox WHERE key = '{saga}'; DELETE FROM outbox_keys WHERE key = '{saga}'")
        },
        "No event says that an order was confirmed",
        |shop| thing(shop.completed[0], "order").to_string(),
    )
    .await;
}

#[tokio::test]
async fn an_order_placed_and_never_confirmed_or_placed_twice() {
    planted(
        Events,
        "order",
        |shop| format!("UPDATE orders SET status = 'pending' WHERE saga_id = '{}'", shop.completed[0]),
        "One event says that an order was confirmed",
        |shop| thing(shop.completed[0], "order").to_string(),
    )
    .await;
    planted(
        Events,
        "order",
        |shop| {
            let saga = shop.completed[0];
            format!(
                "UPDATE outbox_keys SET last_sequence = 2 WHERE key = '{saga}';
                 INSERT INTO outbox SELECT 999, 'e', source, key, 2, topic, kind, subject, payload, '', at_ms, state,
                     published_at_ms, NULL, NULL FROM outbox WHERE key = '{saga}'"
            )
        },
        "2 events say that an order was confirmed",
        |shop| thing(shop.completed[0], "order").to_string(),
    )
    .await;
}

#[tokio::test]
async fn money_goods_and_parcels_that_moved_in_silence() {
    for (book, kind, name) in [
        ("payment", "payment.captured", "payment"),
        ("inventory", "inventory.sold", "reservation"),
        ("shipping", "shipping.created", "shipment"),
    ] {
        planted(
            Events,
            book,
            |shop| {
                format!(
                    "UPDATE outbox SET kind = 'com.backstitch.else.v1'
                     WHERE kind = 'com.backstitch.{kind}.v1' AND key = '{}'",
                    shop.completed[0]
                )
            },
            "No event says that a",
            |shop| thing(shop.completed[0], name).to_string(),
        )
        .await;
    }
    let sql = |_: &Shop| "UPDATE outbox SET kind = 'com.backstitch.else.v1' WHERE key = 'A'".to_owned();
    planted(Events, "inventory", sql, "No event says that a SKU was counted", |_| "A".to_owned()).await;
}

#[tokio::test]
async fn participants_events_with_a_hole_along_a_key() {
    for (sql, words) in [
        ("DELETE FROM outbox WHERE key = '$saga' AND sequence = 1", "the first 1 of 2 events are missing"),
        (
            "DELETE FROM outbox WHERE key = '$saga' AND sequence = 2",
            "counter stands at 2, but its last event is 1",
        ),
        ("DELETE FROM outbox_keys WHERE key = '$saga'", "it has events and no counter"),
        (
            "UPDATE outbox SET sequence = 3 WHERE key = '$saga' AND sequence = 2;
             UPDATE outbox_keys SET last_sequence = 3 WHERE key = '$saga'",
            "event 1 is followed by 3",
        ),
        (
            "UPDATE outbox SET number = 0 WHERE key = '$saga' AND sequence = 2",
            "event 1 is read after its successor",
        ),
        (
            "UPDATE outbox SET state = 'waiting' WHERE key = '$saga' AND sequence = 1",
            "event 2 was published past 1",
        ),
    ] {
        let fill = |shop: &Shop| sql.replace("$saga", &shop.completed[0].to_string());
        planted(Events, "payment", fill, words, completed).await;
    }
}
