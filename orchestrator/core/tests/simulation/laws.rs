//! What must hold whatever happens.

use backstitch_core::{
    Activity, Call, Cause, Definition, Effect, End, Event, Illegal, Op, Record, Saga, Settled, Status,
    StepId, Transition,
};

use crate::participant::Row;
use crate::world::{Law, Who, World};

fn law(holds: bool, otherwise: impl FnOnce() -> String) -> Law {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// An error changes nothing, and an event of the shell's own making is never one.
pub(crate) fn illegal(before: &Saga, after: &Saga, event: &Event, illegal: &Illegal) -> Law {
    law(before == after, || format!("an illegal event changed the state: {event:?}"))?;
    let expected = match illegal {
        Illegal::PivotBegun | Illegal::Settling => matches!(event, Event::Cancel { .. }),
        Illegal::Ended(_) => matches!(
            event,
            Event::Cancel { .. } | Event::Poison { .. } | Event::Note { .. } | Event::MakeGood { .. }
        ),
        Illegal::NotParked | Illegal::BeingMadeGood(_) => {
            matches!(event, Event::Resume { .. } | Event::MakeGood { .. })
        }
        Illegal::FullOfNotes => matches!(event, Event::Note { .. }),
        Illegal::PivotNotDone | Illegal::InFlight(_) => matches!(event, Event::MakeGood { .. }),
        // Only of a reply that was for somebody else.
        Illegal::NeverCalled { .. } => matches!(event, Event::Replied { .. }),
        Illegal::NoSuchStep(_) | Illegal::NoReturn => false,
    };
    law(expected, || format!("{event:?} is illegal: {illegal}"))
}

/// A saga that has not ended and is not parked has something under way: nothing waits silently (I5). What it asks for
/// can become durable.
pub(crate) fn transition(definition: &Definition, saga: &Saga, transition: &Transition) -> Law {
    let idle = saga.steps.iter().all(|step| step.activity == Activity::Idle);
    let status = saga.status();
    law(!idle || status.is_final() || status == Status::Parked, || format!("silent while {status:?}"))?;
    for effect in &transition.effects {
        match effect {
            Effect::Call(call) => {
                law(call.after >= 1 && call.after <= saga.seq, || format!("{call:?} waits for no record"))?;
                law(Some(call.after) >= saga.resumed, || {
                    format!("{call:?} does not wait for the record of a person's word")
                })?;
                let activity = Activity::Calling { op: call.op, attempt: call.attempt };
                law(saga.step(call.step).activity == activity, || {
                    format!("{call:?} is not what the step does")
                })?;
            }
            Effect::Rest => law(idle, || "rests while something is under way".into())?,
            Effect::Timer { step, .. } => {
                let waits = matches!(saga.step(*step).activity, Activity::BackingOff { .. });
                law(waits, || format!("a timer for {step:?}, which does not wait"))?;
            }
            Effect::Deadline(_) => {}
        }
    }
    let waits = |id: &StepId| matches!(saga.step(*id).activity, Activity::Calling { op: Op::Do, .. });
    law(idle || saga.made_good.is_none(), || "made good, yet something is under way".into())?;
    let late = saga.turned_back.and_then(|_| definition.step_ids().find(waits));
    law(late.is_none(), || format!("turned back, yet {late:?} is being done"))
}

/// Live state and the fold of the records differ in what is volatile only.
pub(crate) fn fold_is_live(facts: &Saga, live: &Saga) -> Law {
    let mut facts = facts.clone();
    (facts.recovered, facts.restored) = (live.recovered, live.restored);
    for (folded, live) in facts.steps.iter_mut().zip(&live.steps) {
        (folded.maybe_run, folded.activity) = (live.maybe_run, live.activity.clone());
        (folded.attempts, folded.undo_attempts) = (live.attempts, live.undo_attempts);
        (folded.since, folded.spent, folded.first_called) = (live.since, live.spent, live.first_called);
    }
    law(facts == *live, || format!("the journal says\n{facts:#?}\nbut the live state is\n{live:#?}"))
}

/// The safety table and I6, told from the journal alone: what is durable when a call leaves, and what its owner knows.
pub(crate) fn sent(world: &World, who: Who, call: &Call) -> Law {
    let Call { step, op, .. } = *call;
    let owner = match (who, &world.zombie) {
        (Who::Zombie, Some(zombie)) => zombie,
        _ => &world.live,
    };
    let (durable, known) = (owner.frozen.as_ref().unwrap_or(&world.durable_facts), &owner.saga);
    law(!world.durable.is_empty(), || format!("{op} of {step:?} before `started` is durable"))?;
    law(known.poisoned.is_none(), || format!("{op} of {step:?} while the saga is poisoned"))?;
    law(known.made_good.is_none(), || format!("{op} of {step:?} while a return makes it good"))?;
    let done = |saga: &Saga, id: StepId| matches!(saga.step(id).settled, Settled::Done { .. });
    if op == Op::Undo {
        law(durable.turned_back.is_some(), || format!("undo of {step:?} before `turned_back` is durable"))?;
        return law(world.plan.is_compensatable(step), || format!("undo of {step:?}, which has none"));
    }
    law(known.turned_back.is_none(), || format!("{op} of {step:?} after the turn"))?;
    law(known.step(step).settled == Settled::Open, || format!("{op} of {step:?}, which is settled"))?;
    for read in world.definition.step(step).reads.iter() {
        let rides = !world.plan.steps[read.index()].may_differ;
        law(rides || done(durable, read), || {
            format!("{op} of {step:?} before the output of {read:?} is durable")
        })?;
    }
    for earlier in world.definition.step(step).after.iter() {
        law(done(known, earlier), || format!("{op} of {step:?} before {earlier:?} is done"))?;
    }
    let pivot = world.plan.is_pivot(step);
    law(!pivot || durable.pivot_intent.is_some(), || "the pivot before its intent is durable".into())?;
    match op {
        Op::Close => {
            let asked = pivot || known.restored;
            law(asked && durable.step(step).closing.is_some(), || format!("close of {step:?} unannounced"))
        }
        _ => law(known.step(step).closing.is_none(), || format!("do of {step:?} after its close")),
    }
}

/// Nothing is undone, nor asked to be, once the pivot has happened.
pub(crate) fn undo_before_pivot(world: &World) -> Law {
    let Some(pivot) = world.plan.pivot else { return Ok(()) };
    let book = &world.participant.books[pivot];
    law(book.row != Row::Done && !book.in_force(), || "an undo after the pivot was done".into())
}

/// Whatever depends on a step is taken back before it, unless its undo is parked (I6).
pub(crate) fn undo_order(world: &World, step: StepId) -> Law {
    undo_before_pivot(world)?;
    for later in world.definition.step(step).descendants.iter().filter(|id| world.plan.is_compensatable(*id))
    {
        let passed = world.journal().any(|r| matches!(r, Record::UndoParked { step, .. } if *step == later));
        // What passed it may have been in the journal that is lost.
        law(passed || world.restored || !world.participant.books[later.index()].in_force(), || {
            format!("{step:?} was taken back while {later:?}, which depends on it, is in force")
        })?;
    }
    Ok(())
}

/// Only somebody who lost the saga hears that a key is settled against it.
pub(crate) fn superseded(world: &World, who: Who, step: StepId, op: Op, attempt: u32) -> Law {
    let awaited = world.live.saga.step(step).activity == Activity::Calling { op, attempt };
    law(who == Who::Zombie || !awaited || world.restored, || {
        format!("{op} of {step:?} by the owner was superseded")
    })
}

/// What the journal may say at all.
pub(crate) fn journal(world: &World) -> Law {
    let records: Vec<&Record> = world.durable.iter().map(|entry| &entry.record).collect();
    let at = |wanted: &dyn Fn(&Record) -> bool| records.iter().position(|record| wanted(record));
    let count = |wanted: &dyn Fn(&Record) -> bool| records.iter().filter(|record| wanted(record)).count();
    let turned = at(&|r| matches!(r, Record::TurnedBack { .. }));
    let intent = at(&|r| matches!(r, Record::PivotIntent));
    law(count(&|r| matches!(r, Record::TurnedBack { .. })) <= 1, || "turned back twice".into())?;
    law(count(&|r| matches!(r, Record::PivotIntent)) <= 1, || "two pivot intents".into())?;
    for step in world.definition.step_ids() {
        let settled = |r: &Record| matches!(r, Record::StepDone { step: s, .. } | Record::StepRefused { step: s, .. } if *s == step);
        law(count(&settled) <= 1, || format!("{step:?} was settled twice"))?;
        let undone = |r: &Record| matches!(r, Record::UndoDone { step: s, .. } if *s == step);
        law(count(&undone) <= 1, || format!("{step:?} was undone twice"))?;
        law(at(&undone).is_none() || turned < at(&undone), || {
            format!("{step:?} was undone before the turn")
        })?;
    }
    let good = at(&|r| matches!(r, Record::MadeGood { .. }));
    if let Some(good) = good {
        law(intent.is_some_and(|intent| intent < good), || "made good before the pivot".into())?;
        law(turned.is_none(), || "made good and turned back".into())?;
        // Nothing is settled or resumed from there to the return's end.
        let between = records[good + 1..].iter().take_while(|r| !matches!(r, Record::NotMadeGood { .. }));
        let mut moved = between
            .filter(|r| !matches!(r, Record::Noted { .. } | Record::Poisoned { .. } | Record::Completed));
        law(moved.next().is_none(), || "something went on while a return made it good".into())?;
    }
    let Some(turned) = turned else {
        return law(world.live.saga.end != Some(End::Compensated), || "compensated without a turn".into());
    };
    law(world.live.saga.end != Some(End::Completed), || "completed after the turn".into())?;
    let forward = records[turned..].iter().find(|r| {
        matches!(
            r,
            Record::StepDone { .. }
                | Record::StepRefused { .. }
                | Record::StepWaiting { .. }
                | Record::StepParked { .. }
                | Record::PivotIntent
                | Record::CloseIntent { .. }
        )
    });
    law(forward.is_none(), || format!("{forward:?} after the turn"))?;
    if intent.is_some() {
        let pivot = world.plan.pivot.and_then(StepId::new);
        let by_refusal = matches!(records[turned], Record::TurnedBack { cause: Cause::Refused(step) } if Some(*step) == pivot);
        law(by_refusal, || "turned back after the pivot began, without its refusal".into())?;
    }
    Ok(())
}

/// All or nothing, at the participants.
pub(crate) fn end(world: &World) -> Law {
    let Some(end) = world.durable_facts.end else { return Err("it did not end".into()) };
    for step in world.definition.step_ids().filter(|step| world.plan.has_barrier(*step)) {
        let book = &world.participant.books[step.index()];
        law(book.effects <= 1, || format!("{step:?} happened {} times", book.effects))?;
        match end {
            // What is not done is returned; the pivot and all before it stand.
            End::Completed if world.durable_facts.made_good.is_some() && world.plan.is_after_pivot(step) => {
                law(book.taken_back == 0, || format!("made good, but {step:?} is {book:?}"))?;
            }
            End::Completed => {
                law(book.in_force() && book.taken_back == 0, || {
                    format!("completed, but {step:?} is {book:?}")
                })?;
            }
            End::Compensated => {
                let free =
                    matches!(world.definition.step(step).class, backstitch_core::Class::NeedsNoUndo(_));
                let open = matches!(book.row, Row::Doing | Row::Closing { .. });
                law(free || !(book.in_force() || open), || format!("compensated, but {step:?} is {book:?}"))?;
            }
        }
    }
    Ok(())
}

/// Whatever part of the journal survives, its owner goes on from it.
pub(crate) fn every_prefix_resumes(world: &World) -> Law {
    for records in 1..=world.durable.len() {
        let mut saga = Saga::replay(&world.definition, world.durable_facts.id, &world.durable[..records])
            .map_err(|e| e.to_string())?;
        saga.restored = world.restored;
        let facts = saga.clone();
        let now = world.durable[records - 1].at;
        let own = Event::Own { recovered: true };
        let out =
            backstitch_core::next(&world.definition, &mut saga, own, now, 0).map_err(|e| e.to_string())?;
        transition(&world.definition, &saga, &out)
            .map_err(|e| format!("resumed from {records} records: {e}"))?;
        let mut folded = facts;
        for entry in &out.records {
            folded.fold(entry).map_err(|e| e.to_string())?;
        }
        fold_is_live(&folded, &saga)?;
    }
    Ok(())
}
