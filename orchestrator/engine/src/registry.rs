//! The sagas in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::follow::Follow;
use backstitch_core::{Event, Illegal, Saga};

/// What a saga's task is asked from outside.
pub(crate) enum Command {
    /// Take an event, if the last record is still the one that it was decided on; answered when what it made the saga
    /// decide is durable.
    Take(Event, Option<u32>, oneshot::Sender<Result<(), NotTaken>>),
    /// Show what you are doing.
    Show(oneshot::Sender<Saga>),
}

/// Why a saga's task did not take an event.
pub(crate) enum NotTaken {
    /// The saga has records since the one that the event was decided on.
    MovedOn {
        /// Its last one.
        now: u32,
    },
    Illegal(Illegal),
    /// What followed from the event could not be worked out or kept; why.
    Failed(String),
}

#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) follow: Follow,
}

/// Each saga has at most one task; this is where that is held.
#[derive(Default)]
pub(crate) struct Registry {
    live: Mutex<HashMap<Uuid, Live>>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a saga, unless it is there.
    pub(crate) fn enter(&self, saga: Uuid, live: Live) -> bool {
        match self.lock().entry(saga) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(live);
                true
            }
        }
    }

    pub(crate) fn leave(&self, saga: Uuid) {
        self.lock().remove(&saga);
    }

    pub(crate) fn get(&self, saga: Uuid) -> Option<Live> {
        self.lock().get(&saga).cloned()
    }

    pub(crate) fn contains(&self, saga: Uuid) -> bool {
        self.lock().contains_key(&saga)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }
}
