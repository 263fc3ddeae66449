//! Places where a test can let the process die or freeze, between two lines of the program.
//!
//! The variable `BACKSTITCH_FAILPOINTS` names them: `NAME[@N]=ACT`, with commas between them, for the N-th time (the
//! first unless told) that the place is reached. `abort` is SIGKILL to the process itself: no handler runs, nothing is
//! flushed. `abort+25` holds the thread for 25 ms before that, so that whatever ought to wait for it, and does not, shows.
//! `freeze` is SIGSTOP, which lasts until somebody sends SIGCONT.
//!
//! Debug builds have failpoints, so that tests run what was built already. Other builds have none unless the feature
//! `failpoints` asks for them: [`COMPILED`] is a constant, and what hangs on it is left out.

mod plan;

use std::sync::OnceLock;

use plan::Plan;

/// Whether this build has failpoints.
pub const COMPILED: bool = cfg!(any(feature = "failpoints", debug_assertions));

/// The environment variable that names failpoints.
pub const VARIABLE: &str = "BACKSTITCH_FAILPOINTS";

/// A place that is reached.
#[inline]
pub fn hit(place: &str) {
    if let Some(plan) = plan() {
        plan.hit(place);
    }
}

/// A place that is reached on behalf of something, which is worked out only where somebody may ask: `place:of`.
#[inline]
pub fn hit_of(place: &str, of: impl FnOnce() -> String) {
    if let Some(plan) = plan() {
        plan.hit(&format!("{place}:{}", of()));
    }
}

/// Whether something is to happen at a place, for places that have to be prepared. Counts nothing.
#[inline]
#[must_use]
pub fn is_armed(place: &str, of: impl FnOnce() -> String) -> bool {
    plan().is_some_and(|plan| plan.names(&format!("{place}:{}", of())))
}

/// What passes through places on somebody's behalf: carried along, and nothing in a build without failpoints.
#[derive(Clone, Debug, Default)]
pub struct Label {
    #[cfg(any(feature = "failpoints", debug_assertions))]
    names: Vec<String>,
}

impl Label {
    /// A label, worked out only where somebody may ask.
    #[inline]
    pub fn new(_names: impl FnOnce() -> Vec<String>) -> Self {
        #[cfg(any(feature = "failpoints", debug_assertions))]
        if plan().is_some() {
            return Self { names: _names() };
        }
        Self::default()
    }

    /// A place that is reached with this.
    #[inline]
    pub fn hit(&self, _place: &str) {
        #[cfg(any(feature = "failpoints", debug_assertions))]
        for name in &self.names {
            hit_of(_place, || name.clone());
        }
    }
}

/// What the environment asks for, read once.
#[inline]
fn plan() -> Option<&'static Plan> {
    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    if !COMPILED {
        return None;
    }
    PLAN.get_or_init(Plan::from_environment).as_ref()
}
