//! Answers in JSON.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::problem::{Problem, kind};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer with this body.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            response.headers_mut().insert(header::CONTENT_TYPE, JSON);
            response
        }
        Err(error) => {
            Problem::new(&kind::INTERNAL, format!("The answer cannot be written: {error}.")).into_response()
        }
    }
}

/// Adds a header whose value is made of ids and numbers.
pub(super) fn with_header(mut response: Response, name: header::HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Says which wait was granted.
pub(super) fn applied(response: Response, wait: Duration) -> Response {
    let name = header::HeaderName::from_static("preference-applied");
    with_header(response, name, &format!("wait={}", wait.as_secs()))
}
