//! What follows from the outcome of a call.

use std::time::Duration;

use bytes::Bytes;

use super::{Effect, Turn};
use crate::definition::{Class, StepId};
use crate::hidden::Instructions;
use crate::outcome::{Op, Outcome, Refusal};
use crate::record::{Cause, ParkedBy, Record};
use crate::saga::{Activity, Settled, Waiting};

impl Turn<'_> {
    pub(super) fn replied(&mut self, id: StepId, op: Op, outcome: Outcome) {
        match op {
            Op::Do => self.done_reply(id, outcome),
            Op::Close => self.close_reply(id, outcome),
            Op::Undo => self.undo_reply(id, outcome),
        }
        self.advance();
    }

    fn done_reply(&mut self, id: StepId, outcome: Outcome) {
        match self.interpret(id, outcome) {
            Outcome::Done(output) => self.done(id, output),
            Outcome::Refused(refusal) if self.definition.step(id).class == Class::Retriable => {
                self.saga.step_mut(id).maybe_run = true;
                let why = format!("it refused ({}) after the pivot, where it must not", refusal.reason);
                self.park(id, why, ParkedBy::Fault);
            }
            Outcome::Refused(refusal) => self.refused(id, refusal, true),
            Outcome::NotNow { after, why } => self.again(id, Op::Do, after, why),
            Outcome::Unknown { after, why } => {
                self.saga.step_mut(id).maybe_run = true;
                self.again(id, Op::Do, after, why);
            }
            Outcome::Pending { next_action } => self.pending(id, next_action),
            // A hostile or confused reply may follow a real effect.
            Outcome::Broken(why) => {
                self.saga.step_mut(id).maybe_run = true;
                self.park(id, why, ParkedBy::Fault);
            }
            // Settled after the backup was made.
            Outcome::Superseded(why) if self.saga.restored && self.is_pivot(id) => {
                self.give_up(id, Op::Do, why);
            }
            Outcome::Superseded(why) => {
                self.saga.step_mut(id).maybe_run = true;
                let why = format!("superseded although this node owns the saga: {why}");
                self.park(id, why, ParkedBy::Fault);
            }
        }
    }

    fn close_reply(&mut self, id: StepId, outcome: Outcome) {
        match self.interpret(id, outcome) {
            Outcome::Done(output) => self.done(id, output),
            Outcome::Refused(refusal) => self.refused(id, refusal, true),
            Outcome::NotNow { after, why } | Outcome::Unknown { after, why } => {
                self.again(id, Op::Close, after, why);
            }
            Outcome::Pending { .. } => self.again(id, Op::Close, Duration::ZERO, "still waiting".into()),
            Outcome::Broken(why) | Outcome::Superseded(why) => self.park(id, why, ParkedBy::Fault),
        }
    }

    fn undo_reply(&mut self, id: StepId, outcome: Outcome) {
        match outcome {
            Outcome::Done(_) => {
                let attempts = self.saga.step(id).undo_attempts;
                self.saga.step_mut(id).activity = Activity::Idle;
                self.record(Record::UndoDone { step: id, attempts });
            }
            Outcome::NotNow { after, why } | Outcome::Unknown { after, why } => {
                self.again(id, Op::Undo, after, why);
            }
            Outcome::Pending { .. } => self.again(id, Op::Undo, Duration::ZERO, "still pending".into()),
            Outcome::Refused(refusal) => {
                let why = format!("its undo was refused ({}), which no undo may be", refusal.reason);
                self.park_undo(id, why, ParkedBy::Fault);
            }
            Outcome::Broken(why) => self.park_undo(id, why, ParkedBy::Fault),
            Outcome::Superseded(why) => {
                self.park_undo(id, format!("its undo was superseded: {why}"), ParkedBy::Fault);
            }
        }
    }

    fn done(&mut self, id: StepId, output: Bytes) {
        let state = self.saga.step(id);
        let attempts = state.attempts;
        // The first answer is what a repetition is answered with, so its time runs from the first call; a former
        // owner's may have been any time since the start.
        let asked =
            if self.saga.recovered { self.saga.started_at } else { state.first_called.unwrap_or(self.now) };
        let lasts = self.definition.step(id).validity.as_ref().and_then(|lasts| lasts(&output));
        let valid_until = lasts.map(|lasts| asked.plus(lasts));
        self.saga.step_mut(id).activity = Activity::Idle;
        let before = self.saga.deadline(self.definition).0;
        self.record(Record::StepDone { step: id, output, attempts, valid_until });
        if self.saga.deadline(self.definition).0 < before {
            self.arm_deadline();
        }
    }

    pub(super) fn refused(&mut self, id: StepId, refusal: Refusal, called: bool) {
        if self.may_have_given(id) {
            let why = refusal.reason;
            let why = format!("it is refused now ({why}), but may have been given before the restore");
            return self.park(id, why, ParkedBy::Fault);
        }
        let state = self.saga.step_mut(id);
        // Surely nothing happened under this key, whatever an earlier attempt made us fear.
        (state.activity, state.maybe_run) = (Activity::Idle, false);
        let attempts = state.attempts;
        self.record(Record::StepRefused { step: id, refusal, attempts, called });
        self.turn_back(Cause::Refused(id));
    }

    fn is_pivot(&self, id: StepId) -> bool {
        self.definition.step(id).class == Class::Pivot
    }

    /// What a restored saga hears now of a step that remembers nothing says nothing of then.
    fn may_have_given(&self, id: StepId) -> bool {
        self.definition.step(id).remembers_nothing() && self.saga.may_have_gone_on(self.definition)
    }

    /// Calls again by policy and no earlier than is wanted, or gives up when the budget is spent.
    fn again(&mut self, id: StepId, op: Op, after: Duration, last: String) {
        let step = self.definition.step(id);
        let policy = match (op, &step.undo) {
            (Op::Undo, Some(undo)) => undo.retry,
            _ => step.retry,
        };
        let state = self.saga.step(id);
        let made = if op == Op::Undo { state.undo_attempts } else { state.attempts };
        let at = self.now.plus(policy.delay(made, self.jitter).max(after));
        if at > state.since.plus(policy.budget) || state.spent >= policy.attempts {
            return self.give_up(id, op, last);
        }
        self.back_off(id, op, at, last);
    }

    fn back_off(&mut self, id: StepId, op: Op, at: crate::Timestamp, last: String) {
        let state = self.saga.step_mut(id);
        let made = if op == Op::Undo { state.undo_attempts } else { state.attempts };
        let attempt = made.saturating_add(1);
        state.activity = Activity::BackingOff { op, attempt, until: at, last };
        self.out.effects.push(Effect::Timer { step: id, op, attempt, at });
    }

    fn give_up(&mut self, id: StepId, op: Op, last: String) {
        let class = self.definition.step(id).class;
        match (op, class) {
            (Op::Undo, _) => {
                self.park_undo(id, format!("no answer within its budget; last: {last}"), ParkedBy::Silence);
            }
            (Op::Do, Class::NeedsNoUndo(_)) if self.may_have_given(id) => {
                self.park(id, format!("no answer within its budget; last: {last}"), ParkedBy::Silence);
            }
            (Op::Do, Class::Compensatable | Class::NeedsNoUndo(_)) => {
                self.saga.step_mut(id).activity = Activity::Idle;
                self.turn_back(Cause::GaveUp { step: id, last });
            }
            // The pivot never turns back by guess: its participant says what is true, or makes it so.
            (Op::Do, Class::Pivot) => {
                self.record(Record::CloseIntent { step: id });
                self.fresh_budget(id);
                self.call(id, Op::Close);
            }
            (Op::Do | Op::Close, _) => {
                self.park(id, format!("no answer within its budget; last: {last}"), ParkedBy::Silence);
            }
        }
    }

    /// The participant waits for the customer: asked again at growing intervals until the wait's deadline. Each such
    /// answer is a sign of life, so that the budget of failed attempts begins anew.
    fn pending(&mut self, id: StepId, next_action: Instructions) {
        let step = self.definition.step(id);
        let until = match &self.saga.step(id).waiting {
            Some(waiting) => waiting.until,
            None => self.now.plus(step.customer_wait),
        };
        let state = self.saga.step_mut(id);
        (state.maybe_run, state.since, state.spent) = (true, self.now, 0);
        if self.now >= until {
            self.saga.step_mut(id).activity = Activity::Idle;
            return match step.class {
                Class::NeedsNoUndo(_) if self.may_have_given(id) => {
                    self.park(id, "the customer did not finish".into(), ParkedBy::Fault);
                }
                Class::Compensatable | Class::NeedsNoUndo(_) => self.turn_back(Cause::Unfinished(id)),
                Class::Pivot | Class::Retriable => {
                    self.give_up(id, Op::Do, "the customer did not finish".into());
                }
            };
        }
        let now_waiting = Waiting { next_action: next_action.clone(), until };
        if self.saga.step(id).waiting.as_ref() != Some(&now_waiting) {
            self.record(Record::StepWaiting { step: id, next_action, until });
        }
        let poll = step.retry.delay(self.saga.step(id).attempts, self.jitter).max(Duration::from_secs(1));
        let at = self.now.plus(poll).min(until.max(self.now.plus(Duration::from_secs(1))));
        self.back_off(id, Op::Do, at, "waiting for the customer".into());
    }

    /// The waiting time is over, or a wake-up cut it short.
    pub(super) fn retry(&mut self, id: StepId, op: Op) {
        debug_assert!(op == Op::Undo || self.saga.step(id).settled == Settled::Open);
        let before_pivot = self.saga.pivot_intent.is_none() && self.saga.turned_back.is_none();
        // This step is taken up again when the saga is resumed.
        if before_pivot && self.stands_still() {
            self.saga.step_mut(id).activity = Activity::Idle;
            return self.advance();
        }
        if before_pivot
            && self.now >= self.saga.deadline(self.definition).0
            && !self.saga.is_settling(self.definition)
        {
            return self.advance();
        }
        self.call(id, op);
    }
}
