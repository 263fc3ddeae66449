//! A proxy of gRPC calls that an honest network would never be.
//!
//! It understands HTTP/2 and the contract's metadata, and passes messages on as bytes. What was once taken from the
//! caller is delivered whatever the caller does then, as from a queue somewhere on the way.

mod answer;
mod fate;
mod interceptor;
mod mischief;
mod wire;

pub use fate::{Excuse, Fate, Until, Which};
pub use interceptor::{Call, Interceptor};
pub use mischief::Mischief;
