//! Who waits, in the order in which they came.

use std::collections::VecDeque;
use std::time::Duration;

/// What kind of call it is, to the retry budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Never sent before.
    First,
    /// Sent before, and not answered well.
    Retry,
    /// Asks whether the customer has acted: the participant told us to come back.
    Poll,
}

/// Somebody wants to call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// An undo, a close, or a call from the pivot on: goes before all others, and waits where they are turned away.
    pub(crate) urgent: bool,
    pub(crate) kind: Kind,
    /// What the participant calls it.
    pub(crate) action: &'static str,
}

/// `W` is how to reach somebody who waits.
pub(crate) struct Waiter<W> {
    pub(crate) who: W,
    pub(crate) ask: Ask,
    /// Lower came first.
    pub(crate) number: u64,
}

/// Callers of one urgency. Retries stand apart, because only they need a token, and nobody waits behind one that has
/// none.
pub(crate) struct Line<W> {
    fresh: VecDeque<Waiter<W>>,
    retries: VecDeque<Waiter<W>>,
}

impl<W> Default for Line<W> {
    fn default() -> Self {
        Self { fresh: VecDeque::new(), retries: VecDeque::new() }
    }
}

impl<W> Line<W> {
    pub(crate) fn push(&mut self, waiter: Waiter<W>) {
        match waiter.ask.kind {
            Kind::Retry => self.retries.push_back(waiter),
            Kind::First | Kind::Poll => self.fresh.push_back(waiter),
        }
    }

    /// Those who waited elsewhere and were there first.
    pub(crate) fn push_front(&mut self, waiters: VecDeque<Waiter<W>>) {
        for waiter in waiters.into_iter().rev() {
            match waiter.ask.kind {
                Kind::Retry => self.retries.push_front(waiter),
                Kind::First | Kind::Poll => self.fresh.push_front(waiter),
            }
        }
    }

    /// The next one; `lacks` says how long until there is a token.
    pub(crate) fn pop(
        &mut self,
        gone: &impl Fn(&W) -> bool,
        lacks: impl FnOnce() -> Option<Duration>,
    ) -> Option<Waiter<W>> {
        for waiters in [&mut self.fresh, &mut self.retries] {
            while waiters.front().is_some_and(|waiter| gone(&waiter.who)) {
                waiters.pop_front();
            }
        }
        let first = |waiters: &VecDeque<Waiter<W>>| waiters.front().map(|waiter| waiter.number);
        let (fresh, retry) = (first(&self.fresh), first(&self.retries));
        let retry_is_first = retry.is_some_and(|retry| fresh.is_none_or(|fresh| retry < fresh));
        if retry_is_first && lacks().is_none() {
            return self.retries.pop_front();
        }
        self.fresh.pop_front()
    }

    /// Everybody, in no order.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Waiter<W>> + use<W> {
        std::mem::take(&mut self.fresh).into_iter().chain(std::mem::take(&mut self.retries))
    }

    /// Somebody waits for whom a call of this kind has to wait too.
    pub(crate) fn is_before(&self, kind: Kind) -> bool {
        !self.fresh.is_empty() || (kind == Kind::Retry && !self.retries.is_empty())
    }

    pub(crate) fn has_retries(&self) -> bool {
        !self.retries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.fresh.len() + self.retries.len()
    }
}
