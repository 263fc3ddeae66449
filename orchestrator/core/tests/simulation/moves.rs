//! What can happen next: progress, the faults of the network, the clock, people, and the death of owners.

use backstitch_core::{Activity, End, Event, Outcome, Status, StepId};
use uuid::Uuid;

use crate::laws;
use crate::world::{Law, Packet, Reply, Who, World};

/// How often which kind of trouble comes, next to 60 for progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    pub(crate) network: usize,
    pub(crate) people: usize,
    pub(crate) clock: usize,
    pub(crate) crash: usize,
    pub(crate) takeover: usize,
    pub(crate) restore: usize,
}

enum Progress {
    FlushOne,
    FlushAll,
    Send(usize),
    Deliver(usize),
    Answer(usize),
    Fire(usize),
    Settle(StepId),
}

impl World {
    /// Runs until the tape is used up, then without faults until the saga rests, then with what is still on its way.
    pub(crate) fn run(&mut self, trouble: &Trouble) -> Law {
        while !self.tape.is_used_up() {
            self.trouble(trouble)?;
        }
        self.note(|_| "faults stop".into());
        self.participant.faulty = false;
        self.zombie = None;
        for round in 0..12 {
            self.calm()?;
            match self.live.saga.status() {
                Status::Parked if self.live.saga.made_good.is_some() => {
                    let end = [End::Completed, End::Compensated][self.tape.pick(2)];
                    self.returned(end)?;
                }
                Status::Parked if round > 4 && self.is_beyond_help() => break,
                Status::Parked => self.happens(Who::Live, Event::Resume { why: "repaired".into() })?,
                status if status.is_final() => break,
                status => return Err(format!("rests while {status:?}")),
            }
        }
        if self.is_beyond_help() {
            self.see("parked for good after a restore");
            return Ok(());
        }
        laws::end(self)?;
        self.note(|_| "what is still on its way arrives".into());
        while !self.calls.is_empty() {
            self.see("a stale copy after the end");
            self.deliver(0)?;
        }
        while !self.replies.is_empty() {
            self.answer(0)?;
        }
        for step in self.definition.step_ids() {
            while self.settle(step)? {}
        }
        laws::end(self)?;
        laws::journal(self)?;
        laws::every_prefix_resumes(self)
    }

    fn trouble(&mut self, trouble: &Trouble) -> Law {
        let Trouble { network, people, clock, crash, takeover, restore } = *trouble;
        let zombie = if self.zombie.is_some() { 10 * takeover } else { 0 };
        match self.tape.weighted(&[60, network, people, clock, crash, takeover, zombie, restore]) {
            0 => self.progress(Who::Live),
            1 => self.network(),
            2 => self.people(),
            3 => self.clock(),
            4 => {
                self.see("a crash");
                self.take_over()
            }
            5 => {
                self.see("a takeover from an owner that lives on");
                self.freeze()
            }
            6 => self.progress(Who::Zombie),
            _ => self.restore(),
        }
    }

    fn progress(&mut self, who: Who) -> Law {
        let watermark = self.watermark(who);
        let mut possible = Vec::new();
        if who == Who::Live {
            if !self.tail.is_empty() {
                possible.extend([Progress::FlushAll, Progress::FlushOne]);
            }
            let fresh = (0..self.calls.len()).filter(|i| !self.calls[*i].stale);
            possible.extend(fresh.map(Progress::Deliver));
            possible.extend(
                self.definition.step_ids().filter(|step| self.is_unsettled(*step)).map(Progress::Settle),
            );
        }
        let now = self.now;
        let Some(owner) = self.owner(who) else { return Ok(()) };
        let (id, skew) = (owner.id, owner.skew);
        let sendable = |call: &backstitch_core::Call| call.after as usize <= watermark;
        possible.extend((0..owner.queue.len()).filter(|i| sendable(&owner.queue[*i])).map(Progress::Send));
        let retry = |i: &usize| matches!(owner.timers[*i], (at, ref e) if *e != Event::DeadlinePassed || at.0 <= now + skew);
        possible.extend((0..owner.timers.len()).filter(retry).map(Progress::Fire));
        let replies = (0..self.replies.len()).filter(|i| self.replies[*i].owner == id);
        possible.extend(replies.map(Progress::Answer));
        if possible.is_empty() {
            return Ok(());
        }
        let chosen = self.tape.pick(possible.len());
        match possible.swap_remove(chosen) {
            Progress::FlushOne => self.flush_one(),
            Progress::FlushAll => self.flush_all(),
            Progress::Send(place) => self.send(who, place),
            Progress::Deliver(place) => self.deliver(place),
            Progress::Answer(place) => self.answer(place),
            Progress::Fire(place) => self.fire(who, place),
            Progress::Settle(step) => self.settle(step).map(|_| ()),
        }
    }

