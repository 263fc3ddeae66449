//! Laws of the lease: nothing is committed under a lower epoch.

use crate::{
    StoreError, Verdict,
    testing::trial::{Edit as _, T0, Trial, names},
};

/// Acquiring answers one lease for every shard, in order.
pub async fn acquiring_answers_every_shard(t: &mut Trial) {
    let shards: Vec<u16> = t.leases.iter().map(|lease| lease.shard).collect();
    assert_eq!(shards, (0..t.store().shards()).collect::<Vec<_>>());
    assert!(shards.len() > 1, "the laws need more than one shard");
}

/// Every lease has an epoch that was never given before, higher than all of them.
pub async fn every_acquisition_draws_higher_epochs(t: &mut Trial) {
    let mut highest = 0;
    for _ in 0..3 {
        for lease in &t.leases {
            assert!(lease.epoch > highest);
            highest = lease.epoch;
        }
        t.acquire().await;
    }
}

/// Epochs go on rising after a restart.
pub async fn epochs_rise_after_a_restart(t: &mut Trial) {
    let highest = t.leases.iter().map(|lease| lease.epoch).max();
    t.reopen().await;
    t.acquire().await;
    assert!(t.leases.iter().all(|lease| Some(lease.epoch) > highest));
}

/// A lost lease appends nothing, to an old saga or a new one.
pub async fn a_lost_lease_appends_nothing(t: &mut Trial) {
    let (old, new) = (t.saga(1).await, t.id());
    let batch = [t.more(old, 2, 1).event("old"), t.start(new).event("new")];
    t.acquire().await;
    assert_eq!(t.commit(&batch).await, [Verdict::Fenced, Verdict::Fenced]);
    assert_eq!((t.length(old).await, t.length(new).await, t.numbers().await), (1, 0, vec![]));
}

/// A lost lease appends nothing in any shard, whoever else is in the batch.
pub async fn a_lost_lease_appends_nothing_in_any_shard(t: &mut Trial) {
    for shard in 0..t.store().shards() {
        let (lost, kept) = (t.id(), t.id());
        let stale = t.in_shard(shard, t.start(lost));
        t.acquire().await;
        assert_eq!(t.commit(&[t.start(kept), stale]).await, [Verdict::Committed, Verdict::Fenced], "{shard}");
        assert_eq!((t.length(lost).await, t.length(kept).await), (0, 1));
    }
}

/// A restart alone takes no lease away; the next acquisition does.
pub async fn a_restart_takes_no_lease_away(t: &mut Trial) {
    let saga = t.saga(1).await;
    t.reopen().await;
    t.accept(&[t.more(saga, 2, 1)]).await;
}

/// A new lease goes on where the lost one stopped.
pub async fn a_new_lease_goes_on_where_the_old_one_stopped(t: &mut Trial) {
    let saga = t.saga(2).await;
    t.acquire().await;
    t.accept(&[t.more(saga, 3, 1)]).await;
    assert_eq!(t.length(saga).await, 3);
}

/// An epoch counts for its own shard only.
pub async fn an_epoch_counts_for_its_own_shard(t: &mut Trial) {
    let saga = t.id();
    let mut append = t.start(saga);
    append.epoch = t.leases[1].epoch;
    assert_eq!(t.commit(&[append]).await, [Verdict::Fenced]);
    assert_eq!(t.length(saga).await, 0);
}

/// An epoch that was never drawn is fenced, however high.
pub async fn an_epoch_that_was_never_drawn_is_fenced(t: &mut Trial) {
    for epoch in [i64::MAX, 0, -1, t.leases[0].epoch + 1_000] {
        let saga = t.id();
        let mut append = t.start(saga);
        append.epoch = epoch;
        assert_eq!(t.commit(&[append]).await, [Verdict::Fenced], "{epoch}");
        assert_eq!(t.length(saga).await, 0);
    }
}

/// Fenced appends drop out of a batch and the others are committed.
pub async fn fenced_appends_drop_out_and_the_others_are_committed(t: &mut Trial) {
    let (stale, fresh) = (t.id(), t.id());
    let old = t.start(stale).event("stale");
    t.acquire().await;
    assert_eq!(t.commit(&[old, t.start(fresh).event("fresh")]).await, [Verdict::Fenced, Verdict::Committed]);
    assert_eq!((t.length(stale).await, t.length(fresh).await, t.numbers().await), (0, 1, vec![1]));
}

/// A malformed append is refused, by whatever lease: it could never be committed.
pub async fn a_malformed_append_of_a_lost_lease_is_refused(t: &mut Trial) {
    let saga = t.saga(1).await;
    let (empty, there) = (t.more(saga, 2, 0), t.more(saga, 2, 1));
    t.acquire().await;
    assert!(names(&t.refuse(empty).await, saga));
    assert_eq!(t.commit(&[there]).await, [Verdict::Fenced]);
}

/// A lost lease is fenced before anybody looks who has its key, and whether there is a hole.
pub async fn a_lost_lease_is_not_told_who_has_its_key(t: &mut Trial) {
    let (first, second, third) = (t.id(), t.id(), t.saga(1).await);
    t.accept(&[t.start(first).key("k")]).await;
    let batch = [t.start(second).key("k"), t.more(third, 7, 1)];
    t.acquire().await;
    assert_eq!(t.commit(&batch).await, [Verdict::Fenced, Verdict::Fenced]);
}

/// Every shard can be appended to under its own lease.
pub async fn every_shard_can_be_appended_to(t: &mut Trial) {
    for shard in 0..t.store().shards() {
        let saga = t.id();
        t.accept(&[t.in_shard(shard, t.start(saga))]).await;
        assert_eq!(t.row(saga).await.shard, shard);
    }
}

/// A node has a name without control characters, or takes nothing.
pub async fn a_node_has_a_name(t: &mut Trial) {
    for bad in ["", "a\0b"] {
        assert!(matches!(t.store().acquire(bad, T0).await, Err(StoreError::Invalid(_))));
    }
    t.saga(1).await;
}

/// Reading needs no lease.
pub async fn reading_needs_no_lease(t: &mut Trial) {
    let saga = t.saga(1).await;
    t.acquire().await;
    assert_eq!(t.length(saga).await, 1);
    assert_eq!(t.unfinished(None, 9).await, [saga]);
}
