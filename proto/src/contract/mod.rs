//! The participant contract: what travels with a call beside its message, and how a status says what happened.
//!
//! Both ends use this module: the engine writes [`CallMeta`] and reads a [`Verdict`]; a participant reads the one
//! and writes the other. Participants in other languages follow the same words; they are the constants here.

mod meta;
mod unfinished;
mod verdict;

pub use meta::{CallMeta, MetaError, Op};
pub use unfinished::{tell_oldest_unfinished, told_oldest_unfinished};
pub use verdict::{Refusal, Verdict, unknown, unknown_for};

/// The version of this contract; a participant that cannot serve it answers Broken.
pub const VERSION: u32 = 1;

/// Parts that a participant can do without for a while. One that has such a part tells of it under this name in its
/// gRPC health service, beside its own health.
pub mod optional_parts {
    /// Where copies are kept for reading.
    pub const REDIS: &str = "redis";

    /// All of them.
    pub const ALL: [&str; 1] = [REDIS];
}

/// Metadata keys of every call.
pub mod keys {
    /// The saga, UUID as text.
    pub const SAGA_ID: &str = "saga-id";
    /// The saga at the root of its family (a return's checkout); key of events.
    pub const SAGA_ROOT: &str = "saga-root";
    /// The definition's name.
    pub const SAGA_NAME: &str = "saga-name";
    /// The step's name. For an undo: of the step that is taken back.
    pub const SAGA_STEP: &str = "saga-step";
    /// `do`, `undo` or `close`.
    pub const SAGA_OP: &str = "saga-op";
    /// Counts from 1 per (step, op); for logs, never for decisions.
    pub const SAGA_ATTEMPT: &str = "saga-attempt";
    /// (saga, step, op) as text, for providers that take a key.
    pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// When the oldest saga that has not ended was born, Unix milliseconds; optional.
    pub const OLDEST_UNFINISHED_MS: &str = "saga-oldest-unfinished-ms";
}

/// The `google.rpc.ErrorInfo.domain` of a service: `inventory` speaks as `inventory.backstitch`.
pub fn domain_of(service: &str) -> String {
    format!("{service}.backstitch")
}
