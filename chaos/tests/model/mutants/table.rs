//! The core's table with something wrong before or after it.

use backstitch_core::{
    Activity, Call, Cause, Class, Definition, Direction, Effect, End, Entry, Event, Illegal, Op, Outcome,
    Record, Refusal, Saga, Settled, StepId, Timestamp, Transition, next as real,
};
use bytes::Bytes;

use super::Mutant;
use crate::stage::Stage;
use crate::table::Asked;
use crate::world::World;

type Turned = Result<Transition, Illegal>;

/// The core's table, or what a mutant makes of it.
pub(crate) fn next(
    mutant: Option<Mutant>,
    stage: &Stage,
    saga: &mut Saga,
    event: Event,
    now: Timestamp,
) -> Turned {
    let definition = &stage.definition;
    let Some(mutant) = mutant else { return real(definition, saga, event, now, 0) };
    let before = saga.clone();
    let event = misread(mutant, definition, saga, event);
    if let Some(cause) = turns_wrongly(mutant, definition, saga, &event, now) {
        return turn_back(definition, saga, cause, now);
    }
    if mutant == Mutant::LateDoneGoesForward && saga.turned_back.is_some() && is_late_done(&event) {
        (saga.direction, saga.turned_back) = (Direction::Forward, None);
        return real(definition, saga, Event::Own { recovered: false }, now, 0);
    }
    let now = if mutant == Mutant::DeadlineIsAlwaysOver { saga.start.deadline } else { now };
    if mutant == Mutant::PoisonedIsCalled && saga.poisoned.take().is_some() {
        return real(definition, saga, Event::Own { recovered: false }, now, 0);
    }
    if mutant == Mutant::MadeGoodGoesOn && matches!(event, Event::Available { .. }) {
        let good = saga.made_good.take();
        let out = real(definition, saga, event, now, 0);
        saga.made_good = good;
        return out;
    }
    let mut out = real(definition, saga, event, now, 0)?;
    let turned = before.turned_back.is_none() && saga.turned_back.is_some();
    match mutant {
        Mutant::DoesAfterCloseIntent => {
            calls(&mut out).filter(|call| call.op == Op::Close).for_each(|call| {
                call.op = Op::Do;
                let activity = Activity::Calling { op: Op::Do, attempt: call.attempt };
                saga.steps[call.step.index()].activity = activity;
            })
        }
        Mutant::PassesAParkThatIsNotDurable => {
            let turned = saga.turned_back.unwrap_or_default();
            calls(&mut out).filter(|call| call.op == Op::Undo).for_each(|call| call.after = turned);
        }
        Mutant::RetriesForwardAfterTheTurn if turned => {
            for id in definition.step_ids() {
                if let Activity::BackingOff { op: Op::Do, attempt, .. } = before.step(id).activity {
                    out.effects.push(call(saga, id, Op::Do, attempt));
                }
            }
        }
        Mutant::UndoesAllAtOnce if turned => {
            for id in definition.step_ids() {
                if saga.needs_undo(definition, id) && saga.step(id).activity == Activity::Idle {
                    saga.steps[id.index()].undo_attempts = 1;
                    out.effects.push(call(saga, id, Op::Undo, 1));
                }
            }
        }
        Mutant::UndoesWhatNeverRan if turned => {
            for id in definition.step_ids() {
                let undoable = definition.step(id).class == Class::Compensatable;
                if undoable && !saga.needs_undo(definition, id) {
                    saga.steps[id.index()].undo_attempts = 1;
                    out.effects.push(call(saga, id, Op::Undo, 1));
                }
            }
        }
        Mutant::CallsAheadOfItsTurn if before.steps[0].attempts == 0 => {
            for id in definition.step_ids() {
                if saga.step(id).attempts == 0 {
                    saga.steps[id.index()].attempts = 1;
                    out.effects.push(call(saga, id, Op::Do, 1));
                }
            }
        }
        Mutant::CallsAreForgotten => calls(&mut out).for_each(|call| {
            saga.steps[call.step.index()].activity = Activity::Idle;
            call.after = u32::from(u8::MAX);
        }),
        Mutant::RetryAsksForSomethingElse => {
            calls(&mut out).filter(|call| call.attempt > 1).for_each(|call| {
                call.request = Bytes::from_static(b"something else");
            })
        }
        Mutant::RecordsAfterTheEnd if saga.end.is_some() => {
            out.records.push(Entry { at: now, record: Record::PivotIntent });
        }
        Mutant::UndoesThePivot if turned => out.effects.extend(definition.pivot.map(|pivot| {
            saga.steps[pivot.index()].undo_attempts = 1;
            call(saga, pivot, Op::Undo, 1)
        })),
        Mutant::ForgetsWhatMayHaveRun | Mutant::UndoesOnlyWhatIsRecorded | Mutant::SkipsRetriableSteps => {
            return skip(mutant, definition, saga, out, now);
        }
        Mutant::ForgetsParkedUndos if saga.end.is_none() => {
            let parked = saga.steps.iter().any(|step| step.undo_parked.is_some());
            let idle = saga.steps.iter().all(|step| step.activity == Activity::Idle);
            if parked && idle {
                record(saga, &mut out, Record::Compensated, now);
            }
        }
        _ => {}
    }
    Ok(out)
}

