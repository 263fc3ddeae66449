//! An OpenTelemetry collector that keeps what it is sent, as bytes.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::response::Response;
use backstitch_proto::plain::Plain;
use bytes::Bytes;
use futures::future::BoxFuture;
use tonic::Status;
use tonic::server::UnaryService;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// A running collector. Ends with its test.
pub(crate) struct Collector {
    uri: String,
    received: Kept,
}

type Kept = Arc<Mutex<Vec<u8>>>;

impl Collector {
    pub(crate) async fn start() -> Self {
        let received = Kept::default();
        let router = axum::Router::new().fallback(keep).with_state(received.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let serving = Server::builder().add_routes(Routes::from(router));
        tokio::spawn(serving.serve_with_incoming(TcpIncoming::from(listener)));
        Self { uri, received }
    }

    pub(crate) fn uri(&self) -> String {
        self.uri.clone()
    }

    /// Everything that was received.
    pub(crate) fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap().clone()
    }

    /// Whether a span of this trace was received.
    pub(crate) fn has(&self, trace: &str) -> bool {
        let id: Vec<u8> =
            (0..16).map(|i| u8::from_str_radix(&trace[2 * i..2 * i + 2], 16).unwrap()).collect();
        self.received().windows(16).any(|window| window == id)
    }
}

async fn keep(State(kept): State<Kept>, request: Request) -> Response {
    tonic::server::Grpc::new(Plain).unary(Keep(kept), request).await.map(axum::body::Body::new)
}

struct Keep(Kept);

impl UnaryService<Bytes> for Keep {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        self.0.lock().unwrap().extend_from_slice(request.get_ref());
        // An empty message says that all of it was taken.
        Box::pin(async { Ok(tonic::Response::new(Bytes::new())) })
    }
}
