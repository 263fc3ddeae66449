//! Laws of the outbox: events leave in commit order, each at least once, and one that cannot leave holds back its
//! own root only.

use std::{collections::BTreeSet, pin::pin};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{
    LaneLag, NewEvent, Status, StoreError,
    testing::trial::{Edit as _, T0, Trial, good},
};

/// Lane 0 with so many events, each of its own saga: their numbers are 1, 2, 3 …
async fn lane(t: &mut Trial, events: usize) {
    for _ in 0..events {
        let saga = t.id();
        t.accept(&[t.start(saga).event("e")]).await;
    }
}

/// Events are numbered from 1 without gaps, in the order of the batch.
pub async fn events_are_numbered_in_commit_order(t: &mut Trial) {
    let (a, b) = (t.id(), t.id());
    t.accept(&[t.start(a).event("a1").event("a2"), t.start(b).event("b1")]).await;
    t.accept(&[t.more(a, 2, 1).event("a3")]).await;
    let rows = t.pending(0).await;
    let told: Vec<_> = rows.iter().map(|row| (row.number, row.event.payload.as_ref())).collect();
    assert_eq!(told, [(1, b"a1".as_ref()), (2, b"a2"), (3, b"b1"), (4, b"a3")]);
}

/// A saga's events are counted from 1, across its appends.
pub async fn a_sagas_events_are_counted_from_one(t: &mut Trial) {
    let (a, b) = (t.id(), t.id());
    t.accept(&[t.start(a).event("a1"), t.start(b).event("b1").event("b2"), t.more(a, 2, 1).event("a2")])
        .await;
    t.accept(&[t.more(b, 2, 1).event("b3"), t.more(a, 3, 1).event("a3")]).await;
    let rows = t.pending(0).await;
    for saga in [a, b] {
        let told: Vec<i64> = rows.iter().filter(|row| row.saga == saga).map(|row| row.sequence).collect();
        assert_eq!(told, [1, 2, 3]);
    }
}

/// A saga's events go on being counted after a restart, and when all before are purged.
pub async fn counting_goes_on_after_a_restart_and_a_purge(t: &mut Trial) {
    let saga = t.id();
    t.accept(&[t.start(saga).event("1")]).await;
    t.accept(&[t.more(saga, 2, 1).event("2").event("3")]).await;
    t.publish(&[1, 2, 3], T0).await;
    assert_eq!(good(t.store().lane_purge(0, T0 + 5_000, 9).await), 3);
    t.reopen().await;
    t.accept(&[t.more(saga, 3, 1).event("4")]).await;
    let rows = t.pending(0).await;
    assert_eq!((rows[0].number, rows[0].sequence), (4, 4));
}

/// An event's id is the same whenever it is read, and no other event's.
pub async fn an_events_id_is_its_own_and_stays(t: &mut Trial) {
    let (a, b) = (t.id(), t.id());
    t.accept(&[t.start(a).event("e").event("e"), t.start(b).event("e")]).await;
    let ids: Vec<_> = t.pending(0).await.iter().map(crate::OutboxRow::event_id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 3);
    t.reopen().await;
    assert_eq!(t.pending(0).await.iter().map(crate::OutboxRow::event_id).collect::<Vec<_>>(), ids);
}

/// Every shard counts its own lane.
pub async fn every_shard_counts_its_own_lane(t: &mut Trial) {
    let (a, b) = (t.id(), t.id());
    t.accept(&[t.start(a).event("a"), t.in_shard(1, t.start(b).event("b"))]).await;
    assert_eq!((t.pending(0).await[0].number, t.pending(1).await[0].number), (1, 1));
    assert_eq!((t.pending(0).await[0].saga, t.pending(1).await[0].saga), (a, b));
}

/// What is not written leaves no gap in a lane.
pub async fn what_is_not_written_leaves_no_gap(t: &mut Trial) {
    let (a, b, c) = (t.id(), t.id(), t.id());
    t.commit(&[t.start(a).event("a"), t.more(b, 9, 1).event("b"), t.start(c).event("c")]).await;
    assert_eq!(t.numbers().await, [1, 2]);
}

