//! The repeating tick of a node that shares its store: renew, look, take what is due, hand over what is too much.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use backstitch_failpoint::hit;
use backstitch_store::{Lease, Member, ShardRow, StoreError, Tended};
use futures::future::join_all;
use metrics::{counter, gauge};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::balance::{Plan, Version, View};
use super::{Sharing, Tenure};
use crate::engine::Engine;
use crate::metrics as names;

/// The longest time between two looks: so long a shard that was handed over waits for its new owner.
const LOOK: Duration = Duration::from_millis(500);

/// What one tick did, by shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Taken; their sagas are being recovered.
    pub claimed: Vec<u16>,
    /// To be handed over as soon as what is under way in them has come to rest.
    pub handing_over: Vec<u16>,
    /// Not this node's any more.
    pub lost: Vec<u16>,
}

/// What a renewal has shown.
struct Seen {
    tended: Tended,
    /// Shards that it has shown to be lost.
    lost: Vec<u16>,
}

/// How long a renewal counts here, from before it was asked for: less than it counts in the database, for clocks that
/// do not run equally fast.
fn validity(term: Duration) -> Duration {
    term.saturating_sub((term / 5).min(Duration::from_secs(1)))
}

impl Engine {
    /// Looks after this node's shards until the engine has drained. Renewing waits for nothing else: what follows from
    /// what was seen is done beside it.
    pub(crate) async fn keep(self) {
        let Some((Sharing { term, .. }, _)) = self.shared.shards.shared.clone() else { return };
        let every = (term / 3).min(LOOK);
        let mut acting = tokio::spawn(async {});
        let mut renews = true;
        loop {
            let asked = Instant::now();
            match self.renew_leases().await {
                Ok(seen) => {
                    if !renews {
                        info!("this node renews its leases again");
                    }
                    renews = true;
                    if let Some(seen) = seen.filter(|_| acting.is_finished()) {
                        acting = tokio::spawn(self.clone().act_and_tell(seen));
                    }
                }
                Err(error) => {
                    if renews {
                        warn!(%error, "this node could not renew its leases; it stops what it does before they end");
                    }
                    renews = false;
                }
            }
            tokio::select! {
                () = self.shared.closed.cancelled() => return,
                () = self.shared.shards.replaced.cancelled() => return,
                () = tokio::time::sleep_until(asked + every) => {}
                () = self.shared.shards.look.notified() => {}
            }
        }
    }

    /// Renews this node's leases, takes shards that nobody has up to its share, and begins to hand over what it has too
    /// many of. Does nothing where the store is not shared.
    ///
    /// # Errors
    /// As [`StoreError`] says; what was not renewed ends by itself.
    pub async fn tick(&self) -> Result<Progress, StoreError> {
        match self.renew_leases().await? {
            Some(seen) => self.act(seen).await,
            None => Ok(Progress::default()),
        }
    }

    async fn act_and_tell(self, seen: Seen) {
        match self.act(seen).await {
            Ok(progress) if progress == Progress::default() => {}
            Ok(progress) => {
                let Progress { claimed, handing_over, lost } = progress;
                info!(?claimed, ?handing_over, ?lost, "shards changed hands");
            }
            Err(error) => {
                warn!(%error, "this node could not look after its share of the shards; trying again")
            }
        }
    }

    /// Says that this node is alive and what it has. None if there is nothing more to do.
    async fn renew_leases(&self) -> Result<Option<Seen>, StoreError> {
        let shards = &self.shared.shards;
        let Some((sharing, member)) = &shards.shared else { return Ok(None) };
        if shards.replaced.is_cancelled() {
            return Ok(None);
        }
        let asked = Instant::now();
        let held = shards.held();
        let tended = self.tend(asked, sharing, member, &held).await?;
        if tended.replaced {
            error!(
                node = member.node,
                "another process has joined under this node's name; this one ends. Give every process a name of its own"
            );
            shards.replaced.cancel();
            held.values().for_each(|tenure| shards.lose(tenure));
            return Ok(None);
        }
        let ends = asked + validity(sharing.term);
        let mut lost = Vec::new();
        for tenure in held.values() {
            if tended.held.contains(&tenure.lease()) {
                tenure.renew(ends);
            } else if !shards.is_handing_over(tenure.lease().shard) {
                shards.lose(tenure);
                counter!(names::SHARDS_LOST).increment(1);
                lost.push(tenure.lease().shard);
            }
        }
        shards.forget_ended();
        shards.see(&tended, ends);
        gauge!(names::SHARDS).set(shards.held().len() as f64);
        Ok(Some(Seen { tended, lost }))
    }

    /// Does what follows from what was seen.
    async fn act(&self, Seen { tended, lost }: Seen) -> Result<Progress, StoreError> {
        let shards = &self.shared.shards;
        let _one = shards.acting.lock().await;
        let mut progress = Progress { lost, ..Progress::default() };
        if let Some((sharing, member)) = &shards.shared
            && !self.shared.stopping.is_cancelled()
        {
            let plan = self.plan(member, &tended).await?;
            self.carry_out(plan, sharing, member, &tended.shards, &mut progress).await?;
        }
        Ok(progress)
    }

    async fn tend(
        &self,
        asked: Instant,
        sharing: &Sharing,
        member: &Member,
        held: &BTreeMap<u16, Tenure>,
    ) -> Result<Tended, StoreError> {
        let (store, member, term) = (self.shared.store.clone(), member.clone(), sharing.term);
        let leases: Vec<Lease> = held.values().map(Tenure::lease).collect();
        self.between(asked, term, async move { store.tend(&member, &leases, term).await }).await
    }

