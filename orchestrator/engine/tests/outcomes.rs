//! What a call comes to, cause by cause: a real client against real servers on loopback.
//!
//! Outcomes are by contract, not by code. Only the contract's own `ErrorInfo`, with the called service's domain and the
//! call's own key, is a verdict. A connection that was never made is NotNow. Whatever else comes back, or does not, is
//! Unknown: the effect may have happened. The table says for every cause whether it did here, which the caller cannot
//! see; rows that look alike to the caller and differ in that are why Unknown is the only honest word. And it says
//! whether the cause counts against the participant: never what only one saga may have brought about.

#![allow(clippy::unwrap_used)]

mod wire;

use std::time::Duration;

use backstitch_core::{Op, Outcome};
use backstitch_engine::{Dispatch, Dispatcher, Fault, GrpcDispatcher, GrpcOptions, Heard, Target};
use backstitch_proto::contract::{Refusal, Verdict, keys};
use backstitch_proto::noop::{ActRequest, ActResponse};
use futures::stream::{StreamExt as _, iter};
use prost::Message as _;
use tonic::Code;
use uuid::Uuid;
use wire::Form::{Garbage, Kept, NoDetails, OtherDomain, OtherKey, Under};
use wire::*;

/// Outcomes by name only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Done,
    Refused,
    NotNow,
    Unknown,
    Broken,
    Superseded,
}
use Kind::*;

/// What the dispatcher is told to accept without a word.
const SOFT_LIMIT: usize = 1 << 20;
/// What no configuration accepts.
const HARD_LIMIT: usize = 16 << 20;
/// Longer than loopback takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for what never comes.
const SOON: Duration = Duration::from_millis(500);

struct Row {
    cause: &'static str,
    start: Start,
    /// How often the effect happened, which the caller cannot see.
    effects: u32,
    expected: Kind,
    /// Whose fault it is, if it is no saga's.
    fault: Option<Fault>,
    why: &'static str,
    patience: Duration,
}

/// A row that says nothing against the participant: it speaks for itself, or only one saga may be what it chokes on.
fn row(cause: &'static str, start: Start, effects: u32, expected: Kind, why: &'static str) -> Row {
    Row { cause, start, effects, expected, fault: None, why, patience: PATIENCE }
}

/// A row where no connection was made.
fn unreachable(cause: &'static str, start: Start, effects: u32, why: &'static str) -> Row {
    Row { fault: Some(Fault::Unreachable), ..row(cause, start, effects, NotNow, why) }
}

/// A row where the connection, or a proxy on the way, gave up.
fn broken_off(cause: &'static str, start: Start, effects: u32, why: &'static str) -> Row {
    Row { fault: Some(Fault::Silent), ..row(cause, start, effects, Unknown, why) }
}

/// A row where somebody says that nobody serves us.
fn unserved(cause: &'static str, start: Start, effects: u32, why: &'static str) -> Row {
    Row { fault: Some(Fault::Unserved), ..row(cause, start, effects, Unknown, why) }
}

/// A row where nothing comes within the timeout.
fn silence(cause: &'static str, start: Start, effects: u32, why: &'static str) -> Row {
    Row { patience: SOON, ..broken_off(cause, start, effects, why) }
}

fn refused() -> Verdict {
    Verdict::Refused(Refusal::new("OUT_OF_STOCK", "only 2 left").with("sku", "A"))
}

fn not_now() -> Verdict {
    Verdict::NotNow { after: Duration::from_millis(250), why: "busy".into() }
}

fn broken() -> Verdict {
    Verdict::Broken("another body under this key".into())
}

fn superseded() -> Verdict {
    Verdict::Superseded("already undone".into())
}

/// gRPC status trailers.
const OK: &[(&str, &str)] = &[("grpc-status", "0")];
const INTERNAL: &[(&str, &str)] = &[("grpc-status", "13"), ("grpc-message", "after the answer")];
const NO_NUMBER: &[(&str, &str)] = &[("grpc-status", "fine")];
const NO_CODE: &[(&str, &str)] = &[("grpc-status", "99")];
const NO_BASE64: &[(&str, &str)] = &[("grpc-status", "9"), ("grpc-status-details-bin", "%%%")];

