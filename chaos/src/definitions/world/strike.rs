//! How each fault is brought about.

use std::time::Duration;

use backstitch_core::{Call, Event, Op, Outcome, Saga};

use super::{Due, World};
use crate::definitions::fault::{Fault, Moment, faults_of};
use crate::definitions::law::{Checked, Law, Violation};
use crate::definitions::participants::Will;
use crate::definitions::samples::SAGA;
use crate::definitions::story::{Line, Struck, Suffered};

impl World<'_> {
    /// What can go wrong with the call at this place.
    pub(in crate::definitions) fn faults(&self, place: usize) -> Vec<Fault> {
        let call = &self.queue[place];
        faults_of(self.stage, call.step, call.op, self.participants.book(call.step).row)
    }

    /// Sends the call at this place, and this goes wrong.
    pub(in crate::definitions) fn suffer(&mut self, place: usize, fault: Fault) -> Checked {
        let nth = 1 + self.story.iter().filter(|line| line.is_call(&self.queue[place])).count();
        let (step, op) = (self.queue[place].step, self.queue[place].op);
        self.strike(Suffered { at: Struck::Call(step, op), nth, fault });
        if fault == Fault::Crash(Moment::BeforeSend) {
            return self.crash();
        }
        let call = self.take(place)?;
        match fault {
            Fault::Twice => {
                self.arrive_and_reply(&call, Will::Willing)?;
                self.arrive_and_reply(&call, Will::Willing)?;
            }
            Fault::Again => {
                self.late.push(call.clone());
                self.arrive_and_reply(&call, Will::Willing)?;
            }
            Fault::Lost => self.silence(&call, call.timeout),
            Fault::Delayed => {
                self.silence(&call, call.timeout);
                self.late.push(call);
            }
            Fault::Echoed => {
                self.arrive_and_reply(&call, Will::Willing)?;
                self.echoes.push(call);
            }
            Fault::Unanswered => {
                self.arrive(&call, Will::Willing)?;
                self.silence(&call, call.timeout);
            }
            Fault::Slow => {
                self.arrive_and_reply(&call, Will::Willing)?;
                self.slow.extend(self.replies.pop_back());
            }
            Fault::NotNow => {
                self.reply(
                    &call,
                    Outcome::NotNow { after: Duration::ZERO, why: "not now".into() },
                    Duration::ZERO,
                );
            }
            Fault::Refused => self.arrive_and_reply(&call, Will::Refuses)?,
            Fault::Broken => self.reply(&call, Outcome::Broken("misconfigured".into()), Duration::ZERO),
            Fault::Garbled => {
                self.arrive(&call, Will::Willing)?;
                self.reply(&call, Outcome::Broken("the answer makes no sense".into()), Duration::ZERO);
            }
            Fault::Away => self.silence(&call, self.budget(&call)),
            Fault::Silent => {
                self.arrive(&call, Will::Willing)?;
                self.silence(&call, self.budget(&call));
            }
            Fault::Waits => self.arrive_and_reply(&call, Will::Waits)?,
            Fault::Forsaken => self.arrive_and_reply(&call, Will::Forsaken)?,
            Fault::DiesBefore => self.arrive_and_reply(&call, Will::DiesBefore)?,
            Fault::DiesAfter => self.arrive_and_reply(&call, Will::DiesAfter)?,
            Fault::Cancelled => {
                self.arrive_and_reply(&call, Will::Willing)?;
                self.cancel()?;
            }
            Fault::Deadline => {
                self.arrive_and_reply(&call, Will::Willing)?;
                self.pass_deadline()?;
            }
            Fault::Crash(moment) => {
                self.arrive_and_reply(&call, Will::Willing)?;
                self.crash_around(moment)?;
            }
        }
        Ok(())
    }

    /// While nothing is out, this goes wrong: somebody cancels, or the deadline passes.
    pub(in crate::definitions) fn suffer_in_pause(&mut self, fault: Fault) -> Checked {
        self.strike(Suffered { at: Struck::Pause, nth: self.pauses + 1, fault });
        if fault == Fault::Cancelled { self.cancel() } else { self.pass_deadline() }
    }

    fn pass_deadline(&mut self) -> Checked {
        self.now = self.now.max(self.saga.start.deadline);
        self.feed(Event::DeadlinePassed)
    }

    fn strike(&mut self, suffered: Suffered) {
        self.schedule.push(suffered);
        self.story.push(Line::Struck { fault: self.schedule.len() });
    }

    /// Dies at a moment after the call that was sent last had its effect.
    fn crash_around(&mut self, moment: Moment) -> Checked {
        let reply = self.replies.pop_back();
        if let Some(reply) = reply.filter(|_| moment != Moment::AfterEffect) {
            self.hear_one(reply)?;
        }
        match moment {
            Moment::AfterCommit => self.durable = self.journal.len(),
            Moment::AfterReply => {
                while let Due::Send(place) = self.due() {
                    let call = self.take(place)?;
                    self.arrive(&call, Will::Willing)?;
                }
            }
            Moment::BeforeSend | Moment::AfterEffect | Moment::BeforeCommit | Moment::BeforeRecord => {}
        }
        self.crash()
    }

    /// Dies while the next record is on its way to the disk.
    pub(in crate::definitions) fn crash_before_record(&mut self) -> Checked {
        let fault = Fault::Crash(Moment::BeforeRecord);
        self.strike(Suffered { at: Struck::Record, nth: self.durable + 1, fault });
        self.crash()
    }

    /// Everything that is not durable is gone; another owner takes the saga up.
    fn crash(&mut self) -> Checked {
        self.story.push(Line::Crashed { durable: self.durable });
        self.journal.truncate(self.durable);
        self.queue.clear();
        self.replies.clear();
        self.slow.clear();
        self.timers.clear();
        self.saga = Saga::replay(self.stage.definition, SAGA, &self.journal).map_err(|error| Violation {
            law: Law::EveryPrefixResumes,
            why: format!("the first {} records do not fold: {error}", self.durable),
        })?;
        self.feed(Event::Own { recovered: true })
    }

    /// Longer than calls of this kind are repeated.
    fn budget(&self, call: &Call) -> Duration {
        let step = self.stage.definition.step(call.step);
        let policy = match (&step.undo, call.op) {
            (Some(undo), Op::Undo) => undo.retry,
            _ => step.retry,
        };
        policy.budget + Duration::from_secs(1)
    }
}
