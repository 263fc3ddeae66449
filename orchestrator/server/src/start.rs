//! Bringing the faces up, and down again.

use std::future::IntoFuture as _;
use std::sync::Arc;

use axum::serve::ListenerExt as _;
use backstitch_engine::Engine;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{info, warn};

use crate::app::{App, Options};
use crate::clients::Clients;
use crate::faces;
use crate::peers::Peers;
use crate::under_way::UnderWay;

/// The faces of one engine.
pub struct Server {
    app: App,
}

/// Why the faces went down without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The HTTP listener failed.
    #[error("the HTTP face cannot go on")]
    Http(#[source] std::io::Error),
    /// The gRPC listener failed.
    #[error("the gRPC face cannot go on")]
    Grpc(#[source] tonic::transport::Error),
}

impl Server {
    /// Faces of `engine`, which ask participants through `clients`.
    pub fn new(engine: Engine, clients: Clients, options: Options) -> Self {
        Self {
            app: App {
                engine,
                clients,
                peers: Peers::default(),
                options,
                under_way: UnderWay::default(),
                metrics: None,
                beside: Vec::new(),
                stopping: CancellationToken::new(),
            },
        }
    }

    /// Shows the recorder's metrics at `/metrics`; without it there is a 503. Install the recorder before serving;
    /// its upkeep is its owner's.
    #[must_use]
    pub fn with_metrics(mut self, handle: PrometheusHandle) -> Self {
        self.app.metrics = Some(handle);
        self
    }

    /// Readiness tells of this part too, as one that every node would miss, while `trouble` says what is wrong with it.
    #[must_use]
    pub fn with_part(
        mut self,
        name: &'static str,
        trouble: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.app.beside.push((name, Arc::new(trouble)));
        self
    }

    /// Serves both faces until `shutdown`; then takes no more connections, answers who waits with what is known,
    /// and returns when all connections are done or patience ends. Drain the engine after that.
    ///
    /// # Errors
    /// When a listener fails; the other face is shut down too.
    pub async fn serve(
        self,
        http: TcpListener,
        grpc: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let app = Arc::new(self.app);
        let (routes, health) = faces::grpc::routes(app.clone()).await;
        let stopping = app.stopping.clone();

        let no_delay = |stream: &mut tokio::net::TcpStream| {
            if let Err(error) = stream.set_nodelay(true) {
                warn!(%error, "a connection keeps its delay");
            }
        };
        let http = axum::serve(http.tap_io(no_delay), faces::http::router(app.clone()))
            .with_graceful_shutdown(stopping.clone().cancelled_owned())
            .into_future();
        let incoming = TcpIncoming::from(grpc).with_nodelay(Some(true));
        let grpc = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(faces::grpc::PING))
            // A panic in a handler is that call's own; without this it would end its whole connection.
            .layer(CatchPanicLayer::custom(faces::grpc::panicked))
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stopping.clone().cancelled_owned());

        let serving = async {
            tokio::try_join!(async { http.await.map_err(ServeError::Http) }, async {
                grpc.await.map_err(ServeError::Grpc)
            },)
        };
        let patience = app.options.drain_patience;
        let out_of_patience = async {
            shutdown.cancelled().await;
            // Before the connections go, so that whoever balances load looks elsewhere.
            health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
            stopping.cancel();
            tokio::time::sleep(patience).await;
        };
        tokio::select! {
            served = serving => served.map(drop),
            () = out_of_patience => {
                info!("stopping with connections open");
                Ok(())
            }
        }
    }
}
