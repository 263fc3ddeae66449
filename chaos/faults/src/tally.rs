//! How often what was done to somebody.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts by name. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

impl Tally {
    /// One more of `what`.
    pub fn note(&self, what: impl fmt::Display) {
        *self.counts().entry(what.to_string()).or_default() += 1;
    }

    /// As many more of everything as `other` counts.
    pub fn add(&self, other: &Tally) {
        // A copy first: two tallies are never locked at once.
        let counts = other.counts().clone();
        for (what, n) in counts {
            *self.counts().entry(what).or_default() += n;
        }
    }

    /// How many of `what` there were.
    pub fn of(&self, what: impl fmt::Display) -> u64 {
        self.counts().get(&what.to_string()).copied().unwrap_or(0)
    }

    /// How many of all whose name `counts` accepts.
    pub fn sum(&self, counts: impl Fn(&str) -> bool) -> u64 {
        self.counts().iter().filter(|(name, _)| counts(name)).map(|(_, n)| n).sum()
    }

    /// The same with fewer names: whatever stands in brackets at a name's end is left out.
    pub fn folded(&self) -> Tally {
        let folded = Tally::default();
        for (what, n) in self.counts().iter() {
            let name = what.split_once(" (").map_or(what.as_str(), |(name, _)| name);
            *folded.counts().entry(name.to_owned()).or_default() += n;
        }
        folded
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        // A panic between two counts leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        let parts: Vec<_> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
        f.write_str(&parts.join(", "))
    }
}
