//! HTTP/2 servers that are no participants: proxies, meshes, and replies that are cut short.

use std::convert::Infallible;

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Start, server};

/// An answer, frame by frame.
#[derive(Clone)]
pub(crate) struct Answer {
    status: u16,
    content_type: &'static str,
    body: &'static [u8],
    trailers: &'static [(&'static str, &'static str)],
    unending: bool,
}

impl Answer {
    /// Of a proxy that speaks no gRPC.
    pub(crate) fn proxy(status: u16) -> Self {
        let body = b"<html>blocked by policy</html>";
        Self { status, content_type: "text/html", body, trailers: &[], unending: false }
    }

    /// The same without a page.
    pub(crate) fn terse(status: u16) -> Self {
        Self { body: b"", ..Self::proxy(status) }
    }

    /// Of a gRPC server: these bytes, these trailers.
    pub(crate) fn grpc(body: &'static [u8], trailers: &'static [(&'static str, &'static str)]) -> Self {
        Self { status: 200, content_type: "application/grpc", body, trailers, unending: false }
    }

    /// Of a gRPC server that sends these bytes and then no more, without an end.
    pub(crate) fn unending(body: &'static [u8]) -> Self {
        Self { unending: true, ..Self::grpc(body, &[]) }
    }

    fn response(&self) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let mut frames = vec![Ok(Frame::data(Bytes::from_static(self.body)))];
        if !self.trailers.is_empty() {
            let trailers = self
                .trailers
                .iter()
                .map(|(key, value)| (http::HeaderName::from_static(key), HeaderValue::from_static(value)));
            frames.push(Ok(Frame::trailers(trailers.collect::<HeaderMap>())));
        }
        let (frames, unending) = (stream::iter(frames), self.unending);
        let rest = stream::pending();
        let body = if unending {
            StreamBody::new(futures::StreamExt::chain(frames, rest)).boxed_unsync()
        } else {
            StreamBody::new(frames).boxed_unsync()
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap();
        response.headers_mut().insert("content-type", HeaderValue::from_static(self.content_type));
        response
    }
}

/// Reads the request, lets the effect happen and gives this answer.
pub(crate) fn answers(answer: Answer) -> Start {
    server(move |stream, effects| {
        let answer = answer.clone();
        async move {
            let service = service_fn(move |request: http::Request<Incoming>| {
                let (answer, effects) = (answer.clone(), effects.clone());
                async move {
                    request.into_body().collect().await.unwrap();
                    effects.happen();
                    Ok::<_, Infallible>(answer.response())
                }
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // A caller that hangs up is this server's daily bread.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        }
    })
}
