//! Laws of leases among several nodes. None of them waits: a lease for no time has ended at once, a long one has not.

use std::time::Duration;

use crate::{
    LONGEST_TERM, Lease, Member, StoreError, Tended, Verdict,
    testing::trial::{T0, Trial, good},
};

/// Far longer than any law takes.
const LONG: Duration = Duration::from_secs(600);
/// Over as soon as it begins.
const NONE: Duration = Duration::ZERO;

async fn join(t: &Trial, node: &str) -> Member {
    good(t.store().join(node, &format!("http://{node}:1"), LONG).await)
}

async fn tend(t: &Trial, member: &Member, held: &[Lease]) -> Tended {
    good(t.store().tend(member, held, LONG).await)
}

async fn claim(t: &Trial, member: &Member, shards: &[u16]) -> Vec<Lease> {
    good(t.store().claim(member, shards, LONG).await)
}

fn shards(leases: &[Lease]) -> Vec<u16> {
    leases.iter().map(|lease| lease.shard).collect()
}

fn live(tended: &Tended) -> Vec<&str> {
    tended.members.iter().map(|member| &*member.node).collect()
}

/// Who has which shard as `node` sees it: the owner, empty where anybody may claim it.
async fn owners(t: &Trial, member: &Member) -> Vec<String> {
    let rows = tend(t, member, &[]).await.shards;
    rows.into_iter().map(|row| if row.free { String::new() } else { row.owner }).collect()
}

/// Two nodes, and no shard is anybody's.
async fn two(t: &mut Trial) -> (Member, Member) {
    good(t.store().give_back(&t.leases).await);
    (join(t, "a").await, join(t, "b").await)
}

/// Everybody who joined is seen by everybody, with where to call it.
pub async fn members_see_each_other(t: &mut Trial) {
    let (a, b) = two(t).await;
    let seen = tend(t, &b, &[]).await;
    assert_eq!(seen.members, [a.clone(), b]);
    assert_eq!((seen.replaced, &*a.address), (false, "http://a:1"));
}

/// A member is live for as long as it said, and no longer.
pub async fn a_member_that_says_nothing_is_not_live(t: &mut Trial) {
    let (a, b) = two(t).await;
    good(t.store().tend(&b, &[], NONE).await);
    assert_eq!(live(&tend(t, &a, &[]).await), ["a"]);
}

/// A member that was not heard of is back as soon as it is, even if it was forgotten meanwhile.
pub async fn a_member_that_was_forgotten_comes_back(t: &mut Trial) {
    let (a, b) = two(t).await;
    good(t.store().tend(&b, &[], NONE).await);
    join(t, "c").await;
    let back = tend(t, &b, &[]).await;
    assert_eq!((back.replaced, live(&back)), (false, vec!["a", "b", "c"]));
    assert_eq!(live(&tend(t, &a, &[]).await), ["a", "b", "c"]);
}

/// A member that left is not live, and its shards are free at once.
pub async fn who_leaves_gives_everything_back(t: &mut Trial) {
    let (a, b) = two(t).await;
    claim(t, &a, &[0, 1]).await;
    claim(t, &b, &[2]).await;
    good(t.store().leave(&a).await);
    let seen = tend(t, &b, &[]).await;
    assert_eq!(live(&seen), ["b"]);
    assert_eq!(owners(t, &b).await[..3], ["", "", "b"]);
    assert_eq!(shards(&claim(t, &b, &[0, 1]).await), [0, 1]);
}

/// A member that left claims nothing.
pub async fn who_has_left_claims_nothing(t: &mut Trial) {
    let (a, b) = two(t).await;
    good(t.store().leave(&a).await);
    assert_eq!(claim(t, &a, &[0]).await, []);
    assert_eq!(owners(t, &b).await[0], "");
}

/// What is free is taken by who claims it, and by nobody else after that.
pub async fn a_free_shard_goes_to_who_claims_it(t: &mut Trial) {
    let (a, b) = two(t).await;
    assert_eq!(shards(&claim(t, &a, &[1, 0]).await), [0, 1]);
    assert_eq!(shards(&claim(t, &b, &[0, 1, 2]).await), [2]);
    assert_eq!(owners(t, &a).await[..3], ["a", "a", "b"]);
}

