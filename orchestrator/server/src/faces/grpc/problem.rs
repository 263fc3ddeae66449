//! Problems as gRPC statuses with `google.rpc` details.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::problem::{ALL, Problem, kind};

/// The `ErrorInfo.domain` of the statuses here. No participant's: none of them is a verdict of the contract.
const DOMAIN: &str = "orchestrator.backstitch";
/// When a node that did not answer may.
const SOON: Duration = Duration::from_secs(1);

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

/// Facts that a problem may carry, by name.
const FACTS: [&str; 9] = [
    "checkout_id",
    "return_id",
    "saga_id",
    "saga_status",
    "decided_on",
    "seq",
    "part",
    "nodes",
    "limit_bytes",
];

/// The problem that a status of another node tells: the same that its clients are told there. Any other status says
/// nothing about what was done.
pub(crate) fn problem_of(status: &Status) -> Problem {
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == DOMAIN);
    let kind = info.and_then(|info| ALL.iter().find(|kind| reason(kind.slug) == info.reason));
    let (Some(info), Some(kind)) = (info, kind) else {
        let detail =
            format!("The node that has it did not answer ({:?}: {}).", status.code(), status.message());
        return Problem::new(&kind::UNAVAILABLE, detail).with("part", "owner").retry_after(SOON);
    };
    let mut problem = Problem::new(kind, status.message().to_owned());
    for name in FACTS {
        if let Some(text) = info.metadata.get(name) {
            let value = serde_json::from_str(text).ok().filter(|value: &Value| !value.is_string());
            problem = problem.with(name, value.unwrap_or_else(|| Value::String(text.clone())));
        }
    }
    if let Some(violation) = details.bad_request().and_then(|bad| bad.field_violations.first()) {
        problem = problem.at(violation.field.clone());
    }
    match details.retry_info().and_then(|info| info.retry_delay) {
        Some(after) => problem.retry_after(after),
        None => problem,
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
    fn what_another_node_says_is_said_again() {
        let problem = || {
            Problem::new(&kind::MOVED_ON, "It was decided on record 3; the saga's last record is 5.")
                .with("decided_on", 3)
                .with("seq", 5)
        };
        let again = problem_of(&Status::from(problem()));
        assert_eq!((again.kind(), again.detail()), (problem().kind(), problem().detail()));
        assert_eq!(again.extras(), problem().extras());
        let missing = Problem::new(&kind::UNKNOWN_SAGA, "None.").at("saga_id").with("checkout_id", "7");
        let again = problem_of(&Status::from(missing).clone());
        assert_eq!((again.kind().slug, again.field()), ("unknown-saga", Some("saga_id")));
        let strange = problem_of(&Status::internal("a proxy's page"));
        assert_eq!((strange.kind().slug, strange.after()), ("unavailable", Some(SOON)));
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
