//! All that the shim remembers.

use serde_json::Value;

use crate::book::{Book, Intent};
use crate::clock::Clock;
use crate::control::Done;
use crate::events::Events;
use crate::faults::Faults;
use crate::keys::Keys;
use crate::refusal::Refusal;
use crate::show;
use crate::statement::{Moved, Movement, Statement};
use crate::upstream::Upstream;

/// One lock around it makes calls one after the other, as they would be for one intent at Stripe.
#[derive(Debug)]
pub(crate) struct World {
    /// Where the shim itself is.
    pub(crate) url: String,
    pub(crate) clock: Clock,
    pub(crate) upstream: Upstream,
    pub(crate) book: Book,
    pub(crate) keys: Keys,
    pub(crate) faults: Faults,
    pub(crate) events: Events,
    pub(crate) statement: Statement,
    pub(crate) done: Vec<Done>,
    /// Lets through what Stripe refuses for the state of things; localstripe alone decides.
    pub(crate) lax: bool,
}

impl World {
    /// Needs a runtime.
    pub(crate) fn new(url: &str, upstream: &str) -> Self {
        let clock = Clock::default();
        Self {
            url: url.to_owned(),
            clock: clock.clone(),
            upstream: Upstream::new(upstream),
            book: Book::default(),
            keys: Keys::default(),
            faults: Faults::default(),
            events: Events::new(clock),
            statement: Statement::default(),
            done: Vec::new(),
            lax: false,
        }
    }

    /// Refuses, unless told to be lax.
    pub(crate) fn refuse(&self, refusal: Refusal) -> Result<(), Refusal> {
        if self.lax { Ok(()) } else { Err(refusal) }
    }

    pub(crate) fn intent(&self, id: &str) -> Result<&Intent, Refusal> {
        self.book.intent(id).ok_or_else(|| Refusal::missing(404, "payment_intent", id, "intent"))
    }

    pub(crate) fn intent_mut(&mut self, id: &str) -> Result<&mut Intent, Refusal> {
        self.book.intent_mut(id).ok_or_else(|| Refusal::missing(404, "payment_intent", id, "intent"))
    }

    /// Asks localstripe how an intent is.
    pub(crate) async fn refresh(&mut self, id: &str) -> Result<(), Refusal> {
        let upstream = self.upstream.get(&format!("/v1/payment_intents/{id}")).await?;
        self.intent_mut(id)?.upstream = upstream;
        Ok(())
    }

    pub(crate) fn show(&self, id: &str) -> Result<Value, Refusal> {
        Ok(show::intent(&self.book, self.intent(id)?, false))
    }

    /// Writes a movement of money.
    pub(crate) fn moved(
        &mut self,
        intent: &str,
        what: Moved,
        amount: i64,
        refund: Option<&str>,
        key: Option<&str>,
    ) {
        let (refund, key) = (refund.map(str::to_owned), key.map(str::to_owned));
        let movement = Movement { what, amount, at: self.clock.now(), refund, key };
        self.statement.write(intent, movement);
    }

    /// Tells of an intent as it is now.
    pub(crate) fn tell(&mut self, kind: &str, intent: &str, key: Option<&str>) {
        let object = self.show(intent).unwrap_or_default();
        self.events.add(kind, self.clock.now(), object, key.map(str::to_owned));
    }

    /// Tells of an intent's charge.
    pub(crate) fn tell_of_charge(&mut self, kind: &str, intent: &str, key: Option<&str>) {
        let object =
            self.book.intent(intent).map(|intent| show::charge(&self.book, intent)).unwrap_or_default();
        self.events.add(kind, self.clock.now(), object, key.map(str::to_owned));
    }

    /// Tells of a refund.
    pub(crate) fn tell_of_refund(&mut self, kind: &str, refund: &str, key: Option<&str>) {
        let Some(refund) = self.book.refunds.iter().find(|r| r.id == refund) else { return };
        let Some(intent) = self.book.intent(&refund.intent) else { return };
        let object = show::refund(intent, refund);
        self.events.add(kind, self.clock.now(), object, key.map(str::to_owned));
    }
}
