//! What is asked of Redis: four scripts on one key each, so that they work on a cluster's node as well.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::{Script, ScriptInvocation};

use super::copy::Copy;
use super::link::Live;
use crate::domain::CartId;

/// How long a reader has to put what it read. A slower one puts nothing.
const LEASE_MS: i64 = 5_000;

/// How long the mark of a change stays if nobody settles it.
pub(super) const MARK_MS: i64 = 120_000;

static LOOK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/look.lua")));
static FILL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/fill.lua")));
static MARK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/mark.lua")));
static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/settle.lua")));

/// Names one lease or change among all of all processes.
#[derive(Clone, Debug)]
pub(super) struct Token(String);

impl Token {
    pub(super) fn new(live: &Live) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(format!("{}-{}", live.process(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    fn lease(&self) -> String {
        format!("R{}", self.0)
    }
}

/// What a reader found.
pub(super) enum Look {
    /// Perhaps a copy.
    Copy(Vec<u8>),
    /// Nothing, and the right to put it.
    Leased(Token),
    /// Nobody was asked, or nobody answered.
    Nothing,
}

impl Look {
    /// `found` is what Redis answered, if it did.
    pub(super) fn of(found: Option<Option<Vec<u8>>>, lease: Token) -> Self {
        match found {
            Some(Some(bytes)) => Look::Copy(bytes),
            Some(None) => Look::Leased(lease),
            None => Look::Nothing,
        }
    }
}

/// Does what a change does, where no cart is.
pub(super) fn probe(live: &Live, change: &Token) -> [ScriptInvocation<'static>; 2] {
    let key = format!("cart:probe:{}", live.process());
    let (mut mark, mut settle) = (MARK.key(&key), SETTLE.key(&key));
    mark.arg(&change.0).arg(MARK_MS);
    settle.arg(&change.0).arg("").arg(0);
    [mark, settle]
}

/// The cart's key, all keyspaces of it in one slot of a cluster.
fn key(live: &Live, id: &CartId) -> String {
    format!("cart:{{{id}}}:{}", live.keyspace())
}

pub(super) fn look(live: &Live, id: &CartId, lease: &Token) -> ScriptInvocation<'static> {
    let mut script = LOOK.key(key(live, id));
    script.arg(lease.lease()).arg(LEASE_MS);
    script
}

pub(super) fn fill(live: &Live, id: &CartId, lease: &Token, copy: &Copy) -> ScriptInvocation<'static> {
    let mut script = FILL.key(key(live, id));
    script.arg(lease.lease()).arg(&copy.bytes).arg(copy.lives_ms);
    script
}

pub(super) fn mark(live: &Live, id: &CartId, change: &Token) -> ScriptInvocation<'static> {
    let mut script = MARK.key(key(live, id));
    script.arg(&change.0).arg(MARK_MS);
    script
}

pub(super) fn settle(
    live: &Live,
    id: &CartId,
    change: &Token,
    copy: Option<&Copy>,
) -> ScriptInvocation<'static> {
    let mut script = SETTLE.key(key(live, id));
    let (bytes, lives_ms) = copy.map_or((&[][..], 0), |copy| (&copy.bytes, copy.lives_ms));
    script.arg(&change.0).arg(bytes).arg(lives_ms);
    script
}
