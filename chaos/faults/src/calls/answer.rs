//! What a caller is told.

use std::convert::Infallible;
use std::io;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Frame;

use super::fate::Excuse;

/// A body that may end in an error, which resets its stream.
pub(super) type Body = BoxBody<Bytes, io::Error>;
/// A whole answer, trailers included.
pub(super) type Answer = Response<http_body_util::Collected<Bytes>>;

/// gRPC statuses.
const RESOURCE_EXHAUSTED: u16 = 8;
const UNAVAILABLE: u16 = 14;

/// An honest answer, as it came.
pub(super) fn honest(answer: Answer) -> Response<Body> {
    answer.map(|body| body.map_err(never).boxed())
}

/// What stands in for an answer; never comes for [`Excuse::Silence`].
pub(super) async fn excuse(excuse: Excuse) -> Response<Body> {
    match excuse {
        Excuse::Silence => std::future::pending().await,
        Excuse::Reset => grpc(reset()),
        Excuse::Unavailable => {
            status(UNAVAILABLE, "upstream connect error or disconnect/reset before headers")
        }
        Excuse::Exhausted => status(RESOURCE_EXHAUSTED, "rate limit exceeded"),
        Excuse::Forbidden => {
            let mut response = Response::new(Empty::new().map_err(never).boxed());
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        }
        Excuse::Oversized(size) => grpc(whole(size)),
    }
}

/// What is said when the honest one cannot be reached.
pub(super) fn unreachable(why: &str) -> Response<Body> {
    status(UNAVAILABLE, why)
}

fn status(code: u16, why: &str) -> Response<Body> {
    let mut response = grpc(Empty::new().map_err(never).boxed());
    response.headers_mut().insert("grpc-status", HeaderValue::from(code));
    if let Ok(why) = HeaderValue::from_str(why) {
        response.headers_mut().insert("grpc-message", why);
    }
    response
}

fn grpc(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// Half of an answer's frame, and then an error.
fn reset() -> Body {
    let frames = [Ok(Frame::data(Bytes::from_static(b"\0\0"))), Err(io::ErrorKind::ConnectionReset.into())];
    StreamBody::new(futures::stream::iter(frames)).boxed()
}

/// One message of so many zeros, and OK.
fn whole(size: usize) -> Body {
    let mut message = BytesMut::with_capacity(size + 5);
    message.put_u8(0);
    message.put_u32(u32::try_from(size).unwrap_or(u32::MAX));
    message.resize(size + 5, 0);
    let trailers = http::HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    let trailers = async move { Some(Ok(trailers)) };
    Full::new(message.freeze()).with_trailers(trailers).map_err(never).boxed()
}

fn never(never: Infallible) -> io::Error {
    match never {}
}
