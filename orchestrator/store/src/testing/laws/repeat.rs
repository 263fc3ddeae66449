//! Laws of the re-append: after an unknown commit the same batch may be committed again without harm.

use bytes::Bytes;

use crate::{
    Status, Verdict,
    testing::trial::{Edit as _, T0, Trial, names},
};

/// The same append again is committed and writes nothing.
pub async fn the_same_append_again_writes_nothing(t: &mut Trial) {
    let saga = t.id();
    let append = t.start(saga).key("k").event("started");
    for _ in 0..3 {
        t.accept(std::slice::from_ref(&append)).await;
    }
    assert_eq!((t.length(saga).await, t.numbers().await), (1, vec![1]));
}

/// A whole batch again is committed and writes nothing.
pub async fn the_same_batch_again_writes_nothing(t: &mut Trial) {
    let (a, b) = (t.saga(2).await, t.id());
    let batch = [t.more(a, 3, 2).event("a"), t.start(b).event("b"), t.more(b, 2, 1).status(Status::Waiting)];
    t.accept(&batch).await;
    t.accept(&batch).await;
    assert_eq!((t.length(a).await, t.length(b).await, t.numbers().await), (4, 2, vec![1, 2]));
}

/// An earlier append is recognised after later ones came.
pub async fn an_earlier_append_is_recognised_after_later_ones(t: &mut Trial) {
    let saga = t.saga(5).await;
    t.accept(&[t.more(saga, 3, 2)]).await;
    assert_eq!(t.length(saga).await, 5);
}

/// The last append of a finished saga is recognised.
pub async fn the_last_append_of_a_finished_saga_is_recognised(t: &mut Trial) {
    let saga = t.saga(1).await;
    let last = t.more(saga, 2, 1).status(Status::Completed).event("completed");
    t.accept(std::slice::from_ref(&last)).await;
    t.accept(&[last]).await;
    assert_eq!((t.length(saga).await, t.numbers().await), (2, vec![1]));
}

/// Other bytes under a number that is there are refused, and the first ones stay.
pub async fn other_bytes_under_the_same_number_are_refused(t: &mut Trial) {
    let saga = t.saga(3).await;
    let mut append = t.more(saga, 2, 2);
    append.records[1] = Bytes::from_static(b"other");
    assert!(names(&t.refuse(append).await, saga));
    t.accept(&[t.more(saga, 2, 2)]).await;
    assert_eq!(t.length(saga).await, 3);
}

/// Another start of a saga that is there is refused.
pub async fn another_start_of_a_saga_that_is_there_is_refused(t: &mut Trial) {
    let saga = t.saga(1).await;
    let mut append = t.start(saga).key("fresh");
    append.records = vec![Bytes::from_static(b"other")];
    t.refuse(append).await;
    assert_eq!(t.store().key("", "fresh").await, Ok(None));
}

/// An append that is there in part only was never committed as it is, and is refused.
pub async fn an_append_that_is_there_in_part_is_refused(t: &mut Trial) {
    let saga = t.saga(3).await;
    t.refuse(t.more(saga, 3, 2)).await;
    assert_eq!(t.length(saga).await, 3);
}

/// What is there may be repeated with something new behind it in one batch.
pub async fn what_is_there_may_be_repeated_with_more_behind_it(t: &mut Trial) {
    let saga = t.saga(2).await;
    t.accept(&[t.start(saga), t.more(saga, 2, 1), t.more(saga, 3, 1).event("new")]).await;
    assert_eq!((t.length(saga).await, t.numbers().await), (3, vec![1]));
}

/// What is there stays committed when what is new behind it is refused.
pub async fn what_is_there_stays_committed_when_more_is_refused(t: &mut Trial) {
    let saga = t.saga(2).await;
    let verdicts = t.commit(&[t.more(saga, 2, 1), t.more(saga, 3, 1), t.more(saga, 7, 1)]).await;
    assert_eq!(verdicts[0], Verdict::Committed);
    assert!(matches!(verdicts[1], Verdict::Refused(_)) && matches!(verdicts[2], Verdict::Refused(_)));
    assert_eq!(t.length(saga).await, 2);
}

/// A repeated start counts as won although its key is taken: by itself.
pub async fn a_repeated_start_has_its_key(t: &mut Trial) {
    let saga = t.id();
    t.accept(&[t.start(saga).key("k")]).await;
    t.accept(&[t.start(saga).key("k"), t.more(saga, 2, 1)]).await;
    assert_eq!(t.length(saga).await, 2);
}

/// A repeat does not bring back the status of then.
pub async fn a_repeat_does_not_bring_back_its_status(t: &mut Trial) {
    let saga = t.saga(1).await;
    let waiting = t.more(saga, 2, 1).status_at(Status::Waiting, T0 + 1);
    t.accept(std::slice::from_ref(&waiting)).await;
    t.accept(&[t.more(saga, 3, 1).status_at(Status::Parked, T0 + 2)]).await;
    let before = t.row(saga).await;
    t.accept(&[waiting]).await;
    assert_eq!((t.row(saga).await, before.status), (before, Status::Parked));
}

/// A repeat by a lost lease is fenced like anything else.
pub async fn a_repeat_by_a_lost_lease_is_fenced(t: &mut Trial) {
    let saga = t.saga(2).await;
    let again = t.more(saga, 2, 1);
    t.acquire().await;
    assert_eq!(t.commit(&[again]).await, [Verdict::Fenced]);
}

/// A repeat under a newer lease is recognised.
pub async fn a_repeat_under_a_newer_lease_is_recognised(t: &mut Trial) {
    let saga = t.saga(2).await;
    t.acquire().await;
    t.accept(&[t.more(saga, 2, 1)]).await;
    assert_eq!(t.length(saga).await, 2);
}

/// A repeat is recognised after a restart.
pub async fn a_repeat_is_recognised_after_a_restart(t: &mut Trial) {
    let saga = t.id();
    let batch = [t.start(saga).key("k").event("one"), t.more(saga, 2, 1).event("two")];
    t.accept(&batch).await;
    t.reopen().await;
    t.accept(&batch).await;
    assert_eq!((t.length(saga).await, t.numbers().await), (2, vec![1, 2]));
}
