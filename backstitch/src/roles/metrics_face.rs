//! `/metrics` of a process that has no other HTTP, where it is asked for.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::orchestrator::{cannot_listen, metrics};

const UPKEEP: Duration = Duration::from_secs(5);

/// A place to be asked at, taken before anything is opened.
pub(crate) struct Door(TcpListener);

impl Door {
    /// Listens there.
    pub(crate) async fn open(at: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self(TcpListener::bind(at).await.with_context(|| cannot_listen("--metrics", at))?))
    }

    /// Begins to count, and serves until `shutdown`; where.
    pub(crate) fn serve(
        self,
        tasks: &mut JoinSet<anyhow::Result<()>>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<SocketAddr> {
        let (at, handle, ending) = (self.0.local_addr()?, metrics()?, shutdown.clone().cancelled_owned());
        keep_up(tasks, handle.clone(), shutdown);
        let routes = Router::new()
            .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
            .route("/metrics", get(move || async move { rendered(&handle) }));
        tasks.spawn(async move { Ok(axum::serve(self.0, routes).with_graceful_shutdown(ending).await?) });
        Ok(at)
    }
}

/// Lets go of what histograms no longer need, until `shutdown`.
pub(crate) fn keep_up(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    handle: PrometheusHandle,
    shutdown: &CancellationToken,
) {
    let ending = shutdown.clone();
    tasks.spawn(async move {
        let mut every = tokio::time::interval(UPKEEP);
        loop {
            tokio::select! {
                () = ending.cancelled() => return Ok(()),
                _ = every.tick() => handle.run_upkeep(),
            }
        }
    });
}

/// In Prometheus' format.
pub(crate) fn rendered(handle: &PrometheusHandle) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render())
}
