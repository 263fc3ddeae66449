//! Laws of the restart: what was answered is there when the store is opened again.

use uuid::Uuid;

use crate::{
    Status, Verdict,
    testing::trial::{DAY, Edit as _, T0, Trial, good},
};

/// Sagas and their records are there again.
pub async fn sagas_are_there_again(t: &mut Trial) {
    let (a, b) = (t.saga(3).await, t.id());
    t.accept(&[t.start(b).status_at(Status::Parked, T0 + 4)]).await;
    let before = (good(t.store().load(a).await), good(t.store().load(b).await));
    t.reopen().await;
    assert_eq!((good(t.store().load(a).await), good(t.store().load(b).await)), before);
}

/// Keys are taken again, blocked ones too.
pub async fn keys_are_taken_again(t: &mut Trial) {
    let (saga, other) = (t.id(), t.id());
    t.accept(&[t.start(saga).key("k")]).await;
    let blocked = good(t.store().block_key("", "b", T0).await);
    t.reopen().await;
    assert_eq!(good(t.store().key("", "k").await).and_then(|row| row.saga), Some(saga));
    assert_eq!(t.commit(&[t.start(other).key("b")]).await, [Verdict::KeyTaken(blocked)]);
}

/// The unfinished are found again.
pub async fn the_unfinished_are_found_again(t: &mut Trial) {
    let (running, done) = (t.saga(2).await, t.saga(1).await);
    t.accept(&[t.more(done, 2, 1).status(Status::Completed)]).await;
    t.reopen().await;
    assert_eq!(t.unfinished(None, 9).await, [running]);
}

/// A saga goes on under a new lease.
pub async fn a_saga_goes_on_under_a_new_lease(t: &mut Trial) {
    let saga = t.saga(2).await;
    t.reopen().await;
    t.acquire().await;
    t.accept(&[t.more(saga, 3, 1).event("later")]).await;
    assert_eq!((t.length(saga).await, t.numbers().await), (3, vec![1]));
}

/// A hole is refused as before, and a finished saga stays closed.
pub async fn what_was_refused_is_refused(t: &mut Trial) {
    let (saga, done) = (t.saga(2).await, t.id());
    t.accept(&[t.start(done).status(Status::Completed)]).await;
    t.reopen().await;
    t.refuse(t.more(saga, 4, 1)).await;
    t.refuse(t.more(done, 2, 1)).await;
}

/// The leases of before are fenced once the shards are taken anew.
pub async fn old_leases_are_fenced_once_the_shards_are_taken(t: &mut Trial) {
    let saga = t.saga(1).await;
    let late = t.more(saga, 2, 1);
    t.reopen().await;
    t.acquire().await;
    assert_eq!(t.commit(&[late]).await, [Verdict::Fenced]);
}

/// The number of shards stays what it was.
pub async fn the_number_of_shards_stays(t: &mut Trial) {
    let shards = t.store().shards();
    t.reopen().await;
    assert_eq!(t.store().shards(), shards);
}

/// Events that were not published wait again, in their order.
pub async fn unpublished_events_wait_again(t: &mut Trial) {
    let saga = t.id();
    t.accept(&[t.start(saga).event("1").event("2").event("3")]).await;
    t.publish(&[1], T0).await;
    let before = t.pending(0).await;
    t.reopen().await;
    assert_eq!(t.pending(0).await, before);
    assert_eq!(good(t.store().lane_published_since(0, T0, None, 9).await).len(), 1);
}

/// That a saga was there when the store was restored is told from then on, the last time of several.
pub async fn a_restore_is_told_from_then_on(t: &mut Trial) {
    let mut started = Vec::new();
    for ms in [4, 6, 7] {
        let saga = t.id();
        t.accept(&[t.start(saga).new_saga(|new| new.started_at_ms = T0 + ms)]).await;
        started.push(saga);
    }
    assert_eq!(restored(t, &started).await, [false; 3]);
    good(t.store().mark_restored(T0).await);
    assert_eq!(restored(t, &started).await, [true; 3]);
    let later = t.id();
    t.accept(&[t.start(later).new_saga(|new| new.started_at_ms = T0 + 8)]).await;
    assert_eq!(restored(t, &[later]).await, [false]);
    for now_ms in [T0 + 8, T0 + 8, T0 + 9, T0] {
        good(t.store().mark_restored(now_ms).await);
    }
    t.reopen().await;
    assert_eq!(restored(t, &[started[0], later]).await, [true; 2]);
}

/// A restore is later than every saga that was there, by whatever clock it was started, and no later.
pub async fn a_restore_is_later_than_every_saga_that_was_there(t: &mut Trial) {
    let (there, at_once) = (t.id(), t.id());
    t.accept(&[t.start(there).new_saga(|new| new.started_at_ms = T0 + DAY)]).await;
    good(t.store().mark_restored(T0).await);
    t.accept(&[t.start(at_once).new_saga(|new| new.started_at_ms = T0 + DAY + 1)]).await;
    assert_eq!(restored(t, &[there, at_once]).await, [true, false]);
}

async fn restored(t: &Trial, sagas: &[Uuid]) -> Vec<bool> {
    let mut told = Vec::new();
    for saga in sagas {
        told.push(good(t.store().load(*saga).await).is_some_and(|saga| saga.restored));
    }
    told
}
