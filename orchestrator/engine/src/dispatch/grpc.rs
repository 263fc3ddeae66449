//! Calls over gRPC, and what their statuses mean.

use std::collections::HashMap;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use backstitch_core::{Op, Outcome, Refusal};
use backstitch_failpoint::{hit_of, is_armed};
use backstitch_proto::contract::{self, CallMeta, Verdict};
use futures::FutureExt as _;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, ConnectError, Request, Status};

use super::codec::{Answer, BytesCodec};
use super::{Dispatch, Dispatcher, Fault, Heard};

/// Where a participant is.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in definitions.
    pub participant: &'static str,
    /// Its full gRPC service name.
    pub service: &'static str,
    /// E.g. `http://127.0.0.1:50051`.
    pub uri: String,
}

/// Limits of calls.
#[derive(Clone, Copy, Debug)]
pub struct GrpcOptions {
    /// A larger answer is Broken.
    pub max_answer_bytes: usize,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
}

impl Default for GrpcOptions {
    fn default() -> Self {
        Self { max_answer_bytes: 1 << 20, connect_timeout: Duration::from_secs(2) }
    }
}

/// An answer beyond this is cut off in transit, so that it cannot exhaust memory.
const HARD_ANSWER_LIMIT: usize = 16 << 20;
/// How much longer than its gRPC deadline a call is waited for.
const GRACE: Duration = Duration::from_millis(250);

/// A target that cannot be called.
#[derive(Debug, thiserror::Error)]
#[error("the address of participant `{participant}`, `{uri}`, is no URI such as http://127.0.0.1:50051")]
pub struct TargetError {
    /// The participant's name.
    pub participant: &'static str,
    /// As configured.
    pub uri: String,
    /// What is wrong with it.
    #[source]
    pub source: tonic::transport::Error,
}

struct Peer {
    service: &'static str,
    channel: Channel,
}

/// Calls participants over gRPC; one HTTP/2 connection each, made when it is first needed.
pub struct GrpcDispatcher {
    peers: HashMap<&'static str, Peer>,
    options: GrpcOptions,
}

impl GrpcDispatcher {
    /// A dispatcher to these targets. Does not connect yet.
    pub fn new(targets: Vec<Target>, options: GrpcOptions) -> Result<Self, TargetError> {
        let mut peers = HashMap::new();
        for Target { participant, service, uri } in targets {
            let endpoint = Endpoint::from_shared(uri.clone());
            let endpoint = endpoint.map_err(|source| TargetError { participant, uri, source })?;
            let channel = endpoint
                .connect_timeout(options.connect_timeout)
                .tcp_nodelay(true)
                .http2_keep_alive_interval(Duration::from_secs(20))
                .keep_alive_while_idle(true)
                .initial_connection_window_size(8 << 20)
                .initial_stream_window_size(1 << 20)
                .connect_lazy();
            peers.insert(participant, Peer { service, channel });
        }
        Ok(Self { peers, options })
    }

    async fn attempt(&self, peer: &Peer, call: Dispatch, key: &str, meta: &CallMeta) -> Heard {
        let path = format!("/{}/{}", peer.service, call.action);
        let Ok(path) = PathAndQuery::try_from(path) else {
            return Outcome::Broken(format!("`{}` is no gRPC method name", call.action)).into();
        };
        let mut request = Request::new(call.request);
        meta.write(request.metadata_mut());
        if let Some(born_ms) = call.oldest_unfinished_ms {
            contract::tell_oldest_unfinished(request.metadata_mut(), born_ms);
        }
        request.set_timeout(call.timeout);
        let mut grpc = Grpc::new(peer.channel.clone()).max_decoding_message_size(HARD_ANSWER_LIMIT);
        if let Err(error) = grpc.ready().await {
            return not_connected(&error).unwrap_or_else(|| silent(chain(&error)));
        }
        let codec = BytesCodec { max_answer_bytes: self.options.max_answer_bytes };
        let reply = grpc.unary(request, path, codec);
        let reply = on_the_wire(reply, || format!("{}/{}", call.step, call.op)).await;
        match reply.map(tonic::Response::into_inner) {
            Ok(Answer::Bytes(bytes)) => Outcome::Done(bytes).into(),
            Ok(Answer::TooLarge(size)) => Outcome::Broken(format!(
                "an answer of {size} bytes, over the limit of {}",
                self.options.max_answer_bytes
            ))
            .into(),
            Err(status) => heard(&status, call.participant, key),
        }
    }
}