/// The record that a call waits for: as the core says, or as a mutant has it.
pub(crate) fn waits_for(world: &World, asked: &Asked) -> u8 {
    let pivot = world.class(usize::from(asked.step)) == Class::Pivot;
    match (world.mutant, asked.op) {
        (Some(Mutant::CallsBeforeStartedIsDurable), _) => 0,
        (Some(Mutant::UsesAnOutputThatIsNotDurable), Op::Do) if !pivot => 1,
        (Some(Mutant::PivotBeforeItsIntent), Op::Do) if pivot => 1,
        (Some(Mutant::UndoesBeforeTurnedBackIsDurable), Op::Undo) => 1,
        (Some(Mutant::ClosesBeforeItsIntent), Op::Close) => 1,
        _ => asked.after,
    }
}

/// An outcome that is read as another.
fn misread(mutant: Mutant, definition: &Definition, saga: &mut Saga, event: Event) -> Event {
    if let (Mutant::CompletesByAnyEnd, Event::Returned { return_saga, why, .. }) = (mutant, &event) {
        return Event::Returned { return_saga: *return_saga, end: End::Completed, why: why.clone() };
    }
    let Event::Replied { step, op, mut attempt, outcome } = event else { return event };
    if mutant == Mutant::AnswersAreMixedUp {
        attempt += 1;
    }
    let refused = || Outcome::Refused(Refusal::new("MISREAD", "it says something else"));
    let after_pivot = definition.step(step).class == Class::Retriable;
    let outcome = match (mutant, op, outcome) {
        (Mutant::UnknownIsRefused, Op::Do, Outcome::Unknown { .. })
        | (Mutant::BrokenIsRefused, Op::Do, Outcome::Broken(_))
        | (Mutant::NotNowIsRefused, Op::Do, Outcome::NotNow { .. }) => refused(),
        (Mutant::UnknownIsNotNow, Op::Do, Outcome::Unknown { after, why }) => Outcome::NotNow { after, why },
        (Mutant::WaitingIsDone, Op::Do, Outcome::Done(_)) => Outcome::Done(Bytes::new()),
        (Mutant::CloseRefusedIsDone, Op::Close, Outcome::Refused(_)) => Outcome::Done(Bytes::new()),
        (Mutant::RefusedAfterThePivotIsDone, Op::Do, Outcome::Refused(_)) if after_pivot => {
            Outcome::Done(Bytes::new())
        }
        (Mutant::NotNowClearsTheDoubt, Op::Do, outcome @ Outcome::NotNow { .. }) => {
            saga.steps[step.index()].maybe_run = false;
            outcome
        }
        (_, _, outcome) => outcome,
    };
    Event::Replied { step, op, attempt, outcome }
}

