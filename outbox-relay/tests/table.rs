//! What the outbox table promises besides order.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{NOW, Outbox};
use outbox_relay::testing::{Fault, MemorySink};
use outbox_relay::{Lag, Options, Relay, RelayError, Sink, Source, SourceError, TableSource};

const HOUR_MS: i64 = 3_600_000;

fn relay(outbox: &Outbox, sink: &Arc<MemorySink>, options: Options) -> Relay {
    Relay::new(Arc::new(outbox.source.clone()), Arc::clone(sink) as Arc<dyn Sink>, options)
}

#[tokio::test]
async fn a_parked_row_holds_back_its_own_key_only() {
    let outbox = Outbox::open().await;
    let sink = Arc::new(MemorySink::scripted(|row| match row.event.subject.as_str() {
        "poison" => Fault::Poison,
        _ => Fault::None,
    }));
    let relay = relay(&outbox, &sink, Options::default());
    outbox.commit("a", "poison").await;
    outbox.commit("a", "behind").await;
    outbox.commit("b", "fine").await;
    let progress = relay.tick(NOW).await.unwrap();
    assert_eq!((progress.published, progress.parked, progress.pending), (1, 1, 1));
    // Born behind the parked row.
    outbox.commit("a", "later").await;
    outbox.commit("b", "fine too").await;
    assert_eq!(relay.tick(NOW).await.unwrap().published, 1);
    let subjects: Vec<_> = sink.taken().into_iter().map(|row| row.event.subject).collect();
    assert_eq!(subjects, ["fine", "fine too"]);
    let lag = outbox.source.lag(NOW + 5).await.unwrap();
    assert_eq!(lag, Lag { waiting: 0, held: 2, parked: 1, oldest_ms: 0 });
    let parked = outbox.source.parked(10).await.unwrap();
    assert_eq!((parked[0].key.as_str(), parked[0].why.as_str()), ("a", "scripted"));
}

#[tokio::test]
async fn an_unreachable_sink_leaves_every_row_and_says_why() {
    let outbox = Outbox::open().await;
    let sink = Arc::new(MemorySink::scripted(|_| Fault::Unavailable));
    let relay = relay(&outbox, &sink, Options { batch: 3, ..Options::default() });
    for key in ["a", "a", "b", "c"] {
        outbox.commit(key, "s").await;
    }
    let progress = relay.tick(NOW).await.unwrap();
    assert_eq!((progress.published, progress.parked, progress.pending, progress.full), (0, 0, 3, true));
    assert_eq!(progress.trouble.as_deref(), Some("scripted"));
    assert!(!progress.more(), "trouble is no reason to hurry");
    let lag = outbox.source.lag(NOW + 1234).await.unwrap();
    assert_eq!(lag, Lag { waiting: 4, held: 0, parked: 0, oldest_ms: 1234 });
}

#[tokio::test]
async fn only_rows_whose_retention_has_passed_are_purged_and_the_horizon_is_kept() {
    let outbox = Outbox::open().await;
    let sink = Arc::new(MemorySink::default());
    let options = Options { retention: Duration::from_secs(3600), purge_batch: 2, ..Options::default() };
    let relay = relay(&outbox, &sink, options);
    for subject in ["1", "2", "3"] {
        outbox.commit("a", subject).await;
    }
    relay.tick(NOW).await.unwrap();
    outbox.commit("a", "4").await;
    relay.tick(NOW + 1).await.unwrap();
    outbox.commit("a", "waiting").await;
    assert_eq!(relay.purge(NOW + HOUR_MS).await.unwrap(), 0);
    assert_eq!(relay.purge(NOW + HOUR_MS + 1).await.unwrap(), 2, "a bounded batch, oldest first");
    assert_eq!(relay.purge(NOW + HOUR_MS + 1).await.unwrap(), 1);
    let kept = outbox.source.published_since(0, None, 10).await.unwrap();
    assert_eq!(kept.iter().map(|row| row.sequence).collect::<Vec<_>>(), [4]);
    assert_eq!(outbox.source.pending(10).await.unwrap()[0].sequence, 5, "a purge never resets the count");
    assert_eq!(relay.purge(NOW).await.unwrap(), 0);
    let horizon: i64 = sqlx::query_scalar("SELECT published_before_ms FROM outbox_purge")
        .fetch_one(&outbox.pool)
        .await
        .unwrap();
    assert_eq!(horizon, NOW + 1, "the horizon never moves back");
}

#[tokio::test]
async fn the_window_is_published_again_in_order_and_only_the_window() {
    let outbox = Outbox::open().await;
    let sink = Arc::new(MemorySink::default());
    let relay = relay(&outbox, &sink, Options { batch: 2, ..Options::default() });
    outbox.commit("a", "old").await;
    relay.tick(NOW - 2 * HOUR_MS).await.unwrap();
    for (key, subject) in [("a", "1"), ("b", "1"), ("a", "2"), ("a", "3"), ("b", "2")] {
        outbox.commit(key, subject).await;
    }
    while relay.tick(NOW - HOUR_MS / 2).await.unwrap().published > 0 {}
    outbox.commit("a", "not yet published").await;
    let before = sink.taken().len();
    assert_eq!(relay.replay_window(Duration::from_secs(3600), NOW).await.unwrap(), 5);
    let again: Vec<_> =
        sink.taken()[before..].iter().map(|row| row.event.key.clone() + &row.event.subject).collect();
    assert_eq!(again, ["a1", "b1", "a2", "a3", "b2"]);
}

#[tokio::test]
async fn a_window_that_the_sink_does_not_take_is_an_error_not_a_gap() {
    let outbox = Outbox::open().await;
    let sink = Arc::new(MemorySink::default());
    let relay = relay(&outbox, &sink, Options::default());
    outbox.commit("a", "1").await;
    relay.tick(NOW).await.unwrap();
    sink.script(|_| Fault::Unavailable);
    let error = relay.replay_window(Duration::from_secs(1), NOW).await.unwrap_err();
    assert!(matches!(error, RelayError::Sink { .. }), "{error}");
}

#[tokio::test]
async fn a_big_batch_is_marked_whole() {
    let outbox = Outbox::open().await;
    let sink = Arc::new(MemorySink::default());
    let relay = relay(&outbox, &sink, Options { batch: 600, ..Options::default() });
    let mut tx = outbox.pool.begin().await.unwrap();
    for n in 0..600 {
        outbox_relay::append(&mut tx, &common::event(&format!("key-{n}"), "s")).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(relay.tick(NOW).await.unwrap().published, 600);
    assert!(outbox.source.pending(1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_table_that_is_not_there_is_broken_not_unavailable() {
    let outbox = Outbox::open().await;
    sqlx::query("ALTER TABLE outbox RENAME TO elsewhere").execute(&outbox.pool).await.unwrap();
    let source = TableSource::new("test", outbox.pool.clone());
    let error = source.pending(1).await.unwrap_err();
    assert!(matches!(error, SourceError::Broken(_)), "{error}");
}