#[async_trait]
impl Dispatcher for GrpcDispatcher {
    async fn call(&self, call: Dispatch) -> Heard {
        let Some(peer) = self.peers.get(call.participant) else {
            let why = format!("no address is configured for participant `{}`", call.participant);
            return Heard::fault(Outcome::NotNow { after: Duration::ZERO, why }, Fault::Unserved);
        };
        let meta = CallMeta {
            saga: call.saga,
            root: call.root,
            name: call.definition.to_owned(),
            step: call.step.to_owned(),
            op: match call.op {
                Op::Do => contract::Op::Do,
                Op::Undo => contract::Op::Undo,
                Op::Close => contract::Op::Close,
            },
            attempt: call.attempt,
            traceparent: call.traceparent.clone(),
        };
        let patience = call.timeout + GRACE;
        let key = meta.key();
        // Everything that the attempt touches is its own or, like the channel, made to be shared by those that fail.
        let attempt = AssertUnwindSafe(self.attempt(peer, call, &key, &meta)).catch_unwind();
        match tokio::time::timeout(patience, attempt).await {
            Ok(Ok(heard)) => heard,
            // Some replies that keep no protocol make the client library panic (status details that are no base64).
            Ok(Err(_)) => Outcome::unknown("a reply that cannot be read").into(),
            Err(_) => silent("no answer within the deadline".into()),
        }
    }
}

/// Waits for a reply. With a failpoint there, that is reached once the request is on its way, or at the latest when the
/// reply is there and nobody has read it.
async fn on_the_wire<R>(reply: impl Future<Output = R>, of: impl Fn() -> String) -> R {
    if !is_armed("dispatch.after_send", &of) {
        return reply.await;
    }
    let mut reply = std::pin::pin!(reply);
    let early = tokio::time::timeout(Duration::from_millis(2), &mut reply).await;
    hit_of("dispatch.after_send", of);
    match early {
        Ok(reply) => reply,
        Err(_) => reply.await,
    }
}

/// What a status means. Only the contract's own `ErrorInfo`, with this service's domain and this call's key, is a
/// verdict; whatever else comes back, the effect may have happened, and the `ErrorInfo` at most says when to ask again.
///
/// The two codes that say "nobody here serves you" are no exception: a proxy may say so after the effect. They are the
/// participant's fault, not the saga's, which waits until somebody has set it right.
fn heard(status: &Status, participant: &str, key: &str) -> Heard {
    match Verdict::from_status(status, participant, key) {
        Some(Verdict::Refused(r)) => {
            Outcome::Refused(Refusal { reason: r.reason, detail: r.detail, metadata: r.metadata }).into()
        }
        Some(Verdict::NotNow { after, why }) => Outcome::NotNow { after, why }.into(),
        Some(Verdict::Broken(why)) => Outcome::Broken(why).into(),
        Some(Verdict::Superseded(why)) => Outcome::Superseded(why).into(),
        None => not_connected(status).unwrap_or_else(|| {
            let fault = match status.code() {
                Code::Unimplemented | Code::Unauthenticated => Some(Fault::Unserved),
                Code::Unavailable | Code::DeadlineExceeded => Some(Fault::Silent),
                // Made up by the client, since the connection broke off.
                _ if status.source().is_some() => Some(Fault::Silent),
                _ => None,
            };
            let after = contract::unknown_for(status, participant, key);
            Heard { outcome: Outcome::Unknown { after, why: describe(status) }, fault }
        }),
    }
}

fn silent(why: String) -> Heard {
    Heard::fault(Outcome::unknown(why), Fault::Silent)
}

/// The one transport error that is a promise: the connection was never made, so nothing was sent.
fn not_connected(error: &(dyn Error + 'static)) -> Option<Heard> {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<ConnectError>() {
            let why = format!("not reachable: {}", chain(error));
            return Some(Heard::fault(Outcome::NotNow { after: Duration::ZERO, why }, Fault::Unreachable));
        }
        next = error.source();
    }
    None
}

fn describe(status: &Status) -> String {
    format!(
        "{:?}: {}",
        status.code(),
        if status.message().is_empty() { "no message" } else { status.message() }
    )
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}
