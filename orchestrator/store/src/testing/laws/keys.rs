//! Laws of the idempotency key: one saga per scope and key, for as long as the key is kept.

use crate::{
    KeyRow, Status, StoreError, Verdict,
    testing::trial::{Edit as _, T0, Trial, good},
};

/// A key that was used tells its saga, the hash of the request and the time.
pub async fn a_used_key_tells_its_saga(t: &mut Trial) {
    let saga = t.id();
    t.accept(&[t.start(saga).key("k").new_saga(|new| new.request_hash = [9; 32])]).await;
    let row = KeyRow { saga: Some(saga), request_hash: [9; 32], created_at_ms: T0 };
    assert_eq!(good(t.store().key("", "k").await), Some(row));
}

/// A key that nobody used is not there.
pub async fn an_unused_key_is_not_there(t: &mut Trial) {
    t.saga(1).await;
    assert_eq!(good(t.store().key("", "k").await), None);
}

/// Another saga with the same key is told who has it and leaves nothing behind.
pub async fn a_second_saga_with_a_key_drops_out_whole(t: &mut Trial) {
    let (first, second) = (t.id(), t.id());
    t.accept(&[t.start(first).key("k")]).await;
    let row = good(t.store().key("", "k").await).expect("it is taken");
    let verdicts = t.commit(&[t.start(second).key("k").event("lost")]).await;
    assert_eq!(verdicts, [Verdict::KeyTaken(row)]);
    assert_eq!((t.length(second).await, t.numbers().await), (0, vec![]));
    assert_eq!(good(t.store().key("", "k").await), Some(row));
}

/// Of two sagas with one key in one batch the first wins.
pub async fn within_a_batch_the_first_wins(t: &mut Trial) {
    let (first, second) = (t.id(), t.id());
    let verdicts = t.commit(&[t.start(first).key("k"), t.start(second).key("k")]).await;
    let row = KeyRow { saga: Some(first), request_hash: [0; 32], created_at_ms: T0 };
    assert_eq!(verdicts, [Verdict::Committed, Verdict::KeyTaken(row)]);
    assert_eq!((t.length(first).await, t.length(second).await), (1, 0));
}

/// A key that is taken is taken in every shard, within a batch too.
pub async fn a_key_is_taken_in_every_shard(t: &mut Trial) {
    let (first, second, third) = (t.id(), t.id(), t.id());
    let elsewhere = t.in_shard(1, t.start(second).key("k"));
    let verdicts = t.commit(&[t.start(first).key("k"), elsewhere]).await;
    let row = KeyRow { saga: Some(first), request_hash: [0; 32], created_at_ms: T0 };
    assert_eq!(verdicts, [Verdict::Committed, Verdict::KeyTaken(row)]);
    assert_eq!(t.commit(&[t.in_shard(1, t.start(third).key("k"))]).await, [Verdict::KeyTaken(row)]);
    assert_eq!((t.length(second).await, t.length(third).await), (0, 0));
}

/// A saga whose key is taken drops out with all its appends of the batch.
pub async fn the_loser_drops_out_with_all_its_appends(t: &mut Trial) {
    let (first, second) = (t.id(), t.id());
    t.accept(&[t.start(first).key("k")]).await;
    let verdicts = t.commit(&[t.start(second).key("k"), t.more(second, 2, 1), t.more(first, 2, 1)]).await;
    assert!(matches!(verdicts[0], Verdict::KeyTaken(_)) && matches!(verdicts[1], Verdict::KeyTaken(_)));
    assert_eq!(verdicts[2], Verdict::Committed);
    assert_eq!((t.length(first).await, t.length(second).await), (2, 0));
}

/// A saga that lost one key may start with another.
pub async fn the_loser_may_come_back_with_another_key(t: &mut Trial) {
    let (first, second) = (t.id(), t.id());
    t.commit(&[t.start(first).key("k"), t.start(second).key("k")]).await;
    t.accept(&[t.start(second).key("l")]).await;
    assert_eq!(t.length(second).await, 1);
}

/// Keys of different scopes never meet.
pub async fn keys_of_different_scopes_never_meet(t: &mut Trial) {
    let (a, b) = (t.id(), t.id());
    t.accept(&[t.start(a).key("k"), t.start(b).key("k").new_saga(|new| new.scope = "other".to_owned())])
        .await;
    assert_eq!(good(t.store().key("", "k").await).and_then(|row| row.saga), Some(a));
    assert_eq!(good(t.store().key("other", "k").await).and_then(|row| row.saga), Some(b));
}

/// Scope and key are not run together.
pub async fn scope_and_key_are_not_run_together(t: &mut Trial) {
    let (a, b) = (t.id(), t.id());
    let scoped = |scope: &'static str, key: &'static str| {
        move |new: &mut crate::NewSaga| {
            new.scope = scope.to_owned();
            new.key = Some(key.to_owned());
        }
    };
    t.accept(&[t.start(a).new_saga(scoped("ab", "c")), t.start(b).new_saga(scoped("a", "bc"))]).await;
    assert_eq!((t.length(a).await, t.length(b).await), (1, 1));
}

/// Keys are compared character by character: case, spaces and accents count.
pub async fn keys_are_compared_exactly(t: &mut Trial) {
    for key in ["k", "K", "k ", " k", "é", "e\u{301}", "ß", "ss", "%", "'"] {
        let saga = t.id();
        t.accept(&[t.start(saga).key(key)]).await;
        assert_eq!(good(t.store().key("", key).await).and_then(|row| row.saga), Some(saga), "{key:?}");
    }
}

