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

#[cfg(test)]
mod tests {
    use backstitch_proto::contract::Verdict;

    use super::*;

    #[test]
    fn a_wrong_field_is_named() {
        let status = invalid("items[3].quantity", "must be positive");
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, "items[3].quantity: must be positive")
        );
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(
            (violations[0].field.as_str(), violations[0].description.as_str()),
            ("items[3].quantity", "must be positive")
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let status = not_found("product", "85123A");
        let resource = status.get_details_resource_info().unwrap();
        assert_eq!((resource.resource_type.as_str(), resource.resource_name.as_str()), ("product", "85123A"));
    }

    #[test]
    fn a_door_s_status_keeps_its_reason_and_is_no_verdict() {
        let facts = BTreeMap::from([
            ("key".to_owned(), "k".to_owned()),
            ("verdict".to_owned(), "refused".to_owned()),
        ]);
        for status in
            [precondition("STALE", "it changed", facts.clone()), conflict("STALE", "it changed", facts)]
        {
            assert_eq!(status.get_details_error_info().unwrap().reason, "STALE");
            for service in ["inventory", "shipping", "payment", "order", "cart", "notification"] {
                assert_eq!(Verdict::from_status(&status, service, "k"), None);
            }
        }
    }
}
