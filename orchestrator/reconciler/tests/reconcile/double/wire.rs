//! gRPC in plain bytes.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::response::Response;
use backstitch_proto::plain::Plain;
use bytes::Bytes;
use tonic::Status;
use tonic::server::UnaryService;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};

use super::Stage;

/// Serves until the test ends.
pub(super) async fn serve(stage: Arc<Mutex<Stage>>) -> Channel {
    let router = axum::Router::new().fallback(answer).with_state(stage);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let serving = Server::builder().add_routes(Routes::from(router));
    tokio::spawn(serving.serve_with_incoming(TcpIncoming::from(listener)));
    Channel::from_shared(uri).unwrap().connect_lazy()
}

async fn answer(State(stage): State<Arc<Mutex<Stage>>>, request: Request) -> Response {
    let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
    let answered = tonic::server::Grpc::new(Plain).unary(Scene { stage, method }, request).await;
    answered.map(axum::body::Body::new)
}

struct Scene {
    stage: Arc<Mutex<Stage>>,
    method: String,
}

impl UnaryService<Bytes> for Scene {
    type Response = Bytes;
    type Future = std::future::Ready<Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let answer = self.stage.lock().unwrap().answer(&self.method, request.into_inner());
        std::future::ready(answer.map(tonic::Response::new))
    }
}
