//! How long a participant is told that it has: on the wire, for each op, what the definition says.

#![allow(clippy::unwrap_used)]

mod wire;

use std::sync::Arc;
use std::time::Duration;

use backstitch_core::{Catalog, Definition, DefinitionBuilder, Operation, RetryPolicy, Status};
use backstitch_engine::{Engine, GrpcDispatcher, GrpcOptions, NewRun, Options, SystemClock, Target};
use backstitch_proto::contract::{Op, Refusal, Verdict};
use backstitch_proto::noop::{ActRequest, ActResponse, SyntheticInput, UndoRequest, UndoResponse};
use backstitch_store::testing::MemoryStore;
use bytes::Bytes;
use tokio::sync::mpsc;
use uuid::Uuid;
use wire::guarded;

// Longer than loopback takes on the busiest machine, and no two alike.
const HOLD: Duration = Duration::from_secs(47);
const TAKE: Duration = Duration::from_millis(31_500);
/// Every undo's, whatever its step has.
const UNDO: Duration = Duration::from_secs(10);

/// Hold and take; what is not known after one attempt at taking is settled by a close.
fn definition() -> Definition {
    const ACT: Operation<ActRequest, ActResponse> = Operation::new("noop", "Act");
    let undo = Operation::<UndoRequest, UndoResponse>::new("noop", "Undo");
    let mut d = DefinitionBuilder::<SyntheticInput>::new("synthetic", 1);
    let hold = d
        .step("hold", ACT)
        .timeout(HOLD)
        .request(|_, ()| ActRequest::default())
        .compensated_by(undo, |_| UndoRequest::default());
    d.step("take", ACT)
        .after([hold.step()])
        .timeout(TAKE)
        .retry(RetryPolicy { attempts: 1, ..RetryPolicy::FORWARD })
        .request(|_, ()| ActRequest::default())
        .pivot();
    d.build().unwrap()
}

/// A `grpc-timeout`: at most eight digits and a unit.
fn read(timeout: &str) -> Duration {
    let (digits, unit) = timeout.split_at(timeout.len() - 1);
    assert!(digits.len() <= 8, "{timeout}");
    let n = digits.parse().unwrap();
    match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => panic!("{timeout} has no unit"),
    }
}

#[tokio::test]
async fn a_participant_is_told_how_long_it_is_waited_for() {
    let (seen, mut calls) = mpsc::unbounded_channel();
    let server = guarded(move |call, timeout| {
        seen.send((call.step.clone(), call.op, timeout.map(read))).unwrap();
        match (call.step.as_str(), call.op) {
            ("take", Op::Do) => Err(tonic::Status::unknown("perhaps")),
            ("take", _) => {
                Err(Verdict::Refused(Refusal::new("EMPTY", "there is none")).into_status("noop", &call.key()))
            }
            _ => Ok(()),
        }
    })()
    .await;
    let uri = format!("http://{}", server.address);
    let target = Target { participant: "noop", service: "backstitch.noop.v1.Noop", uri };
    let dispatcher = GrpcDispatcher::new(vec![target], GrpcOptions::default()).unwrap();
    let catalog = Catalog::default().with(definition());
    let store = Arc::new(MemoryStore::default());
    let engine =
        Engine::start_up(store, Arc::new(dispatcher), catalog, Arc::new(SystemClock), Options::default());
    let engine = engine.await.unwrap();
    let id = Uuid::now_v7();
    let run = NewRun {
        id,
        root: None,
        definition: "synthetic".into(),
        scope: "test".into(),
        key: None,
        request_hash: [0; 32],
        input: Bytes::new(),
        traceparent: String::new(),
    };
    engine.start(run).await.unwrap();
    let ended = engine.wait_final(id, HOLD).await.unwrap().unwrap();
    assert_eq!(ended.state.status(), Status::Compensated);

    let call = |step: &str, op, timeout| Some((step.to_owned(), op, Some(timeout)));
    assert_eq!(calls.recv().await, call("hold", Op::Do, HOLD));
    assert_eq!(calls.recv().await, call("take", Op::Do, TAKE));
    assert_eq!(calls.recv().await, call("take", Op::Close, TAKE));
    assert_eq!(calls.recv().await, call("hold", Op::Undo, UNDO));
    assert!(calls.is_empty());
}
