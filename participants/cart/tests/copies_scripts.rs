//! The four scripts in every order that changes, readers and a flush can run them in: a copy is what is committed.

#![allow(clippy::unwrap_used)]

use backstitch_services::redis_url;
use redis::{Connection, Script};

/// What somebody does next; the number tells two of a kind apart.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Move {
    Mark(usize),
    Commit(usize),
    Settle(usize),
    Look(usize),
    ReadDatabase(usize),
    Fill(usize),
    Flush,
}

const fn change(n: usize) -> [Move; 3] {
    [Move::Mark(n), Move::Commit(n), Move::Settle(n)]
}

/// Killed before it could settle.
const fn killed(n: usize) -> [Move; 2] {
    [Move::Mark(n), Move::Commit(n)]
}

const fn reader(n: usize) -> [Move; 3] {
    [Move::Look(n), Move::ReadDatabase(n), Move::Fill(n)]
}

/// Calls `with` with every order of all moves that keeps each one's own.
fn every_order(of: &[&[Move]], done: &mut Vec<Move>, with: &mut impl FnMut(&[Move])) {
    if of.iter().all(|moves| moves.is_empty()) {
        return with(done);
    }
    for (at, moves) in of.iter().enumerate() {
        let Some((first, rest)) = moves.split_first() else { continue };
        let mut left = of.to_vec();
        left[at] = rest;
        done.push(*first);
        every_order(&left, done, with);
        done.pop();
    }
}

struct World {
    redis: Connection,
    look: Script,
    fill: Script,
    mark: Script,
    settle: Script,
}

/// What one order has come to.
#[derive(Default)]
struct State {
    committed: u32,
    /// What each change wrote, and what each reader read; none of a reader that got no lease.
    wrote: [u32; 2],
    leased: [bool; 2],
    read: [u32; 2],
    copies: u32,
}

impl World {
    fn new() -> Self {
        Self {
            redis: redis::Client::open(redis_url()).unwrap().get_connection().unwrap(),
            look: Script::new(include_str!("../lua/look.lua")),
            fill: Script::new(include_str!("../lua/fill.lua")),
            mark: Script::new(include_str!("../lua/mark.lua")),
            settle: Script::new(include_str!("../lua/settle.lua")),
        }
    }

    fn run(&mut self, key: &str, order: &[Move]) -> State {
        let mut state = State::default();
        let redis = &mut self.redis;
        for (at, one) in order.iter().enumerate() {
            let token = |kind: &str, n: usize| format!("{kind}-{n}");
            let copy = |version: u32| format!("C{version}");
            match *one {
                Move::Mark(n) => {
                    self.mark.key(key).arg(token("change", n)).arg(60_000).invoke::<()>(redis).unwrap();
                }
                Move::Commit(n) => {
                    state.committed += 1;
                    state.wrote[n] = state.committed;
                }
                Move::Settle(n) => {
                    let mut script = self.settle.key(key);
                    script.arg(token("change", n)).arg(copy(state.wrote[n])).arg(60_000);
                    script.invoke::<()>(redis).unwrap();
                }
                Move::Look(n) => {
                    let mut script = self.look.key(key);
                    let found: Option<String> = script.arg(token("R", n)).arg(60_000).invoke(redis).unwrap();
                    state.leased[n] = found.is_none();
                }
                Move::ReadDatabase(n) => state.read[n] = state.committed,
                Move::Fill(n) if state.leased[n] => {
                    let mut script = self.fill.key(key);
                    script.arg(token("R", n)).arg(copy(state.read[n])).arg(60_000);
                    script.invoke::<()>(redis).unwrap();
                }
                Move::Fill(_) => {}
                Move::Flush => redis::cmd("DEL").arg(key).exec(redis).unwrap(),
            }
            let there: Option<String> = redis::cmd("GET").arg(key).query(redis).unwrap();
            // A flush takes marks too: what was read before a change may then be put while the change is under way.
            let is_under_way =
                |n| order[..=at].contains(&Move::Mark(n)) && !order[..=at].contains(&Move::Settle(n));
            let excused = order.contains(&Move::Flush) && (0..2).any(is_under_way);
            if let Some(version) = there.as_deref().and_then(|there| there.strip_prefix('C')) {
                state.copies += 1;
                let is_it = version == state.committed.to_string();
                assert!(is_it || excused, "copy {version} of {} after {:?}", state.committed, &order[..=at]);
            }
        }
        redis::cmd("DEL").arg(key).exec(redis).unwrap();
        state
    }
}

/// Runs every order of these; copies have been there in some, or nothing was tested.
fn all_is_well(of: &[&[Move]]) {
    let (mut world, mut copies) = (World::new(), 0);
    let key = format!("cart:{{scripts}}:{:?}", std::thread::current().id());
    every_order(of, &mut Vec::new(), &mut |order| copies += world.run(&key, order).copies);
    assert!(copies > 0);
}

#[test]
fn two_changes_and_a_reader() {
    all_is_well(&[&change(0), &change(1), &reader(0)]);
}

#[test]
fn a_change_and_two_readers() {
    all_is_well(&[&change(0), &reader(0), &reader(1)]);
}

#[test]
fn a_killed_change_beside_another_and_a_reader() {
    all_is_well(&[&killed(0), &change(1), &reader(0)]);
}

#[test]
fn a_flush_beside_changes_or_readers() {
    all_is_well(&[&change(0), &change(1), &[Move::Flush]]);
    all_is_well(&[&change(0), &reader(0), &[Move::Flush]]);
    all_is_well(&[&change(0), &change(1), &reader(0), &[Move::Flush]]);
}