    /// What this node should do. Who has announced nothing takes no part: it has not begun, or it is about to end. Who
    /// can run what matters only while nodes differ in it.
    async fn plan(&self, member: &Member, tended: &Tended) -> Result<Plan, StoreError> {
        let mut view = View {
            nodes: tended.members.iter().map(|member| (&*member.node, BTreeSet::new())).collect(),
            shards: &tended.shards,
            needs: BTreeMap::new(),
        };
        if view.nodes.len() > 1 {
            let mut versions = BTreeSet::<Version>::new();
            for row in self.shared.store.definitions().await? {
                let version = (row.definition.name, row.definition.version);
                for (node, _) in &row.nodes {
                    if let Some(runs) = view.nodes.get_mut(&**node) {
                        runs.insert(version.clone());
                    }
                }
                versions.insert(version);
            }
            view.nodes.retain(|_, runs| !runs.is_empty());
            versions.retain(|version| view.nodes.values().any(|runs| !runs.contains(version)));
            let lacking = versions;
            if !lacking.is_empty() {
                for found in self.shared.store.in_flight().await? {
                    let version = (found.name, found.version);
                    if lacking.contains(&version) {
                        view.needs.entry(found.shard).or_default().insert(version);
                    }
                }
            }
        }
        Ok(view.plan(&member.node))
    }

    async fn carry_out(
        &self,
        plan: Plan,
        sharing: &Sharing,
        member: &Member,
        rows: &[ShardRow],
        progress: &mut Progress,
    ) -> Result<(), StoreError> {
        let shards = &self.shared.shards;
        let held = shards.held();
        for tenure in plan.hand_over.iter().filter_map(|shard| held.get(shard)) {
            if shards.begin_to_hand_over(tenure) {
                progress.handing_over.push(tenure.lease().shard);
                tokio::spawn(self.clone().hand_over(tenure.clone()));
            }
        }
        // What bears our name and is unknown to us: the answer to a claim was lost, or that to a giving back.
        let strays = rows.iter().filter(|row| {
            let ours = !row.free && row.owner == member.node;
            ours && !held.contains_key(&row.shard) && !shards.is_handing_over(row.shard)
        });
        let (back, again): (Vec<_>, Vec<_>) = strays.partition(|row| plan.hand_over.contains(&row.shard));
        if !back.is_empty() {
            let leases = back.iter().map(|row| Lease { shard: row.shard, epoch: row.epoch }).collect();
            self.give_back(sharing.term, leases).await?;
        }
        let mut claim = plan.claim;
        // What was seen may be older than what was taken since.
        claim.retain(|shard| !shards.is_handing_over(*shard) && !held.contains_key(shard));
        claim.extend(again.iter().map(|row| row.shard));
        if claim.is_empty() {
            return Ok(());
        }
        let (store, member, term) = (self.shared.store.clone(), member.clone(), sharing.term);
        let asked = Instant::now();
        hit("lease.before_claim");
        let claimed =
            self.between(asked, term, async move { store.claim(&member, &claim, term).await }).await?;
        hit("lease.after_claim");
        let ends = asked + validity(sharing.term);
        let begun = claimed.into_iter().map(|lease| shards.begin(lease, Some(ends)));
        let begun: Vec<Tenure> = begun.collect();
        progress.claimed.extend(begun.iter().map(|tenure| tenure.lease().shard));
        counter!(names::SHARDS_CLAIMED).increment(begun.len() as u64);
        if !begun.is_empty() {
            tokio::spawn(self.clone().settle_in(begun));
        }
        Ok(())
    }

    /// Lets what is under way in a shard come to rest, and gives the shard back. What does not rest in time is dropped.
    async fn hand_over(self, tenure: Tenure) {
        tenure.leave();
        let lease = tenure.lease();
        let rested = self.shared.registry.until_gone(|there| there == lease);
        tokio::select! {
            _ = tokio::time::timeout(self.shared.options.drain_patience, rested) => {}
            () = tenure.over() => {}
        }
        tenure.end();
        let term = self.shared.shards.shared.as_ref().map_or(Duration::ZERO, |(sharing, _)| sharing.term);
        if let Err(error) = self.give_back(term, vec![lease]).await {
            warn!(%error, shard = lease.shard, "a shard could not be given back; its lease ends by itself");
        }
        self.shared.shards.handed_over(&tenure);
    }

    async fn give_back(&self, term: Duration, leases: Vec<Lease>) -> Result<(), StoreError> {
        let store = self.shared.store.clone();
        self.between(Instant::now(), term, async move { store.give_back(&leases).await }).await
    }

    /// Hands every shard over and leaves the others: they may take them at once.
    pub(crate) async fn leave_the_others(&self) {
        let Some((sharing, member)) = self.shared.shards.shared.clone() else { return };
        let held = self.shared.shards.held().into_values();
        let leaving = held.map(|tenure| {
            self.shared.shards.begin_to_hand_over(&tenure);
            self.clone().hand_over(tenure)
        });
        join_all(leaving).await;
        let store = self.shared.store.clone();
        let left = self.between(Instant::now(), sharing.term, async move { store.leave(&member).await });
        if let Err(error) = left.await {
            warn!(%error, "this node could not leave the others; they take it for live until its lease ends");
        }
    }

    /// Asks the store between two batches of the writer: an update of a shard's row and a batch that holds on to it
    /// never wait for each other. Given up when a lease would be over.
    async fn between<T: Send + 'static>(
        &self,
        asked: Instant,
        term: Duration,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let in_time = async move {
            match tokio::time::timeout_at(asked + term, work).await {
                Ok(done) => done,
                Err(_) => Err(StoreError::Unknown(format!("no answer within a lease of {term:?}"))),
            }
        };
        let ended = || StoreError::Fatal("the writer has ended".to_owned());
        self.shared.writer.between(in_time).await.ok_or_else(ended)?
    }
}
