//! The gate to one participant: who may call it now, who waits, who is turned away. A state machine without IO; time
//! and randomness come in.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use uuid::Uuid;

use super::breaker::{Breaker, Look, Pauses, Standing};
use super::bucket::Bucket;
use super::line::{Ask, Kind, Line, Waiter};
use super::window::Window;
use crate::dispatch::Fault;
use crate::options::FlowOptions;

/// The right to make one call; goes back by [`Gate::heard`] or [`Gate::lost`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    action: &'static str,
    retry: bool,
    /// Finds out whether the participant is back.
    probes_outage: bool,
    /// Finds out whether the action is served again.
    probes_action: bool,
}

/// Why no call is made, and when to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) after: Duration,
    pub(crate) why: String,
    /// The participant is there and does not serve us: somebody has to set something right.
    pub(crate) misconfigured: bool,
}

impl Closed {
    /// The gate has lost sight of somebody.
    pub(crate) fn forgotten() -> Self {
        Self { after: Duration::ZERO, why: "the place in line was lost".into(), misconfigured: false }
    }
}

/// What whoever waited is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    Go(Ticket),
    NotNow(Closed),
}

/// What [`Gate::enter`] says; `H` is what whoever waits holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entered<H> {
    Go(Ticket),
    Waits(H),
    NotNow(Closed),
}

/// What came of a call, as far as the gate is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    /// It need not be repeated, so that a retry was worth its token.
    pub(crate) settled: bool,
    /// The participant's own fault, in words.
    pub(crate) fault: Option<(Fault, &'a str)>,
}

/// An action that the participant says it does not serve, or not to us. Has a breaker of its own, so that the others
/// are served on.
struct Unserved<W> {
    breaker: Breaker,
    why: String,
    /// Urgent calls of it.
    waiting: VecDeque<Waiter<W>>,
}

/// `W` is how to reach somebody who waits.
pub(crate) struct Gate<W> {
    options: FlowOptions,
    in_flight: usize,
    outage: Breaker,
    outage_why: String,
    window: Window,
    bucket: Bucket,
    urgent: Line<W>,
    normal: Line<W>,
    unserved: HashMap<&'static str, Unserved<W>>,
    next_number: u64,
    next_trial: Duration,
}

impl<W> Gate<W> {
    pub(crate) fn new(options: FlowOptions, now: Duration) -> Self {
        Self {
            options,
            in_flight: 0,
            outage: Breaker::closed(pauses(&options), now),
            outage_why: String::new(),
            window: Window::new(options.breaker),
            bucket: Bucket::full(options.retry, now),
            urgent: Line::default(),
            normal: Line::default(),
            unserved: HashMap::new(),
            next_number: 0,
            next_trial: Duration::ZERO,
        }
    }

    /// Lets the call go, lets it wait in line, or turns it away. `waiter` makes the two ends of waiting.
    pub(crate) fn enter<H>(
        &mut self,
        now: Duration,
        ask: Ask,
        waiter: impl FnOnce() -> (W, H),
    ) -> Entered<H> {
        if !ask.urgent
            && let Some(closed) = self.closed_to(now, ask.action)
        {
            return Entered::NotNow(closed);
        }
        if !self.anybody_before(&ask) && self.may_go(now, &ask) {
            return Entered::Go(self.let_go(&ask));
        }
        let (who, held) = waiter();
        let waiter = Waiter { who, ask, number: self.next_number };
        self.next_number += 1;
        if ask.urgent {
            self.urgent.push(waiter)
        } else {
            self.normal.push(waiter)
        }
        Entered::Waits(held)
    }

    /// Tells who may go now, in order, and who is turned away. Answers how long until somebody may go whom no call's
    /// end lets go.
    pub(crate) fn pump(
        &mut self,
        now: Duration,
        gone: impl Fn(&W) -> bool,
        told: &mut Vec<(W, Granted)>,
    ) -> Option<Duration> {
        if let Look::Wait(wait) = self.outage.look(now) {
            let closed = closed(&self.outage, now, &self.outage_why, false);
            let here = self.normal.take().filter(|waiter| !gone(&waiter.who));
            told.extend(here.map(|waiter| (waiter.who, Granted::NotNow(closed.clone()))));
            return (self.waiting() > 0).then_some(wait);
        }
        while self.in_flight < self.options.max_calls {
            // A probe may have gone in the round before.
            if matches!(self.outage.look(now), Look::Wait(_)) {
                return self.pump(now, gone, told);
            }
            let Some(waiter) = self.pop(now, &gone) else { return self.next_due(now) };
            let action = waiter.ask.action;
            match self.unserved.get_mut(action).map(|unserved| (unserved.breaker.look(now), unserved)) {
                Some((Look::Wait(_), unserved)) if waiter.ask.urgent => unserved.waiting.push_back(waiter),
                Some((Look::Wait(_), unserved)) => {
                    let closed = closed(&unserved.breaker, now, &unserved.why, true);
                    told.push((waiter.who, Granted::NotNow(closed)));
                }
                _ => {
                    let ticket = self.let_go(&waiter.ask);
                    told.push((waiter.who, Granted::Go(ticket)));
                }
            }
        }
        None
    }

