//! What may start now: forward calls, undo calls, the end.

use bytes::Bytes;

use super::{Call, Effect, MAX_NOTES, MAX_REQUEST_BYTES, Turn};
use crate::definition::{Class, Invalid, Replay, StepId};
use crate::outcome::{Op, Outcome};
use crate::record::{Cause, ParkedBy, Record};
use crate::saga::{Activity, Direction, Settled};

impl Turn<'_> {
    /// Starts everything that the state allows. Does nothing twice: what is in flight is not idle.
    pub(super) fn advance(&mut self) {
        // Nothing of a poisoned saga moves, or it would fail again; nothing of one that a return makes good ever does.
        if self.saga.poisoned.is_some() || self.saga.made_good.is_some() {
            return self.out.effects.push(Effect::Rest);
        }
        if self.saga.end.is_none() && self.saga.direction == Direction::Forward {
            self.forward();
        }
        if self.saga.end.is_none() && self.saga.direction != Direction::Forward {
            self.back();
        }
        let busy = |a: &Activity| !matches!(a, Activity::Idle);
        if !self.saga.steps.iter().any(|step| busy(&step.activity)) {
            self.out.effects.push(Effect::Rest);
        }
    }

    fn forward(&mut self) {
        // A crash can keep a refusal and lose the turn that followed it.
        let refused = |id: &StepId| matches!(self.saga.step(*id).settled, Settled::Refused { .. });
        if let Some(id) = self.definition.step_ids().find(refused) {
            return self.turn_back(Cause::Refused(id));
        }
        let before_pivot = self.saga.pivot_intent.is_none();
        if self.stands_still() {
            return;
        }
        let (deadline, cause) = self.saga.deadline(self.definition);
        if before_pivot && self.now >= deadline && !self.is_over() && !self.saga.is_settling(self.definition)
        {
            return self.turn_back(cause);
        }
        for id in self.definition.step_ids() {
            if self.is_ready(id) {
                self.start(id);
            }
            if self.saga.direction != Direction::Forward || self.stands_still() {
                return;
            }
        }
        if self.is_over() {
            self.record(Record::Completed);
        }
    }

    /// A parked saga waits for its person; before the pivot it has no more effects meanwhile. Closes have none.
    pub(super) fn stands_still(&self) -> bool {
        self.saga.pivot_intent.is_none() && self.saga.is_parked() && !self.saga.is_settling(self.definition)
    }

    fn is_over(&self) -> bool {
        self.saga.steps.iter().all(|step| matches!(step.settled, Settled::Done { .. }))
    }

    fn is_ready(&self, id: StepId) -> bool {
        let (step, state) = (self.definition.step(id), self.saga.step(id));
        state.settled == Settled::Open
            && state.activity == Activity::Idle
            && state.parked.is_none()
            && step
                .after
                .iter()
                .all(|earlier| matches!(self.saga.step(earlier).settled, Settled::Done { .. }))
    }

    /// First call of a step by this owner, after its guard.
    fn start(&mut self, id: StepId) {
        let step = self.definition.step(id);
        let op = if self.saga.step(id).closing.is_some() { Op::Close } else { Op::Do };
        let first = op == Op::Do && self.saga.step(id).attempts == 0;
        if let Some(guard) = step.guard.as_ref().filter(|_| first) {
            match self.saga.with_facts(|facts| guard(facts)) {
                Ok(None) => {}
                Ok(Some(refusal)) => return self.refused(id, refusal, false),
                Err(Invalid(why)) => return self.park(id, format!("its guard: {why}"), ParkedBy::Fault),
            }
        }
        self.fresh_budget(id);
        self.call(id, op);
    }

    pub(super) fn fresh_budget(&mut self, id: StepId) {
        let now = self.now;
        let state = self.saga.step_mut(id);
        (state.since, state.spent) = (now, 0);
    }

    /// Makes the next attempt of `op`.
    pub(super) fn call(&mut self, id: StepId, op: Op) {
        let step = self.definition.step(id);
        let built = self.saga.with_facts(|facts| self.definition.request(id, op, facts));
        let request: Bytes = match built.and_then(within_limit) {
            Ok(request) => request,
            Err(Invalid(why)) if op == Op::Undo => {
                return self.park_undo(id, format!("its undo request: {why}"), ParkedBy::Fault);
            }
            Err(Invalid(why)) => return self.park(id, format!("its request: {why}"), ParkedBy::Fault),
        };
        // Not before its request is there: a pivot that cannot be asked for has not begun.
        if step.class == Class::Pivot && self.saga.pivot_intent.is_none() {
            self.record(Record::PivotIntent);
        }
        let after = self.durable_before(id, op);
        let timeout = match (op, &step.undo) {
            (Op::Undo, Some(undo)) => undo.timeout,
            _ => step.timeout,
        };
        let now = self.now;
        let state = self.saga.step_mut(id);
        if op == Op::Do {
            state.first_called.get_or_insert(now);
        }
        state.spent = state.spent.saturating_add(1);
        let attempts = if op == Op::Undo { &mut state.undo_attempts } else { &mut state.attempts };
        *attempts = attempts.saturating_add(1);
        let attempt = *attempts;
        state.activity = Activity::Calling { op, attempt };
        self.out.effects.push(Effect::Call(Call { step: id, op, attempt, request, timeout, after }));
    }

    /// The record that must be durable before this call: the safety table, line by line. Records of a saga commit
    /// in order, so the last of several is enough.
    fn durable_before(&self, id: StepId, op: Op) -> u32 {
        let step = self.definition.step(id);
        let started = 1;
        let used = step.reads.iter().filter(|read| self.definition.step(*read).replay == Replay::MayDiffer);
        let used = used.filter_map(|read| match self.saga.step(read).settled {
            Settled::Done { seq, .. } => Some(seq),
            _ => None,
        });
        // Acting on a person's word waits for the record of it, like acting on an answer that may differ.
        let used = used.max().unwrap_or(started).max(self.saga.resumed.unwrap_or(started));
        let begun = match step.class {
            Class::Pivot => self.saga.pivot_intent.unwrap_or(self.saga.seq),
            _ => started,
        };
        match op {
            // One that passes a parked undo waits for the record of it: lost, it would be an undo out of order.
            Op::Undo if step.descendants.iter().any(|later| self.saga.step(later).undo_parked.is_some()) => {
                self.saga.seq
            }
            Op::Undo => self.saga.turned_back.unwrap_or(started).max(used),
            Op::Close => self.saga.step(id).closing.unwrap_or(started).max(begun).max(used),
            Op::Do => begun.max(used),
        }
    }

    pub(super) fn turn_back(&mut self, cause: Cause) {
        debug_assert!(!self.saga.may_have_gone_on(self.definition), "turned back on a guess: {cause:?}");
        // What this very transition wanted to call was not sent and never will be.
        for effect in std::mem::take(&mut self.out.effects) {
            if let Effect::Call(call) = effect {
                self.saga.step_mut(call.step).activity = Activity::Idle;
            }
        }
        for step in &mut self.saga.steps {
            match step.activity {
                // Sent, or about to be: either way no answer will be believed any more.
                Activity::Calling { .. } => step.maybe_run = true,
                Activity::Idle | Activity::BackingOff { .. } => {}
            }
            step.activity = Activity::Idle;
            (step.since, step.spent) = (self.now, 0);
        }
        self.record(Record::TurnedBack { cause });
    }

    /// Closes every open step up to the pivot of a saga from a backup, which makes nothing happen that has not. A
    /// participant that has done it says so, and the saga goes on from the pivot if that is done; one that has not never
    /// will, and the saga turns back. One that remembers nothing cannot tell, and is called as ever.
    pub(super) fn settle(&mut self) {
        let unsure = self.is_under_way() && self.saga.may_have_gone_on(self.definition);
        // Nothing of a poisoned saga moves before a person has resumed it.
        if !unsure || self.saga.poisoned.is_some() || self.saga.is_settling(self.definition) {
            return;
        }
        let text = "restored from a backup: its participants are asked how far it came";
        if self.saga.notes.len() < MAX_NOTES && self.saga.notes.iter().all(|note| note.text != text) {
            self.record(Record::Noted { text: text.into() });
        }
        for id in self.definition.step_ids().collect::<Vec<_>>() {
            let step = self.definition.step(id);
            let asked = step.class != Class::Retriable && !step.remembers_nothing();
            if asked && self.saga.step(id).settled == Settled::Open {
                self.record(Record::CloseIntent { step: id });
            }
        }
    }

    fn back(&mut self) {
        let mut left = false;
        // Latest first: a step that parks here counts as passed for those before it, at once.
        for id in self.definition.step_ids().collect::<Vec<_>>().into_iter().rev() {
            if !self.saga.needs_undo(self.definition, id) || self.saga.step(id).undone.is_some() {
                continue;
            }
            left = true;
            let state = self.saga.step(id);
            if state.activity == Activity::Idle && state.undo_parked.is_none() && self.may_undo(id) {
                self.fresh_budget(id);
                self.call(id, Op::Undo);
            }
        }
        if !left {
            self.record(Record::Compensated);
        }
    }

    /// Reverse dependency order; a parked undo counts as passed, so that one outage holds nobody hostage.
    fn may_undo(&self, id: StepId) -> bool {
        self.definition.step(id).descendants.iter().all(|later| {
            let state = self.saga.step(later);
            !self.saga.needs_undo(self.definition, later)
                || state.undone.is_some()
                || state.undo_parked.is_some()
        })
    }

    pub(super) fn park(&mut self, id: StepId, why: String, by: ParkedBy) {
        let state = self.saga.step_mut(id);
        state.activity = Activity::Idle;
        let attempts = state.attempts;
        self.record(Record::StepParked { step: id, why, by, attempts });
    }

    pub(super) fn park_undo(&mut self, id: StepId, why: String, by: ParkedBy) {
        let state = self.saga.step_mut(id);
        state.activity = Activity::Idle;
        let attempts = state.undo_attempts;
        self.record(Record::UndoParked { step: id, why, by, attempts });
    }

    /// An answer of the definition's own reading of a reply.
    pub(super) fn interpret(&self, id: StepId, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Done(bytes) => {
                self.saga.with_facts(|facts| (self.definition.step(id).interpret)(facts, bytes))
            }
            other => other,
        }
    }
}

fn within_limit(request: Bytes) -> Result<Bytes, Invalid> {
    if request.len() > MAX_REQUEST_BYTES {
        return Err(Invalid(format!(
            "it has {} bytes, over the limit of {MAX_REQUEST_BYTES}",
            request.len()
        )));
    }
    Ok(request)
}
