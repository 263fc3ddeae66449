//! What tests of participants share: calls as sagas make them.

use backstitch_proto::contract::{CallMeta, Op, Verdict};
use tonic::{Request, Status};
use uuid::Uuid;

/// The metadata of a checkout's first attempt at a step.
#[must_use]
pub fn call(saga: Uuid, step: &str, op: Op) -> CallMeta {
    CallMeta {
        saga,
        root: saga,
        name: "checkout".into(),
        step: step.into(),
        op,
        attempt: 1,
        traceparent: String::new(),
    }
}

/// The request of this call.
#[must_use]
pub fn request<T>(call: &CallMeta, message: T) -> Request<T> {
    let mut request = Request::new(message);
    call.write(request.metadata_mut());
    request
}

/// What a status of `service` promises to this call.
///
/// # Panics
/// When it promises nothing.
#[must_use]
#[track_caller]
pub fn verdict(call: &CallMeta, service: &str, status: &Status) -> Verdict {
    Verdict::from_status(status, service, &call.key())
        .unwrap_or_else(|| panic!("no verdict of {service} for {}: {status:?}", call.key()))
}
