//! One live saga: a task that feeds events to the core's table and performs what comes out.
//!
//! Records go to the writer at once and ride; an effect waits until the record that the core names is durable.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;

use backstitch_core::{
    Activity, Call, Definition, Effect, Entry, Event, Illegal, Op, Outcome, Saga, StepId, Timestamp,
};
use backstitch_failpoint::hit_of;
use backstitch_store::{Append, Lease, NewEvent, NewSaga, Summary, codec};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use metrics::counter;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Sleep};
use tracing::{Instrument as _, debug, warn};

use crate::dispatch::Dispatch;
use crate::engine::{Channels, Shared};
use crate::flow::{Answer, Ask, May, Pass, Queue, Sent, not_now};
use crate::follow::Durable;
use crate::good::Good;
use crate::label::label;
use crate::metrics as names;
use crate::poison::{REFUSED, panic_text};
use crate::registry::{Command, NotTaken};
use crate::shards::Tenure;
use crate::traces;
use crate::view::SagaView;
use crate::writer::Job;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Ended or parked, durably.
    Rested,
    /// The node is stopping; the next owner goes on.
    Stopped,
    /// The store does not take the saga's records, or this node lost the saga's shard: it is another node's.
    Dropped,
    /// The store says that the shard is another node's: everything in it is dropped.
    Fenced,
    /// The store refuses the saga's records; the saga must be parked.
    Refused,
}

struct Alarm {
    at: Timestamp,
    event: Event,
}

type Reply = (StepId, Op, u32, Outcome);

pub(crate) struct Runner {
    shared: Arc<Shared>,
    pub(crate) definition: Arc<Definition>,
    pub(crate) saga: Saga,
    tenure: Tenure,
    commands: mpsc::UnboundedReceiver<Command>,
    durable: Arc<watch::Sender<Durable>>,
    last: Arc<std::sync::OnceLock<SagaView>>,
    calls: FuturesUnordered<BoxFuture<'static, Reply>>,
    gated: Vec<Call>,
    queue: Queue,
    sent: Sent,
    answers: Vec<(u32, oneshot::Sender<Result<(), NotTaken>>)>,
    alarms: Vec<Alarm>,
    sleep: Pin<Box<Sleep>>,
    resting: bool,
}

impl Runner {
    pub(crate) fn new(
        shared: Arc<Shared>,
        definition: Arc<Definition>,
        saga: Saga,
        tenure: Tenure,
        channels: Channels,
    ) -> Self {
        Self {
            shared,
            definition,
            saga,
            tenure,
            commands: channels.commands,
            durable: channels.durable,
            last: channels.last,
            calls: FuturesUnordered::new(),
            gated: Vec::new(),
            queue: Queue::default(),
            sent: Sent::default(),
            answers: Vec::new(),
            alarms: Vec::new(),
            sleep: Box::pin(tokio::time::sleep_until(Instant::now())),
            resting: false,
        }
    }

