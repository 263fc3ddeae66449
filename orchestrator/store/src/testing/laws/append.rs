//! Laws of the journal: what is committed is there, and what cannot follow is refused.

use bytes::Bytes;

use crate::{
    MAX_RECORD_BYTES, MAX_RECORDS_PER_APPEND, Status, Verdict,
    testing::trial::{Edit as _, T0, Trial, good, names, record},
};

/// A committed saga is loaded with its row and its records.
pub async fn a_committed_saga_is_loaded_with_its_row_and_its_records(t: &mut Trial) {
    let saga = t.id();
    let append = t.start(saga).new_saga(|new| {
        new.definition = "return".to_owned();
        new.version = 7;
    });
    t.accept(&[append]).await;
    let stored = good(t.store().load(saga).await).expect("it is there");
    assert_eq!((stored.row.id, stored.row.root, stored.row.shard), (saga, saga, 0));
    assert_eq!((stored.row.definition.as_str(), stored.row.version), ("return", 7));
    assert_eq!((stored.row.started_at_ms, stored.row.updated_at_ms), (T0, T0));
    assert_eq!(stored.records, [record(saga, 1)]);
}

/// A saga that nobody started is not there.
pub async fn a_saga_that_nobody_started_is_not_there(t: &mut Trial) {
    let saga = t.id();
    assert_eq!(good(t.store().load(saga).await), None);
}

/// Records come back byte for byte, the empty one and the largest one too.
pub async fn records_come_back_byte_for_byte(t: &mut Trial) {
    let saga = t.saga(1).await;
    let records = vec![
        Bytes::new(),
        Bytes::from((0..=255).collect::<Vec<u8>>()),
        Bytes::from_static(b"\0"),
        Bytes::from(vec![0xa5; MAX_RECORD_BYTES]),
    ];
    let mut append = t.more(saga, 2, 4);
    append.records.clone_from(&records);
    t.accept(&[append]).await;
    assert_eq!(good(t.store().load(saga).await).expect("it is there").records[1..], records);
}

/// Appends of a saga follow each other, batch after batch.
pub async fn appends_follow_each_other(t: &mut Trial) {
    let saga = t.saga(1).await;
    t.accept(&[t.more(saga, 2, 1)]).await;
    t.accept(&[t.more(saga, 3, 4)]).await;
    t.accept(&[t.more(saga, 7, 1)]).await;
    let stored = good(t.store().load(saga).await).expect("it is there");
    assert_eq!(stored.records, (1..=7).map(|seq| record(saga, seq)).collect::<Vec<_>>());
}

/// One append may carry as many records as is promised.
pub async fn one_append_carries_as_many_records_as_is_promised(t: &mut Trial) {
    let saga = t.saga(1).await;
    t.accept(&[t.more(saga, 2, u32::try_from(MAX_RECORDS_PER_APPEND).expect("small"))]).await;
    assert_eq!(t.length(saga).await, MAX_RECORDS_PER_APPEND + 1);
}

/// An empty batch is committed and changes nothing.
pub async fn an_empty_batch_changes_nothing(t: &mut Trial) {
    let saga = t.saga(2).await;
    t.accept(&[]).await;
    assert_eq!(t.length(saga).await, 2);
}

/// Verdicts come in the order of the batch.
pub async fn verdicts_come_in_the_order_of_the_batch(t: &mut Trial) {
    let (good, hole, also_good, third) = (t.id(), t.id(), t.id(), t.id());
    // Not the same from both ends, or the wrong order would look right.
    let batch = [t.start(good), t.more(hole, 5, 1), t.start(also_good), t.start(third)];
    let verdicts = t.commit(&batch).await;
    assert!(matches!(&verdicts[1], Verdict::Refused(why) if names(why, hole)));
    for nth in [0, 2, 3] {
        assert_eq!(verdicts[nth], Verdict::Committed);
    }
}

/// A hole is refused, names the saga, and leaves nothing behind.
pub async fn a_hole_is_refused(t: &mut Trial) {
    let saga = t.saga(2).await;
    assert!(names(&t.refuse(t.more(saga, 4, 1)).await, saga));
    assert_eq!(t.length(saga).await, 2);
    t.accept(&[t.more(saga, 3, 1)]).await;
}

/// Records of a saga that never started are refused.
pub async fn records_of_a_saga_that_never_started_are_refused(t: &mut Trial) {
    let saga = t.id();
    assert!(names(&t.refuse(t.more(saga, 2, 1)).await, saga));
    assert_eq!(t.length(saga).await, 0);
}

/// An append without records is refused.
pub async fn an_append_without_records_is_refused(t: &mut Trial) {
    let saga = t.saga(1).await;
    t.refuse(t.more(saga, 2, 0)).await;
}

/// An append with more records than is promised is refused.
pub async fn an_append_with_too_many_records_is_refused(t: &mut Trial) {
    let saga = t.saga(1).await;
    t.refuse(t.more(saga, 2, u32::try_from(MAX_RECORDS_PER_APPEND + 1).expect("small"))).await;
    assert_eq!(t.length(saga).await, 1);
}

