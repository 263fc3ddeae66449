//! Laws of retention: only what is finished and old is forgotten, and keys outlive it.

use uuid::Uuid;

use crate::{
    KEY_LIFE_MS, Purge, Purged, Status, Verdict,
    testing::trial::{DAY, Edit as _, T0, Trial, good},
};

/// Purges as of `now_ms` what has not changed for a day.
fn after_a_day(now_ms: i64) -> Purge {
    Purge { now_ms, sagas_after_ms: DAY, keys_after_ms: 0, limit: 100 }
}

/// A saga with a key that has a status since a time.
async fn saga(t: &mut Trial, status: Status, since_ms: i64) -> Uuid {
    let saga = t.id();
    t.accept(&[t.start(saga).key(&saga.to_string()).status_at(status, since_ms)]).await;
    saga
}

/// A finished saga goes with its records when it is old enough, and not before.
pub async fn a_finished_saga_goes_when_it_is_old(t: &mut Trial) {
    let saga = saga(t, Status::Completed, T0).await;
    assert_eq!(good(t.store().purge(&after_a_day(T0 + DAY - 1)).await), Purged::default());
    assert_eq!(t.length(saga).await, 1);
    assert_eq!(good(t.store().purge(&after_a_day(T0 + DAY)).await), Purged { sagas: 1, keys: 0 });
    assert_eq!(t.length(saga).await, 0);
    assert!(
        good(t.store().list(&crate::ListFilter { limit: 9, ..Default::default() }).await).sagas.is_empty()
    );
}

/// A saga's age counts from its last change, not from its start.
pub async fn age_counts_from_the_last_change(t: &mut Trial) {
    let saga = saga(t, Status::Compensated, T0 + DAY).await;
    assert_eq!(good(t.store().purge(&after_a_day(T0 + DAY)).await).sagas, 0);
    assert_eq!(t.length(saga).await, 1);
}

/// What is not finished is never purged, however old.
pub async fn the_unfinished_and_the_parked_are_never_purged(t: &mut Trial) {
    let mut kept = Vec::new();
    for status in Status::ALL.into_iter().filter(|status| !status.is_final()) {
        kept.push(saga(t, status, T0).await);
    }
    let purged = good(t.store().purge(&after_a_day(T0 + 1_000 * DAY)).await);
    assert_eq!(purged, Purged::default());
    for saga in kept {
        assert_eq!(t.length(saga).await, 1);
        assert!(good(t.store().key("", &saga.to_string()).await).is_some());
    }
}

/// A purge takes the oldest first and as many as it may.
pub async fn a_purge_takes_the_oldest_first(t: &mut Trial) {
    let mut sagas = Vec::new();
    for nth in 0..5 {
        let id = t.id();
        let start = t.start(id).new_saga(|new| new.started_at_ms = T0 + nth);
        t.accept(&[start.status_at(Status::Completed, T0 + nth)]).await;
        sagas.push(id);
    }
    let what = Purge { limit: 2, ..after_a_day(T0 + 2 * DAY) };
    for left in [3, 1, 0, 0] {
        let before =
            good(t.store().list(&crate::ListFilter { limit: 9, ..Default::default() }).await).sagas.len();
        let purged = good(t.store().purge(&what).await).sagas;
        assert_eq!(u64::try_from(before - left).expect("small"), purged);
        for (nth, saga) in sagas.iter().enumerate() {
            assert_eq!(t.length(*saga).await, usize::from(nth >= 5 - left));
        }
    }
}

/// A key outlives its purged saga until it is seven days old.
pub async fn a_key_outlives_its_saga_for_seven_days(t: &mut Trial) {
    let gone = saga(t, Status::Completed, T0).await;
    let key = gone.to_string();
    assert_eq!(good(t.store().purge(&after_a_day(T0 + KEY_LIFE_MS - 1)).await), Purged { sagas: 1, keys: 0 });
    assert_eq!(good(t.store().key("", &key).await).and_then(|row| row.saga), Some(gone));
    let late = t.id();
    assert!(matches!(t.commit(&[t.start(late).key(&key)]).await[0], Verdict::KeyTaken(_)));
    assert_eq!(good(t.store().purge(&after_a_day(T0 + KEY_LIFE_MS)).await), Purged { sagas: 0, keys: 1 });
    assert_eq!(good(t.store().key("", &key).await), None);
    t.accept(&[t.start(late).key(&key)]).await;
}

