//! Which carts this node is checking out.
//!
//! The cart participant is what keeps a cart from being bought twice; it learns of a checkout only when its saga holds
//! the cart. This bridges the moment in between, so that a second key hears of the first checkout at the door.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use backstitch_engine::Engine;
use uuid::Uuid;

/// Carts and the checkouts that began on them here.
#[derive(Default)]
pub(crate) struct UnderWay {
    carts: Mutex<HashMap<String, Begun>>,
}

struct Begun {
    saga: Uuid,
    key: String,
    /// It is being started, and not in the engine's memory yet.
    starting: bool,
}

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Begun>> {
        self.carts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a checkout that is about to start, or answers the one that is under way on this cart with another key.
    /// Twins with one key pass: the store decides which of them is the checkout.
    pub(crate) fn enter(&self, engine: &Engine, cart: &str, key: &str, saga: Uuid) -> Result<(), Uuid> {
        let mut carts = self.lock();
        let is_live = |begun: &Begun| begun.starting || engine.follow(begun.saga).is_some();
        if let Some(begun) = carts.get(cart).filter(|begun| is_live(begun)) {
            return if begun.key == key { Ok(()) } else { Err(begun.saga) };
        }
        // What has ended is forgotten now and then, so that this holds about as much as the engine does.
        if carts.len() > 2 * engine.live() + 1000 {
            carts.retain(|_, begun| is_live(begun));
        }
        carts.insert(cart.to_owned(), Begun { saga, key: key.to_owned(), starting: true });
        Ok(())
    }

    /// The checkout has started, or will not.
    pub(crate) fn settle(&self, cart: &str, saga: Uuid, started: bool) {
        let mut carts = self.lock();
        match carts.get_mut(cart).filter(|begun| begun.saga == saga) {
            Some(begun) if started => begun.starting = false,
            Some(_) => drop(carts.remove(cart)),
            None => {}
        }
    }
}
