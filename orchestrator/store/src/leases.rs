//! Who owns which shard, and for how long.

/// The right to append to the sagas of one shard, until a higher epoch is drawn for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease {
    /// The shard, counted from 0.
    pub shard: u16,
    /// The fencing token: every acquisition of any shard draws the next number of one store-wide counter.
    pub epoch: i64,
}

/// One process of a node, among others that share the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The node's name; no two processes that are alive have the same.
    pub node: String,
    /// Which process of that name it is: drawn by [`Store::join`](crate::Store::join), the later the higher.
    pub run: i64,
    /// Where other nodes call it; may be empty.
    pub address: String,
}

/// What a member learns when it says that it is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tended {
    /// A later process has joined under this name. Nothing was renewed: forget everything, and end.
    pub replaced: bool,
    /// Those of the leases that are still its own, renewed; by shard.
    pub held: Vec<Lease>,
    /// Who is live by the database's clock, by name.
    pub members: Vec<Member>,
    /// Every shard, in order.
    pub shards: Vec<ShardRow>,
}

/// A shard, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRow {
    /// The shard.
    pub shard: u16,
    /// The node that took it last; empty if none ever did, or if that one gave it back.
    pub owner: String,
    /// Its current epoch.
    pub epoch: i64,
    /// Anybody may claim it: nobody owns it, or the lease has ended by the database's clock.
    pub free: bool,
}
