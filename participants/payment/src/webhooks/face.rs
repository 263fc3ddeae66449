//! The door that the provider knocks at: who may, what is kept, what is answered. Decides nothing about money.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use backstitch_failpoint::hit;
use metrics::counter;
use participant_kit::Kit;
use serde_json::json;

use super::event::Event;
use super::inbox;
use super::signature::{Secrets, verify};
use crate::metrics::WEBHOOKS;

/// The longest body. Stripe's own events are some KiB.
pub const MOST_BYTES: usize = 256 * 1024;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the door needs.
pub(crate) struct Face {
    pub(crate) kit: Kit,
    pub(crate) provider: &'static str,
    pub(crate) secrets: Secrets,
    pub(crate) tolerance: Duration,
}

impl Face {
    pub(crate) fn router(self) -> Router {
        Router::new().route("/webhooks/stripe", post(receive)).with_state(Arc::new(self))
    }
}

async fn receive(State(face): State<Arc<Face>>, request: Request<Body>) -> Response {
    let (outcome, response) = match take_in(&face, request).await {
        Ok(response) => ("stored", response),
        Err(problem) => (problem.kind, problem.into_response()),
    };
    counter!(WEBHOOKS, "outcome" => outcome).increment(1);
    response
}

/// Checks, stores, answers, in this order: what was answered is stored.
async fn take_in(face: &Face, request: Request<Body>) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let length =
        parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MOST_BYTES) {
        return Err(Problem::too_large());
    }
    let body = match tokio::time::timeout(PATIENCE, to_bytes(body, MOST_BYTES)).await {
        Ok(Ok(body)) => body,
        // Whoever sends no more than is allowed breaks off for another reason, and hears nothing anyway.
        Ok(Err(_)) => return Err(Problem::too_large()),
        Err(_) => {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "slow-body",
                "the body did not arrive in time",
            ));
        }
    };
    let signature = parts.headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let now_ms = face.kit.clock().now_ms();
    verify(signature, &body, &face.secrets, face.tolerance, now_ms)
        .map_err(|why| Problem::new(StatusCode::UNAUTHORIZED, "not-signed", why.to_string()))?;
    let event =
        Event::parse(&body).map_err(|why| Problem::new(StatusCode::BAD_REQUEST, "not-an-event", why))?;
    let stored = inbox::store(&face.kit, face.provider, &event, &body).await;
    stored.map_err(|error| {
        tracing::warn!(%error, event = event.id, "a webhook is not stored; its sender comes again");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-stored", "it is not stored; send it again")
    })?;
    hit("payment.webhook_stored");
    Ok(Json(json!({"received": true})).into_response())
}

/// A no, for a person who reads the sender's log.
struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into() }
    }

    fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("a body may have {MOST_BYTES} bytes"))
    }

    fn into_response(self) -> Response {
        let body = json!({"type": format!("/problems/{}", self.kind), "status": self.status.as_u16(), "detail": self.detail});
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, axum::http::HeaderValue::from_static("5"));
        }
        response
    }
}
