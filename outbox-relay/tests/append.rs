//! What a producer may rely on.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{NOW, Outbox, event};
use outbox_relay::{Event, RowId, Source, append};

#[tokio::test]
async fn sequences_count_from_one_per_source_and_key_without_holes() {
    let outbox = Outbox::open().await;
    for key in ["a", "b", "a", "a", "b"] {
        outbox.commit(key, key).await;
    }
    let mut elsewhere = event("a", "a");
    elsewhere.source = "/backstitch/cart".into();
    outbox.append(&elsewhere).await.unwrap();
    let rows = outbox.source.pending(10).await.unwrap();
    let seen: Vec<_> =
        rows.iter().map(|row| (row.event.source.as_str(), row.event.key.as_str(), row.sequence)).collect();
    let order = "/backstitch/order";
    assert_eq!(
        seen,
        [
            (order, "a", 1),
            (order, "b", 1),
            (order, "a", 2),
            (order, "a", 3),
            (order, "b", 2),
            ("/backstitch/cart", "a", 1)
        ]
    );
}

#[tokio::test]
async fn an_effect_that_rolls_back_leaves_no_event_and_no_hole() {
    let outbox = Outbox::open().await;
    outbox.commit("a", "first").await;
    outbox.roll_back("a", "never").await;
    outbox.commit("a", "second").await;
    let rows = outbox.source.pending(10).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.sequence, row.event.subject.as_str())).collect();
    assert_eq!(seen, [(1, "first"), (2, "second")]);
}

#[tokio::test]
async fn a_row_reads_back_as_it_was_appended() {
    let outbox = Outbox::open().await;
    let written =
        event("k\u{1f9f5}", "sub").traced("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    outbox.append(&written).await.unwrap();
    let rows = outbox.source.pending(1).await.unwrap();
    assert_eq!(rows[0].event, written);
    assert_eq!(rows[0].event_id.get_version_num(), 7);
}

#[tokio::test]
async fn numbers_grow_along_a_key_although_the_clock_went_back() {
    let outbox = Outbox::open().await;
    let mut conn = outbox.pool.acquire().await.unwrap();
    // Another process of this participant, an hour ahead, had this key before.
    append(&mut conn, &event("a", "1")).await.unwrap();
    let ahead: i64 = 3_600_000 << 22;
    sqlx::query("UPDATE outbox_keys SET last_number = last_number + $1")
        .bind(ahead)
        .execute(&mut *conn)
        .await
        .unwrap();
    sqlx::query("UPDATE outbox SET number = number + $1").bind(ahead).execute(&mut *conn).await.unwrap();
    append(&mut conn, &event("a", "2")).await.unwrap();
    append(&mut conn, &event("a", "3")).await.unwrap();
    drop(conn);
    let order: Vec<_> = outbox.source.pending(10).await.unwrap().iter().map(|row| row.sequence).collect();
    assert_eq!(order, [1, 2, 3]);
}

#[tokio::test]
async fn a_number_that_is_taken_is_drawn_again() {
    let outbox = Outbox::open().await;
    let mut conn = outbox.pool.acquire().await.unwrap();
    append(&mut conn, &event("a", "a1")).await.unwrap();
    append(&mut conn, &event("b", "b1")).await.unwrap();
    // Key a's counter stands just below b's row, as when two processes drew the same number.
    sqlx::query("UPDATE outbox SET number = number + 4096 WHERE key = 'b'")
        .execute(&mut *conn)
        .await
        .unwrap();
    sqlx::query("UPDATE outbox_keys SET last_number = (SELECT number - 1 FROM outbox WHERE key = 'b') WHERE key = 'a'")
        .execute(&mut *conn)
        .await
        .unwrap();
    append(&mut conn, &event("a", "a2")).await.unwrap();
    drop(conn);
    let rows = outbox.source.pending(10).await.unwrap();
    let mut numbers: Vec<RowId> = rows.iter().map(|row| row.id).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 3, "three rows, three numbers");
    let of_a: Vec<_> = rows.iter().filter(|row| row.event.key == "a").map(|row| row.sequence).collect();
    assert_eq!(of_a, [1, 2]);
}

#[tokio::test]
async fn a_payload_that_does_not_serialize_fails_the_effect() {
    let outbox = Outbox::open().await;
    let unserializable = std::collections::BTreeMap::from([((1, 2), 3)]);
    let bad = Event::json("t", "k", "s", "key", "subject", &unserializable, NOW);
    let error = outbox.append(&bad).await.unwrap_err();
    assert!(matches!(error, sqlx::Error::Encode(_)), "{error}");
    assert!(outbox.source.pending(10).await.unwrap().is_empty());
}