    /// Runs the saga until it rests, the node stops, or the store does not take its records.
    pub(crate) async fn run(&mut self, recovered: bool) -> Exit {
        let mut durable = self.durable.subscribe();
        // Nothing may follow a first record that turns out to be lost.
        let tenure = self.tenure.clone();
        let first = durable.wait_for(|d| d.seq >= 1 || d.lost.is_some());
        tokio::select! {
            first = first => if first.is_err() { return Exit::Dropped },
            () = tenure.over() => return Exit::Dropped,
        }
        self.feed(Event::Own { recovered });
        loop {
            let now_durable = *durable.borrow_and_update();
            if let Some(exit) = now_durable.lost {
                self.disappoint(exit);
                if exit == Exit::Fenced {
                    tenure.end();
                }
                return exit;
            }
            // Whoever waits for an answer asks the shard's next owner.
            if !tenure.holds() {
                return Exit::Dropped;
            }
            self.release(now_durable.seq);
            let settled = now_durable.seq == self.saga.seq && self.calls.is_empty() && self.queue.is_empty();
            let stopping = tenure.is_leaving();
            if settled && (stopping || (self.resting && self.gated.is_empty())) {
                match self.commands.try_recv() {
                    Ok(command) => self.obey(command),
                    Err(_) => return self.rest(stopping),
                }
                continue;
            }
            let awaits_durable =
                !self.gated.is_empty() || !self.answers.is_empty() || self.resting || stopping;
            tokio::select! {
                Some((step, op, attempt, outcome)) = self.calls.next(), if !self.calls.is_empty() => {
                    self.feed(Event::Replied { step, op, attempt, outcome });
                }
                Some((call, answer)) = self.queue.next(), if !self.queue.is_empty() => match answer {
                    Answer::Go(pass) => self.send(call, pass),
                    Answer::NotNow(closed) => {
                        let outcome = not_now(self.definition.step(call.step).participant, closed);
                        self.feed(Event::Replied { step: call.step, op: call.op, attempt: call.attempt, outcome });
                    }
                },
                changed = durable.changed(), if awaits_durable => {
                    if changed.is_err() {
                        return Exit::Dropped;
                    }
                }
                Some(command) = self.commands.recv() => self.obey(command),
                () = self.sleep.as_mut(), if !self.alarms.is_empty() => self.ring(),
                () = tenure.left(), if !stopping => {}
                () = tenure.over(), if stopping => return Exit::Dropped,
            }
        }
    }

    fn rest(&mut self, stopping: bool) -> Exit {
        if !self.resting && stopping {
            return Exit::Stopped;
        }
        let view = SagaView { definition: self.definition.clone(), state: self.saga.clone() };
        // Set once per task, and the task ends here.
        let _ = self.last.set(view);
        Exit::Rested
    }

    /// What has to be seen to once this task has rested: the return that makes its saga good.
    pub(crate) fn return_to_see_to(&self) -> Option<Good> {
        let good = self.saga.made_good.as_ref().filter(|_| self.saga.end.is_none())?;
        let input = self.definition.return_of(&self.saga)?;
        Some(Good { saga: self.saga.id, return_saga: good.return_saga, input, tenure: self.tenure.clone() })
    }

    fn obey(&mut self, command: Command) {
        if !self.tenure.holds() {
            return;
        }
        // Whoever asked may have gone; then nobody misses the answer.
        match command {
            Command::Take(_, Some(seen), answer) if seen != self.saga.seq => {
                drop(answer.send(Err(NotTaken::MovedOn { now: self.saga.seq })));
            }
            Command::Take(event, _, answer) => {
                match catch_unwind(AssertUnwindSafe(|| self.turn(event, true))) {
                    Ok(Ok(())) => self.answers.push((self.saga.seq, answer)),
                    Ok(Err(illegal)) => drop(answer.send(Err(NotTaken::Illegal(illegal)))),
                    // Told before the task ends: unanswered, the event would be brought again, for ever.
                    Err(panic) => {
                        let why = format!("its task panicked: {}", panic_text(panic.as_ref()));
                        drop(answer.send(Err(NotTaken::Failed(why))));
                        resume_unwind(panic);
                    }
                }
            }
            Command::Show(answer) => drop(answer.send(self.shown())),
        }
    }

    /// Tells those who wait for records that the store refuses. Whoever waits for records of a lost shard asks again.
    fn disappoint(&mut self, exit: Exit) {
        if exit == Exit::Refused {
            for (_, answer) in self.answers.drain(..) {
                let _ = answer.send(Err(NotTaken::Failed(REFUSED.into())));
            }
        }
    }

    /// As a person has to see it: a call that waits in line has not been made.
    fn shown(&self) -> Saga {
        let mut saga = self.saga.clone();
        for call in self.queue.calls() {
            let (last, wait) = self.shared.flow.line(self.definition.step(call.step).participant);
            let step = &mut saga.steps[call.step.index()];
            let made = if call.op == Op::Undo { &mut step.undo_attempts } else { &mut step.attempts };
            *made = made.saturating_sub(1);
            let until = self.shared.clock.now().plus(wait);
            step.activity = Activity::BackingOff { op: call.op, attempt: call.attempt, until, last };
        }
        saga
    }

