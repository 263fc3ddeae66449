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
#[derive(Clone, Debug)]
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
    /// An earlier attempt may have had the effect.
    pub maybe_run: bool,
    /// The encoded request.
    pub request: Bytes,
    /// Longest wait.
    pub timeout: Duration,
    /// W3C trace context; may be empty.
    pub traceparent: String,
}

/// Makes one call and says what it came to; never fails otherwise, and returns within about the call's timeout.
#[async_trait]
pub trait Dispatcher: Send + Sync + 'static {
    /// Makes the call. An answer that arrived is `Done` with its bytes, whatever they say.
    async fn call(&self, call: Dispatch) -> Outcome;
}
