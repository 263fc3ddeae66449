//! How events leave: the relay is woken by the commit that has them, and its marks cost no commit of their own.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_services::{On, each_database};
use common::Shop;
use futures::FutureExt as _;
use futures::future::join_all;
use outbox_relay::{Event, RowId};
use participant_kit::{Kit, LockKey, OpError, Participant, Refusal};

each_database!(
    a_commit_with_an_event_in_it_wakes_the_relay_and_no_other_does,
    marks_share_the_commits_of_operations,
    a_mark_rides_in_the_next_commit_and_does_not_wait_for_ever_for_one,
    a_drained_batch_is_marked_by_one_statement,
);

fn participant(kit: &Kit) -> Participant {
    Participant::new(kit, tonic::service::Routes::default())
}

/// Publishes an event with the key, and then ends as told.
async fn emit(kit: &Kit, key: String, refuse: bool) -> Result<(), OpError> {
    let op = kit.run(vec![LockKey::events(&key)], move |tx| {
        let event = Event::json("toy.events", "toy", "/toy", key.clone(), "tea", &1, tx.now_ms());
        Box::pin(async move {
            tx.emit(event).await?;
            if refuse { Err(Refusal::new("NO", "after publishing").into()) } else { Ok(()) }
        })
    });
    op.await
}

async fn a_commit_with_an_event_in_it_wakes_the_relay_and_no_other_does(on: On) {
    let shop = Shop::open(on).await;
    let participant = participant(&shop.kit);
    let woken = || participant.wake.notified().now_or_never().is_some();
    shop.stock("tea", 1).await;
    assert!(!woken(), "no event");
    emit(&shop.kit, "a".into(), true).await.unwrap_err();
    assert!(!woken(), "rolled back");
    emit(&shop.kit, "a".into(), false).await.unwrap();
    assert!(woken(), "committed before it was answered");
    assert!(!woken(), "once");
    assert_eq!(participant.outbox.pending(10).await.unwrap().len(), 1);
}

async fn marks_share_the_commits_of_operations(on: On) {
    let shop = Shop::open(on).await;
    let participant = participant(&shop.kit);
    for n in 0..100 {
        emit(&shop.kit, n.to_string(), false).await.unwrap();
    }
    let published: Vec<RowId> =
        participant.outbox.pending(100).await.unwrap().iter().map(|row| row.id).collect();
    assert_eq!(published.len(), 100);

    let before = shop.kit.counts();
    let operations = join_all((0..50).map(|n| emit(&shop.kit, format!("b{n}"), false)));
    let (marked, emitted) = tokio::join!(participant.outbox.published(&published, 1), operations);
    marked.unwrap();
    assert!(emitted.iter().all(Result::is_ok));
    let after = shop.kit.counts();
    assert_eq!(after.operations - before.operations, 51);
    // What is queued first is committed at once, all that follows together.
    assert!(after.commits - before.commits <= 2, "{} commits", after.commits - before.commits);
    let left = participant.outbox.pending(1000).await.unwrap();
    assert!(left.iter().all(|row| row.event.key.starts_with('b')) && left.len() == 50);
}

async fn a_mark_rides_in_the_next_commit_and_does_not_wait_for_ever_for_one(on: On) {
    let shop = Shop::open(on).await;
    let participant = participant(&shop.kit);
    let before = shop.kit.counts();
    let rows = [RowId(1)];
    let mut marked = std::pin::pin!(participant.outbox.published(&rows, 1));
    assert!(futures::poll!(marked.as_mut()).is_pending());
    // The transactor has taken it, and nothing else is there.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let (marked, emitted) = tokio::join!(marked, emit(&shop.kit, "a".into(), false));
    assert!(marked.is_ok() && emitted.is_ok());
    let after = shop.kit.counts();
    assert_eq!((after.operations - before.operations, after.commits - before.commits), (2, 1));

    participant.outbox.published(&rows, 1).await.unwrap();
    assert_eq!(shop.kit.counts().commits, after.commits + 1, "alone in the end");
}

async fn a_drained_batch_is_marked_by_one_statement(on: On) {
    let shop = Shop::open(on).await;
    let participant = participant(&shop.kit);
    let rows: Vec<RowId> = (1..=512).map(RowId).collect();
    let cost = |count: usize| {
        let (shop, participant, rows) = (&shop, &participant, &rows[..count]);
        async move {
            let before = shop.kit.counts();
            participant.outbox.published(rows, 1).await.unwrap();
            let after = shop.kit.counts();
            (after.commits - before.commits, after.statements - before.statements)
        }
    };
    // BEGIN and the mark and COMMIT.
    assert_eq!(cost(1).await, (1, 3));
    assert_eq!(cost(512).await, (1, 3));
}
