//! Making calls.

mod codec;
mod grpc;

use std::time::Duration;

use async_trait::async_trait;
use backstitch_core::{Op, Outcome};
use bytes::Bytes;
use uuid::Uuid;

pub use grpc::{GrpcDispatcher, GrpcOptions, Target, TargetError};

/// One call to make.
#[derive(Clone)]
pub struct Dispatch {
    /// The saga.
    pub saga: Uuid,
    /// The root of its family.
    pub root: Uuid,
    /// The definition's name.
    pub definition: &'static str,
    /// The step's name; for an undo, of the step that is taken back.
    pub step: &'static str,
    /// Whom to call.
    pub participant: &'static str,
    /// What it is called there.
    pub action: &'static str,
    /// What is asked.
    pub op: Op,
    /// From 1.
    pub attempt: u32,
    /// The encoded request.
    pub request: Bytes,
    /// Longest wait.
    pub timeout: Duration,
    /// W3C trace context; may be empty.
    pub traceparent: String,
    /// When the oldest saga that has not ended was born, Unix milliseconds; nothing while that is not known.
    pub oldest_unfinished_ms: Option<i64>,
}

/// A fault of a participant that is no saga's own: any other call would have met it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connection was made.
    Unreachable,
    /// No answer within the deadline, or the connection broke off.
    Silent,
    /// It says that it does not serve this call, or not to us; or nobody knows where it is. Somebody has to set
    /// something right.
    Unserved,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// For the saga.
    pub outcome: Outcome,
    /// For the participant's breaker.
    pub fault: Option<Fault>,
}

impl From<Outcome> for Heard {
    /// The participant is there and speaks for itself.
    fn from(outcome: Outcome) -> Self {
        Self { outcome, fault: None }
    }
}

impl Heard {
    /// Nothing that the saga asked for; the participant is at fault.
    pub fn fault(outcome: Outcome, fault: Fault) -> Self {
        Self { outcome, fault: Some(fault) }
    }
}

/// Makes one call and says what it came to; never fails otherwise, and returns within about the call's timeout.
#[async_trait]
pub trait Dispatcher: Send + Sync + 'static {
    /// Makes the call. An answer that arrived is `Done` with its bytes, whatever they say.
    async fn call(&self, call: Dispatch) -> Heard;
}
