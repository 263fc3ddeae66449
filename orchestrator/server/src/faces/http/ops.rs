//! What machines ask: alive, ready, metrics, the API's description.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::reply;
use crate::app::App;
use crate::problem::{Problem, kind};
use crate::ready::{self, Part, Readiness};

/// The description, written by hand; a test holds it to the routes that there are.
const OPENAPI: &str = include_str!("openapi.json");
/// What is added where the benchmark's saga is offered.
const OPENAPI_BENCH: &str = include_str!("openapi.bench.json");

/// The description of what is served here, and of nothing else.
pub(super) fn description(bench: bool) -> &'static str {
    static WITH_BENCH: LazyLock<String> = LazyLock::new(|| {
        let read = |text| serde_json::from_str::<Value>(text).expect("a test reads both files");
        let mut whole = read(OPENAPI);
        add(&mut whole, read(OPENAPI_BENCH));
        whole.to_string()
    });
    if bench { &WITH_BENCH } else { OPENAPI }
}

fn add(whole: &mut Value, part: Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part {
                add(whole.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(whole), Value::Array(part)) => whole.extend(part),
        (whole, part) => *whole = part,
    }
}

/// `GET /healthz`: this process answers.
pub(super) async fn healthz() -> Response {
    reply::json(StatusCode::OK, &json!({ "status": "ok" }))
}

/// `GET /readyz`: whether clients should be sent to this node. Either answer lists every part with trouble.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let Readiness { missing, degraded } = ready::look(&app).await;
    let parts = listed(missing.iter().chain(&degraded));
    if !missing.is_empty() {
        let told: Vec<_> = missing.iter().map(|part| format!("{} {}", part.name, part.why)).collect();
        return Err(Problem::new(&kind::NOT_READY, format!("{}.", told.join("; "))).with("parts", parts));
    }
    let answer = if parts.is_empty() {
        json!({ "status": "ready" })
    } else {
        json!({ "status": "degraded", "parts": parts })
    };
    Ok(reply::json(StatusCode::OK, &answer))
}

fn listed<'a>(parts: impl Iterator<Item = &'a Part>) -> Vec<Value> {
    parts.map(|part| json!({ "part": part.name, "why": part.why })).collect()
}

/// `GET /metrics`
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let Some(handle) = &app.metrics else {
        return Problem::new(&kind::NOT_READY, "This process records no metrics.").into_response();
    };
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, media_type)], handle.render()).into_response()
}

/// `GET /openapi.json`
pub(super) async fn openapi(State(app): State<Arc<App>>) -> Response {
    let media_type = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, media_type)], description(app.options.bench)).into_response()
}