    /// Restored, and parked because of what nobody remembers: only its participant can help, by giving it.
    fn is_beyond_help(&self) -> bool {
        let parked = |step: StepId| self.live.saga.step(step).parked.is_some();
        self.live.saga.is_settling(&self.definition)
            && self.definition.step_ids().any(|step| parked(step) && !self.plan.has_barrier(step))
    }

    fn is_unsettled(&self, step: StepId) -> bool {
        use crate::participant::Row;
        matches!(self.participant.books[step.index()].row, Row::Doing | Row::Closing { .. })
    }

    fn flush_all(&mut self) -> Law {
        while !self.tail.is_empty() {
            self.flush_one()?;
        }
        Ok(())
    }

    /// A timer fires, which may mean that time has passed.
    fn fire(&mut self, who: Who, place: usize) -> Law {
        let now = self.now;
        let Some(owner) = self.owner(who) else { return Ok(()) };
        let (at, event) = owner.timers.remove(place);
        let due = at.0 - owner.skew;
        self.now = now.max(due);
        self.happens(who, event)
    }

    fn network(&mut self) -> Law {
        match self.tape.pick(9) {
            0 if !self.calls.is_empty() => {
                let place = self.tape.pick(self.calls.len());
                let lost = self.calls.remove(place);
                self.note(|_| format!("lost: {} of {:?}", lost.call.op, lost.call.step));
            }
            1 | 2 if !self.calls.is_empty() => {
                let place = self.tape.pick(self.calls.len());
                let Packet { number, owner, call, .. } = &self.calls[place];
                let copy = Packet { number: *number, owner: *owner, call: call.clone(), stale: true };
                self.note(|_| format!("copied: {} of {:?}", copy.call.op, copy.call.step));
                self.calls.push(copy);
            }
            3 if !self.replies.is_empty() => {
                let place = self.tape.pick(self.replies.len());
                self.note(|_| "a reply is lost".into());
                self.replies.remove(place);
            }
            4 if !self.replies.is_empty() => {
                let place = self.tape.pick(self.replies.len());
                let Reply { owner, step, op, attempt, ref outcome } = self.replies[place];
                let copy = Reply { owner, step, op, attempt, outcome: outcome.clone() };
                self.replies.push(copy);
            }
            // A reply that was for a dead owner reaches the living one. Whatever it says of the key is true.
            5 if !self.replies.is_empty() => {
                let place = self.tape.pick(self.replies.len());
                let Reply { owner, step, op, attempt, ref outcome } = self.replies[place];
                if owner != self.live.id && !matches!(outcome, Outcome::Superseded(_)) {
                    let event = Event::Replied { step, op, attempt, outcome: outcome.clone() };
                    self.see("a reply to a former owner");
                    return self.happens(Who::Live, event);
                }
            }
            6 => {
                if let Some(place) = self.calls.iter().position(|call| call.stale) {
                    self.see("a stale copy");
                    return self.deliver(place);
                }
            }
            _ => return self.time_out(),
        }
        Ok(())
    }

