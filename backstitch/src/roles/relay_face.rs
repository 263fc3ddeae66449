//! What machines ask a relay: alive, ready, metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use outbox_relay::Relay;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::kafka::Kafka;
use super::metrics_face::{keep_up, rendered};

/// What it looks at.
pub(crate) struct Face {
    pub(crate) kafka: Kafka,
    pub(crate) relays: Vec<Arc<Relay>>,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) stopping: CancellationToken,
}

/// Serves until `shutdown`.
pub(crate) fn serve(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    listener: TcpListener,
    face: Face,
    shutdown: &CancellationToken,
) {
    let face = Arc::new(face);
    keep_up(tasks, face.metrics.clone(), shutdown);
    let routes = Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(face);
    let ending = shutdown.clone().cancelled_owned();
    tasks.spawn(async move { Ok(axum::serve(listener, routes).with_graceful_shutdown(ending).await?) });
}

/// Lists every part with trouble. A relay that cannot publish is not ready: it must not replace one that can. One that
/// stands by is.
async fn readyz(State(face): State<Arc<Face>>) -> (StatusCode, Json<Value>) {
    let part = |name: &str, why: String| json!({ "part": name, "why": why });
    let mut parts = Vec::new();
    if face.stopping.is_cancelled() {
        parts.push(part("this relay", "is stopping".to_owned()));
    }
    parts.extend(face.kafka.trouble().map(|why| part("kafka", why)));
    parts.extend(face.relays.iter().filter_map(|relay| Some(part(relay.name(), relay.trouble()?))));
    let held = face.relays.iter().filter(|relay| relay.tenure().holds()).count();
    let (code, status) = match parts.is_empty() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    let lanes = json!({ "held": held, "of": face.relays.len() });
    (code, Json(json!({ "status": status, "parts": parts, "lanes": lanes })))
}

async fn metrics(State(face): State<Arc<Face>>) -> impl IntoResponse {
    rendered(&face.metrics)
}
