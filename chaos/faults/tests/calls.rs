//! The interceptor does to calls what it is told, and an honest participant behind it sees exactly that.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backstitch_faults::{Call, Dice, Excuse, Fate, Interceptor, Mischief, Until, Which};
use backstitch_proto::plain::Plain;
use bytes::Bytes;
use http::uri::PathAndQuery;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};

/// What a participant was asked, in order, as `op` and request.
type Seen = Arc<Mutex<Vec<String>>>;

/// Answers each request with its number and itself, and refuses `no`.
#[derive(Clone)]
struct Honest(Seen);

impl tonic::server::UnaryService<Bytes> for Honest {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let op = request.metadata().get("saga-op").map_or("", |op| op.to_str().unwrap()).to_owned();
        let text = String::from_utf8(request.into_inner().to_vec()).unwrap();
        let mut seen = self.0.lock().unwrap();
        seen.push(format!("{op} {text}"));
        std::future::ready(match text.as_str() {
            "no" => Err(Status::failed_precondition("no")),
            _ => Ok(Response::new(format!("{} {text}", seen.len()).into())),
        })
    }
}

struct Trial {
    seen: Seen,
    interceptor: Interceptor,
    channel: Channel,
}

impl Trial {
    async fn with(script: impl Fn(&Call) -> Fate + Send + Sync + 'static) -> Self {
        let seen = Seen::default();
        let honest = Honest(seen.clone());
        let service = tower_service(move |request: http::Request<tonic::body::Body>| {
            let honest = honest.clone();
            async move { Ok::<_, Infallible>(tonic::server::Grpc::new(Plain).unary(honest, request).await) }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        tokio::spawn(Server::builder().serve_with_incoming(service, incoming));
        let interceptor = Interceptor::before(&address, script).await.unwrap();
        let channel = Channel::from_shared(interceptor.uri()).unwrap().connect_lazy();
        Self { seen, interceptor, channel }
    }

    /// Calls `op` of a step of a saga, and answers what was heard within two seconds.
    async fn call(&self, saga: &'static str, op: &'static str, text: &'static str) -> Result<String, Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(4 << 20);
        grpc.ready().await.unwrap();
        let mut request = Request::new(Bytes::from_static(text.as_bytes()));
        for (key, value) in [("saga-id", saga), ("saga-step", "step"), ("saga-op", op)] {
            request.metadata_mut().insert(key, value.parse().unwrap());
        }
        request.set_timeout(Duration::from_secs(2));
        let path = PathAndQuery::from_static("/x.Y/Act");
        let heard = grpc.unary(request, path, Plain).await?;
        Ok(String::from_utf8_lossy(&heard.into_inner()).into_owned())
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    async fn sees(&self, wanted: &[&str]) {
        until(|| self.seen() == wanted, || format!("{:?} and not {wanted:?}", self.seen())).await;
    }

    /// What was delivered later is counted when it has been answered.
    async fn counts(&self, what: &str, wanted: u64) {
        let tally = || self.interceptor.tally();
        until(|| tally().of(what) == wanted, || format!("{} and not {wanted} {what}", tally())).await;
    }
}

async fn until(is_so: impl Fn() -> bool, so_far: impl Fn() -> String) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", so_far());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

use tower_shim::tower_service;

/// A service from a function, with the name that routing asks for.
mod tower_shim {
    use std::task::{Context, Poll};

    #[derive(Clone)]
    pub(super) struct Service<F>(F);

    pub(super) fn tower_service<F>(f: F) -> Service<F> {
        Service(f)
    }

    impl<F, Q, Fut, R, E> tonic::codegen::Service<Q> for Service<F>
    where
        F: FnMut(Q) -> Fut,
        Fut: Future<Output = Result<R, E>>,
    {
        type Response = R;
        type Error = E;
        type Future = Fut;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Q) -> Fut {
            (self.0)(request)
        }
    }
}

#[tokio::test]
async fn what_passes_arrives_as_it_was_sent_and_so_does_its_answer() {
    let trial = Trial::with(|_| Fate::Pass).await;
    assert_eq!(trial.call("s", "do", "a").await.unwrap(), "1 a");
    let refused = trial.call("s", "do", "no").await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, "no"));
    assert_eq!(trial.seen(), ["do a", "do no"]);
    assert_eq!(trial.interceptor.tally().to_string(), "2 passed");
}