/// Of many that claim everything at once, every shard goes to one.
pub async fn a_shard_is_claimed_once(t: &mut Trial) {
    let (a, b) = two(t).await;
    let all = t.shards();
    let (x, y) = tokio::join!(t.store().claim(&a, &all, LONG), t.store().claim(&b, &all, LONG));
    let mut taken = [shards(&good(x)), shards(&good(y))].concat();
    taken.sort_unstable();
    assert_eq!(taken, all);
}

/// A shard that is asked for twice in one claim is taken once.
pub async fn claiming_a_shard_twice_is_claiming_it_once(t: &mut Trial) {
    let (a, _) = two(t).await;
    assert_eq!(shards(&claim(t, &a, &[1, 1, 0, 1]).await), [0, 1]);
    assert_eq!(claim(t, &a, &[]).await, []);
}

/// Every claim draws an epoch that is higher than any before, of whatever shard, after a restart too.
pub async fn every_claim_draws_a_higher_epoch(t: &mut Trial) {
    let highest = t.leases.iter().map(|lease| lease.epoch).max();
    let (a, b) = two(t).await;
    let first = claim(t, &a, &[2]).await;
    let second = claim(t, &b, &[0, 1]).await;
    assert!(Some(first[0].epoch) > highest);
    assert!(first[0].epoch < second[0].epoch && second[0].epoch < second[1].epoch);
    t.reopen().await;
    let third = claim(t, &a, &[0, 1, 2]).await;
    assert_eq!(shards(&third), [2]);
    assert!(third[0].epoch > second[1].epoch);
    t.acquire().await;
    assert!(t.leases[0].epoch > third[0].epoch);
}

/// The epochs of a claim follow the order of the shards, and are the shards' current ones.
pub async fn a_claim_answers_the_current_epochs(t: &mut Trial) {
    let (a, b) = two(t).await;
    let leases = claim(t, &a, &[2, 0]).await;
    assert!(leases[0].epoch < leases[1].epoch);
    let rows = tend(t, &b, &[]).await.shards;
    for lease in leases {
        assert_eq!(rows[usize::from(lease.shard)].epoch, lease.epoch);
    }
}

/// A lease that has ended is anybody's.
pub async fn a_lease_that_has_ended_is_taken_over(t: &mut Trial) {
    let (a, b) = two(t).await;
    let lost = good(t.store().claim(&a, &[0], NONE).await);
    assert!(tend(t, &b, &[]).await.shards[0].free);
    let taken = claim(t, &b, &[0]).await;
    assert!(taken[0].epoch > lost[0].epoch);
    assert_eq!(owners(t, &b).await[0], "b");
}

/// Who has lost a shard to another appends nothing to it any more, and the other does.
pub async fn a_shard_that_was_taken_over_is_fenced(t: &mut Trial) {
    let (a, b) = two(t).await;
    t.leases[0] = good(t.store().claim(&a, &[0], NONE).await)[0];
    let saga = t.saga(1).await;
    let stale = t.more(saga, 2, 1);
    t.leases[0] = claim(t, &b, &[0]).await[0];
    assert_eq!(t.commit(&[stale]).await, [Verdict::Fenced]);
    t.accept(&[t.more(saga, 2, 1)]).await;
}

/// The end of a lease alone fences nothing: only who takes the shard over does.
pub async fn an_ended_lease_that_nobody_took_is_not_fenced(t: &mut Trial) {
    let (a, _) = two(t).await;
    t.leases[0] = good(t.store().claim(&a, &[0], NONE).await)[0];
    t.saga(2).await;
}

/// What is tended does not end.
pub async fn a_lease_that_is_tended_is_kept(t: &mut Trial) {
    let (a, b) = two(t).await;
    let leases = claim(t, &a, &[0, 1]).await;
    let tended = tend(t, &a, &leases).await;
    assert_eq!(tended.held, leases);
    assert_eq!(claim(t, &b, &[0, 1]).await, []);
}

/// A renewal counts from now, whatever the lease was before.
pub async fn a_renewal_sets_the_end_anew(t: &mut Trial) {
    let (a, b) = two(t).await;
    let leases = claim(t, &a, &[0]).await;
    assert_eq!(good(t.store().tend(&a, &leases, NONE).await).held, leases);
    assert_eq!(shards(&claim(t, &b, &[0]).await), [0]);
}