/// An event comes back as it went, under its root.
pub async fn an_event_comes_back_as_it_went(t: &mut Trial) {
    let (root, saga) = (t.saga(1).await, t.id());
    let event = NewEvent {
        kind: "com.backstitch.return.completed.v1".to_owned(),
        topic: "checkout.events".to_owned(),
        payload: Bytes::from((0..=255).collect::<Vec<u8>>()),
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
        at_ms: T0 + 7,
    };
    let mut append = t.start(saga).root(root);
    append.events = vec![event.clone()];
    t.accept(&[append]).await;
    let row = t.pending(0).await.remove(0);
    assert_eq!((row.root, row.saga, row.shard, row.event), (root, saga, 0, event));
}

/// An event without kind or topic, or with control characters in them, is refused.
pub async fn an_event_has_a_kind_and_a_topic(t: &mut Trial) {
    for change in [
        (|event: &mut NewEvent| event.kind.clear()) as fn(&mut NewEvent),
        |event| event.topic.clear(),
        |event| event.topic = "a\0b".to_owned(),
        |event| event.traceparent = "\n".to_owned(),
        |event| event.at_ms = -1,
    ] {
        let saga = t.id();
        let mut append = t.start(saga).event("e");
        change(&mut append.events[0]);
        t.refuse(append).await;
        assert_eq!(t.length(saga).await, 0);
    }
}

/// Pending events come in order, as many as are asked for.
pub async fn pending_events_come_in_order(t: &mut Trial) {
    lane(t, 5).await;
    let rows = good(t.store().lane_pending(0, 3).await);
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(good(t.store().lane_pending(0, 0).await).is_empty());
}

/// What is published is pending no more.
pub async fn what_is_published_is_pending_no_more(t: &mut Trial) {
    lane(t, 4).await;
    t.publish(&[1, 2], T0).await;
    assert_eq!(t.numbers().await, [3, 4]);
    t.publish(&[], T0).await;
    assert_eq!(t.numbers().await, [3, 4]);
    t.publish(&[3, 4], T0).await;
    assert!(t.numbers().await.is_empty());
}

/// What lies behind a gap stays pending.
pub async fn what_lies_behind_a_gap_stays_pending(t: &mut Trial) {
    lane(t, 4).await;
    t.publish(&[1, 3, 4], T0).await;
    assert_eq!(t.numbers().await, [2, 3, 4]);
    t.publish(&[2, 3], T0).await;
    assert_eq!(t.numbers().await, [4]);
}

/// What is published, parked or purged in one lane leaves every other lane as it is.
pub async fn every_lane_is_published_on_its_own(t: &mut Trial) {
    for shard in [0, 1, 0, 1, 0, 1] {
        let saga = t.id();
        t.accept(&[t.in_shard(shard, t.start(saga).event("e"))]).await;
    }
    let before = t.pending(1).await;
    t.publish(&[1], T0).await;
    t.park(2).await;
    assert_eq!(good(t.store().lane_purge(0, T0 + 60_000, 9).await), 1);
    assert_eq!((t.numbers().await, t.pending(1).await), (vec![3], before));
}

/// Publishing again what is published changes nothing, and nothing is ever unpublished.
pub async fn publishing_twice_changes_nothing(t: &mut Trial) {
    lane(t, 3).await;
    t.publish(&[1, 2], T0).await;
    t.publish(&[1, 2], T0).await;
    t.publish(&[1], T0).await;
    assert_eq!(t.numbers().await, [3]);
}

/// Numbers that are not there move nothing.
pub async fn numbers_that_are_not_there_move_nothing(t: &mut Trial) {
    lane(t, 2).await;
    t.publish(&[9, -1, i64::MAX], T0).await;
    assert_eq!(t.numbers().await, [1, 2]);
}

/// The watermark is where it was after a restart.
pub async fn the_watermark_survives_a_restart(t: &mut Trial) {
    lane(t, 3).await;
    t.publish(&[1], T0).await;
    t.reopen().await;
    assert_eq!(t.numbers().await, [2, 3]);
}

/// A poisoned event holds back the later events of its root, and of its root only.
pub async fn a_poisoned_event_holds_back_its_own_root_only(t: &mut Trial) {
    let (sick, well) = (t.id(), t.id());
    t.accept(&[t.start(sick).event("1").event("2"), t.start(well).event("3"), t.more(sick, 2, 1).event("4")])
        .await;
    let second = t.pending(0).await.iter().find(|row| row.event.payload == "2").expect("it waits").number;
    t.park(second).await;
    let payloads: Vec<_> = t.pending(0).await.into_iter().map(|row| row.event.payload).collect();
    assert_eq!(payloads, ["1", "3"]);
    t.accept(&[t.more(sick, 3, 1).event("5"), t.more(well, 2, 1).event("6")]).await;
    let payloads: Vec<_> = t.pending(0).await.into_iter().map(|row| row.event.payload).collect();
    assert_eq!(payloads, ["1", "3", "6"]);
}

