//! One call over gRPC, with messages as bytes and metadata as it is told: wrong ones too.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use backstitch_proto::plain::Plain;
use bytes::Bytes;
use futures::FutureExt as _;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::metadata::{MetadataKey, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};

/// An answer beyond this is cut off in transit.
const LARGEST_ANSWER: usize = 16 << 20;
/// How much longer than its gRPC deadline a call is waited for.
const GRACE: Duration = Duration::from_millis(250);

/// Sends `body` to `service`/`method`; the outer error is a reply that no client can read.
pub(crate) async fn call(
    channel: &Channel,
    service: &str,
    method: &str,
    body: Bytes,
    metadata: &[(String, String)],
    timeout: Duration,
) -> Result<Result<Bytes, Status>, String> {
    let path = PathAndQuery::try_from(format!("/{service}/{method}"));
    let path = path.map_err(|e| format!("`{service}/{method}` is no gRPC method: {e}"))?;
    let mut request = Request::new(body);
    for (key, value) in metadata {
        let key = key.parse::<MetadataKey<_>>().map_err(|e| format!("metadata key `{key}`: {e}"))?;
        let value = MetadataValue::try_from(value).map_err(|e| format!("metadata value `{value}`: {e}"))?;
        request.metadata_mut().append(key, value);
    }
    request.set_timeout(timeout);
    let mut grpc = Grpc::new(channel.clone()).max_decoding_message_size(LARGEST_ANSWER);
    let attempt = async {
        grpc.ready().await.map_err(|e| Status::from_error(Box::new(e)))?;
        grpc.unary(request, path, Plain).await.map(tonic::Response::into_inner)
    };
    // Some replies that keep no protocol make the client library panic.
    match tokio::time::timeout(timeout + GRACE, AssertUnwindSafe(attempt).catch_unwind()).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err("a reply that cannot be read".into()),
        Err(_) => Ok(Err(Status::deadline_exceeded("no answer within the deadline"))),
    }
}