    /// The call was answered, or not. True when the participant has come back with this: what gave up on it may be
    /// tried again.
    pub(crate) fn heard(
        &mut self,
        now: Duration,
        ticket: &Ticket,
        saga: Uuid,
        heard: Report<'_>,
        jitter: u32,
    ) -> bool {
        self.in_flight -= 1;
        if ticket.retry && heard.settled {
            self.bucket.give_back();
        }
        match heard.fault {
            None => {
                let back = self.reached(now, ticket);
                self.served(ticket) || back
            }
            // It said so itself, so that it is reached.
            Some((Fault::Unserved, why)) => {
                let back = self.reached(now, ticket);
                self.not_served(now, ticket, why, jitter);
                back
            }
            Some((Fault::Unreachable, why)) => {
                self.not_reached(now, ticket, saga, false, why, jitter);
                false
            }
            Some((Fault::Silent, why)) => {
                self.not_reached(now, ticket, saga, true, why, jitter);
                false
            }
        }
    }

    /// The call was given up by its caller before it was heard of.
    pub(crate) fn lost(&mut self, now: Duration, ticket: &Ticket) {
        self.in_flight -= 1;
        if ticket.probes_outage {
            self.outage.give_back(now);
        }
        if let Some(unserved) = self.unserved.get_mut(ticket.action).filter(|_| ticket.probes_action) {
            unserved.breaker.give_back(now);
        }
    }

    /// Whether a saga that needs these actions of the participant may start. While a breaker that it would meet is open
    /// it may not; where a probe is due and nobody is there to make it, one may in each pause, to find out.
    pub(crate) fn admit(&mut self, now: Duration, needs: impl Fn(&str) -> bool) -> Result<(), Closed> {
        let Some((breaker, closed)) = self.worst(now, needs) else { return Ok(()) };
        if breaker.look(now) != Look::Probe || now < self.next_trial {
            return Err(closed);
        }
        self.next_trial = now + breaker.pause();
        Ok(())
    }

    /// What is wrong with the participant, if anything is.
    pub(crate) fn trouble(&self, now: Duration) -> Option<Closed> {
        self.worst(now, |_| true).map(|(_, closed)| closed)
    }

    /// The worst of its breakers.
    pub(crate) fn standing(&self) -> Standing {
        let actions = self.unserved.values().map(|unserved| unserved.breaker.standing());
        actions.fold(self.outage.standing(), Ord::max)
    }

    /// Whether a call to it could be made now, if only to find out.
    pub(crate) fn is_worth_trying(&self, now: Duration) -> bool {
        self.worst(now, |_| true).is_none_or(|(breaker, _)| breaker.look(now) == Look::Probe)
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        let actions = self.unserved.values().map(|unserved| unserved.waiting.len());
        self.urgent.len() + self.normal.len() + actions.sum::<usize>()
    }

    /// What keeps calls of these actions away, if anything does.
    fn worst(&self, now: Duration, of: impl Fn(&str) -> bool) -> Option<(&Breaker, Closed)> {
        if self.outage.standing() != Standing::Closed {
            return Some((&self.outage, closed(&self.outage, now, &self.outage_why, false)));
        }
        let unserved = self.unserved.iter().find_map(|(action, unserved)| of(action).then_some(unserved))?;
        Some((&unserved.breaker, closed(&unserved.breaker, now, &unserved.why, true)))
    }

    /// What a call that cannot wait is told; nothing if it may try.
    fn closed_to(&self, now: Duration, action: &str) -> Option<Closed> {
        if let Look::Wait(_) = self.outage.look(now) {
            return Some(closed(&self.outage, now, &self.outage_why, false));
        }
        let unserved = self.unserved.get(action)?;
        let waits = matches!(unserved.breaker.look(now), Look::Wait(_));
        waits.then(|| closed(&unserved.breaker, now, &unserved.why, true))
    }

    /// Somebody waits whom this call must not overtake.
    fn anybody_before(&self, ask: &Ask) -> bool {
        self.urgent.is_before(ask.kind) || (!ask.urgent && self.normal.is_before(ask.kind))
    }

