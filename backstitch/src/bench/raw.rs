//! The raw limit: the same calls, with the same metadata, over the same client, and nothing else. No durability, no
//! state machine, no HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backstitch_core::{Op, Outcome};
use backstitch_engine::{Dispatch, Dispatcher as _, GrpcDispatcher, GrpcOptions, Target};
use backstitch_proto::noop::ActRequest;
use backstitch_proto::services::service_of;
use hdrhistogram::Histogram;
use prost::Message as _;
use uuid::Uuid;

use super::Measured;

/// `calls` sequential calls per saga, `in_flight` sagas at a time, for `duration`.
pub(crate) async fn measure(
    address: &str,
    calls: u32,
    in_flight: usize,
    duration: Duration,
) -> anyhow::Result<Measured> {
    let service = service_of("noop").ok_or_else(|| anyhow::anyhow!("no service for noop"))?;
    let target = Target { participant: "noop", service, uri: format!("http://{address}") };
    let dispatcher = Arc::new(GrpcDispatcher::new(vec![target], GrpcOptions::default())?);
    let begun = Instant::now();
    let until = begun + duration;
    let workers = (0..in_flight).map(|_| tokio::spawn(worker(dispatcher.clone(), calls, until)));
    Measured::by(begun, workers.collect()).await
}

async fn worker(
    dispatcher: Arc<GrpcDispatcher>,
    calls: u32,
    until: Instant,
) -> anyhow::Result<Histogram<u64>> {
    let mut latencies = Histogram::new(3)?;
    while Instant::now() < until {
        let begun = Instant::now();
        let saga = Uuid::now_v7();
        for attempt in 1..=calls {
            let request = ActRequest { id: saga.to_string(), payload: super::PAYLOAD.into() };
            let outcome = dispatcher
                .call(Dispatch {
                    saga,
                    root: saga,
                    definition: "synthetic",
                    step: "step_1",
                    participant: "noop",
                    action: "Act",
                    op: Op::Do,
                    attempt,
                    request: request.encode_to_vec().into(),
                    timeout: Duration::from_secs(5),
                    traceparent: String::new(),
                    oldest_unfinished_ms: None,
                })
                .await
                .outcome;
            anyhow::ensure!(matches!(outcome, Outcome::Done(_)), "a raw call came to {outcome:?}");
        }
        latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
    }
    Ok(latencies)
}
