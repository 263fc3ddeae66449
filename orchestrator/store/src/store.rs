//! The guarantees. Whatever implements [`Store`] passes every law of [`testing`](crate::testing).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    Announced, Announcement, Append, DefinitionRow, InFlight, Judged, Judgement, KeyRow, LaneLag, Lease,
    ListFilter, Member, OutboxRow, Page, Purge, Purged, SagaRow, StoreError, StoredSaga, Switch, Switched,
    Tended, Verdict,
};

/// The largest record that is accepted, in bytes. Larger ones are [`Verdict::Refused`].
pub const MAX_RECORD_BYTES: usize = 4 << 20;

/// The most records that one append may carry. More are [`Verdict::Refused`].
pub const MAX_RECORDS_PER_APPEND: usize = 1024;

/// An idempotency key is kept at least this long, even if its saga is purged sooner: 7 days, in milliseconds.
pub const KEY_LIFE_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// What was judged of a finding is kept at least this long after the last word about it: 400 days, in milliseconds.
pub const JUDGEMENT_LIFE_MS: i64 = 400 * 24 * 60 * 60 * 1000;

/// The longest lease: whoever needs a longer one does not notice that its owner is gone.
pub const LONGEST_TERM: Duration = Duration::from_secs(60 * 60);

/// Durable sagas: an append-only journal per saga, idempotency keys, fenced shards, and the outbox.
///
/// Reads answer durable facts only. Times are values that the caller brings, but for leases: those end by the
/// database's own clock, which is one for all nodes. A lease for no time at all has ended at once.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Takes every shard for `node`, whoever has it, and answers a lease for each, by shard. For a store that
    /// belongs to one node: these leases do not end by time. Every lease has a higher epoch than any that was ever
    /// answered by this store, after a restart too; the leases before are fenced from now on.
    ///
    /// # Errors
    /// As [`StoreError`] says; after an error the old leases may be fenced.
    async fn acquire(&self, node: &str, now_ms: i64) -> Result<Vec<Lease>, StoreError>;

    /// Begins a process of `node`: draws the number of its run from the counter of the epochs, and makes it a live
    /// member for `term`. Every earlier process under this name is replaced. Members that are not live are forgotten.
    ///
    /// # Errors
    /// `Invalid` for a name, an address or a term that cannot be; else as [`StoreError`] says, and then join again.
    async fn join(&self, node: &str, address: &str, term: Duration) -> Result<Member, StoreError>;

    /// Says that a member is alive, renews its leases for `term` from the database's now, and answers who else is
    /// there and who has which shard.
    ///
    /// - A lease is renewed if it has the shard's current epoch and has not ended. What has ended is not renewed,
    ///   even if nobody else took it: it may be claimed again, for a higher epoch.
    /// - A member that was forgotten is back. One that is replaced renews nothing and stays replaced.
    ///
    /// # Errors
    /// `Invalid` as for [`join`](Self::join); else as [`StoreError`] says: what was renewed is not known then.
    async fn tend(&self, member: &Member, held: &[Lease], term: Duration) -> Result<Tended, StoreError>;

    /// Takes those of `shards` that are free, or that are this node's already (a former process had them, or the
    /// answer to an earlier claim was lost), for `term`; answers a lease for each that it took, by shard. Every lease
    /// has a higher epoch than any that was ever answered; the leases before are fenced from now on.
    ///
    /// Takes nothing for a process that was replaced or has left. Of two that claim one shard at once, one gets it.
    ///
    /// # Errors
    /// As for [`tend`](Self::tend), and `Invalid` for a shard that is not there: what was taken is not known then;
    /// claim again.
    async fn claim(&self, member: &Member, shards: &[u16], term: Duration) -> Result<Vec<Lease>, StoreError>;

    /// Gives leases back: those that still have their shard's current epoch are free from now on. The epoch stays, so
    /// that what was handed in before may still be committed; whoever claims draws a higher one.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn give_back(&self, held: &[Lease]) -> Result<(), StoreError>;

    /// Ends a process: it is no member any more, and every shard of its node is free from now on. Changes nothing for
    /// one that was replaced.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn leave(&self, member: &Member) -> Result<(), StoreError>;

    /// Writes a batch in one commit and returns only after it is durable; one verdict per append, in order.
    ///
    /// - Each append is all or nothing, and the verdict of one never changes that of another saga's.
    /// - The first of these that applies is the verdict: a malformed append is `Refused`; a lease that is not
    ///   the shard's current one is `Fenced`; records that are all there with the same bytes are `Committed`
    ///   and nothing is written; an idempotency key that another saga has, or that is blocked, is `KeyTaken`;
    ///   a hole, other bytes under the same number, another shard or root, or a finished saga is `Refused`.
    /// - Several appends of one saga in one batch follow each other and share one fate: those of them that are
    ///   not there already are all written and `Committed`, or none is and all get the same verdict.
    /// - Events are numbered per shard without gaps, sagas in the order in which the batch first names them; no
    ///   reader sees a number before every lower one of its shard.
    /// - Between two sagas of one batch that bring the same key, the first wins.
    ///
    /// # Errors
    /// As [`StoreError`] says. After `Unknown` the same batch may be committed again without harm.
    async fn commit(&self, batch: &[Append]) -> Result<Vec<Verdict>, StoreError>;

    /// A saga's row and all its records, as of one instant; none if there is no such saga.
    ///
    /// # Errors
    /// `Corrupt` if its rows cannot be what this store wrote; else as [`StoreError`] says.
    async fn load(&self, saga: Uuid) -> Result<Option<StoredSaga>, StoreError>;

    /// Sagas of these shards that recovery takes up (running, waiting, compensating; not parked), ascending by id,
    /// after `after`.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn unfinished(
        &self,
        shards: &[u16],
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>, StoreError>;

    /// The oldest saga of all shards that has not ended (parked is not ended), as of one instant: the least id of version 7,
    /// which begins with the time. Ids of other versions tell no age and are left out.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn oldest(&self) -> Result<Option<Uuid>, StoreError>;

    /// What of the family of `root` has not ended (parked is not ended), but for the root itself, ascending by id, as of one
    /// instant.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn family(&self, root: Uuid) -> Result<Vec<SagaRow>, StoreError>;

    /// Who has the key, if anybody.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn key(&self, scope: &str, key: &str) -> Result<Option<KeyRow>, StoreError>;

    /// Blocks an unused key, durably: no saga can be started with it any more. If it is in use (or blocked),
    /// changes nothing and answers who has it.
    ///
    /// # Errors
    /// `Invalid` for a key that [`commit`](Self::commit) would refuse; else as [`StoreError`] says, and after
    /// `Unknown` call it again.
    async fn block_key(&self, scope: &str, key: &str, now_ms: i64) -> Result<KeyRow, StoreError>;

    /// Sagas, newest first. Every saga that matches throughout a walk over all pages is answered exactly once.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn list(&self, filter: &ListFilter) -> Result<Page, StoreError>;

    /// Forgets finished sagas and old keys, a limited number per call; running and parked sagas never, and a key
    /// never while its saga is there nor before it is [`KEY_LIFE_MS`] old.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn purge(&self, what: &Purge) -> Result<Purged, StoreError>;

    /// Takes down what a node can run, in one commit, and answers what of it is refused: versions that are known
    /// with another fingerprint. The rest is taken.
    ///
    /// - It replaces what the node announced before; repeating it keeps the node live.
    /// - Nodes that are not live any more are forgotten; they are back with their next announcement.
    /// - A name of which no version was ever switched gets one switched on in the same commit: the lowest that
    ///   every live node can run.
    ///
    /// # Errors
    /// `Invalid` for a name that [`commit`](Self::commit) would refuse; else as [`StoreError`] says.
    async fn announce(&self, announcement: &Announcement) -> Result<Vec<Announced>, StoreError>;

    /// Forgets a node that stops: nobody waits for it from now on.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn withdraw(&self, node: &str) -> Result<(), StoreError>;

    /// Switches a version on or off for new sagas. Sagas that have started are not touched.
    ///
    /// - On is refused until every live node has announced the version, and while no node is live; off never is.
    /// - Two switchings at once have one order, and the later one is told by [`definitions`](Self::definitions).
    ///
    /// # Errors
    /// `Invalid` for a reason that cannot be kept; else as [`StoreError`] says.
    async fn switch(&self, switch: &Switch) -> Result<Switched, StoreError>;

    /// Every version that was ever announced, by name and version.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn definitions(&self) -> Result<Vec<DefinitionRow>, StoreError>;

    /// How many sagas are unfinished or parked, by name and version of their definition and by shard; those that have
    /// none are left out.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn in_flight(&self) -> Result<Vec<InFlight>, StoreError>;

    /// Marks the store as one that was restored from a backup, before any node opens it: every saga that is there, and
    /// whatever else started before `now_ms`, is loaded as [`restored`](StoredSaga::restored) from then on.
    ///
    /// # Errors
    /// As [`StoreError`] says; nothing was changed.
    async fn mark_restored(&self, now_ms: i64) -> Result<(), StoreError>;

    /// Writes down what a person says of a finding: that it is as it should be, or that this is taken back.
    ///
    /// - What is acknowledged stays so, under the words that were first, until it is taken back or forgotten.
    /// - The last word counts. Two at once have one order.
    /// - Findings whose every word is [`JUDGEMENT_LIFE_MS`] older than this one are forgotten with it, so that what is
    ///   kept is bounded by what is judged in that time.
    ///
    /// # Errors
    /// `Invalid` for words that cannot be kept; else as [`StoreError`] says.
    async fn judge(&self, word: &Judgement) -> Result<Judged, StoreError>;

    /// Those of these findings that are acknowledged, in any order.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn acknowledged(&self, findings: &[Uuid]) -> Result<Vec<Judgement>, StoreError>;

    /// How many shards there are: fixed when the store was created.
    fn shards(&self) -> u16;

    /// Notified after every commit that put events into this lane: a hint for who publishes them, not a promise.
    /// A shard that is not there has a bell that never rings.
    fn lane_wake(&self, shard: u16) -> Arc<Notify>;

    /// The next events of a lane to publish, in order; none of a parked root from its poisoned event on.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn lane_pending(&self, shard: u16, limit: usize) -> Result<Vec<OutboxRow>, StoreError>;

    /// Marks events as published. The lane's watermark moves, up to the highest of `numbers`, over every leading
    /// event that is among them or held back; what lies behind a gap stays pending and is published again.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn lane_published(&self, shard: u16, numbers: &[i64], now_ms: i64) -> Result<(), StoreError>;

    /// Sets aside a poisoned event: it and all later events of its root are held back, other roots go on.
    /// Parking a root that is parked, or an event that is not there or is published, changes nothing.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn lane_park(&self, shard: u16, number: i64, why: &str, now_ms: i64) -> Result<(), StoreError>;

    /// Forgets events that were published before that time; what is held back stays. Answers how many.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn lane_purge(&self, shard: u16, published_before_ms: i64, limit: usize)
    -> Result<u64, StoreError>;

    /// Events that were published at or after that time (to the second, rather one too many) and are kept, in
    /// order, after `after`.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn lane_published_since(
        &self,
        shard: u16,
        since_ms: i64,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, StoreError>;

    /// How far a lane is behind.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn lane_lag(&self, shard: u16) -> Result<LaneLag, StoreError>;
}
