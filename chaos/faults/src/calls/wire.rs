//! HTTP/2 on both sides, whole messages at a time.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::answer::Answer;
use super::interceptor::Stage;

/// A whole request, which can be sent any number of times.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) parts: http::request::Parts,
    pub(super) body: Bytes,
}

impl Message {
    /// A piece of its metadata, empty if it is not there.
    pub(super) fn word(&self, key: &str) -> String {
        let value = self.parts.headers.get(key).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    }
}

/// Whoever is behind the interceptor.
#[derive(Clone, Debug)]
pub(super) struct Honest {
    client: Client<HttpConnector, Full<Bytes>>,
    authority: String,
}

impl Honest {
    pub(super) fn at(authority: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        Self { client, authority: authority.to_owned() }
    }

    /// Delivers a message and waits for the whole answer.
    pub(super) async fn ask(&self, message: &Message) -> Result<Answer, String> {
        let Message { parts, body } = message.clone();
        let uri = format!("http://{}{}", self.authority, parts.uri.path());
        let uri: Uri = uri.parse().map_err(|e| format!("{e}"))?;
        let mut request = Request::new(Full::new(body));
        (*request.method_mut(), *request.uri_mut()) = (parts.method, uri);
        *request.headers_mut() = parts.headers;
        let response = self.client.request(request).await.map_err(|e| format!("{e:?}"))?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|e| format!("{e:?}"))?;
        Ok(http::Response::from_parts(parts, body))
    }
}

/// Serves every connection until it is aborted.
pub(super) async fn serve(listener: TcpListener, stage: Arc<Stage>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(converse(stream, stage.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, stage: Arc<Stage>) {
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request: Request<Incoming>| {
        let stage = stage.clone();
        async move {
            let (parts, body) = request.into_parts();
            // A caller that hangs up in the middle of its request has not asked.
            let body = body.collect().await?.to_bytes();
            Ok::<_, hyper::Error>(stage.answer(Message { parts, body }).await)
        }
    });
    let mut http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    http.initial_stream_window_size(1 << 20).initial_connection_window_size(8 << 20);
    // However a connection ends, the next one is served.
    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
}