    fn feed(&mut self, event: Event) {
        // What follows from it would be handed in for a shard that may be another node's.
        if !self.tenure.holds() {
            return;
        }
        if let Err(illegal) = self.turn(event, false) {
            // Own events and replies to own calls are legal in every state; seeing this means a bug in the shell.
            warn!(saga = %self.saga.id, %illegal, "an event of the engine's own was illegal");
        }
    }

    /// Takes an event. `awaited`: whoever brought it waits until what follows from it is durable.
    fn turn(&mut self, event: Event, awaited: bool) -> Result<(), Illegal> {
        let first_seq = self.saga.seq + 1;
        let status = self.saga.status();
        let (now, jitter) = (self.shared.clock.now(), rand::random());
        let out = backstitch_core::next(&self.definition, &mut self.saga, event, now, jitter)?;
        let saga = &self.saga;
        self.queue.retain(|call| is_wanted(saga, call));
        self.resting = self.saga.steps.iter().all(|step| step.activity == Activity::Idle);
        if !out.records.is_empty() {
            let durable = self.durable.borrow().seq;
            let gates = |effect: &Effect| matches!(effect, Effect::Call(call) if call.after > durable);
            let urgent = awaited || self.resting || out.effects.iter().any(gates);
            let changed = self.saga.status() != status;
            let append = append(
                &self.definition,
                &self.saga,
                self.tenure.lease(),
                first_seq,
                &out.records,
                changed,
                None,
            );
            let label = label(&self.definition, &out.records);
            let durable = self.durable.clone();
            self.shared.writer.submit(Job { append, urgent, durable, answer: None, label });
        }
        for effect in out.effects {
            match effect {
                Effect::Call(call) => self.gated.push(call),
                Effect::Timer { step, op, attempt, at } => {
                    self.alarm(Alarm { at, event: Event::RetryDue { step, op, attempt } });
                }
                Effect::Deadline(at) => self.alarm(Alarm { at, event: Event::DeadlinePassed }),
                Effect::Rest => {}
            }
        }
        Ok(())
    }

    /// Lets go of everything that waited for this record.
    fn release(&mut self, durable: u32) {
        if self.tenure.is_leaving() {
            // No call is made that nobody would hear the answer of.
            self.gated.clear();
            self.queue.clear();
        }
        for call in std::mem::take(&mut self.gated) {
            if call.after <= durable {
                self.dispatch(call);
            } else {
                self.gated.push(call);
            }
        }
        for (seq, answer) in std::mem::take(&mut self.answers) {
            if seq <= durable {
                let _ = answer.send(Ok(()));
            } else {
                self.answers.push((seq, answer));
            }
        }
    }

    /// Takes a call to the gate of its participant.
    fn dispatch(&mut self, call: Call) {
        if !is_wanted(&self.saga, &call) {
            return;
        }
        let state = self.saga.step(call.step);
        let ask = Ask {
            urgent: call.op != Op::Do || self.saga.pivot_intent.is_some(),
            kind: self.sent.kind(call.step, call.op, state.waiting.is_some()),
            action: self.action(&call),
        };
        match self.shared.flow.enter(self.definition.step(call.step).participant, ask) {
            May::Go(pass) => self.send(call, pass),
            May::Wait(wait) => self.queue.push(call, wait),
            May::NotNow(outcome) => {
                let reply = (call.step, call.op, call.attempt, outcome);
                self.calls.push(Box::pin(std::future::ready(reply)));
            }
        }
    }