/// A record over the limit is refused, for its saga alone.
pub async fn a_record_over_the_limit_is_refused(t: &mut Trial) {
    let (saga, other) = (t.id(), t.id());
    let mut append = t.start(saga);
    append.records = vec![Bytes::from(vec![0; MAX_RECORD_BYTES + 1])];
    let verdicts = t.commit(&[append, t.start(other)]).await;
    assert!(matches!(&verdicts[0], Verdict::Refused(why) if names(why, saga)));
    assert_eq!(verdicts[1], Verdict::Committed);
    assert_eq!(t.length(saga).await, 0);
}

/// The row comes with record 1 and only with it.
pub async fn the_row_comes_with_record_one_and_only_with_it(t: &mut Trial) {
    let saga = t.id();
    t.refuse(t.more(saga, 1, 1)).await;
    let late = t.start(saga);
    t.accept(std::slice::from_ref(&late)).await;
    let mut again = t.more(saga, 2, 1);
    again.start = late.start;
    t.refuse(again).await;
    assert_eq!(t.length(saga).await, 1);
}

/// There is no record 0, and record numbers do not run over.
pub async fn record_numbers_have_a_first_and_a_last(t: &mut Trial) {
    let saga = t.saga(1).await;
    t.refuse(t.more(saga, 0, 1)).await;
    t.refuse(t.more(saga, u32::MAX, 2)).await;
    t.refuse(t.more(saga, u32::MAX, 1)).await;
}

/// A saga never changes its shard.
pub async fn a_saga_never_changes_its_shard(t: &mut Trial) {
    let saga = t.saga(1).await;
    t.refuse(t.in_shard(1, t.more(saga, 2, 1))).await;
    assert_eq!(t.length(saga).await, 1);
    assert_eq!(t.row(saga).await.shard, 0);
}

/// A saga never changes its root.
pub async fn a_saga_never_changes_its_root(t: &mut Trial) {
    let (saga, other) = (t.saga(1).await, t.id());
    t.refuse(t.more(saga, 2, 1).root(other)).await;
    assert_eq!(t.row(saga).await.root, saga);
}

/// A saga may belong to another root, for good.
pub async fn a_saga_may_belong_to_another_root(t: &mut Trial) {
    let (root, saga) = (t.saga(1).await, t.id());
    t.accept(&[t.start(saga).root(root), t.more(saga, 2, 1).root(root)]).await;
    assert_eq!(t.row(saga).await.root, root);
}

/// A shard that is not there is refused.
pub async fn a_shard_that_is_not_there_is_refused(t: &mut Trial) {
    let saga = t.id();
    let append = crate::Append { shard: t.store().shards(), ..t.start(saga) };
    t.refuse(append).await;
}

/// A new saga is running unless its first append says otherwise.
pub async fn a_new_saga_is_running_unless_it_says_otherwise(t: &mut Trial) {
    let (plain, parked) = (t.id(), t.id());
    t.accept(&[t.start(plain), t.start(parked).status(Status::Parked)]).await;
    assert_eq!(t.row(plain).await.status, Status::Running);
    assert_eq!(t.row(parked).await.status, Status::Parked);
}

/// Every status is kept, and an append without one changes none.
pub async fn a_status_stays_until_another_comes(t: &mut Trial) {
    let saga = t.saga(1).await;
    for (seq, status) in (2..).step_by(2).zip(Status::ALL.into_iter().filter(|status| !status.is_final())) {
        t.accept(&[t.more(saga, seq, 1).status(status)]).await;
        assert_eq!(t.row(saga).await.status, status);
        t.accept(&[t.more(saga, seq + 1, 1)]).await;
        assert_eq!(t.row(saga).await.status, status);
    }
}

/// The time of update is the latest that was told, and never before the start.
pub async fn the_time_of_update_never_goes_back(t: &mut Trial) {
    let saga = t.id();
    t.accept(&[t.start(saga).status_at(Status::Running, 5)]).await;
    assert_eq!(t.row(saga).await.updated_at_ms, T0);
    t.accept(&[t.more(saga, 2, 1).status_at(Status::Waiting, T0 + 9)]).await;
    t.accept(&[t.more(saga, 3, 1).status_at(Status::Running, T0 + 3)]).await;
    assert_eq!((t.row(saga).await.updated_at_ms, t.row(saga).await.status), (T0 + 9, Status::Running));
}

/// A finished saga takes no more records.
pub async fn a_finished_saga_takes_no_more_records(t: &mut Trial) {
    for status in [Status::Completed, Status::Compensated] {
        let saga = t.saga(1).await;
        t.accept(&[t.more(saga, 2, 1).status(status)]).await;
        t.refuse(t.more(saga, 3, 1).status(Status::Running)).await;
        assert_eq!((t.length(saga).await, t.row(saga).await.status), (2, status));
    }
}

