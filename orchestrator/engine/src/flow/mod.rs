//! Flow control: what keeps a participant's trouble to itself.
//!
//! Every call goes through the gate of its participant. There, so many calls are in flight at most and the rest wait
//! in line, undo, close and what follows the pivot before everything else; a breaker stops calls to a participant that
//! is away or does not serve us; and a budget bounds retries. Before the pivot a call that meets an open breaker is
//! answered NotNow here; from the pivot on, and to undo and close, it only waits.
//!
//! `bucket`, `window`, `breaker`, `line` and `gate` are state machines without IO; `door` is where tasks wait.

mod breaker;
mod bucket;
mod door;
mod gate;
mod line;
mod queue;
mod revive;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use backstitch_core::{Class, Definition, Outcome, Step};
use metrics::counter;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::metrics as names;
use crate::options::FlowOptions;
use door::Door;
pub(crate) use door::{Answer, Pass, Wait};
pub(crate) use gate::Closed;
use gate::Entered;
pub(crate) use line::{Ask, Kind};
pub(crate) use queue::{Queue, Sent};

/// A participant that calls are kept from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which.
    pub participant: &'static str,
    /// For people; goes after its name.
    pub why: String,
    /// It is there and does not serve us: somebody has to set something right.
    pub misconfigured: bool,
    /// When it makes sense to ask again.
    pub retry_after: Duration,
}

impl Trouble {
    fn of(participant: &'static str, closed: Closed) -> Self {
        let Closed { after, why, misconfigured } = closed;
        let what = if misconfigured { "does not serve what is asked of it" } else { "does not answer" };
        Self { participant, why: format!("{what} ({why})"), misconfigured, retry_after: after }
    }
}

/// What a call may do now.
pub(crate) enum May {
    /// Be made.
    Go(Pass),
    /// Wait in line.
    Wait(Wait),
    /// Not be made; this is what came of it.
    NotNow(Outcome),
}

/// The gates of all participants.
pub(crate) struct Flow {
    options: FlowOptions,
    doors: RwLock<HashMap<&'static str, Arc<Door>>>,
    back: mpsc::UnboundedSender<&'static str>,
    /// Until somebody listens.
    heard_back: Mutex<Option<mpsc::UnboundedReceiver<&'static str>>>,
    ending: CancellationToken,
    _ends_with_this: DropGuard,
}

impl Flow {
    /// Gates whose timers run until `stopping`.
    pub(crate) fn new(options: FlowOptions, stopping: &CancellationToken) -> Self {
        let (back, heard_back) = mpsc::unbounded_channel();
        let ending = stopping.child_token();
        Self {
            options,
            doors: RwLock::default(),
            back,
            heard_back: Mutex::new(Some(heard_back)),
            _ends_with_this: ending.clone().drop_guard(),
            ending,
        }
    }

    /// Who comes back, as it happens; for the one who asks first.
    pub(crate) fn comings_back(&self) -> Option<mpsc::UnboundedReceiver<&'static str>> {
        self.heard_back.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Lets a call to the participant go, wait, or come back later.
    pub(crate) fn enter(&self, participant: &'static str, ask: Ask) -> May {
        let door = self.door(participant);
        match door.enter(ask) {
            Entered::Go(ticket) => May::Go(Pass::new(door, ticket)),
            Entered::Waits(wait) => May::Wait(wait),
            Entered::NotNow(closed) => May::NotNow(not_now(participant, closed)),
        }
    }

    /// Whether a saga of this definition may start: whom it calls before its effects are promised has to be there.
    pub(crate) fn admit(&self, definition: &Definition) -> Result<(), Trouble> {
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        let needed = || definition.steps.iter().filter(|step| step.class != Class::Retriable);
        for (nth, Step { participant, .. }) in needed().enumerate() {
            // Asked once for all its steps: a door lets one saga in to find out, not one step.
            let Some(door) = doors.get(participant) else { continue };
            if needed().take(nth).any(|earlier| earlier.participant == *participant) {
                continue;
            }
            let calls = |action: &str| {
                needed().filter(|step| step.participant == *participant).any(|step| {
                    step.action == action || step.undo.as_ref().is_some_and(|undo| undo.action == action)
                })
            };
            door.admit(calls).map_err(|closed| Trouble::of(participant, closed))?;
        }
        Ok(())
    }

    /// Why a call to it waits in line, and about how long.
    pub(crate) fn line(&self, participant: &'static str) -> (String, Duration) {
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        match doors.get(participant).and_then(|door| door.trouble()) {
            Some(closed) => {
                let trouble = Trouble::of(participant, closed);
                (format!("{participant} {}", trouble.why), trouble.retry_after)
            }
            None => (format!("other calls to {participant} are before it"), Duration::ZERO),
        }
    }

    /// The participants that calls are kept from, by name.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        let troubles = doors.iter().filter_map(|(name, door)| Some(Trouble::of(name, door.trouble()?)));
        let mut troubles: Vec<_> = troubles.collect();
        troubles.sort_unstable_by_key(|trouble| trouble.participant);
        troubles
    }

    /// Participants whose breaker waits for a probe that nobody makes.
    pub(crate) fn unprobed(&self) -> Vec<&'static str> {
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        let unprobed = doors.values().filter(|door| door.trouble().is_some() && door.is_worth_trying());
        unprobed.map(|door| door.participant()).collect()
    }

    /// Calls to it go through, or one could find out now.
    pub(crate) fn is_worth_trying(&self, participant: &str) -> bool {
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        doors.get(participant).is_none_or(|door| door.is_worth_trying())
    }

    fn door(&self, participant: &'static str) -> Arc<Door> {
        if let Some(door) = self.doors.read().unwrap_or_else(PoisonError::into_inner).get(participant) {
            return door.clone();
        }
        let mut doors = self.doors.write().unwrap_or_else(PoisonError::into_inner);
        let door = doors.entry(participant).or_insert_with(|| {
            let door = Arc::new(Door::new(participant, self.options, self.back.clone()));
            tokio::spawn(keep(door.clone(), self.ending.clone()));
            door
        });
        door.clone()
    }
}

/// What a call is told that was not made.
pub(crate) fn not_now(participant: &'static str, closed: Closed) -> Outcome {
    counter!(names::CALLS_HELD_BACK, "participant" => participant).increment(1);
    // So that those who are told at the same time do not come back at the same time.
    let spread = closed.after.mul_f64(f64::from(rand::random::<u32>()) / f64::from(u32::MAX) / 4.0);
    let why = format!("calls to {participant} are held back: {}", closed.why);
    Outcome::NotNow { after: closed.after + spread, why }
}

/// Ticks when it is time.
async fn keep(door: Arc<Door>, ending: CancellationToken) {
    loop {
        let next = door.tick();
        tokio::select! {
            () = ending.cancelled() => return,
            () = door.due(next) => {}
        }
    }
}
