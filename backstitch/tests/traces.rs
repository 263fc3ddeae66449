//! One saga is one trace: what the client began, the saga's acceptance, each call, its service at the participant, and
//! the publication of what that appended.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstitch_engine::{Engine, GrpcDispatcher, GrpcOptions, NewRun, Options, Started, SystemClock, Target};
use backstitch_proto::noop::noop_server::{Noop, NoopServer};
use backstitch_proto::noop::{ActRequest, ActResponse, SyntheticInput, UndoRequest, UndoResponse};
use backstitch_proto::services::service_of;
use backstitch_store::{SqliteOptions, SqliteStore};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use outbox_relay::{EmbeddedBroker, Event, KafkaOptions, KafkaSink, Relay};
use participant_kit::{Action, CallMeta, Identity, Kit, LockKey, OpError, Participant, Tx, Undo};
use prost::Message as _;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);
const CLIENT_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT_SPAN: &str = "00f067aa0ba902b7";
const TOPIC: &str = "noop.events";
const STEPS: usize = 3;

/// Keeps what ended.
#[derive(Clone, Debug, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Ended {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Ended {
    /// Every span so far of this name, in the order of their ends.
    fn named(&self, name: &str) -> Vec<SpanData> {
        self.0.lock().unwrap().iter().filter(|span| span.name == name).cloned().collect()
    }
}

/// An action that publishes that it was done.
#[derive(Clone)]
struct Act(ActRequest);

#[tonic::async_trait]
impl Action for Act {
    type Answer = ActResponse;

    fn identity(&self) -> Identity {
        Identity::new("Act").text("id", &self.0.id)
    }

    fn locks(&self) -> Vec<LockKey> {
        Vec::new()
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<ActResponse, OpError> {
        let root = call.root.to_string();
        let event = Event::json(TOPIC, "com.example.acted.v1", "/noop", root, &call.step, &call.step, 0);
        tx.emit(event.traced(&call.traceparent)).await?;
        Ok(ActResponse::default())
    }
}

#[derive(Clone)]
struct Forget;

#[tonic::async_trait]
impl Undo for Forget {
    type Answer = UndoResponse;

    fn locks(&self) -> Vec<LockKey> {
        Vec::new()
    }

    async fn take_back(&self, _: &mut Tx<'_>, _: &CallMeta) -> Result<(), OpError> {
        Ok(())
    }
}

struct Service(Kit);

#[tonic::async_trait]
impl Noop for Service {
    async fn act(&self, request: Request<ActRequest>) -> Result<Response<ActResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.0.act(&meta, Ok(Act(request))).await
    }

    async fn undo(&self, request: Request<UndoRequest>) -> Result<Response<UndoResponse>, Status> {
        self.0.take_back(request.metadata(), Ok(Forget)).await
    }
}

/// The `traceparent` of each message of the topic.
async fn headers(broker: &EmbeddedBroker, count: usize) -> Vec<String> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut places = TopicPartitionList::new();
    let known = consumer.fetch_metadata(Some(TOPIC), PATIENCE).unwrap();
    for partition in known.topics()[0].partitions() {
        places.add_partition_offset(TOPIC, partition.id(), Offset::Beginning).unwrap();
    }
    consumer.assign(&places).unwrap();
    let mut found = Vec::new();
    while found.len() < count {
        let message = tokio::time::timeout(PATIENCE, consumer.recv()).await.unwrap().unwrap();
        let header = message.headers().unwrap().iter().find(|header| header.key == "traceparent");
        found.push(String::from_utf8(header.unwrap().value.unwrap().to_vec()).unwrap());
    }
    found
}

/// How a span is named to those that follow it.
fn traceparent(span: &SpanData) -> String {
    format!("00-{}-{}-01", span.span_context.trace_id(), span.span_context.span_id())
}

/// A field of a span.
fn field(span: &SpanData, name: &str) -> String {
    let found = span.attributes.iter().find(|field| field.key.as_str() == name);
    found.map(|field| field.value.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn the_spans_of_a_saga_are_one_trace_from_its_client_to_its_events() {
    let ended = Ended::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(ended.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let spans = tracing_subscriber::filter::LevelFilter::INFO;
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer.with_filter(spans)))
        .unwrap();

    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("noop.db").display());
    let kit =
        Kit::open(&participant_kit::Schema::new("noop", &[]), &url, Arc::new(participant_kit::SystemClock))
            .await
            .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let routes = tonic::service::Routes::new(NoopServer::new(Service(kit.clone())));
    let participant = Participant::new(&kit, routes);
    let outbox = participant.outbox.clone();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(participant.serve(listener, shutdown.clone()));

    let target = Target { participant: "noop", service: service_of("noop").unwrap(), uri };
    let dispatcher = GrpcDispatcher::new(vec![target], GrpcOptions::default()).unwrap();
    let store = SqliteStore::open(&directory.path().join("sagas"), &SqliteOptions::default()).await.unwrap();
    let catalog = backstitch_sagas::catalog().unwrap().with(backstitch_sagas::synthetic(STEPS).unwrap());
    let (clock, options) = (Arc::new(SystemClock), Options::default());
    let engine =
        Engine::start_up(Arc::new(store), Arc::new(dispatcher), catalog, clock, options).await.unwrap();

    let started = engine.start(NewRun {
        id: Uuid::now_v7(),
        root: None,
        definition: "synthetic".into(),
        scope: String::new(),
        key: None,
        request_hash: [0; 32],
        input: SyntheticInput::default().encode_to_vec().into(),
        traceparent: format!("00-{CLIENT_TRACE}-{CLIENT_SPAN}-01"),
    });
    let Started::New(_, follow) = started.await.unwrap() else { panic!("not started") };
    follow.rested(PATIENCE).await.unwrap();

    let broker = EmbeddedBroker::start(&[TOPIC]).unwrap();
    let sink = KafkaSink::new(KafkaOptions::new(broker.bootstrap_servers())).unwrap();
    let relay = Relay::new(outbox, Arc::new(sink), outbox_relay::Options::default());
    assert_eq!(relay.tick(0).await.unwrap().published, STEPS);
    let mut received = headers(&broker, STEPS).await;
    shutdown.cancel();
    serving.await.unwrap().unwrap();

    let accepted = ended.named("accept").remove(0);
    assert_eq!(accepted.parent_span_id.to_string(), CLIENT_SPAN);
    let (calls, served, published) = (ended.named("call"), ended.named("serve"), ended.named("publish"));
    assert_eq!((calls.len(), served.len(), published.len()), (STEPS, STEPS, STEPS));
    for at in 0..STEPS {
        assert_eq!(field(&calls[at], "step"), format!("step_{}", at + 1));
        assert_eq!((field(&calls[at], "op"), field(&calls[at], "outcome")), ("do".into(), "done".into()));
        assert_eq!(calls[at].parent_span_id, accepted.span_context.span_id());
        assert_eq!(served[at].parent_span_id, calls[at].span_context.span_id());
        let parents: Vec<_> = published.iter().map(|span| span.parent_span_id).collect();
        assert!(parents.contains(&served[at].span_context.span_id()), "{parents:?}");
    }
    for span in [&accepted].into_iter().chain(&calls).chain(&served).chain(&published) {
        assert_eq!(span.span_context.trace_id().to_string(), CLIENT_TRACE, "{}", span.name);
    }
    let mut sent: Vec<String> = published.iter().map(traceparent).collect();
    sent.sort_unstable();
    received.sort_unstable();
    assert_eq!(received, sent, "a consumer follows the publication");
}
