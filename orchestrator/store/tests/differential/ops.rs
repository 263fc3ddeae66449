//! What may happen in a history, and how often.

use backstitch_store::testing::DAY;
use proptest::prelude::*;

pub(crate) const SHARDS: u16 = 4;

/// How large a history's world is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    /// How many sagas are appended to at a time.
    pub(crate) sagas: u32,
    /// How many keys they share.
    pub(crate) keys: u32,
    /// The most appends in a batch.
    pub(crate) batch: usize,
    /// With every batch so many sagas and keys are left behind, and as many new ones come.
    pub(crate) drift: u32,
    /// How many sagas may break a constraint.
    pub(crate) poisoned: usize,
}

/// One append, told relative to what is there when it is made.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) saga: u32,
    pub(crate) start: bool,
    pub(crate) key: Option<u32>,
    /// How far from the next record number.
    pub(crate) offset: i64,
    pub(crate) records: u8,
    /// Which bytes: a repeat with another variant differs.
    pub(crate) variant: u8,
    pub(crate) status: Option<usize>,
    pub(crate) events: u8,
    pub(crate) old_lease: bool,
    pub(crate) other_shard: bool,
    pub(crate) other_root: bool,
    pub(crate) started: i64,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Commit(Vec<Draft>),
    /// The last committed batch again, as after an unknown commit.
    Repeat,
    Acquire,
    BlockKey(u32),
    Purge {
        days: i64,
        limit: usize,
    },
    Publish {
        shard: u16,
        count: usize,
        skip: usize,
    },
    Park {
        shard: u16,
        nth: usize,
    },
    PurgeLane {
        shard: u16,
        limit: usize,
    },
    Pages {
        limit: usize,
        status: Option<usize>,
        from: i64,
    },
    Judge {
        finding: u32,
        is_acknowledged: bool,
        /// How far its clock is behind.
        behind: i64,
    },
    Poison(u32),
    Reopen,
    Wait(i64),
}

fn rarely() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.08)
}

fn drafts(world: World) -> impl Strategy<Value = Draft> {
    let key = prop::option::weighted(0.5, 0..world.keys);
    let place = (0..world.sagas, prop::bool::weighted(0.3), key);
    let offset = prop_oneof![8 => Just(0_i64), 1 => -3_i64..0, 1 => 1_i64..3];
    let content =
        (offset, 1_u8..4, prop::bool::weighted(0.1), prop::option::weighted(0.3, 0..6_usize), 0_u8..3);
    let wrong = (rarely(), rarely(), rarely(), 0_i64..4);
    (place, content, wrong).prop_map(
        |(
            (saga, start, key),
            (offset, records, variant, status, events),
            (old_lease, other_shard, other_root, started),
        )| {
            let variant = u8::from(variant);
            let (offset, start) = (if start { 0 } else { offset }, start);
            Draft {
                saga,
                start,
                key,
                offset,
                records,
                variant,
                status,
                events,
                old_lease,
                other_shard,
                other_root,
                started,
            }
        },
    )
}

pub(crate) fn ops(world: World) -> impl Strategy<Value = Op> {
    let shards = 0..SHARDS;
    // What takes rows away or shows them, keeps up with what comes.
    let few = world.batch;
    prop_oneof![
        10 => prop::collection::vec(drafts(world), 1..=world.batch).prop_map(Op::Commit),
        2 => Just(Op::Repeat),
        1 => Just(Op::Acquire),
        1 => (0..world.keys).prop_map(Op::BlockKey),
        2 => (0_i64..9, 0..few).prop_map(|(days, limit)| Op::Purge { days, limit }),
        3 => (shards.clone(), 0..few, 0..2 * few)
            .prop_map(|(shard, count, skip)| Op::Publish { shard, count, skip }),
        1 => (shards.clone(), 0_usize..4).prop_map(|(shard, nth)| Op::Park { shard, nth }),
        1 => (shards, 0..few).prop_map(|(shard, limit)| Op::PurgeLane { shard, limit }),
        1 => (few.div_ceil(2)..=few, prop::option::of(0..6_usize), 0_i64..4)
            .prop_map(|(limit, status, from)| Op::Pages { limit, status, from }),
        2 => (0_u32..4, any::<bool>(), prop_oneof![3 => 0..2 * DAY, 1 => 399 * DAY..401 * DAY])
            .prop_map(|(finding, is_acknowledged, behind)| Op::Judge { finding, is_acknowledged, behind }),
        1 => (0..world.sagas).prop_map(Op::Poison),
        1 => Just(Op::Reopen),
        2 => (0_i64..4 * DAY).prop_map(Op::Wait),
    ]
}