    fn action(&self, call: &Call) -> &'static str {
        let step = self.definition.step(call.step);
        match (&step.undo, call.op) {
            (Some(undo), Op::Undo) => undo.action,
            _ => step.action,
        }
    }

    fn send(&mut self, call: Call, pass: Pass) {
        let action = self.action(&call);
        let step = self.definition.step(call.step);
        self.sent.note(call.step, call.op);
        let mut dispatch = Dispatch {
            saga: self.saga.id,
            root: self.saga.start.root,
            definition: self.definition.name,
            step: step.name,
            participant: step.participant,
            action,
            op: call.op,
            attempt: call.attempt,
            request: call.request,
            timeout: call.timeout,
            traceparent: self.saga.start.traceparent.clone(),
            oldest_unfinished_ms: self.shared.oldest.born_ms(),
        };
        let (dispatcher, step, op, attempt) =
            (self.shared.dispatcher.clone(), call.step, call.op, call.attempt);
        let (saga, tenure) = (self.saga.id, self.tenure.clone());
        self.calls.push(Box::pin(async move {
            let participant = dispatch.participant;
            let span = traces::call(&mut dispatch);
            let step_name = dispatch.step;
            hit_of("dispatch.before_send", || format!("{step_name}/{op}"));
            let call = dispatcher.call(dispatch).instrument(span.clone());
            let heard = tenure.during(call).await;
            hit_of("dispatch.after_reply", || format!("{step_name}/{op}"));
            pass.heard(saga, &heard);
            let outcome = heard.outcome;
            let word = word(&outcome);
            span.record("outcome", word);
            let asked = match op {
                Op::Do => "do",
                Op::Undo => "undo",
                Op::Close => "close",
            };
            counter!(names::CALLS, "participant" => participant, "op" => asked, "outcome" => word)
                .increment(1);
            if word != "done" {
                debug!(participant, %op, attempt, ?outcome, "a call did not come to done");
            }
            (step, op, attempt, outcome)
        }));
    }

    fn alarm(&mut self, alarm: Alarm) {
        self.alarms.push(alarm);
        self.set_sleep();
    }

    /// Feeds every event whose time has come.
    fn ring(&mut self) {
        let now = self.shared.clock.now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.alarms).into_iter().partition(|alarm| alarm.at <= now);
        self.alarms = later;
        due.into_iter().for_each(|alarm| self.feed(alarm.event));
        self.set_sleep();
    }

    fn set_sleep(&mut self) {
        if let Some(next) = self.alarms.iter().map(|alarm| alarm.at).min() {
            let wait = self.shared.clock.now().until(next);
            self.sleep.as_mut().reset(Instant::now() + wait);
        }
    }
}

/// What turned back, while its call waited for a record or in line, is not sent any more.
fn is_wanted(saga: &Saga, call: &Call) -> bool {
    saga.step(call.step).activity == (Activity::Calling { op: call.op, attempt: call.attempt })
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::Refused(_) => "refused",
        Outcome::NotNow { .. } => "not_now",
        Outcome::Pending { .. } => "pending",
        Outcome::Unknown { .. } => "unknown",
        Outcome::Broken(_) => "broken",
        Outcome::Superseded(_) => "superseded",
    }
}

/// The append of these records, with the events that the definition publishes with them.
pub(crate) fn append(
    definition: &Definition,
    saga: &Saga,
    lease: Lease,
    first_seq: u32,
    records: &[Entry],
    status_changed: bool,
    start: Option<NewSaga>,
) -> Append {
    let events = records.iter().filter_map(|entry| {
        let publication = definition.publication(saga, &entry.record)?;
        Some(NewEvent {
            kind: publication.kind,
            topic: publication.topic.to_owned(),
            payload: publication.payload,
            traceparent: saga.start.traceparent.clone(),
            at_ms: entry.at.0,
        })
    });
    let updated_at_ms = records.last().map_or(0, |entry| entry.at.0);
    Append {
        saga: saga.id,
        root: saga.start.root,
        shard: lease.shard,
        epoch: lease.epoch,
        start,
        first_seq,
        records: records.iter().map(codec::encode).collect(),
        summary: status_changed.then(|| Summary { status: saga.status(), updated_at_ms }),
        events: events.collect(),
    }
}