#[rustfmt::skip] // A table reads by its columns.
fn table() -> Vec<Row> {
    vec![
        // cause                                           server                                                   ran outcome     why
        row("an answer",                                   answering(100),                                           1, Done,       "it arrived"),
        row("an empty answer",                             answering(0),                                             1, Done,       "an empty message is a message"),
        row("an answer at the soft limit",                 answering(SOFT_LIMIT - 4),                                1, Done,       "4 bytes of it are its field's head"),
        row("an answer over the soft limit",               answering(SOFT_LIMIT),                                    1, Broken,     "nobody sends that much by the contract; it may follow an effect all the same"),
        row("an answer over the hard limit",               answering(HARD_LIMIT),                                    1, Unknown,    "OUT_OF_RANGE, made up by the client after the effect"),
        // A verdict of this service about this call.
        row("refused",                                     in_a_status(refused(), Kept),                             0, Refused,    "promised about the key"),
        row("not now",                                     in_a_status(not_now(), Kept),                             0, NotNow,     "promised about this attempt"),
        row("broken",                                      in_a_status(broken(), Kept),                              0, Broken,     "a person has to look"),
        row("superseded",                                  in_a_status(superseded(), Kept),                          0, Superseded, "settled against this op"),
        row("refused under UNKNOWN",                       in_a_status(refused(), Under(Code::Unknown)),             0, Refused,    "the contract speaks in details, not in codes"),
        row("refused under UNAVAILABLE",                   in_a_status(refused(), Under(Code::Unavailable)),         0, Refused,    "likewise"),
        row("not now under FAILED_PRECONDITION",           in_a_status(not_now(), Under(Code::FailedPrecondition)),  0, NotNow,     "likewise"),
        row("not now under UNIMPLEMENTED",                 in_a_status(not_now(), Under(Code::Unimplemented)),       0, NotNow,     "likewise"),
        // A verdict of somebody else, or about something else.
        row("a downstream's refused",                      in_a_status(refused(), OtherDomain),                      1, Unknown,    "it speaks for payment, not for the called service"),
        broken_off("a downstream's not now",               in_a_status(not_now(), OtherDomain),                      1,             "likewise"),
        row("a downstream's broken",                       in_a_status(broken(), OtherDomain),                       1, Unknown,    "likewise"),
        row("a downstream's superseded",                   in_a_status(superseded(), OtherDomain),                   1, Unknown,    "likewise"),
        row("another call's refused",                      in_a_status(refused(), OtherKey),                         1, Unknown,    "it promises about another key"),
        broken_off("another call's not now",               in_a_status(not_now(), OtherKey),                         1,             "likewise"),
        row("another call's broken",                       in_a_status(broken(), OtherKey),                          1, Unknown,    "likewise"),
        row("another call's superseded",                   in_a_status(superseded(), OtherKey),                      1, Unknown,    "likewise"),
        row("refused without details",                     in_a_status(refused(), NoDetails),                        1, Unknown,    "a code promises nothing"),
        broken_off("not now without details",              in_a_status(not_now(), NoDetails),                        1,             "likewise"),
        row("broken without details",                      in_a_status(broken(), NoDetails),                         1, Unknown,    "likewise"),
        row("superseded without details",                  in_a_status(superseded(), NoDetails),                     1, Unknown,    "likewise"),
        row("refused with garbage details",                in_a_status(refused(), Garbage),                          1, Unknown,    "who cannot be read has promised nothing"),
        broken_off("not now with garbage details",         in_a_status(not_now(), Garbage),                          1,             "likewise"),
        row("broken with garbage details",                 in_a_status(broken(), Garbage),                           1, Unknown,    "likewise"),
        row("superseded with garbage details",             in_a_status(superseded(), Garbage),                       1, Unknown,    "likewise"),
        // Codes alone.
        row("bare CANCELLED",                              bare(1),                                                  1, Unknown,    "whoever cancelled it, perhaps too late"),
        row("bare UNKNOWN",                                bare(2),                                                  1, Unknown,    "as it says"),
        row("bare INVALID_ARGUMENT",                       bare(3),                                                  1, Unknown,    "a library's word as often as a service's"),
        broken_off("bare DEADLINE_EXCEEDED",               bare(4),                                                  1,             "a timeout is no failure"),
        row("bare NOT_FOUND",                              bare(5),                                                  1, Unknown,    "a downstream's, perhaps"),
        row("bare ALREADY_EXISTS",                         bare(6),                                                  1, Unknown,    "perhaps by this very call"),
        row("bare PERMISSION_DENIED",                      bare(7),                                                  1, Unknown,    "a mesh's 403 on the way back"),
        row("bare RESOURCE_EXHAUSTED",                     bare(8),                                                  1, Unknown,    "h2 says it after the effect"),
        row("bare FAILED_PRECONDITION",                    bare(9),                                                  1, Unknown,    "a downstream's, perhaps"),
        row("bare ABORTED",                                bare(10),                                                 1, Unknown,    "likewise"),
        row("bare OUT_OF_RANGE",                           bare(11),                                                 1, Unknown,    "an answer over a limit on the way"),
        unserved("bare UNIMPLEMENTED",                     bare(12),                                                 1,             "a misconfiguration; but a proxy may say so after the effect"),
        row("bare INTERNAL",                               bare(13),                                                 1, Unknown,    "anything"),
        broken_off("bare UNAVAILABLE",                     bare(14),                                                 1,             "said before and after the effect alike"),
        row("bare DATA_LOSS",                              bare(15),                                                 1, Unknown,    "anything"),
        unserved("bare UNAUTHENTICATED",                   bare(16),                                                 1,             "a misconfiguration; but a proxy may say so after the effect"),
        unserved("a method that is not served",            without_the_method(),                                     0,             "likewise"),
        unserved("a caller that is not known",             turned_away(),                                            0,             "likewise"),
        // Proxies and meshes.
        row("a mesh's 403",                                answers(Answer::proxy(403)),                              1, Unknown,    "its policy may look at answers too"),
        unserved("a proxy's 401",                          answers(Answer::terse(401)),                              1,             "gRPC reads it as UNAUTHENTICATED"),
        unserved("a proxy's 404",                          answers(Answer::terse(404)),                              1,             "gRPC reads it as UNIMPLEMENTED"),
        row("a proxy's 401 with a page",                   answers(Answer::proxy(401)),                              1, Unknown,    "the page is what gRPC trips over"),
        row("a proxy's 404 with a page",                   answers(Answer::proxy(404)),                              1, Unknown,    "likewise"),
        row("a mesh's 403 without a page",                 answers(Answer::terse(403)),                              1, Unknown,    "PERMISSION_DENIED"),
        row("a proxy's 400",                               answers(Answer::proxy(400)),                              1, Unknown,    "anything"),
        row("a proxy's 429",                               answers(Answer::proxy(429)),                              1, Unknown,    "anything"),
        row("a proxy's 500",                               answers(Answer::proxy(500)),                              1, Unknown,    "anything"),
        row("a proxy's 502",                               answers(Answer::proxy(502)),                              1, Unknown,    "the participant broke off, after the effect"),
        row("a proxy's 503",                               answers(Answer::proxy(503)),                              1, Unknown,    "likewise"),
        row("a proxy's 504",                               answers(Answer::proxy(504)),                              1, Unknown,    "the participant was slow, not idle"),
        row("a captive portal's 200",                      answers(Answer::proxy(200)),                              1, Unknown,    "no gRPC at all"),
        // Answers that are none.
        row("a message that is noise",                     answers(Answer::grpc(b"\0\0\0\0\x02\xff\xff", OK)),       1, Done,       "the definition reads answers, and calls this one Broken"),
        row("a body that is noise",                        answers(Answer::grpc(b"\x5a\x5a\x5a\x5a\x5a\x5a", OK)),   1, Unknown,    "no gRPC framing"),
        row("a compressed message",                        answers(Answer::grpc(b"\x01\0\0\0\x01a", OK)),            1, Unknown,    "nobody asked for compression"),
        row("a message that is cut off",                   answers(Answer::grpc(b"\0\0\0\0\x09half", OK)),           1, Unknown,    "half an answer is none"),
        row("no message",                                  answers(Answer::grpc(b"", OK)),                           1, Unknown,    "OK and nothing else"),
        row("no status",                                   answers(Answer::grpc(b"\0\0\0\0\0", &[])),                1, Unknown,    "cut off by a proxy, perhaps"),
        row("an error after the message",                  answers(Answer::grpc(b"\0\0\0\0\0", INTERNAL)),           1, Unknown,    "the status is the last word"),
        row("a status that is no number",                  answers(Answer::grpc(b"\0\0\0\0\0", NO_NUMBER)),          1, Unknown,    "nobody knows what it means"),
        row("a status of the future",                      answers(Answer::grpc(b"", NO_CODE)),                      1, Unknown,    "likewise"),
        row("details that are no base64",                  answers(Answer::grpc(b"", NO_BASE64)),                    1, Unknown,    "likewise"),
        // Connections.
        unreachable("nobody listens",                      nobody(),                                                 0,             "no connection was ever made: nothing was sent"),
        unreachable("nobody accepts in time",              swamped(),                                                0,             "likewise"),
        broken_off("reset before the request",             reset_before(),                                           0,             "a connection was made"),
        broken_off("accepted and closed",                  closed(),                                                 0,             "likewise"),
        broken_off("reset during the request",             reset_during(),                                           0,             "how much of it arrived is not known"),
        broken_off("reset after the request",              reset_after(),                                            1,             "looks like the row above"),
        broken_off("closed after the request",             closed_after(),                                           1,             "likewise"),
        broken_off("reset during the answer",              aborted_body(),                                           1,             "a good beginning is no answer"),
        broken_off("a server that dies after the effect",  dying(),                                                  1,             "looks like any reset"),
        broken_off("a handler that panics after it",       panicking(),                                              1,             "likewise"),
        broken_off("stream refused",                       rst_stream(7),                                            1,             "HTTP/2 promises that it was not processed; a proxy's promise, not the contract's"),
        broken_off("stream reset: cancel",                 rst_stream(8),                                            1,             "anything"),
        broken_off("stream reset: calm down",              rst_stream(11),                                           1,             "RESOURCE_EXHAUSTED, after the effect"),
        broken_off("stream reset: no error",               rst_stream(0),                                            1,             "an end without an answer"),
        broken_off("goaway, not looked at",                goaway(0, 0),                                             1,             "as with a refused stream"),
        broken_off("goaway, looked at",                    goaway(1, 0),                                             1,             "it may have been processed"),
        broken_off("goaway: calm down",                    goaway(1, 11),                                            1,             "likewise"),
        broken_off("a server of HTTP/1.1",                 http_1(),                                                 0,             "a connection was made"),
        broken_off("a server of something else",           noise(),                                                  0,             "likewise"),
        // Silence.
        silence("never a word",                            never_speaking(),                                         0,             "a timeout is no failure"),
        silence("the server's own deadline",               stuck(),                                                  1,             "it gave up after the effect"),
        silence("headers and no answer",                   answers(Answer::unending(b"")),                           1,             "a timeout is no failure"),
        silence("half an answer and no more",              answers(Answer::unending(b"\0\0\0\0\x09half")),           1,             "likewise"),
    ]
}

