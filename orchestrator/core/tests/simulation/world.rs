//! One saga, its owners, its participant and everything that is on its way between them.

use std::collections::{BTreeMap, VecDeque};

use backstitch_core::{
    Activity, Call, Cause, Definition, Effect, End, Entry, Event, Illegal, Op, Outcome, Record, Saga, StepId,
    Timestamp, begin, next,
};
use uuid::Uuid;

use crate::laws;
use crate::participant::Participant;
use crate::plan::{self, Plan};
use crate::tape::Tape;

/// What went wrong, in a sentence.
pub(crate) type Law = Result<(), String>;

/// A call that was sent.
pub(crate) struct Packet {
    /// Copies of a call bear its number.
    pub(crate) number: u64,
    pub(crate) owner: u32,
    pub(crate) call: Call,
    /// A stale copy: it comes at any time, at the latest after the end.
    pub(crate) stale: bool,
}

/// An answer on its way back.
pub(crate) struct Reply {
    pub(crate) owner: u32,
    pub(crate) step: StepId,
    pub(crate) op: Op,
    pub(crate) attempt: u32,
    pub(crate) outcome: Outcome,
}

/// Who runs the saga, or believes so.
pub(crate) struct Owner {
    pub(crate) id: u32,
    pub(crate) saga: Saga,
    /// Calls that wait for their record to be durable.
    pub(crate) queue: Vec<Call>,
    pub(crate) timers: Vec<(Timestamp, Event)>,
    /// The durable facts when it lost the saga without noticing.
    pub(crate) frozen: Option<Saga>,
    /// Its clock differs from the world's.
    pub(crate) skew: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Live,
    Zombie,
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) definition: Definition,
    pub(crate) participant: Participant,
    pub(crate) tape: Tape,
    pub(crate) now: i64,
    pub(crate) live: Owner,
    pub(crate) zombie: Option<Owner>,
    /// The journal, and the records that a crash would lose.
    pub(crate) durable: Vec<Entry>,
    pub(crate) tail: VecDeque<Entry>,
    /// Folds of the durable records, and of all.
    pub(crate) durable_facts: Saga,
    pub(crate) facts: Saga,
    pub(crate) calls: Vec<Packet>,
    pub(crate) replies: Vec<Reply>,
    pub(crate) owners: u32,
    /// The journal came from a backup once.
    pub(crate) restored: bool,
    numbers: u64,
    jitter: u32,
    /// What was seen, and how often.
    pub(crate) seen: BTreeMap<&'static str, u32>,
    pub(crate) trace: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(plan: &Plan, tape: &[u16], traced: bool) -> Result<Self, String> {
        let definition = plan.build();
        let id = Uuid::from_u128(1);
        let (saga, first) = begin(&definition, id, id, plan::input(), String::new(), Timestamp(0));
        let live = Owner::new(0, saga.clone(), 0);
        let mut world = Self {
            plan: plan.clone(),
            definition,
            participant: Participant::new(plan),
            tape: Tape::new(tape),
            now: 0,
            live,
            zombie: None,
            durable: Vec::new(),
            tail: VecDeque::from([first.clone()]),
            durable_facts: saga.clone(),
            facts: saga,
            calls: Vec::new(),
            replies: Vec::new(),
            owners: 1,
            restored: false,
            numbers: 0,
            jitter: 0x9e37_79b9,
            seen: BTreeMap::new(),
            trace: traced.then(Vec::new),
        };
        world.happens(Who::Live, Event::Own { recovered: false })?;
        Ok(world)
    }

    pub(crate) fn see(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(crate) fn note(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>6} ms  {}", self.now, line(self));
            self.trace.iter_mut().for_each(|trace| trace.push(line.clone()));
        }
    }

    pub(crate) fn owner(&mut self, who: Who) -> Option<&mut Owner> {
        match who {
            Who::Live => Some(&mut self.live),
            Who::Zombie => self.zombie.as_mut(),
        }
    }

    /// Everything of the journal, durable or not.
    pub(crate) fn journal(&self) -> impl Iterator<Item = &Record> {
        self.durable.iter().chain(&self.tail).map(|entry| &entry.record)
    }

    /// Gives an owner an event and does what the table asks for.
    pub(crate) fn happens(&mut self, who: Who, event: Event) -> Law {
        self.note(|_| format!("{who:?}: {event:?}"));
        self.jitter = self.jitter.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (world_now, jitter) = (self.now, self.jitter);
        let owner = match who {
            Who::Live => &mut self.live,
            Who::Zombie => self.zombie.as_mut().ok_or("no zombie")?,
        };
        let before = owner.saga.clone();
        let now = Timestamp(world_now + owner.skew);
        let told = event.clone();
        let transition = match next(&self.definition, &mut owner.saga, event, now, jitter) {
            Ok(transition) => transition,
            Err(illegal) => {
                laws::illegal(&before, &owner.saga, &told, &illegal)?;
                self.note(|_| format!("        ! {illegal}"));
                self.see(match illegal {
                    Illegal::PivotBegun => "cancelled too late",
                    Illegal::Settling => "cancelled while it was settled",
                    Illegal::Ended(_) => "cancelled after the end",
                    Illegal::NeverCalled { .. } => "a reply to another owner's call",
                    Illegal::NoSuchStep(_) | Illegal::NoReturn | Illegal::NotParked => "resumed for nothing",
                    Illegal::FullOfNotes => "noted too often",
                    Illegal::PivotNotDone => "made good too early",
                    Illegal::InFlight(_) => "made good while something was being called",
                    Illegal::BeingMadeGood(_) => "resumed while it was made good",
                });
                return Ok(());
            }
        };
        laws::transition(&self.definition, &owner.saga, &transition)?;
        for effect in transition.effects {
            match effect {
                Effect::Call(call) => owner.queue.push(call),
                Effect::Timer { step, op, attempt, at } => {
                    owner.timers.push((at, Event::RetryDue { step, op, attempt }));
                }
                Effect::Deadline(at) => owner.timers.push((at, Event::DeadlinePassed)),
                Effect::Rest => {}
            }
        }
        for entry in transition.records {
            self.note(|_| format!("        + {:?}", entry.record));
            if who == Who::Live {
                self.facts.fold(&entry).map_err(|e| e.to_string())?;
                self.see(match entry.record {
                    Record::TurnedBack { cause: Cause::Expired(_) } => "expired",
                    ref record => record.kind(),
                });
                self.tail.push_back(entry);
            }
        }
        if who == Who::Live {
            laws::fold_is_live(&self.facts, &self.live.saga)?;
        }
        Ok(())
    }

    /// Makes the next record durable.
    pub(crate) fn flush_one(&mut self) -> Law {
        if let Some(entry) = self.tail.pop_front() {
            // The first record made the state that the others are folded into.
            if !self.durable.is_empty() {
                self.durable_facts.fold(&entry).map_err(|e| e.to_string())?;
            }
            self.durable.push(entry);
            self.note(|world| format!("durable up to {}", world.durable.len()));
        }
        Ok(())
    }

    /// Up to which record an owner may rely on the journal.
    pub(crate) fn watermark(&self, who: Who) -> usize {
        match (who, &self.zombie) {
            (Who::Zombie, Some(Owner { frozen: Some(frozen), .. })) => frozen.seq as usize,
            _ => self.durable.len(),
        }
    }

    /// Sends a queued call whose record is durable, unless the saga has moved on.
    pub(crate) fn send(&mut self, who: Who, place: usize) -> Law {
        let Some(owner) = self.owner(who) else { return Ok(()) };
        let (call, id) = (owner.queue.remove(place), owner.id);
        let current = Activity::Calling { op: call.op, attempt: call.attempt };
        if owner.saga.step(call.step).activity != current {
            self.note(|_| format!("{who:?} drops {}#{} of {:?}", call.op, call.attempt, call.step));
            self.see("dropped before it was sent");
            return Ok(());
        }
        laws::sent(self, who, &call)?;
        self.note(|_| format!("{who:?} sends {}#{} of {:?}", call.op, call.attempt, call.step));
        self.numbers += 1;
        self.calls.push(Packet { number: self.numbers, owner: id, call, stale: false });
        Ok(())
    }

    /// A call, or a copy of it, reaches the participant.
    pub(crate) fn deliver(&mut self, place: usize) -> Law {
        let Packet { number, owner, call, .. } = self.calls.remove(place);
        let Call { step, op, attempt, request, .. } = call;
        let handled = self.participant.handle(number, step, op, &request, &mut self.tape);
        self.note(|world| {
            let book = &world.participant.books[step.index()];
            format!("participant: {op}#{attempt} of {step:?} from {owner} -> {:?}, {book:?}", handled.reply)
        });
        if handled.other_request {
            return Err(format!("the request of {step:?} changed under its key"));
        }
        if op == Op::Undo {
            laws::undo_before_pivot(self)?;
        }
        if handled.took_back {
            laws::undo_order(self, step)?;
        }
        match handled.reply {
            Some(outcome) => self.replies.push(Reply { owner, step, op, attempt, outcome }),
            None => self.see("a reply that was lost"),
        }
        Ok(())
    }

    /// The participant's own tick on one row. True if that changed anything.
    pub(crate) fn settle(&mut self, step: StepId) -> Result<bool, String> {
        let before = self.participant.books[step.index()].taken_back;
        let changed = self.participant.settle(step, &mut self.tape);
        if changed {
            self.note(|world| {
                format!("participant settles {step:?}: {:?}", world.participant.books[step.index()])
            });
            self.see("a row settled by the participant's tick");
        }
        if self.participant.books[step.index()].taken_back > before {
            laws::undo_order(self, step)?;
        }
        Ok(changed)
    }

    /// An answer reaches whoever asked, if that one still lives.
    pub(crate) fn answer(&mut self, place: usize) -> Law {
        let Reply { owner, step, op, attempt, outcome } = self.replies.remove(place);
        let who = if owner == self.live.id {
            Who::Live
        } else if self.zombie.as_ref().is_some_and(|zombie| zombie.id == owner) {
            Who::Zombie
        } else {
            self.note(|_| format!("a reply to owner {owner}, who is gone"));
            return Ok(());
        };
        if matches!(outcome, Outcome::Superseded(_)) {
            self.see("superseded");
            laws::superseded(self, who, step, op, attempt)?;
        }
        self.happens(who, Event::Replied { step, op, attempt, outcome })
    }

    /// A new owner reads the journal; the tail is lost.
    pub(crate) fn take_over(&mut self) -> Law {
        // Nothing was accepted before `Started` is durable.
        if self.durable.is_empty() {
            self.flush_one()?;
        }
        if !self.tail.is_empty() {
            self.see("records lost in a crash");
        }
        self.tail.clear();
        self.facts = self.durable_facts.clone();
        let saga = Saga::replay(&self.definition, self.facts.id, &self.durable).map_err(|e| e.to_string())?;
        laws::fold_is_live(&self.facts, &saga)?;
        let skew = [0, 3_000, -3_000, 30_000][self.tape.weighted(&[6, 2, 2, 1])];
        self.live = Owner::new(self.owners, Saga { restored: self.restored, ..saga }, skew);
        self.owners += 1;
        self.note(|world| format!("owner {} takes over, its clock is {skew} ms off", world.live.id));
        self.happens(Who::Live, Event::Own { recovered: true })
    }

    /// An earlier journal comes back from a backup, which is told to whoever takes over; nobody from before is left. What
    /// somebody may have used of answers that may differ is in it.
    pub(crate) fn restore(&mut self) -> Law {
        let differs = |entry: &Entry| matches!(entry.record, Record::StepDone { step, .. } if self.plan.steps[step.index()].may_differ);
        let least = self.durable.iter().rposition(differs).map_or(1, |last| last + 1);
        if self.durable.len() > least {
            let kept = least + self.tape.pick(self.durable.len() - least);
            self.note(|_| format!("restored to {kept} records"));
            self.see(match self.durable_facts.end {
                Some(End::Completed) => "restored after it completed",
                Some(End::Compensated) => "restored after it was compensated",
                None => "restored under way",
            });
            self.durable.truncate(kept);
            self.durable_facts = Saga::replay(&self.definition, self.facts.id, &self.durable)
                .map_err(|error| error.to_string())?;
            (self.zombie, self.restored) = (None, true);
            self.take_over()?;
        }
        Ok(())
    }

    /// The owner loses the saga without noticing, and goes on.
    pub(crate) fn freeze(&mut self) -> Law {
        if self.durable.is_empty() {
            self.flush_one()?;
        }
        let heir = Owner::new(self.live.id, self.live.saga.clone(), 0);
        let mut zombie = std::mem::replace(&mut self.live, heir);
        zombie.frozen = Some(self.durable_facts.clone());
        self.zombie = Some(zombie);
        self.take_over()
    }
}

impl Owner {
    fn new(id: u32, saga: Saga, skew: i64) -> Self {
        Self { id, saga, queue: Vec::new(), timers: Vec::new(), frozen: None, skew }
    }
}
