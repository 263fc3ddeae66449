//! Which shards this node has, and which it should have.
//!
//! - A `Tenure` is one uninterrupted holding; everything that acts for a saga asks it first.
//! - `balance` decides what to take and what to hand over, from what all nodes see alike.
//! - `keeper` is the repeating tick: renew, look, take, hand over.

mod balance;
mod keeper;
mod tenure;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use backstitch_store::{Lease, Member, Tended};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use keeper::Progress;
pub(crate) use tenure::Tenure;

/// How this node shares the store with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// Where other nodes call this one's gRPC API; may be empty, and then they cannot.
    pub address: String,
    /// How long a lease lasts without renewal: so long a shard stands still when its node dies.
    pub term: Duration,
}

/// Who has a shard, as far as this node has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// This node.
    Here,
    /// That one.
    There(Member),
    /// Nobody right now, or somebody who is not heard of: it is taken over within a lease.
    Nowhere,
}

/// Where this node stands among the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has the store for itself.
    Alone,
    /// It shares the store, and has so many shards.
    Sharing {
        /// How many shards it may act for now.
        shards: usize,
        /// How many live nodes it has seen last, itself included.
        nodes: usize,
    },
    /// It has not renewed its leases in time, and does nothing until it can again.
    Lapsed,
    /// Another process has joined under its name.
    Replaced,
}

/// The shards of an engine.
pub(crate) struct Shards {
    node: String,
    held: RwLock<BTreeMap<u16, Tenure>>,
    /// Those that are on their way to others: not to be taken up again before they are given back.
    handing_over: Mutex<BTreeSet<u16>>,
    seen: RwLock<Seen>,
    /// What follows from what is seen is done once at a time.
    acting: tokio::sync::Mutex<()>,
    stopping: CancellationToken,
    /// Look again now rather than at the next tick.
    pub(crate) look: Notify,
    /// Cancelled when another process has joined under this name.
    pub(crate) replaced: CancellationToken,
    /// How it is shared, and as who; None: it is not.
    shared: Option<(Sharing, Member)>,
}

#[derive(Default)]
struct Seen {
    members: Vec<Member>,
    /// By shard: the owner of a lease that has not ended.
    owners: Vec<Option<String>>,
    /// Until when the last successful renewal counts.
    until: Option<Instant>,
}

impl Shards {
    /// All of them, for as long as nobody takes them.
    pub(crate) fn whole(node: &str, leases: Vec<Lease>, stopping: &CancellationToken) -> Self {
        let shards = Self::new(node, None, stopping);
        leases.into_iter().for_each(|lease| drop(shards.begin(lease, None)));
        shards
    }

    /// None yet.
    pub(crate) fn shared(sharing: Sharing, member: Member, stopping: &CancellationToken) -> Self {
        let node = member.node.clone();
        Self::new(&node, Some((sharing, member)), stopping)
    }

    fn new(node: &str, shared: Option<(Sharing, Member)>, stopping: &CancellationToken) -> Self {
        Self {
            node: node.to_owned(),
            held: RwLock::default(),
            handing_over: Mutex::default(),
            acting: tokio::sync::Mutex::default(),
            seen: RwLock::default(),
            stopping: stopping.clone(),
            look: Notify::new(),
            replaced: CancellationToken::new(),
            shared,
        }
    }

    /// Whether the store is shared with other nodes.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    fn handing(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        self.handing_over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_handing_over(&self, shard: u16) -> bool {
        self.handing().contains(&shard)
    }

    /// False if it is under way already.
    fn begin_to_hand_over(&self, tenure: &Tenure) -> bool {
        self.handing().insert(tenure.lease().shard)
    }

    fn handed_over(&self, tenure: &Tenure) {
        self.lose(tenure);
        self.handing().remove(&tenure.lease().shard);
    }

    /// Forgets tenures that are over.
    fn forget_ended(&self) {
        self.change(|held| held.retain(|_, tenure| tenure.holds()));
    }

    /// A new tenure in place of an earlier one, which is over.
    fn begin(&self, lease: Lease, ends: Option<Instant>) -> Tenure {
        let tenure = Tenure::begin(lease, ends, &self.stopping);
        let before = self.change(|held| held.insert(lease.shard, tenure.clone()));
        if let Some(before) = before {
            before.end();
        }
        tenure
    }

    /// Ends a tenure and forgets it.
    fn lose(&self, tenure: &Tenure) {
        tenure.end();
        let lease = tenure.lease();
        self.change(|held| {
            if held.get(&lease.shard).is_some_and(|current| current.lease() == lease) {
                held.remove(&lease.shard);
            }
        });
    }

    /// Every tenure that is not over, by shard; those that are being handed over too.
    pub(crate) fn held(&self) -> BTreeMap<u16, Tenure> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.iter().filter(|(_, tenure)| tenure.holds()).map(|(shard, t)| (*shard, t.clone())).collect()
    }

    /// Every tenure in which something may begin, by shard.
    pub(crate) fn open(&self) -> BTreeMap<u16, Tenure> {
        let mut open = self.held();
        open.retain(|_, tenure| tenure.is_open());
        open
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<u16, Tenure>) -> T) -> T {
        change(&mut self.held.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn see(&self, tended: &Tended, until: Instant) {
        let owner = |row: &backstitch_store::ShardRow| (!row.free).then(|| row.owner.clone());
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        *seen = Seen {
            members: tended.members.clone(),
            owners: tended.shards.iter().map(owner).collect(),
            until: Some(until),
        };
    }

    /// The tenure of a new saga: they spread over the node's shards by their id.
    pub(crate) fn for_new(&self, id: Uuid) -> Option<Tenure> {
        let open = self.open();
        let (_, low) = id.as_u64_pair();
        let place = usize::try_from(low % open.len().max(1) as u64).unwrap_or(0);
        open.into_values().nth(place)
    }

    /// The tenure of a shard in which something may begin; or else who has it.
    pub(crate) fn of(&self, shard: u16) -> Result<Tenure, Home> {
        match self.open().remove(&shard) {
            Some(tenure) => Ok(tenure),
            None => Err(self.home(shard)),
        }
    }

    /// Who has the shard.
    pub(crate) fn home(&self, shard: u16) -> Home {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if held.get(&shard).is_some_and(Tenure::is_open) {
            return Home::Here;
        }
        drop(held);
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let owner = seen.owners.get(usize::from(shard)).and_then(Option::as_ref);
        // What this node is losing or handing over is nobody's yet.
        let owner = owner.filter(|owner| **owner != self.node);
        let member = owner.and_then(|owner| seen.members.iter().find(|member| member.node == *owner));
        member.map_or(Home::Nowhere, |member| Home::There(member.clone()))
    }

    pub(crate) fn standing(&self) -> Standing {
        if self.shared.is_none() {
            return Standing::Alone;
        }
        if self.replaced.is_cancelled() {
            return Standing::Replaced;
        }
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        match seen.until {
            Some(until) if Instant::now() < until => {
                Standing::Sharing { shards: self.open().len(), nodes: seen.members.len() }
            }
            _ => Standing::Lapsed,
        }
    }
}
