//! HTTP: on loopback, with connections that can be broken.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::World;
use crate::{desk, door};

/// Breaks the connection in place of an answer.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, world: Arc<Mutex<World>>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let world = Arc::clone(&world);
        let service = service_fn(move |request| answer(Arc::clone(&world), request));
        connections.spawn(async move {
            // How a connection ends is the client's business.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    world: Arc<Mutex<World>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    // A call that was begun goes on, whether or not its client waits for it.
    let work = tokio::spawn(async move { whole(&world, &head, &body).await });
    match work.await {
        Ok(Some(answer)) => Ok(answer.into_response()),
        _ => Err(Broken),
    }
}

async fn whole(
    world: &Arc<Mutex<World>>,
    head: &hyper::http::request::Parts,
    body: &Bytes,
) -> Option<Answer> {
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default().as_bytes();
    if path == "/_control" {
        let answer = match serde_json::from_slice(body) {
            Ok(ask) => desk::control(world, ask).await,
            Err(e) => Err(Refusal::invalid("body", e.to_string())),
        };
        return Some(Answer::of(answer));
    }
    if let Some(intent) = path.strip_prefix("/3ds/") {
        let page = desk::page(world, intent, Form::parse(query).text("outcome")).await;
        return Some(page.unwrap_or_else(|refusal| Answer::refusal(&refusal)));
    }
    let form = Form::parse(if head.method == Method::POST { body } else { query });
    match door::admit(&head.method, path, &head.headers, form) {
        Ok(call) => desk::call(world, call, path).await,
        Err(refusal) => Some(Answer::refusal(&refusal)),
    }
}