#[tokio::test]
async fn an_excuse_stands_in_for_an_answer_before_or_after_the_effect() {
    let excuses = [
        (Excuse::Silence, Code::Cancelled),
        (Excuse::Reset, Code::Internal),
        (Excuse::Unavailable, Code::Unavailable),
        (Excuse::Forbidden, Code::PermissionDenied),
        (Excuse::Exhausted, Code::ResourceExhausted),
        (Excuse::Oversized((4 << 20) + 1), Code::OutOfRange),
    ];
    for (excuse, code) in excuses {
        let trial = Trial::with(move |_| Fate::LoseRequest(excuse)).await;
        assert_eq!(trial.call("s", "do", "a").await.unwrap_err().code(), code, "{excuse}");
        assert_eq!(trial.seen(), [""; 0], "{excuse}");
        let trial = Trial::with(move |_| Fate::LoseReply(excuse)).await;
        assert_eq!(trial.call("s", "do", "a").await.unwrap_err().code(), code, "{excuse}");
        assert_eq!(trial.seen(), ["do a"], "{excuse}");
    }
}

#[tokio::test]
async fn twice_is_twice_and_either_answer_can_be_the_one() {
    for (which, heard) in [(Which::First, "1 a"), (Which::Second, "2 a")] {
        let trial = Trial::with(move |_| Fate::Twice(which)).await;
        assert_eq!(trial.call("s", "do", "a").await.unwrap(), heard);
        assert_eq!(trial.seen(), ["do a", "do a"]);
    }
}

#[tokio::test]
async fn an_echo_comes_after_so_many_calls() {
    let once = |call: &Call| if call.saga == "s" { Fate::Echo(3) } else { Fate::Pass };
    let trial = Trial::with(once).await;
    trial.call("s", "do", "a").await.unwrap();
    trial.call("t", "do", "b").await.unwrap();
    assert_eq!((trial.seen(), trial.interceptor.owed()), (vec!["do a".to_owned(), "do b".to_owned()], 1));
    trial.call("t", "do", "c").await.unwrap();
    trial.sees(&["do a", "do b", "do c", "do a"]).await;
}

#[tokio::test]
async fn a_late_do_arrives_after_the_next_attempt_or_after_its_undo_or_at_the_end() {
    let first_of = |until: Until| {
        let first = Mutex::new(true);
        move |call: &Call| match call.op.as_str() {
            "do" if std::mem::take(&mut *first.lock().unwrap()) => Fate::Late(until),
            _ => Fate::Pass,
        }
    };
    let trial = Trial::with(first_of(Until::Next)).await;
    assert_eq!(trial.call("s", "do", "first").await.unwrap_err().code(), Code::Unavailable);
    trial.call("t", "do", "another's").await.unwrap();
    trial.call("s", "do", "again").await.unwrap();
    trial.sees(&["do another's", "do again", "do first"]).await;

    let trial = Trial::with(first_of(Until::Undone)).await;
    trial.call("s", "do", "first").await.unwrap_err();
    trial.call("s", "do", "again").await.unwrap();
    trial.call("s", "undo", "back").await.unwrap();
    trial.sees(&["do again", "undo back", "do first"]).await;
    trial.counts("delivered after its undo", 1).await;

    let trial = Trial::with(first_of(Until::Undone)).await;
    trial.call("s", "do", "first").await.unwrap_err();
    trial.interceptor.calm();
    trial.interceptor.deliver_all().await;
    assert_eq!((trial.seen(), trial.interceptor.owed()), (vec!["do first".to_owned()], 0));
}

#[tokio::test]
async fn queries_are_nobody_s_business_and_calm_is_calm() {
    let trial = Trial::with(|_| Fate::LoseRequest(Excuse::Unavailable)).await;
    assert_eq!(trial.call("", "", "query").await.unwrap(), "1 query");
    trial.call("s", "do", "a").await.unwrap_err();
    trial.interceptor.calm();
    assert_eq!(trial.call("s", "do", "a").await.unwrap(), "2 a");
}

#[test]
fn mischief_does_everything_that_it_can_in_the_share_that_it_is_given() {
    let mischief = Mischief::new(Dice::new(1), 40);
    let op = |op: &str| Call { method: "Act".into(), saga: "s".into(), step: "x".into(), op: op.into() };
    let mut fates = std::collections::BTreeMap::new();
    for n in 0..10_000 {
        let call = op(if n % 3 == 0 { "undo" } else { "do" });
        *fates.entry(mischief.fate(&call).to_string()).or_insert(0) += 1;
    }
    let kinds: Vec<_> = fates.keys().map(String::as_str).collect();
    // Twelve ways to lose, two to double, one to echo, two to be late, and to pass.
    assert_eq!(kinds.len(), 18, "{kinds:?}");
    assert!((5_500..6_500).contains(&fates["passed"]), "{fates:?}");
}