fn call(action: &'static str, timeout: Duration) -> Dispatch {
    Dispatch {
        saga: Uuid::from_u128(7),
        root: Uuid::from_u128(7),
        definition: "synthetic",
        step: "step_1",
        participant: "noop",
        action,
        op: Op::Do,
        attempt: 1,
        // More than a peer's first window, so that a request can be interrupted.
        request: ActRequest { id: "1".into(), payload: vec![1; 100_000].into() }.encode_to_vec().into(),
        timeout,
        traceparent: String::new(),
        oldest_unfinished_ms: None,
    }
}

fn dispatcher(server: &Server) -> GrpcDispatcher {
    let uri = format!("http://{}", server.address);
    let target = Target { participant: "noop", service: "backstitch.noop.v1.Noop", uri };
    let options = GrpcOptions { max_answer_bytes: SOFT_LIMIT, ..GrpcOptions::default() };
    GrpcDispatcher::new(vec![target], options).unwrap()
}

fn kind(outcome: &Outcome) -> Kind {
    match outcome {
        Outcome::Done(_) => Done,
        Outcome::Refused(_) => Refused,
        Outcome::NotNow { .. } => NotNow,
        Outcome::Pending { .. } => panic!("only a definition reads Pending out of an answer"),
        Outcome::Unknown { .. } => Unknown,
        Outcome::Broken(_) => Broken,
        Outcome::Superseded(_) => Superseded,
    }
}

