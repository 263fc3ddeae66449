//! What was tried.

use std::collections::BTreeSet;

use backstitch_core::{End, Op};

use super::fault::Fault;
use super::story::Struck;
use super::world::World;

/// How much was tried, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Schedules of faults that were run to their end.
    pub schedules: u64,
    /// Of them, those that ended completed.
    pub completed: u64,
    /// Of them, those that ended compensated.
    pub compensated: u64,
    /// Of them, those in which a person was needed on the way.
    pub parked: u64,
    /// Transitions of the orchestrator's table in all of them.
    pub transitions: u64,
    /// Faults by the step and the op of the call that they struck.
    pub struck: BTreeSet<(&'static str, Op, Fault)>,
    /// Records whose commit was struck by a crash, by their place in the journal.
    pub records: BTreeSet<usize>,
}

impl Tally {
    /// Whether a call of `op` to `step` was struck by `fault`.
    pub fn has_struck(&self, step: &str, op: Op, fault: Fault) -> bool {
        self.struck.iter().any(|(s, o, f)| (*s, *o, *f) == (step, op, fault))
    }

    pub(super) fn ended(&mut self, world: &World<'_>, end: End) {
        self.schedules += 1;
        match end {
            End::Completed => self.completed += 1,
            End::Compensated => self.compensated += 1,
        }
        self.parked += u64::from(world.was_parked());
        self.transitions += u64::from(world.transitions());
        for suffered in &world.schedule {
            match suffered.at {
                Struck::Call(step, op) => {
                    self.struck.insert((world.stage.name(step), op, suffered.fault));
                }
                Struck::Record => {
                    self.records.insert(suffered.nth);
                }
                Struck::Pause => {}
            }
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.completed += other.completed;
        self.compensated += other.compensated;
        self.parked += other.parked;
        self.transitions += other.transitions;
        self.struck.extend(other.struck);
        self.records.extend(other.records);
    }
}