/// A parked root holds back every saga of its family.
pub async fn a_parked_root_holds_back_its_family(t: &mut Trial) {
    let (root, child) = (t.id(), t.id());
    t.accept(&[t.start(root).event("checkout"), t.start(child).root(root).event("return")]).await;
    t.park(1).await;
    assert!(t.numbers().await.is_empty());
}

/// The watermark passes over what is held back.
pub async fn the_watermark_passes_over_what_is_held_back(t: &mut Trial) {
    lane(t, 4).await;
    t.park(2).await;
    assert_eq!(t.numbers().await, [1, 3, 4]);
    t.publish(&[1, 3], T0).await;
    assert_eq!(t.numbers().await, [4]);
}

/// Parking a root again changes nothing.
pub async fn parking_a_root_again_changes_nothing(t: &mut Trial) {
    let saga = t.id();
    t.accept(&[t.start(saga).event("1").event("2").event("3")]).await;
    t.park(3).await;
    t.park(1).await;
    assert_eq!(t.numbers().await, [1, 2]);
}

/// A published event, or one that is not there, is not parked.
pub async fn a_published_event_is_not_parked(t: &mut Trial) {
    let saga = t.id();
    t.accept(&[t.start(saga).event("1").event("2")]).await;
    t.publish(&[1], T0).await;
    t.park(1).await;
    t.park(77).await;
    assert_eq!(t.numbers().await, [2]);
}

/// What is parked is parked after a restart.
pub async fn what_is_parked_survives_a_restart(t: &mut Trial) {
    lane(t, 3).await;
    t.park(2).await;
    t.reopen().await;
    assert_eq!(t.numbers().await, [1, 3]);
}

/// Only what was published before that time is purged, the oldest first, as many as are asked for.
pub async fn only_what_was_published_before_is_purged(t: &mut Trial) {
    lane(t, 5).await;
    t.publish(&[1, 2, 3], T0).await;
    t.publish(&[4], T0 + 60_000).await;
    assert_eq!(good(t.store().lane_purge(0, T0, 9).await), 0);
    assert_eq!(good(t.store().lane_purge(0, T0 + 1_000, 2).await), 2);
    assert_eq!(good(t.store().lane_purge(0, T0 + 1_000, 2).await), 1);
    assert_eq!(good(t.store().lane_purge(0, T0 + 60_000, 9).await), 0);
    assert_eq!(good(t.store().lane_purge(0, T0 + 61_000, 9).await), 1);
    assert_eq!(t.numbers().await, [5]);
}

/// What is held back is never purged.
pub async fn what_is_held_back_is_never_purged(t: &mut Trial) {
    lane(t, 3).await;
    t.park(2).await;
    t.publish(&[1, 3], T0).await;
    assert_eq!(good(t.store().lane_purge(0, T0 + 60_000, 9).await), 2);
    let lag = good(t.store().lane_lag(0).await);
    assert_eq!(lag, LaneLag { waiting: 0, oldest_at_ms: None, held: 1, parked_roots: 1 });
}

/// Numbers go on after everything is purged, after a restart too.
pub async fn numbers_go_on_after_a_purge(t: &mut Trial) {
    lane(t, 2).await;
    t.publish(&[1, 2], T0).await;
    good(t.store().lane_purge(0, T0 + 60_000, 9).await);
    lane(t, 1).await;
    assert_eq!(t.numbers().await, [3]);
    t.publish(&[3], T0).await;
    good(t.store().lane_purge(0, T0 + 60_000, 9).await);
    t.reopen().await;
    lane(t, 1).await;
    assert_eq!(t.numbers().await, [4]);
}