/// Sagas without a key never collide.
pub async fn sagas_without_a_key_never_collide(t: &mut Trial) {
    let (a, b) = (t.id(), t.id());
    t.accept(&[t.start(a), t.start(b)]).await;
    assert_eq!((t.length(a).await, t.length(b).await), (1, 1));
}

/// A key stays taken when its saga is finished.
pub async fn a_key_stays_taken_when_its_saga_is_finished(t: &mut Trial) {
    let (first, second) = (t.id(), t.id());
    t.accept(&[t.start(first).key("k").status(Status::Compensated)]).await;
    assert!(matches!(t.commit(&[t.start(second).key("k")]).await[0], Verdict::KeyTaken(_)));
}

/// A key that was blocked unused starts nothing.
pub async fn a_blocked_key_starts_nothing(t: &mut Trial) {
    let blocked = good(t.store().block_key("", "k", T0 + 5).await);
    assert_eq!(blocked, KeyRow { saga: None, request_hash: [0; 32], created_at_ms: T0 + 5 });
    assert_eq!(good(t.store().key("", "k").await), Some(blocked));
    let saga = t.id();
    assert_eq!(t.commit(&[t.start(saga).key("k")]).await, [Verdict::KeyTaken(blocked)]);
    assert_eq!(t.length(saga).await, 0);
}

/// Blocking a used key changes nothing and tells who has it.
pub async fn blocking_a_used_key_tells_who_has_it(t: &mut Trial) {
    let saga = t.id();
    t.accept(&[t.start(saga).key("k")]).await;
    let row = good(t.store().block_key("", "k", T0 + 5).await);
    assert_eq!((row.saga, row.created_at_ms), (Some(saga), T0));
    assert_eq!(good(t.store().key("", "k").await), Some(row));
}

/// Blocking twice is blocking once.
pub async fn blocking_twice_is_blocking_once(t: &mut Trial) {
    let first = good(t.store().block_key("s", "k", T0).await);
    assert_eq!(good(t.store().block_key("s", "k", T0 + 9).await), first);
    assert_eq!(good(t.store().key("", "k").await), None);
}

/// Control characters in a key or scope are refused at the door, wherever it is used.
pub async fn control_characters_are_refused_at_the_door(t: &mut Trial) {
    for bad in ["a\0b", "a\nb", "\u{7f}", "\u{85}"] {
        let saga = t.id();
        t.refuse(t.start(saga).key(bad)).await;
        t.refuse(t.start(saga).key("k").new_saga(|new| new.scope = bad.to_owned())).await;
        assert!(matches!(t.store().block_key("", bad, T0).await, Err(StoreError::Invalid(_))), "{bad:?}");
        assert!(matches!(t.store().block_key(bad, "k", T0).await, Err(StoreError::Invalid(_))), "{bad:?}");
        assert_eq!(t.length(saga).await, 0);
    }
}

/// A key has 1 to 255 characters, whatever their bytes.
pub async fn a_key_has_one_to_255_characters(t: &mut Trial) {
    let (saga, other) = (t.id(), t.id());
    t.refuse(t.start(saga).key("")).await;
    t.refuse(t.start(saga).key(&"k".repeat(256))).await;
    t.accept(&[t.start(saga).key(&"k".repeat(255)), t.start(other).key(&"é".repeat(255))]).await;
    assert!(matches!(t.store().block_key("", "", T0).await, Err(StoreError::Invalid(_))));
    assert_eq!(good(t.store().key("", &"é".repeat(255)).await).and_then(|row| row.saga), Some(other));
}

/// A start that is refused or fenced takes no key.
pub async fn a_start_that_is_not_written_takes_no_key(t: &mut Trial) {
    let (refused, fenced, winner) = (t.id(), t.id(), t.id());
    let mut start = t.start(refused).key("k");
    start.records.clear();
    let stale = t.start(fenced).key("l");
    t.acquire().await;
    start.epoch = t.leases[0].epoch;
    let verdicts = t.commit(&[start, stale, t.start(winner).key("k")]).await;
    assert!(matches!(verdicts[0], Verdict::Refused(_)));
    assert_eq!(verdicts[1..], [Verdict::Fenced, Verdict::Committed]);
    assert_eq!(good(t.store().key("", "l").await), None);
    assert_eq!(good(t.store().key("", "k").await).and_then(|row| row.saga), Some(winner));
}

/// A taken key costs nobody else of the batch anything.
pub async fn a_taken_key_costs_nobody_else_anything(t: &mut Trial) {
    let (first, second, third, old) = (t.id(), t.id(), t.id(), t.saga(3).await);
    t.accept(&[t.start(first).key("k")]).await;
    let verdicts = t
        .commit(&[
            t.more(old, 4, 1).event("old"),
            t.start(second).key("k").event("lost"),
            t.start(third).key("l").event("third"),
        ])
        .await;
    assert!(matches!(verdicts[1], Verdict::KeyTaken(_)));
    assert_eq!([&verdicts[0], &verdicts[2]], [&Verdict::Committed, &Verdict::Committed]);
    assert_eq!(t.numbers().await, [1, 2]);
}