    fn may_go(&mut self, now: Duration, ask: &Ask) -> bool {
        let action = self.unserved.get(ask.action).map_or(Look::Free, |unserved| unserved.breaker.look(now));
        self.in_flight < self.options.max_calls
            && !matches!(self.outage.look(now), Look::Wait(_))
            && !matches!(action, Look::Wait(_))
            && (ask.kind != Kind::Retry || self.bucket.lacks(now, ask.urgent).is_none())
    }

    fn let_go(&mut self, ask: &Ask) -> Ticket {
        self.in_flight += 1;
        match ask.kind {
            Kind::First => self.bucket.first(),
            Kind::Retry => self.bucket.take(),
            Kind::Poll => {}
        }
        let probes_outage = self.outage.standing() != Standing::Closed;
        if probes_outage {
            self.outage.probe();
        }
        let unserved = self.unserved.get_mut(ask.action);
        let probes_action = unserved.is_some();
        if let Some(unserved) = unserved {
            unserved.breaker.probe();
        }
        Ticket { action: ask.action, retry: ask.kind == Kind::Retry, probes_outage, probes_action }
    }

    /// The next in order: who finds out about an action, then the urgent, then the others.
    fn pop(&mut self, now: Duration, gone: &impl Fn(&W) -> bool) -> Option<Waiter<W>> {
        for unserved in self.unserved.values_mut().filter(|u| u.breaker.look(now) == Look::Probe) {
            while let Some(waiter) = unserved.waiting.pop_front() {
                if !gone(&waiter.who) {
                    return Some(waiter);
                }
            }
        }
        let bucket = &mut self.bucket;
        let urgent = self.urgent.pop(gone, || bucket.lacks(now, true));
        urgent.or_else(|| self.normal.pop(gone, || bucket.lacks(now, false)))
    }

    fn next_due(&mut self, now: Duration) -> Option<Duration> {
        let actions = self.unserved.values().filter(|unserved| !unserved.waiting.is_empty());
        let actions = actions.filter_map(|unserved| match unserved.breaker.look(now) {
            Look::Wait(wait) => Some(wait),
            Look::Free | Look::Probe => None,
        });
        let action = actions.min();
        let urgent = self.urgent.has_retries().then(|| self.bucket.lacks(now, true)).flatten();
        let normal = self.normal.has_retries().then(|| self.bucket.lacks(now, false)).flatten();
        [action, urgent, normal].into_iter().flatten().min()
    }

    /// True when it was not before.
    fn reached(&mut self, now: Duration, ticket: &Ticket) -> bool {
        match self.outage.standing() {
            Standing::Closed => self.window.answered(now),
            // One that was sent before it opened tells nothing new.
            _ if ticket.probes_outage => self.outage.close(now),
            _ => {}
        }
        ticket.probes_outage
    }

    /// True when the action was not served before.
    fn served(&mut self, ticket: &Ticket) -> bool {
        if !ticket.probes_action {
            return false;
        }
        if let Some(unserved) = self.unserved.remove(ticket.action) {
            self.urgent.push_front(unserved.waiting);
        }
        true
    }

    fn not_served(&mut self, now: Duration, ticket: &Ticket, why: &str, jitter: u32) {
        let pauses = pauses(&self.options);
        let unserved = self.unserved.entry(ticket.action).or_insert_with(|| Unserved {
            breaker: Breaker::closed(pauses, now),
            why: String::new(),
            waiting: VecDeque::new(),
        });
        if ticket.probes_action || unserved.breaker.standing() == Standing::Closed {
            unserved.breaker.trip(now, jitter);
            why.clone_into(&mut unserved.why);
        }
    }

    fn not_reached(
        &mut self,
        now: Duration,
        ticket: &Ticket,
        saga: Uuid,
        sticky: bool,
        why: &str,
        jitter: u32,
    ) {
        let closed = self.outage.standing() == Standing::Closed;
        if ticket.probes_outage || (closed && self.window.fault(now, saga, sticky)) {
            self.outage.trip(now, jitter);
            self.window.clear();
            why.clone_into(&mut self.outage_why);
        }
        if let Some(unserved) = self.unserved.get_mut(ticket.action).filter(|_| ticket.probes_action) {
            unserved.breaker.trip(now, jitter);
        }
    }
}

fn pauses(options: &FlowOptions) -> Pauses {
    Pauses { first: options.breaker.first_pause, longest: options.breaker.longest_pause }
}

fn closed(breaker: &Breaker, now: Duration, why: &str, misconfigured: bool) -> Closed {
    let after = match breaker.look(now) {
        Look::Wait(after) => after,
        Look::Free | Look::Probe => breaker.pause(),
    };
    Closed { after, why: why.to_owned(), misconfigured }
}

#[cfg(test)]
mod laws;