/// What was published since a time comes again in order, page by page, and nothing else does.
pub async fn what_was_published_since_comes_again(t: &mut Trial) {
    lane(t, 6).await;
    t.publish(&[1, 2], T0).await;
    t.publish(&[3], T0 + 10_000).await;
    t.park(4).await;
    t.publish(&[5], T0 + 20_000).await;
    let since = async |since_ms, after, limit| {
        let rows = good(t.store().lane_published_since(0, since_ms, after, limit).await);
        rows.into_iter().map(|row| row.number).collect::<Vec<_>>()
    };
    assert_eq!(since(T0, None, 9).await, [1, 2, 3, 5]);
    assert_eq!(since(0, None, 2).await, [1, 2]);
    assert_eq!(since(0, Some(2), 9).await, [3, 5]);
    assert_eq!(since(T0 + 10_000, None, 9).await, [3, 5]);
    assert_eq!(since(T0 + 20_000, None, 9).await, [5]);
    assert!(since(T0 + 21_000, None, 9).await.is_empty());
}

/// When the clock goes back, what is published later still counts as later.
pub async fn publishing_times_never_go_back(t: &mut Trial) {
    lane(t, 2).await;
    t.publish(&[1], T0 + 60_000).await;
    t.publish(&[2], T0).await;
    assert_eq!(good(t.store().lane_purge(0, T0 + 30_000, 9).await), 0);
    assert_eq!(good(t.store().lane_published_since(0, T0 + 60_000, None, 9).await).len(), 2);
}

/// The lag counts what waits and since when.
pub async fn the_lag_counts_what_waits(t: &mut Trial) {
    assert_eq!(good(t.store().lane_lag(0).await), LaneLag::default());
    let saga = t.id();
    let mut append = t.start(saga).event("1").event("2").event("3");
    append.events[1].at_ms = T0 - 500;
    t.accept(&[append]).await;
    let lag = good(t.store().lane_lag(0).await);
    assert_eq!(lag, LaneLag { waiting: 3, oldest_at_ms: Some(T0 - 500), held: 0, parked_roots: 0 });
    t.publish(&[1], T0).await;
    t.park(2).await;
    let lag = good(t.store().lane_lag(0).await);
    assert_eq!(lag, LaneLag { waiting: 0, oldest_at_ms: None, held: 2, parked_roots: 1 });
    assert_eq!(good(t.store().lane_lag(1).await), LaneLag::default());
}

/// Events outlive their purged saga.
pub async fn events_outlive_their_saga(t: &mut Trial) {
    let saga = t.id();
    t.accept(&[t.start(saga).status(Status::Completed).event("completed")]).await;
    let what = crate::Purge { now_ms: T0 + 10, sagas_after_ms: 0, keys_after_ms: 0, limit: 9 };
    assert_eq!(good(t.store().purge(&what).await).sagas, 1);
    assert_eq!(t.pending(0).await[0].saga, saga);
}

/// A lane that is not there is told so.
pub async fn a_lane_that_is_not_there_is_told_so(t: &mut Trial) {
    let shard = t.store().shards();
    let store = t.store();
    assert!(matches!(store.lane_pending(shard, 1).await, Err(StoreError::Invalid(_))));
    assert!(matches!(store.lane_published(shard, &[1], T0).await, Err(StoreError::Invalid(_))));
    assert!(matches!(store.lane_park(shard, 1, "", T0).await, Err(StoreError::Invalid(_))));
    assert!(matches!(store.lane_purge(shard, T0, 1).await, Err(StoreError::Invalid(_))));
    assert!(matches!(store.lane_lag(shard).await, Err(StoreError::Invalid(_))));
    assert!(matches!(store.lane_published_since(shard, 0, None, 1).await, Err(StoreError::Invalid(_))));
}

/// Whoever publishes a lane is woken by a commit that puts events into it, and by no other.
pub async fn a_lane_is_woken_by_its_own_events(t: &mut Trial) {
    let (a, b, c) = (t.id(), t.id(), t.id());
    let (own, other) = (t.store().lane_wake(0), t.store().lane_wake(1));
    // A permit that was left is taken by being looked at.
    let rung = |bell: &Notify| pin!(bell.notified()).enable();
    t.accept(&[t.start(a), t.in_shard(1, t.start(b).event("elsewhere"))]).await;
    t.commit(&[t.more(a, 9, 1).event("refused")]).await;
    assert_eq!((rung(&own), rung(&other)), (false, true));
    t.accept(&[t.start(c).event("here")]).await;
    assert_eq!((rung(&own), rung(&other)), (true, false));
    assert!(!rung(&own), "once");
}
