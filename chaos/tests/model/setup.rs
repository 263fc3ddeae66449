//! What a configuration holds, and what may go wrong in it.

use std::sync::Arc;

use crate::model::MOST_SIGHTS;
use crate::sights::Sight;
use crate::stage::Stage;

/// Trouble that costs one of [`Faults::trouble`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The business says no.
    Refuse,
    /// Nobody waits for an answer any more; call and answer may come late.
    Timeout,
    /// The participant is busy.
    NotNow,
    /// A call arrives, and stays on its way as a stale copy.
    Duplicate,
    /// An answer makes no sense.
    Garble,
    /// A participant refuses after the pivot, where it must not.
    Misbehave,
    Cancel,
    Deadline,
    /// Running the saga fails in a way that running it again would repeat.
    Poison,
    /// The provider waits for the customer, who may come back or not.
    Wait,
    /// A return is refused, and taken back.
    Unreturned,
}

/// How much may still go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    pub(crate) trouble: u8,
    /// Of an orchestrator.
    pub(crate) crashes: u8,
    /// Of a participant.
    pub(crate) deaths: u8,
    /// The other orchestrator takes the lease.
    pub(crate) thefts: u8,
    pub(crate) relay_crashes: u8,
    /// A person, or a participant that answers again, sets a parked saga going.
    pub(crate) resumes: u8,
    /// A person has what a parked saga cannot do returned instead.
    pub(crate) goods: u8,
}

/// A configuration.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) stage: Arc<Stage>,
    pub(crate) sagas: usize,
    pub(crate) nodes: usize,
    pub(crate) kinds: &'static [Kind],
    pub(crate) faults: Faults,
    /// After so many attempts the budget is spent.
    pub(crate) patience: u8,
    /// It may also be spent earlier.
    pub(crate) hasty: bool,
    /// Units of stock, if the stage's steps take any.
    pub(crate) stock: u8,
    /// The bodies that are submitted under one idempotency key; none: the sagas are there from the beginning.
    pub(crate) bodies: &'static [u8],
    pub(crate) relay: bool,
    /// Another request under a step's key arrives at any time.
    pub(crate) forgery: bool,
    /// What is to be seen in some state.
    pub(crate) sights: &'static [&'static Sight],
}

impl Setup {
    pub(crate) fn new(name: &'static str, stage: Stage) -> Self {
        Self {
            name,
            stage: Arc::new(stage),
            sagas: 1,
            nodes: 1,
            kinds: &[],
            faults: Faults::default(),
            patience: 2,
            hasty: false,
            stock: 0,
            bodies: &[],
            relay: false,
            forgery: false,
            sights: &[],
        }
    }

    pub(crate) fn trouble(mut self, trouble: u8, kinds: &'static [Kind]) -> Self {
        (self.faults.trouble, self.kinds) = (trouble, kinds);
        self
    }

    pub(crate) fn crashes(mut self, crashes: u8) -> Self {
        self.faults.crashes = crashes;
        self
    }

    pub(crate) fn deaths(mut self, deaths: u8) -> Self {
        self.faults.deaths = deaths;
        self
    }

    /// A second orchestrator, which takes the lease so often.
    pub(crate) fn thefts(mut self, thefts: u8) -> Self {
        (self.nodes, self.faults.thefts) = (2, thefts);
        self
    }

    pub(crate) fn resumes(mut self, resumes: u8) -> Self {
        self.faults.resumes = resumes;
        self
    }

    pub(crate) fn goods(mut self, goods: u8) -> Self {
        self.faults.goods = goods;
        self
    }

    pub(crate) fn patience(mut self, patience: u8) -> Self {
        self.patience = patience;
        self
    }

    pub(crate) fn hasty(mut self) -> Self {
        self.hasty = true;
        self
    }

    /// So many sagas, and so many units of what each takes one of.
    pub(crate) fn sagas(mut self, sagas: usize, stock: u8) -> Self {
        (self.sagas, self.stock) = (sagas, stock);
        self
    }

    /// One client per body, all with the same idempotency key.
    pub(crate) fn clients(mut self, bodies: &'static [u8]) -> Self {
        (self.bodies, self.sagas) = (bodies, bodies.len());
        self
    }

    pub(crate) fn relay(mut self, crashes: u8) -> Self {
        (self.relay, self.faults.relay_crashes) = (true, crashes);
        self
    }

    pub(crate) fn forgery(mut self) -> Self {
        self.forgery = true;
        self
    }

    pub(crate) fn seeing(mut self, sights: &'static [&'static Sight]) -> Self {
        assert!(sights.len() <= MOST_SIGHTS, "`{}` names too many sights", self.name);
        self.sights = sights;
        self
    }
}
