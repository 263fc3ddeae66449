//! Members and leases in memory, told as plainly as possible. The clock is tokio's, so that a test may hold it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::{Lease, Member, ShardRow, Tended};

#[derive(Default)]
pub(super) struct Leases {
    shards: Vec<Shard>,
    /// The last number that was drawn, for an epoch or a run.
    drawn: i64,
    members: BTreeMap<String, (Member, Instant)>,
}

#[derive(Clone, Default)]
struct Shard {
    owner: String,
    epoch: i64,
    /// None: it does not end by time.
    ends: Option<Instant>,
}

impl Shard {
    fn is_free(&self, now: Instant) -> bool {
        self.owner.is_empty() || self.ends.is_some_and(|ends| ends <= now)
    }
}

impl Leases {
    pub(super) fn new(shards: u16) -> Self {
        let mut leases = Self::default();
        for _ in 0..shards {
            let epoch = leases.draw();
            leases.shards.push(Shard { epoch, ..Shard::default() });
        }
        leases
    }

    pub(super) fn shards(&self) -> u16 {
        u16::try_from(self.shards.len()).unwrap_or(u16::MAX)
    }

    pub(super) fn epoch(&self, shard: u16) -> i64 {
        self.shards[usize::from(shard)].epoch
    }

    fn draw(&mut self) -> i64 {
        self.drawn += 1;
        self.drawn
    }

    fn give(&mut self, shard: u16, node: &str, ends: Option<Instant>) -> Lease {
        let epoch = self.draw();
        self.shards[usize::from(shard)] = Shard { owner: node.to_owned(), epoch, ends };
        Lease { shard, epoch }
    }

    pub(super) fn acquire(&mut self, node: &str) -> Vec<Lease> {
        (0..self.shards()).map(|shard| self.give(shard, node, None)).collect()
    }

    pub(super) fn join(&mut self, node: &str, address: &str, term: Duration) -> Member {
        let now = Instant::now();
        self.members.retain(|_, (_, ends)| *ends > now);
        let member = Member { node: node.to_owned(), run: self.draw(), address: address.to_owned() };
        self.members.insert(node.to_owned(), (member.clone(), now + term));
        member
    }

    fn is_current(&self, member: &Member) -> bool {
        self.members.get(&member.node).is_some_and(|(known, _)| known.run == member.run)
    }

    pub(super) fn tend(&mut self, member: &Member, held: &[Lease], term: Duration) -> Tended {
        let now = Instant::now();
        let replaced = self.members.get(&member.node).is_some_and(|(known, _)| known.run > member.run);
        let mut renewed = BTreeSet::new();
        if !replaced {
            self.members.insert(member.node.clone(), (member.clone(), now + term));
            for lease in held {
                let shard = self.shards.get_mut(usize::from(lease.shard));
                let ours = shard.filter(|shard| {
                    shard.owner == member.node
                        && shard.epoch == lease.epoch
                        && shard.ends.is_none_or(|ends| ends > now)
                });
                if let Some(shard) = ours {
                    shard.ends = Some(now + term);
                    renewed.insert(*lease);
                }
            }
        }
        let row = |(shard, row): (u16, &Shard)| ShardRow {
            shard,
            owner: row.owner.clone(),
            epoch: row.epoch,
            free: row.is_free(now),
        };
        let live = self.members.values().filter(|(_, ends)| *ends > now);
        Tended {
            replaced,
            held: renewed.into_iter().collect(),
            members: live.map(|(member, _)| member.clone()).collect(),
            shards: (0..).zip(&self.shards).map(row).collect(),
        }
    }

    pub(super) fn claim(&mut self, member: &Member, shards: &BTreeSet<u16>, term: Duration) -> Vec<Lease> {
        let now = Instant::now();
        if !self.is_current(member) {
            return Vec::new();
        }
        let mut taken = Vec::new();
        for shard in shards {
            let row = &self.shards[usize::from(*shard)];
            if row.is_free(now) || row.owner == member.node {
                taken.push(self.give(*shard, &member.node, Some(now + term)));
            }
        }
        taken
    }

    pub(super) fn give_back(&mut self, held: &[Lease]) {
        for lease in held {
            if let Some(shard) = self.shards.get_mut(usize::from(lease.shard))
                && shard.epoch == lease.epoch
            {
                (shard.owner, shard.ends) = (String::new(), None);
            }
        }
    }

    pub(super) fn leave(&mut self, member: &Member) {
        if self.is_current(member) {
            self.members.remove(&member.node);
            for shard in self.shards.iter_mut().filter(|shard| shard.owner == member.node) {
                (shard.owner, shard.ends) = (String::new(), None);
            }
        }
    }
}
