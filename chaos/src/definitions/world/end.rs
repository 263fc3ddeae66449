//! What must hold when a saga ends, or stops for a person.

use backstitch_core::{End, Op, StepId, explain};
use participant_kit::barrier::table::RowState;

use super::World;
use crate::definitions::fault::Fault;
use crate::definitions::law::{Checked, Law, hold};
use crate::definitions::story::{Struck, Suffered};

impl World<'_> {
    /// A person is needed; the law is that something of the schedule made it so. A crash can lose what the person said.
    pub(in crate::definitions) fn park(&mut self) -> Checked {
        self.parked += 1;
        let causes = self.schedule.iter().filter(|suffered| self.may_park(suffered)).count();
        let crashes =
            self.schedule.iter().filter(|suffered| matches!(suffered.fault, Fault::Crash(_))).count();
        let law = if self.schedule.is_empty() { Law::SamplesFit } else { Law::EndsByItself };
        let is_caused = causes > 0 && self.parked <= causes + crashes;
        hold(law, is_caused, || explain(self.stage.definition, &self.saga))
    }

    /// The saga has ended: what comes late comes now, and then everything is as the end says.
    pub(in crate::definitions) fn finish(&mut self) -> Checked<End> {
        for call in [std::mem::take(&mut self.echoes), std::mem::take(&mut self.late)].concat() {
            self.stray(&call)?;
        }
        let end = self.saga.end.unwrap_or(End::Completed);
        for id in self.stage.definition.step_ids().filter(|id| !self.stage.step(*id).leaves_nothing) {
            let (book, name) = (self.participants.book(id), self.stage.name(id));
            match end {
                End::Completed => hold(Law::CompletedWhole, book.stands() && book.taken_back == 0, || {
                    format!("it completed, but {name} does not stand")
                })?,
                End::Compensated => {
                    let is_open = matches!(book.row, RowState::Doing | RowState::Closing(_));
                    hold(Law::UnwindsClean, !book.stands(), || {
                        format!("it was compensated, but {name} still stands")
                    })?;
                    hold(Law::UnwindsClean, !is_open, || {
                        format!("it was compensated, but {name} may happen yet: its row is {:?}", book.row)
                    })?;
                }
            }
        }
        let invisible = self.schedule.iter().all(|suffered| suffered.fault.is_invisible());
        let law = if self.schedule.is_empty() { Law::SamplesFit } else { Law::SameEnd };
        hold(law, !invisible || end == self.stage.end, || {
            format!(
                "it was to be {:?}, and is: {}",
                self.stage.end,
                explain(self.stage.definition, &self.saga)
            )
        })?;
        Ok(end)
    }

    fn may_park(&self, suffered: &Suffered) -> bool {
        // A short budget can be spent by one attempt.
        let spends = |step: StepId, op| {
            let step = self.stage.definition.step(step);
            let (timeout, retry) = match (&step.undo, op) {
                (Some(undo), Op::Undo) => (undo.timeout, undo.retry),
                _ => (step.timeout, step.retry),
            };
            retry.budget < (timeout + retry.cap) * 4
        };
        let in_vain = match suffered.at {
            Struck::Call(step, op) => suffered.fault.costs_time() && spends(step, op),
            Struck::Record | Struck::Pause => false,
        };
        suffered.fault.may_park() || in_vain
    }
}