/// A key stays while its saga is there, however old the key is.
pub async fn a_key_stays_while_its_saga_is_there(t: &mut Trial) {
    let kept = saga(t, Status::Completed, T0 + 30 * DAY).await;
    let key = kept.to_string();
    assert_eq!(good(t.store().purge(&after_a_day(T0 + 31 * DAY - 1)).await), Purged::default());
    assert_eq!(good(t.store().key("", &key).await).map(|row| row.created_at_ms), Some(T0));
    assert_eq!(good(t.store().purge(&after_a_day(T0 + 31 * DAY)).await), Purged { sagas: 1, keys: 1 });
}

/// A key may be kept longer than its saga.
pub async fn a_key_may_be_kept_longer(t: &mut Trial) {
    let gone = saga(t, Status::Completed, T0).await;
    let what = |now_ms| Purge { keys_after_ms: 30 * DAY, ..after_a_day(now_ms) };
    assert_eq!(good(t.store().purge(&what(T0 + 30 * DAY - 1)).await), Purged { sagas: 1, keys: 0 });
    assert!(good(t.store().key("", &gone.to_string()).await).is_some());
    assert_eq!(good(t.store().purge(&what(T0 + 30 * DAY)).await), Purged { sagas: 0, keys: 1 });
}

/// A key goes in the same purge as its saga if both are old.
pub async fn a_key_goes_with_its_saga_if_both_are_old(t: &mut Trial) {
    saga(t, Status::Completed, T0).await;
    assert_eq!(good(t.store().purge(&after_a_day(T0 + 9 * DAY)).await), Purged { sagas: 1, keys: 1 });
}

/// A blocked key is free again when it is old enough.
pub async fn a_blocked_key_is_free_again_when_it_is_old(t: &mut Trial) {
    good(t.store().block_key("", "k", T0).await);
    assert_eq!(good(t.store().purge(&after_a_day(T0 + KEY_LIFE_MS - 1)).await).keys, 0);
    assert_eq!(good(t.store().purge(&after_a_day(T0 + KEY_LIFE_MS)).await).keys, 1);
    let saga = t.id();
    t.accept(&[t.start(saga).key("k")]).await;
}

/// A purged saga takes no more records.
pub async fn a_purged_saga_takes_no_more_records(t: &mut Trial) {
    let gone = saga(t, Status::Completed, T0).await;
    good(t.store().purge(&after_a_day(T0 + DAY)).await);
    t.refuse(t.more(gone, 2, 1)).await;
    assert_eq!(t.length(gone).await, 0);
}

/// A purged saga that starts again has its own key, if that is kept.
pub async fn a_purged_saga_that_starts_again_has_its_own_key(t: &mut Trial) {
    let gone = saga(t, Status::Completed, T0).await;
    good(t.store().purge(&after_a_day(T0 + DAY)).await);
    let again = t.start(gone).key(&gone.to_string()).new_saga(|new| new.started_at_ms = T0 + 2 * DAY);
    t.accept(&[again]).await;
    assert_eq!(t.length(gone).await, 1);
    let row = good(t.store().key("", &gone.to_string()).await).expect("it is kept");
    assert_eq!((row.saga, row.created_at_ms), (Some(gone), T0));
}

/// A purge that may take nothing takes nothing.
pub async fn a_purge_that_may_take_nothing_takes_nothing(t: &mut Trial) {
    let kept = saga(t, Status::Completed, T0).await;
    let what = Purge { limit: 0, ..after_a_day(T0 + 100 * DAY) };
    assert_eq!(good(t.store().purge(&what).await), Purged::default());
    assert_eq!(t.length(kept).await, 1);
}

/// What is purged stays so after a restart.
pub async fn what_is_purged_stays_so(t: &mut Trial) {
    let gone = saga(t, Status::Completed, T0).await;
    good(t.store().purge(&after_a_day(T0 + DAY)).await);
    t.reopen().await;
    assert_eq!(t.length(gone).await, 0);
}
