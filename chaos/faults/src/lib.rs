//! Networks that misbehave on purpose, between processes that must not notice more than they have to.
//!
//! * [`TcpProxy`] treats bytes: delays, freezes, resets, cuts off, refuses. It knows no protocol.
//! * [`Interceptor`] treats gRPC calls: loses requests and replies, says what proxies say, sends twice, sends late.
//!
//! Both are told at run time what to do, or draw it from [`Dice`], and count in a [`Tally`] what they did. Neither
//! knows anything of the product but the names of the metadata that tell calls apart.

mod calls;
mod dice;
mod tally;
mod tcp;

pub use calls::{Call, Excuse, Fate, Interceptor, Mischief, Until, Which};
pub use dice::Dice;
pub use tally::Tally;
pub use tcp::{Break, Storm, TcpProxy, Weather};