/// A parked saga goes on.
pub async fn a_parked_saga_goes_on(t: &mut Trial) {
    let saga = t.saga(1).await;
    t.accept(&[t.more(saga, 2, 1).status(Status::Parked)]).await;
    t.accept(&[t.more(saga, 3, 1).status(Status::Running)]).await;
    assert_eq!(t.row(saga).await.status, Status::Running);
}

/// A saga may start and end in one append.
pub async fn a_saga_may_start_and_end_in_one_append(t: &mut Trial) {
    let saga = t.id();
    let mut append = t.start(saga).status(Status::Completed);
    append.records.push(record(saga, 2));
    t.accept(&[append]).await;
    assert_eq!((t.length(saga).await, t.row(saga).await.status), (2, Status::Completed));
}

/// Several appends of one saga in one batch follow each other, from its start to its end.
pub async fn several_appends_of_one_saga_follow_each_other(t: &mut Trial) {
    let (saga, between) = (t.id(), t.id());
    t.accept(&[
        t.start(saga),
        t.start(between),
        t.more(saga, 2, 2),
        t.more(saga, 4, 1).status(Status::Completed),
    ])
    .await;
    let stored = good(t.store().load(saga).await).expect("it is there");
    assert_eq!(stored.records, (1..=4).map(|seq| record(saga, seq)).collect::<Vec<_>>());
    assert_eq!(stored.row.status, Status::Completed);
    assert_eq!(t.length(between).await, 1);
}

/// If one of a saga's appends in a batch is refused, none of them is written, and the other sagas do not notice.
pub async fn the_appends_of_one_saga_share_one_fate(t: &mut Trial) {
    let (saga, other) = (t.id(), t.id());
    let verdicts = t.commit(&[t.start(saga), t.start(other), t.more(saga, 2, 1), t.more(saga, 4, 1)]).await;
    for verdict in [&verdicts[0], &verdicts[2], &verdicts[3]] {
        assert!(matches!(verdict, Verdict::Refused(why) if names(why, saga)));
    }
    assert_eq!((t.length(saga).await, t.length(other).await), (0, 1));
}

/// The appends of one saga in one batch agree about shard, epoch and root, or are refused.
pub async fn the_appends_of_one_saga_agree(t: &mut Trial) {
    let (saga, other) = (t.id(), t.id());
    let verdicts = t.commit(&[t.start(saga), t.in_shard(1, t.more(saga, 2, 1)), t.start(other)]).await;
    assert!(matches!(verdicts[0], Verdict::Refused(_)) && matches!(verdicts[1], Verdict::Refused(_)));
    assert_eq!((t.length(saga).await, t.length(other).await), (0, 1));
}

/// After its end nothing of a saga follows in the same batch either.
pub async fn nothing_follows_the_end_in_the_same_batch(t: &mut Trial) {
    let saga = t.saga(1).await;
    let verdicts = t.commit(&[t.more(saga, 2, 1).status(Status::Completed), t.more(saga, 3, 1)]).await;
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Refused(_))));
    assert_eq!((t.length(saga).await, t.row(saga).await.status), (1, Status::Running));
}

/// A batch of thousands of sagas is one commit.
pub async fn a_batch_of_thousands_is_one_commit(t: &mut Trial) {
    let sagas: Vec<_> = (0..2_500).map(|_| t.id()).collect();
    let batch: Vec<_> =
        sagas.iter().map(|saga| t.start(*saga).key(&saga.to_string()).event("started")).collect();
    t.accept(&batch).await;
    assert_eq!(t.unfinished(None, usize::MAX).await, sagas);
    assert_eq!(t.numbers().await, (1..=2_500).collect::<Vec<i64>>());
    let batch: Vec<_> = sagas.iter().map(|saga| t.more(*saga, 2, 2).status(Status::Completed)).collect();
    t.accept(&batch).await;
    assert!(t.unfinished(None, usize::MAX).await.is_empty());
    assert_eq!(t.length(sagas[2_499]).await, 3);
}

/// Times before 1970 are refused.
pub async fn times_before_1970_are_refused(t: &mut Trial) {
    let (saga, there) = (t.id(), t.saga(1).await);
    t.refuse(t.start(saga).new_saga(|new| new.started_at_ms = -1)).await;
    t.refuse(t.more(there, 2, 1).status_at(Status::Waiting, -1)).await;
    assert_eq!((t.length(saga).await, t.length(there).await), (0, 1));
}

/// A definition has a name, and it has no control characters.
pub async fn a_definition_has_a_name(t: &mut Trial) {
    let saga = t.id();
    t.refuse(t.start(saga).new_saga(|new| new.definition.clear())).await;
    t.refuse(t.start(saga).new_saga(|new| new.definition = "check\nout".to_owned())).await;
    assert_eq!(t.length(saga).await, 0);
}

/// The largest version number is kept.
pub async fn the_largest_version_number_is_kept(t: &mut Trial) {
    let saga = t.id();
    t.accept(&[t.start(saga).new_saga(|new| new.version = u32::MAX)]).await;
    assert_eq!(t.row(saga).await.version, u32::MAX);
}