    /// The engine gives a call up; its answer may come later.
    fn time_out(&mut self) -> Law {
        let calling = |step: &StepId| matches!(self.live.saga.step(*step).activity, Activity::Calling { .. });
        let calls: Vec<StepId> = self.definition.step_ids().filter(calling).collect();
        if calls.is_empty() {
            return Ok(());
        }
        let step = calls[self.tape.pick(calls.len())];
        let Activity::Calling { op, attempt } = self.live.saga.step(step).activity else { return Ok(()) };
        let outcome = Outcome::unknown("timed out");
        self.happens(Who::Live, Event::Replied { step, op, attempt, outcome })
    }

    fn people(&mut self) -> Law {
        match self.tape.pick(12) {
            8 => {
                let text = format!("note {}", self.tape.pick(2));
                self.happens(Who::Live, Event::Note { text })
            }
            9 | 10 => {
                let return_saga = Uuid::from_u128(u128::from(self.live.saga.seq));
                self.happens(Who::Live, Event::MakeGood { why: "lost".into(), return_saga })
            }
            11 => {
                let end = [End::Completed, End::Compensated][self.tape.pick(2)];
                self.returned(end)
            }
            0 => self.happens(Who::Live, Event::Cancel { why: "asked to".into() }),
            6 => self.happens(Who::Live, Event::Available { participant: "participant".into() }),
            7 if self.tape.pick(3) == 0 => {
                self.see("poison");
                self.happens(Who::Live, Event::Poison { why: "it panicked".into() })
            }
            1 | 2 => self.happens(Who::Live, Event::Resume { why: "repaired".into() }),
            _ => self.happens(Who::Live, Event::Wake),
        }
    }

    /// The return that makes it good ends, which cannot be before it began: its record was durable.
    fn returned(&mut self, end: End) -> Law {
        let Some(good) = self.durable_facts.made_good.clone() else { return Ok(()) };
        let event = Event::Returned { return_saga: good.return_saga, end, why: "refused".into() };
        self.happens(Who::Live, event)
    }

    fn clock(&mut self) -> Law {
        match self.tape.pick(8) {
            0 => {
                self.now = self.now.max(20_000 - self.live.skew);
                self.happens(Who::Live, Event::DeadlinePassed)
            }
            1 => self.happens(Who::Live, Event::DeadlinePassed),
            2 => {
                // A timer that fired already, or is not due.
                let step = self.tape.pick(self.plan.steps.len());
                let activity = self.live.saga.steps[step].activity.clone();
                let (Activity::BackingOff { op, attempt, .. } | Activity::Calling { op, attempt }) = activity
                else {
                    return Ok(());
                };
                let Some(step) = StepId::new(step) else { return Ok(()) };
                self.happens(Who::Live, Event::RetryDue { step, op, attempt: attempt.saturating_sub(1) })
            }
            n => {
                self.now += [0, 0, 0, 50, 500, 2_000, 4_000, 8_000][n];
                Ok(())
            }
        }
    }

    /// Without faults, until nothing happens by itself any more. Stale copies stay on their way.
    fn calm(&mut self) -> Law {
        for _ in 0..5_000 {
            self.flush_all()?;
            if !self.live.queue.is_empty() {
                self.send(Who::Live, 0)?;
            } else if let Some(place) = self.calls.iter().position(|call| !call.stale) {
                self.deliver(place)?;
            } else if !self.replies.is_empty() {
                self.answer(0)?;
            } else if self.settle_one()? {
            } else if self.live.saga.steps.iter().any(|s| matches!(s.activity, Activity::Calling { .. })) {
                self.time_out()?;
            } else if let Some(place) = (0..self.live.timers.len()).min_by_key(|i| self.live.timers[*i].0) {
                self.fire(Who::Live, place)?;
            } else {
                return Ok(());
            }
        }
        Err("it does not come to rest".into())
    }

    fn settle_one(&mut self) -> Result<bool, String> {
        for step in self.definition.step_ids() {
            if self.settle(step)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
