//! The sagas in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use backstitch_core::{Event, Illegal, Saga};
use backstitch_store::Lease;
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use crate::follow::Follow;

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
    there: Mutex<There>,
    left: Notify,
}

#[derive(Default)]
struct There {
    live: HashMap<Uuid, Entry>,
    /// How many sagas live under each lease.
    under: HashMap<Lease, usize>,
}

struct Entry {
    live: Live,
    /// None while it is being read.
    lease: Option<Lease>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, There> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a saga, unless it is there.
    pub(crate) fn enter(&self, saga: Uuid, live: Live) -> bool {
        match self.lock().live.entry(saga) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Entry { live, lease: None });
                true
            }
        }
    }

    /// A saga that was entered lives under this lease.
    pub(crate) fn lives_under(&self, saga: Uuid, lease: Lease) {
        let mut there = self.lock();
        if let Some(entry) = there.live.get_mut(&saga)
            && entry.lease.replace(lease).is_none()
        {
            *there.under.entry(lease).or_default() += 1;
        }
    }

    pub(crate) fn leave(&self, saga: Uuid) {
        let mut there = self.lock();
        if let Some(Entry { lease: Some(lease), .. }) = there.live.remove(&saga)
            && let Some(sagas) = there.under.get_mut(&lease)
        {
            *sagas -= 1;
            if *sagas == 0 {
                there.under.remove(&lease);
                drop(there);
                self.left.notify_waiters();
            }
        }
    }

    /// Waits until no saga lives under such a lease.
    pub(crate) async fn until_gone(&self, such: impl Fn(Lease) -> bool) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            // Listening before looking, so that nobody leaves unheard in between.
            left.as_mut().enable();
            if !self.lock().under.keys().any(|lease| such(*lease)) {
                return;
            }
            left.await;
        }
    }

    pub(crate) fn get(&self, saga: Uuid) -> Option<Live> {
        self.lock().live.get(&saga).map(|entry| entry.live.clone())
    }

    pub(crate) fn contains(&self, saga: Uuid) -> bool {
        self.lock().live.contains_key(&saga)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().live.len()
    }
}