/// What has ended is not renewed, although nobody else took it.
pub async fn what_has_ended_is_not_renewed(t: &mut Trial) {
    let (a, _) = two(t).await;
    let ended = good(t.store().claim(&a, &[0], NONE).await);
    let tended = tend(t, &a, &ended).await;
    assert_eq!(tended.held, []);
    assert!(tended.shards[0].free);
}

/// Only the leases that a member names are renewed, each of them on its own.
pub async fn each_lease_is_renewed_on_its_own(t: &mut Trial) {
    let (a, b) = two(t).await;
    let kept = claim(t, &a, &[0]).await;
    let ended = good(t.store().claim(&a, &[1], NONE).await);
    let others = claim(t, &b, &[2]).await;
    let tended = tend(t, &a, &[ended[0], others[0], kept[0]]).await;
    assert_eq!(tended.held, kept);
    assert_eq!(owners(t, &a).await[..3], ["a", "", "b"]);
}

/// A lease of an earlier epoch is not renewed, nor is one that was never given.
pub async fn an_older_epoch_is_not_renewed(t: &mut Trial) {
    let (a, _) = two(t).await;
    let old = claim(t, &a, &[0]).await;
    let new = claim(t, &a, &[0]).await;
    let invented = Lease { shard: 1, epoch: new[0].epoch + 1 };
    let nowhere = Lease { shard: u16::MAX, epoch: 1 };
    assert_eq!(tend(t, &a, &[old[0], invented, nowhere]).await.held, []);
    assert_eq!(tend(t, &a, &new).await.held, new);
}

/// What is given back is free at once, and only that.
pub async fn what_is_given_back_is_free(t: &mut Trial) {
    let (a, b) = two(t).await;
    let leases = claim(t, &a, &[0, 1]).await;
    good(t.store().give_back(&leases[..1]).await);
    assert_eq!(owners(t, &b).await[..2], ["", "a"]);
    assert_eq!(shards(&claim(t, &b, &[0, 1]).await), [0]);
}

/// Giving back a lease that is lost takes nothing from who has the shard now.
pub async fn a_lost_lease_is_not_given_back(t: &mut Trial) {
    let (a, b) = two(t).await;
    let lost = good(t.store().claim(&a, &[0], NONE).await);
    claim(t, &b, &[0]).await;
    good(t.store().give_back(&lost).await);
    good(t.store().give_back(&[Lease { shard: u16::MAX, epoch: 1 }]).await);
    assert_eq!(owners(t, &a).await[0], "b");
}

/// Giving back fences nobody: what was handed in before may still be written.
pub async fn giving_back_fences_nothing(t: &mut Trial) {
    let (a, _) = two(t).await;
    t.leases[0] = claim(t, &a, &[0]).await[0];
    let saga = t.saga(1).await;
    good(t.store().give_back(&t.leases[..1]).await);
    t.accept(&[t.more(saga, 2, 1)]).await;
}

/// A process that begins again under its old name takes its shards back at once, for higher epochs.
pub async fn a_node_that_restarts_takes_its_own_back(t: &mut Trial) {
    let (a, b) = two(t).await;
    let before = claim(t, &a, &[0, 1]).await;
    claim(t, &b, &[2]).await;
    let again = join(t, "a").await;
    assert!(again.run > a.run);
    let after = claim(t, &again, &[0, 1, 2]).await;
    assert_eq!(shards(&after), [0, 1]);
    assert!(after[0].epoch > before[1].epoch);
    assert_eq!(tend(t, &again, &before).await.held, []);
}

/// A process that was replaced by a later one of its name is told so, and renews and claims nothing.
pub async fn a_replaced_process_is_told_so(t: &mut Trial) {
    let (a, _) = two(t).await;
    let leases = claim(t, &a, &[0]).await;
    let later = join(t, "a").await;
    for _ in 0..2 {
        let tended = tend(t, &a, &leases).await;
        assert_eq!((tended.replaced, tended.held), (true, vec![]));
    }
    assert_eq!(claim(t, &a, &[1]).await, []);
    assert!(!tend(t, &later, &[]).await.replaced);
    assert_eq!(shards(&claim(t, &later, &[0, 1]).await), [0, 1]);
}