/// Why a mutant turns back where the core does not.
fn turns_wrongly(
    mutant: Mutant,
    definition: &Definition,
    saga: &Saga,
    event: &Event,
    now: Timestamp,
) -> Option<Cause> {
    if saga.direction != Direction::Forward || saga.end.is_some() || saga.pivot_intent.is_none() {
        return None;
    }
    let current = |step: &StepId, op, attempt| saga.step(*step).activity == Activity::Calling { op, attempt };
    match (mutant, event) {
        (Mutant::CancelsAfterThePivot, Event::Cancel { why }) => Some(Cause::Cancelled(why.clone())),
        (Mutant::DeadlineAfterThePivot, Event::DeadlinePassed) => Some(Cause::Deadline),
        (
            Mutant::TurnsBackOnADoubtfulPivot,
            Event::Replied { step, op, attempt, outcome: Outcome::Unknown { why: last, .. } },
        ) if definition.pivot == Some(*step) && now > Timestamp(0) && current(step, *op, *attempt) => {
            Some(Cause::GaveUp { step: *step, last: last.clone() })
        }
        (
            Mutant::RefusedAfterThePivotTurnsBack,
            Event::Replied { step, op, attempt, outcome: Outcome::Refused(_) },
        ) if definition.step(*step).class == Class::Retriable && current(step, *op, *attempt) => {
            Some(Cause::GaveUp { step: *step, last: "refused".into() })
        }
        _ => None,
    }
}

fn turn_back(definition: &Definition, saga: &mut Saga, cause: Cause, now: Timestamp) -> Turned {
    let mut out = Transition::default();
    record(saga, &mut out, Record::TurnedBack { cause }, now);
    let rest = real(definition, saga, Event::Own { recovered: false }, now, 0)?;
    out.records.extend(rest.records);
    out.effects.extend(rest.effects);
    Ok(out)
}

/// Calls that a mutant does not make: it takes them for done.
fn skip(
    mutant: Mutant,
    definition: &Definition,
    saga: &mut Saga,
    mut out: Transition,
    now: Timestamp,
) -> Turned {
    loop {
        let skipped = |call: &Call| match (mutant, call.op) {
            (Mutant::SkipsRetriableSteps, Op::Do) => definition.step(call.step).class == Class::Retriable,
            (Mutant::ForgetsWhatMayHaveRun, Op::Undo) => {
                !saga.recovered && saga.step(call.step).settled == Settled::Open
            }
            (Mutant::UndoesOnlyWhatIsRecorded, Op::Undo) => {
                saga.recovered && saga.step(call.step).settled == Settled::Open
            }
            _ => false,
        };
        let place =
            out.effects.iter().position(|effect| matches!(effect, Effect::Call(call) if skipped(call)));
        let Some(Effect::Call(call)) = place.map(|place| out.effects.remove(place)) else { return Ok(out) };
        let outcome = Outcome::Done(Bytes::new());
        let event = Event::Replied { step: call.step, op: call.op, attempt: call.attempt, outcome };
        let rest = real(definition, saga, event, now, 0)?;
        out.records.extend(rest.records);
        out.effects.extend(rest.effects);
    }
}

fn is_late_done(event: &Event) -> bool {
    matches!(event, Event::Replied { op: Op::Do, outcome: Outcome::Done(_), .. })
}

fn calls(out: &mut Transition) -> impl Iterator<Item = &mut Call> {
    out.effects.iter_mut().filter_map(|effect| match effect {
        Effect::Call(call) => Some(call),
        _ => None,
    })
}

/// A call that the core did not ask for.
fn call(saga: &mut Saga, step: StepId, op: Op, attempt: u32) -> Effect {
    saga.steps[step.index()].activity = Activity::Calling { op, attempt };
    Effect::Call(Call {
        step,
        op,
        attempt,
        request: saga.start.input.clone(),
        timeout: std::time::Duration::ZERO,
        after: saga.turned_back.unwrap_or(1),
    })
}

fn record(saga: &mut Saga, out: &mut Transition, record: Record, at: Timestamp) {
    let entry = Entry { at, record };
    if saga.fold(&entry).is_ok() {
        out.records.push(entry);
    }
}
