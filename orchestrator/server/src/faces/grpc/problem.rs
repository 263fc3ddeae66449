//! Problems as gRPC statuses with `google.rpc` details.

use std::collections::HashMap;

use serde_json::Value;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::problem::{Problem, kind};

/// The `ErrorInfo.domain` of the statuses here. No participant's: none of them is a verdict of the contract.
const DOMAIN: &str = "orchestrator.backstitch";

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason(problem.kind().slug), DOMAIN, metadata(&problem));
        if let Some(field) = problem.field() {
            details.add_bad_request_violation(path(field), problem.detail());
        }
        if let Some(after) = problem.after() {
            details.set_retry_info(Some(after));
        }
        Status::with_error_details(problem.kind().code, problem.detail(), details)
    }
}

/// `key-reused` as `KEY_REUSED`.
fn reason(slug: &str) -> String {
    slug.replace('-', "_").to_ascii_uppercase()
}

fn metadata(problem: &Problem) -> HashMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    problem.extras().iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
}

/// `/shipping_address/country` as `shipping_address.country`; headers by the field that stands for them here.
fn path(field: &str) -> String {
    if field == "Idempotency-Key" {
        return "idempotency_key".to_owned();
    }
    let mut path = String::with_capacity(field.len());
    for segment in field.trim_start_matches('/').split('/') {
        if !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit()) {
            path.push('[');
            path.push_str(segment);
            path.push(']');
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(segment);
        }
    }
    path
}

/// A number that does not fit the wire's type is a bug of ours, not of the caller's.
pub(super) fn fit<T: TryFrom<U>, U>(number: U) -> Result<T, Problem> {
    T::try_from(number).map_err(|_| Problem::new(&kind::INTERNAL, "A number does not fit the answer."))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;

    use super::*;

    #[test]
    fn a_problem_keeps_its_name_its_place_and_its_hint() {
        let problem = Problem::new(&kind::INVALID_FIELD, "It must be from 1 to 7.")
            .at("/items/3/quantity")
            .with("limit", 7)
            .retry_after(Duration::from_secs(2));
        let status = Status::from(problem);
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "It must be from 1 to 7."));
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("INVALID_FIELD", DOMAIN));
        assert_eq!(info.metadata["limit"], "7");
        let violation = &details.bad_request().unwrap().field_violations[0];
        assert_eq!(violation.field, "items[3].quantity");
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(2)));
    }

    #[test]
    fn busy_is_resource_exhausted_with_a_hint() {
        let status = Status::from(Problem::new(&kind::BUSY, "Busy.").retry_after(Duration::from_secs(1)));
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_error_details().retry_info().is_some());
    }

    #[test]
    fn a_place_has_the_name_that_it_has_in_the_message() {
        assert_eq!(path("/shipping_address/country"), "shipping_address.country");
        assert_eq!(path("checkout_id"), "checkout_id");
        assert_eq!(path(""), "", "the whole message");
        assert_eq!(path("Idempotency-Key"), "idempotency_key");
    }
}
