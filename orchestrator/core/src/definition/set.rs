//! Steps of a definition, and sets of them.

use std::fmt;

/// A step by its place in its definition. At most [`StepSet::CAPACITY`] of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(u8);

impl StepId {
    /// The step at `index`, if a definition can be that long.
    pub fn new(index: usize) -> Option<Self> {
        u8::try_from(index).ok().filter(|i| usize::from(*i) < StepSet::CAPACITY).map(Self)
    }

    /// Its place.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A set of steps, as bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct StepSet(u64);

impl StepSet {
    /// The most steps a definition can have.
    pub const CAPACITY: usize = 64;
    /// No steps.
    pub const EMPTY: Self = Self(0);

    /// The first `n` steps.
    pub fn first(n: usize) -> Self {
        if n >= Self::CAPACITY { Self(u64::MAX) } else { Self((1 << n) - 1) }
    }

    /// Adds a step.
    pub fn insert(&mut self, step: StepId) {
        self.0 |= 1 << step.0;
    }

    /// Whether the step is in it.
    pub fn contains(self, step: StepId) -> bool {
        self.0 & (1 << step.0) != 0
    }

    /// Steps of either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its steps, in order.
    pub fn iter(self) -> impl Iterator<Item = StepId> + use<> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let lowest = u8::try_from(rest.trailing_zeros()).ok().filter(|_| rest != 0)?;
            rest &= rest - 1;
            Some(StepId(lowest))
        })
    }
}

impl FromIterator<StepId> for StepSet {
    fn from_iter<I: IntoIterator<Item = StepId>>(steps: I) -> Self {
        let mut set = Self::EMPTY;
        for step in steps {
            set.insert(step);
        }
        set
    }
}

impl fmt::Debug for StepSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|s| s.0)).finish()
    }
}
