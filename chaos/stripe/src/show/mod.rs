//! The objects as Stripe shows them: what localstripe says, and over it what it lacks.

mod charge;
mod event;
mod intent;
mod refund;

pub(crate) use charge::charge;
pub(crate) use event::event;
pub(crate) use intent::intent;
pub(crate) use refund::refund;
