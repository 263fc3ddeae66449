//! Plain statuses for doors outside any saga, with details that a program can read.

use std::collections::{BTreeMap, HashMap};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The `ErrorInfo.domain` of the statuses here. No service's own: none of them is a verdict of the contract.
pub const DOMAIN: &str = "doors.backstitch";

/// The request is wrong whatever the state: `field` (a path such as `items[3].quantity`) is not acceptable for `why`.
pub fn invalid(field: &str, why: impl Into<String>) -> Status {
    let why = why.into();
    let message = format!("{field}: {why}");
    Status::with_error_details(
        Code::InvalidArgument,
        message,
        ErrorDetails::with_bad_request_violation(field, why),
    )
}

/// There is no `what` called `id`.
pub fn not_found(what: &str, id: &str) -> Status {
    let mut details = ErrorDetails::new();
    details.set_resource_info(what, id, "", "");
    Status::with_error_details(Code::NotFound, format!("there is no {what} {id:?}"), details)
}

/// The state does not allow it. `reason` is a stable word in capitals, `metadata` facts for a program.
pub fn precondition(reason: &str, why: &str, metadata: BTreeMap<String, String>) -> Status {
    with_info(Code::FailedPrecondition, reason, why, metadata)
}

/// Somebody else was faster: read again, then try again. `reason` and `metadata` as in [`precondition`].
pub fn conflict(reason: &str, why: &str, metadata: BTreeMap<String, String>) -> Status {
    with_info(Code::Aborted, reason, why, metadata)
}

fn with_info(code: Code, reason: &str, why: &str, metadata: BTreeMap<String, String>) -> Status {
    let details =
        ErrorDetails::with_error_info(reason, DOMAIN, metadata.into_iter().collect::<HashMap<_, _>>());
    Status::with_error_details(code, why, details)
}