/// Makes the call of a row; what was wrong.
async fn try_out(row: Row) -> Option<String> {
    let Row { cause, start, effects, expected, fault, why, patience } = row;
    let server = start().await;
    let heard = dispatcher(&server).call(call(server.action, patience)).await;
    let told = (kind(&heard.outcome), heard.fault, server.effects());
    (told != (expected, fault, effects)).then(|| {
        let heard = format!("{heard:?}").chars().take(300).collect::<String>();
        format!(
            "{cause}: expected {expected:?} because {why}, fault {fault:?}, {effects} effects\n    \
             got {heard}, {} effects",
            server.effects()
        )
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cause_comes_to_the_outcome_that_the_contract_gives_it() {
    let wrong: Vec<_> = iter(table()).map(try_out).buffer_unordered(24).collect().await;
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_verdict_arrives_word_for_word() {
    for (verdict, expected) in [
        (
            refused(),
            Outcome::Refused(backstitch_core::Refusal::new("OUT_OF_STOCK", "only 2 left").with("sku", "A")),
        ),
        (not_now(), Outcome::NotNow { after: Duration::from_millis(250), why: "busy".into() }),
        (broken(), Outcome::Broken("another body under this key".into())),
        (superseded(), Outcome::Superseded("already undone".into())),
    ] {
        let server = in_a_status(verdict, Kept)().await;
        assert_eq!(dispatcher(&server).call(call("Act", PATIENCE)).await, expected.into());
    }
}

#[tokio::test]
async fn a_time_to_ask_again_arrives_without_a_promise_and_only_from_whom_was_asked() {
    let after = Duration::from_secs(7);
    for (form, told) in [
        (Kept, after),
        (OtherDomain, Duration::ZERO),
        (OtherKey, Duration::ZERO),
        (NoDetails, Duration::ZERO),
    ] {
        let server = busy_after_the_effect(after, form)().await;
        let heard = dispatcher(&server).call(call("Act", PATIENCE)).await;
        let expected = Outcome::Unknown { after: told, why: "Unknown: busy".into() };
        assert_eq!(heard, expected.into(), "{form:?}");
    }
}

#[tokio::test]
async fn an_answer_arrives_byte_for_byte() {
    let server = answering(3)().await;
    let answer = ActResponse { payload: vec![7; 3].into() }.encode_to_vec();
    assert_eq!(dispatcher(&server).call(call("Act", PATIENCE)).await, Outcome::Done(answer.into()).into());
}

#[tokio::test]
async fn a_call_tells_of_the_oldest_unfinished_saga_where_that_is_known() {
    let server = echoing(keys::OLDEST_UNFINISHED_MS)().await;
    for (oldest_unfinished_ms, told) in [(Some(1_700_000_000_123), "1700000000123"), (None, "")] {
        let call = Dispatch { oldest_unfinished_ms, ..call("Act", PATIENCE) };
        let answer = ActResponse { payload: told.into() }.encode_to_vec();
        assert_eq!(dispatcher(&server).call(call).await, Outcome::Done(answer.into()).into());
    }
}

#[tokio::test]
async fn a_lost_connection_is_made_again_for_the_next_call() {
    let server = dying_once()().await;
    let dispatcher = dispatcher(&server);
    assert_eq!(kind(&dispatcher.call(call("Act", PATIENCE)).await.outcome), Unknown);
    assert_eq!(kind(&dispatcher.call(call("Act", PATIENCE)).await.outcome), Done);
    assert_eq!(server.effects(), 2);
}

#[tokio::test]
async fn a_participant_without_an_address_is_a_misconfiguration_and_was_surely_not_called() {
    let dispatcher = GrpcDispatcher::new(vec![], GrpcOptions::default()).unwrap();
    let heard = dispatcher.call(call("Act", PATIENCE)).await;
    let why = "no address is configured for participant `noop`".to_owned();
    let not_now = Outcome::NotNow { after: Duration::ZERO, why };
    assert_eq!(heard, Heard::fault(not_now, Fault::Unserved));
}
