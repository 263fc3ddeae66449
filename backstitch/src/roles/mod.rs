//! The parts that a process can be: one, some, or (in `up`) all of them.

pub(crate) mod kafka;
pub(crate) mod leases;
mod metrics_face;
pub(crate) mod name;
pub(crate) mod noop;
pub(crate) mod orchestrator;
pub(crate) mod participants;
pub(crate) mod reconciler;
pub(crate) mod relay;
pub(crate) mod relay_face;
pub(crate) mod relays;
pub(crate) mod run;
pub(crate) mod stop;
