//! What must hold when a call is sent: the safety table and the direction of the saga.

use backstitch_core::{Call, Class, Op, Replay, Settled};

use super::law::{Checked, Law, hold};
use super::world::World;

/// The orchestrator may send this call now.
pub(super) fn check(world: &World<'_>, call: &Call) -> Checked {
    let (definition, saga) = (world.stage.definition, &world.saga);
    let (step, name) = (definition.step(call.step), world.stage.name(call.step));
    let is_durable = |seq: Option<u32>| seq.is_some_and(|seq| seq as usize <= world.durable);
    let durable = |seq, what: &str| {
        hold(Law::DurableFirst, is_durable(seq), || {
            format!("{} of {name} is sent before {what} is durable", call.op)
        })
    };
    if call.op == Op::Undo {
        let may_have_run = match saga.step(call.step).settled {
            Settled::Done { .. } => true,
            Settled::Refused { .. } => false,
            Settled::Open => saga.recovered || saga.step(call.step).attempts > 0,
        };
        hold(Law::UndoOfWhatMayHaveRun, may_have_run, || format!("{name} is undone, but never ran"))?;
        return durable(saga.turned_back, "the turn");
    }
    hold(Law::NoForwardAfterTurn, saga.turned_back.is_none(), || {
        format!("{} of {name} is sent after the turn", call.op)
    })?;
    for earlier in step.after.iter() {
        let done = matches!(saga.step(earlier).settled, Settled::Done { .. });
        hold(Law::NeedsStand, done, || {
            format!("{} of {name} is sent before {} is done", call.op, world.stage.name(earlier))
        })?;
    }
    for read in step.reads.iter().filter(|read| definition.step(*read).replay == Replay::MayDiffer) {
        let seq = match saga.step(read).settled {
            Settled::Done { seq, .. } => Some(seq),
            _ => None,
        };
        durable(seq, &format!("the answer of {}, which may differ,", world.stage.name(read)))?;
    }
    match call.op {
        Op::Close => durable(saga.step(call.step).closing, "its intent"),
        _ if step.class == Class::Pivot => durable(saga.pivot_intent, "its intent"),
        _ => Ok(()),
    }
}
