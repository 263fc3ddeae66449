//! The engine's spans: the acceptance of a saga, which every call of it follows, and each call.
//!
//! Ids and names of the definition only; nothing of a request or an answer is a field.

use backstitch_proto::trace;
use tracing::{Span, field, info_span};
use uuid::Uuid;

use crate::dispatch::Dispatch;

/// What the calls of a new saga follow: a span of its own where traces are on, so that a saga whose client sent no
/// trace context is one trace too; else what the client sent.
pub(crate) fn accepted(saga: Uuid, definition: &'static str, traceparent: String) -> String {
    let span = info_span!(parent: None, "accept", otel.kind = "server", %saga, definition);
    trace::follow(&span, &traceparent);
    trace::of(&span).unwrap_or(traceparent)
}

/// The span of one call; the participant follows it instead of the saga where traces are on.
pub(crate) fn call(dispatch: &mut Dispatch) -> Span {
    let span = info_span!(
        parent: None,
        "call",
        otel.kind = "client",
        participant = dispatch.participant,
        saga = %dispatch.saga,
        step = dispatch.step,
        op = %dispatch.op,
        attempt = dispatch.attempt,
        outcome = field::Empty,
    );
    trace::follow(&span, &dispatch.traceparent);
    if let Some(here) = trace::of(&span) {
        dispatch.traceparent = here;
    }
    span
}
