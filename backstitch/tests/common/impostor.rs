//! A participant that cannot be trusted: stands between the orchestrator and an honest one, passes calls on, and
//! answers what its script says.
//!
//! Speaks gRPC in plain bytes, so that it can answer what no generated code would.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::response::Response;
use backstitch_proto::plain::Plain;
use bytes::Bytes;
use http::uri::PathAndQuery;
use tonic::Status;
use tonic::metadata::MetadataMap;
use tonic::server::UnaryService;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};

/// A call as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The last part of its path, e.g. `Authorize`.
    pub(crate) method: String,
    /// `do`, `undo` or `close`.
    pub(crate) op: String,
    /// (saga, step, op) as text.
    pub(crate) key: String,
    pub(crate) attempt: u32,
    pub(crate) request: Bytes,
}

/// What an honest participant or an impostor answers.
pub(crate) type Reply = Result<Bytes, Status>;

/// What the impostor does about a call.
pub(crate) enum Act {
    /// The honest one answers.
    PassOn,
    /// The honest one acts, and this is said in place of its answer.
    PassOnAndSay(Reply),
    /// Nobody acts.
    Say(Reply),
}

type Script = dyn Fn(&Call) -> Act + Send + Sync;

/// A running impostor. Ends with its test.
#[derive(Clone)]
pub(crate) struct Impostor {
    uri: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

struct Stage {
    honest: Channel,
    script: Box<Script>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Impostor {
    /// Starts one in front of the participant at `honest`.
    pub(crate) async fn before(honest: &str, script: impl Fn(&Call) -> Act + Send + Sync + 'static) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let honest = Channel::from_shared(format!("http://{honest}")).unwrap().connect_lazy();
        let stage = Arc::new(Stage { honest, script: Box::new(script), calls: calls.clone() });
        let router = axum::Router::new().fallback(answer).with_state(stage);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let serving = Server::builder().add_routes(Routes::from(router));
        tokio::spawn(serving.serve_with_incoming(TcpIncoming::from(listener)));
        Self { uri, calls }
    }

    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// How many calls came in for this saga.
    pub(crate) fn count(&self, saga: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.key.starts_with(saga)).count()
    }

    /// Calls of this method, whoever made them.
    pub(crate) fn all_of(&self, method: &str) -> Vec<Call> {
        self.calls.lock().unwrap().iter().filter(|call| call.method == method).cloned().collect()
    }

    /// Calls that came in for this step of this saga.
    pub(crate) fn calls_of(&self, saga: &str, method: &str) -> Vec<Call> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|c| c.method == method && c.key.starts_with(saga)).cloned().collect()
    }
}

async fn answer(State(stage): State<Arc<Stage>>, request: Request) -> Response {
    let path = request.uri().path_and_query().unwrap().clone();
    let answered = tonic::server::Grpc::new(Plain).unary(Scene { stage, path }, request).await;
    answered.map(axum::body::Body::new)
}

struct Scene {
    stage: Arc<Stage>,
    path: PathAndQuery,
}

impl UnaryService<Bytes> for Scene {
    type Response = Bytes;
    type Future = futures::future::BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (stage, path) = (self.stage.clone(), self.path.clone());
        Box::pin(async move {
            let (metadata, _, bytes) = request.into_parts();
            let word = |key: &str| {
                metadata.get(key).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
            };
            let call = Call {
                method: path.path().rsplit('/').next().unwrap().to_owned(),
                op: word("saga-op"),
                key: word("idempotency-key"),
                attempt: word("saga-attempt").parse().unwrap_or(0),
                request: bytes.clone(),
            };
            let act = (stage.script)(&call);
            stage.calls.lock().unwrap().push(call);
            match act {
                Act::Say(reply) => reply.map(tonic::Response::new),
                Act::PassOn => pass_on(&stage.honest, path, metadata, bytes).await,
                Act::PassOnAndSay(reply) => {
                    // Whatever the honest one says: only its effect is wanted.
                    let _ = pass_on(&stage.honest, path, metadata, bytes).await;
                    reply.map(tonic::Response::new)
                }
            }
        })
    }
}

async fn pass_on(
    honest: &Channel,
    path: PathAndQuery,
    metadata: MetadataMap,
    bytes: Bytes,
) -> Result<tonic::Response<Bytes>, Status> {
    let mut request = tonic::Request::new(bytes);
    *request.metadata_mut() = metadata;
    let mut grpc = tonic::client::Grpc::new(honest.clone());
    grpc.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
    grpc.unary(request, path, Plain).await
}
