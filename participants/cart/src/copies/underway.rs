//! The carts that this process is changing now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::CartId;

/// How many changes of each cart are under way. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashMap<CartId, u32>>>);

/// Some changes are under way until this is dropped.
pub(super) struct Entered {
    under_way: UnderWay,
    ids: Vec<CartId>,
}

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashMap<CartId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A change of each of these begins.
    pub(super) fn enter(&self, ids: &[CartId]) -> Entered {
        let mut carts = self.lock();
        for id in ids {
            *carts.entry(id.clone()).or_default() += 1;
        }
        Entered { under_way: self.clone(), ids: ids.to_vec() }
    }

    /// Whether a change of this one is under way.
    pub(super) fn has(&self, id: &CartId) -> bool {
        self.lock().contains_key(id)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut carts = self.under_way.lock();
        for id in &self.ids {
            if let Some(changes) = carts.get_mut(id) {
                *changes -= 1;
                if *changes == 0 {
                    carts.remove(id);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cart_is_under_way_until_the_last_of_its_changes_has_ended() {
        let (under_way, id) = (UnderWay::default(), CartId::parse("cart_id", "c").unwrap());
        let first = under_way.enter(&[id.clone(), id.clone()]);
        let second = under_way.enter(std::slice::from_ref(&id));
        drop(first);
        assert!(under_way.has(&id));
        drop(second);
        assert!(!under_way.has(&id) && under_way.lock().is_empty());
    }
}
