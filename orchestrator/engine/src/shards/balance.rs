//! Who should have which shard: a pure function of what every node sees alike, so that all come to the same answer
//! without talking. Only what has to move moves.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use backstitch_store::ShardRow;

/// A version of a definition, by name and number.
pub(super) type Version = (String, u32);

/// What is seen.
pub(super) struct View<'a> {
    /// The live nodes, and what each of them can run.
    pub(super) nodes: BTreeMap<&'a str, BTreeSet<Version>>,
    /// Every shard.
    pub(super) shards: &'a [ShardRow],
    /// By shard: the versions of its sagas in flight.
    pub(super) needs: BTreeMap<u16, BTreeSet<Version>>,
}

/// What a node should do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Free shards that are meant for it.
    pub(super) claim: Vec<u16>,
    /// Shards of its own that are meant for others.
    pub(super) hand_over: Vec<u16>,
}

impl View<'_> {
    /// What `node` should do.
    pub(super) fn plan(&self, node: &str) -> Plan {
        let mut plan = Plan::default();
        for (shard, meant_for) in self.target() {
            let Some(row) = self.shards.get(usize::from(shard)) else { continue };
            let ours = !row.free && row.owner == node;
            if meant_for == node && row.free {
                plan.claim.push(shard);
            } else if meant_for != node && ours {
                plan.hand_over.push(shard);
            }
        }
        plan
    }

    /// Who should have which shard. One whose owner is not live, and whose lease has not ended yet, is left out.
    fn target(&self) -> BTreeMap<u16, &str> {
        let mut has: BTreeMap<&str, Vec<u16>> = self.nodes.keys().map(|node| (*node, Vec::new())).collect();
        let mut loose = Vec::new();
        for row in self.shards {
            let owner = has.get_mut(&*row.owner).filter(|_| !row.free);
            match owner {
                Some(shards) if self.may_have(&row.owner, row.shard) => shards.push(row.shard),
                Some(_) => loose.push(row.shard),
                None if row.free => loose.push(row.shard),
                None => {}
            }
        }
        let shares = self.shares(&has);
        // What is loose first: then only what is still uneven after that has to move.
        for shard in loose {
            let takers = self.nodes.keys().filter(|node| self.may_have(node, shard));
            if let Some(taker) = takers.max_by_key(|node| (lack(&shares, &has, node), Reverse(**node))) {
                has.entry(taker).or_default().push(shard);
            }
        }
        // Too many of them go to who has too few, the last ones first.
        for node in self.nodes.keys() {
            let mut at = has[node].len();
            while has[node].len() > shares[node] && at > 0 {
                at -= 1;
                let shard = has[node][at];
                let wants = |other: &&str| has[other].len() < shares[other] && self.may_have(other, shard);
                let taker = self.nodes.keys().filter(|other| wants(other));
                if let Some(taker) = taker.max_by_key(|other| (lack(&shares, &has, other), Reverse(**other)))
                {
                    has.entry(node).or_default().remove(at);
                    has.entry(taker).or_default().push(shard);
                }
            }
        }
        has.into_iter()
            .flat_map(|(node, shards)| shards.into_iter().map(move |shard| (shard, node)))
            .collect()
    }

    /// How many shards each node should have: all the same number, and who has most already keeps what is left over.
    fn shares<'v>(&'v self, has: &BTreeMap<&'v str, Vec<u16>>) -> BTreeMap<&'v str, usize> {
        let (shards, nodes) = (self.shards.len(), self.nodes.len().max(1));
        let mut order: Vec<&str> = self.nodes.keys().copied().collect();
        order.sort_by_key(|node| (Reverse(has[node].len()), *node));
        let more = |place: usize| usize::from(place < shards % nodes);
        order.into_iter().enumerate().map(|(place, node)| (node, shards / nodes + more(place))).collect()
    }

    /// Whether a node can run everything in a shard, or nobody can.
    fn may_have(&self, node: &str, shard: u16) -> bool {
        let Some(needs) = self.needs.get(&shard) else { return true };
        let can = |runs: &BTreeSet<Version>| needs.is_subset(runs);
        self.nodes.get(node).is_some_and(can) || !self.nodes.values().any(can)
    }
}

/// How many shards a node lacks of its share; less than nothing where it has more.
fn lack(shares: &BTreeMap<&str, usize>, has: &BTreeMap<&str, Vec<u16>>, node: &str) -> isize {
    shares[node].cast_signed() - has[node].len().cast_signed()
}

#[cfg(test)]
mod tests;