/// A process that was replaced takes nothing from the later one by leaving.
pub async fn a_replaced_process_leaves_nothing_behind(t: &mut Trial) {
    let (a, b) = two(t).await;
    let later = join(t, "a").await;
    let leases = claim(t, &later, &[0]).await;
    good(t.store().leave(&a).await);
    assert_eq!(live(&tend(t, &b, &[]).await), ["a", "b"]);
    assert_eq!(tend(t, &later, &leases).await.held, leases);
}

/// The later process counts, even if it was forgotten and the earlier one came back meanwhile.
pub async fn the_later_process_counts(t: &mut Trial) {
    let (a, _) = two(t).await;
    let later = join(t, "a").await;
    good(t.store().tend(&later, &[], NONE).await);
    join(t, "c").await;
    assert!(!tend(t, &a, &[]).await.replaced);
    assert!(!tend(t, &later, &[]).await.replaced);
    assert!(tend(t, &a, &[]).await.replaced);
}

/// Nobody claims what one node has taken for good, except that node.
pub async fn what_was_acquired_is_not_claimed(t: &mut Trial) {
    let (a, node) = (join(t, "a").await, join(t, "node").await);
    assert_eq!(claim(t, &a, &t.shards()).await, []);
    assert_eq!(owners(t, &a).await, vec!["node"; t.shards().len()]);
    assert_eq!(shards(&claim(t, &node, &[0]).await), [0]);
}

/// Who takes every shard takes those of the others too.
pub async fn acquiring_asks_nobody(t: &mut Trial) {
    let (a, b) = two(t).await;
    let lost = claim(t, &a, &[0]).await;
    t.acquire().await;
    assert_eq!(tend(t, &a, &lost).await.held, []);
    assert_eq!(owners(t, &b).await, vec!["node"; t.shards().len()]);
}

/// Members and leases are there after a restart.
pub async fn leases_survive_a_restart(t: &mut Trial) {
    let (a, b) = two(t).await;
    let leases = claim(t, &a, &[0]).await;
    t.reopen().await;
    assert_eq!(claim(t, &b, &[0]).await, []);
    let tended = tend(t, &a, &leases).await;
    assert_eq!((live(&tended), &tended.held), (vec!["a", "b"], &leases));
}

/// Recovery is asked for some shards and finds the sagas of those.
pub async fn recovery_finds_the_sagas_of_the_shards_that_are_asked_for(t: &mut Trial) {
    let sagas = [t.id(), t.id(), t.id(), t.id()];
    let starts = [(0, sagas[0]), (1, sagas[1]), (2, sagas[2]), (0, sagas[3])];
    t.accept(&starts.map(|(shard, saga)| t.in_shard(shard, t.start(saga)))).await;
    assert_eq!(good(t.store().unfinished(&[0], None, 9).await), [sagas[0], sagas[3]]);
    assert_eq!(good(t.store().unfinished(&[2, 0], None, 2).await), [sagas[0], sagas[2]]);
    assert_eq!(good(t.store().unfinished(&[2, 0], Some(sagas[0]), 9).await), sagas[2..]);
    assert!(good(t.store().unfinished(&[], None, 9).await).is_empty());
}

/// A name, an address and a term have their limits, and a shard must be there.
pub async fn what_cannot_be_a_lease_is_refused_at_the_door(t: &mut Trial) {
    let (a, _) = two(t).await;
    let refused =
        |error: Option<StoreError>| assert!(matches!(error, Some(StoreError::Invalid(_))), "{error:?}");
    refused(t.store().join("", "", LONG).await.err());
    refused(t.store().join("a\0", "", LONG).await.err());
    refused(t.store().join("a", &"x".repeat(256), LONG).await.err());
    refused(t.store().join("a", "", LONGEST_TERM + Duration::from_millis(1)).await.err());
    refused(t.store().tend(&a, &[], LONGEST_TERM * 2).await.err());
    refused(t.store().claim(&a, &[0], LONGEST_TERM * 2).await.err());
    refused(t.store().claim(&a, &[0, u16::MAX], LONG).await.err());
    assert_eq!(owners(t, &a).await[0], "");
    assert!(good(t.store().join("a", "", LONGEST_TERM).await).run > a.run);
    assert!(t.store().acquire("", T0).await.is_err());
}
