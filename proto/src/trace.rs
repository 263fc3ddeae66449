//! W3C trace context between a `tracing` span and the text that travels in calls, journals and events.
//!
//! Where no OpenTelemetry layer is installed nothing here has an effect, and a disabled span costs one comparison.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Makes the span that `traceparent` names the parent of `span`, which nobody has entered yet. A text that is no trace
/// context (an empty one too) changes nothing.
pub fn follow(span: &Span, traceparent: &str) {
    if span.is_disabled() {
        return;
    }
    if let Some(parent) = parse(traceparent) {
        // Refused where no layer is installed; then there is nothing to be the parent in.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

/// The text by which others can follow `span`; `None` where it is not traced.
pub fn of(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let here = context.span().span_context().clone();
    let flags = here.trace_flags().to_u8();
    here.is_valid().then(|| format!("00-{}-{}-{flags:02x}", here.trace_id(), here.span_id()))
}

/// Reads `version-trace-span-flags`. A version later than ours may go on after its flags; `ff` is none.
fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let mut hex = |digits: usize| {
        let part = parts.next()?;
        let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (part.len() == digits && part.bytes().all(lower)).then_some(part)
    };
    let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let sampled = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, sampled, true, TraceState::NONE);
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_trace_context_is_read_by_the_rules_of_w3c() {
        let read = parse(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
        assert_eq!((read.trace_id().to_string(), read.span_id().to_string()), (TRACE.into(), SPAN.into()));
        assert!(read.is_sampled() && read.is_remote());
        assert!(!parse(&format!("00-{TRACE}-{SPAN}-00")).unwrap().is_sampled());
        assert!(parse(&format!("01-{TRACE}-{SPAN}-01-more")).is_some(), "a later version");
        for bad in [
            String::new(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}+{SPAN}-01"),
        ] {
            assert!(parse(&bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn without_a_layer_a_span_has_no_trace_and_follows_nobody() {
        let span = tracing::info_span!("call");
        follow(&span, &format!("00-{TRACE}-{SPAN}-01"));
        assert_eq!(of(&span), None);
        tracing::subscriber::with_default(tracing_subscriber::registry(), || {
            let span = tracing::info_span!("call");
            assert!(!span.is_disabled());
            follow(&span, &format!("00-{TRACE}-{SPAN}-01"));
            assert_eq!(of(&span), None);
        });
    }
}
