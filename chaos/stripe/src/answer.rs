//! What goes back.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use serde_json::Value;

use crate::refusal::Refusal;

/// An answer, as a key remembers it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: String,
    retry_after: Option<u64>,
    location: Option<String>,
    /// Whether a key gave it again.
    pub(crate) replayed: bool,
}

impl Answer {
    pub(crate) fn json(body: &Value) -> Self {
        Self { status: 200, body: body.to_string(), retry_after: None, location: None, replayed: false }
    }

    pub(crate) fn refusal(refusal: &Refusal) -> Self {
        let answer = Self::json(&refusal.body());
        Self { status: refusal.status, retry_after: refusal.retry_after, ..answer }
    }

    /// Sends a browser elsewhere.
    pub(crate) fn elsewhere(url: String) -> Self {
        Self { status: 303, location: Some(url), ..Self::json(&Value::Null) }
    }

    /// The same, as its key gives it again.
    pub(crate) fn again(self) -> Self {
        Self { replayed: true, ..self }
    }

    pub(crate) fn of(result: Result<Value, Refusal>) -> Self {
        result.as_ref().map_or_else(Self::refusal, Self::json)
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::builder().status(self.status).header(CONTENT_TYPE, "application/json");
        response = response.header("stripe-version", crate::VERSION);
        if self.replayed {
            response = response.header("idempotent-replayed", "true");
        }
        if let Some(seconds) = self.retry_after {
            response = response.header(RETRY_AFTER, seconds);
        }
        if let Some(location) = self.location {
            response = response.header(LOCATION, location);
        }
        response.body(Full::new(Bytes::from(self.body))).expect("headers of ours are well formed")
    }
}
