//! A saga that was parked for longer than its participant remembers goes on where it was, or back, to its end.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backstitch_engine::{Engine, GrpcDispatcher, GrpcOptions, NewRun, Options, Started, SystemClock, Target};
use backstitch_proto::ids::born_ms;
use backstitch_proto::noop::noop_server::{Noop, NoopServer};
use backstitch_proto::noop::{ActRequest, ActResponse, SyntheticInput, UndoRequest, UndoResponse};
use backstitch_proto::services::service_of;
use backstitch_services::{On, each_database};
use backstitch_store::{SqliteOptions, SqliteStore, Status};
use common::{PATIENCE, until};
use participant_kit::{
    Action, CallMeta, Clock as _, Identity, Kit, LockKey, OpError, Participant, Schema, Tx, Undo,
};
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response};
use uuid::{NoContext, Timestamp, Uuid};

each_database!(2 threads: a_saga_that_was_parked_for_longer_than_is_remembered_ends);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Cannot do its second step while the flag is up.
#[derive(Clone)]
struct Act(ActRequest, Arc<AtomicBool>);

#[tonic::async_trait]
impl Action for Act {
    type Answer = ActResponse;

    fn identity(&self) -> Identity {
        Identity::new("Act").text("id", &self.0.id)
    }

    fn locks(&self) -> Vec<LockKey> {
        Vec::new()
    }

    async fn perform(&self, _: &mut Tx<'_>, call: &CallMeta) -> Result<ActResponse, OpError> {
        match call.step == "step_2" && self.1.load(Ordering::SeqCst) {
            true => Err(OpError::broken("a person has to look")),
            false => Ok(ActResponse::default()),
        }
    }
}

#[derive(Clone)]
struct TakeBack;

#[tonic::async_trait]
impl Undo for TakeBack {
    type Answer = UndoResponse;

    fn locks(&self) -> Vec<LockKey> {
        Vec::new()
    }

    async fn take_back(&self, _: &mut Tx<'_>, _: &CallMeta) -> Result<(), OpError> {
        Ok(())
    }
}

struct Service(Kit, Arc<AtomicBool>);

#[tonic::async_trait]
impl Noop for Service {
    async fn act(&self, request: Request<ActRequest>) -> Result<Response<ActResponse>, tonic::Status> {
        let (meta, _, request) = request.into_parts();
        self.0.act(&meta, Ok(Act(request, self.1.clone()))).await
    }

    async fn undo(&self, request: Request<UndoRequest>) -> Result<Response<UndoResponse>, tonic::Status> {
        self.0.take_back(request.metadata(), Ok(TakeBack)).await
    }
}

/// A saga of this age, in milliseconds.
fn aged(ms: i64) -> Uuid {
    let born = u64::try_from(participant_kit::SystemClock.now_ms() - ms).unwrap();
    let nanos = u32::try_from(born % 1_000).unwrap() * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, born / 1_000, nanos))
}

/// Starts it; how it stands when it has come to rest.
async fn begin(engine: &Engine, id: Uuid) -> Status {
    let started = engine.start(NewRun {
        id,
        root: None,
        definition: "synthetic".into(),
        scope: String::new(),
        key: None,
        request_hash: [0; 32],
        input: SyntheticInput::default().encode_to_vec().into(),
        traceparent: String::new(),
    });
    let Started::New(_, follow) = started.await.unwrap() else { panic!("{id} was there already") };
    follow.rested(PATIENCE).await.unwrap().state.status()
}

async fn end(engine: &Engine, id: Uuid) -> Status {
    engine.wait_final(id, PATIENCE).await.unwrap().unwrap().state.status()
}

/// The steps of a saga that the participant remembers.
async fn rows(kit: &Kit, saga: Uuid) -> i64 {
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM barrier WHERE saga_id = $1").bind(saga.to_string());
    count.fetch_one(kit.reads()).await.unwrap()
}

async fn a_saga_that_was_parked_for_longer_than_is_remembered_ends(on: On) {
    let directory = tempfile::tempdir().unwrap();
    let (schema, url) = (Schema::new("noop", &[]), on.url(directory.path(), "noop"));
    schema.migrate(&url).await.unwrap();
    let kit = Kit::open(&schema, &url, Arc::new(participant_kit::SystemClock)).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let broken = Arc::new(AtomicBool::new(false));
    let routes = tonic::service::Routes::new(NoopServer::new(Service(kit.clone(), broken.clone())));
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(Participant::new(&kit, routes).serve(listener, shutdown.clone()));

    let target = Target { participant: "noop", service: service_of("noop").unwrap(), uri };
    let dispatcher = GrpcDispatcher::new(vec![target], GrpcOptions::default()).unwrap();
    let store = SqliteStore::open(&directory.path().join("sagas"), &SqliteOptions::default()).await.unwrap();
    // Its third step is the pivot.
    let catalog = backstitch_sagas::catalog().unwrap().with(backstitch_sagas::synthetic(5).unwrap());
    let options = Options { recovery_interval: Duration::from_millis(50), ..Options::default() };
    let engine =
        Engine::start_up(Arc::new(store), Arc::new(dispatcher), catalog, Arc::new(SystemClock), options);
    let engine = engine.await.unwrap();

    // All of them are older than is remembered; one has ended, before the others began.
    let (ended, resumed, cancelled) = (aged(101 * DAY_MS), aged(100 * DAY_MS), aged(100 * DAY_MS - 1_000));
    assert_eq!(begin(&engine, ended).await, Status::Completed);
    broken.store(true, Ordering::SeqCst);
    for saga in [resumed, cancelled] {
        assert_eq!(begin(&engine, saga).await, Status::Parked);
    }
    broken.store(false, Ordering::SeqCst);

    // As sagas come and go the participant forgets what may be forgotten.
    engine.spawn_recovery();
    until("the saga that has ended is forgotten", async || {
        assert_eq!(begin(&engine, Uuid::now_v7()).await, Status::Completed);
        (rows(&kit, ended).await == 0).then_some(())
    })
    .await;
    let mark: i64 =
        sqlx::query_scalar("SELECT before_ms FROM barrier_forgotten").fetch_one(kit.reads()).await.unwrap();
    assert_eq!(Some(mark), born_ms(resumed), "it comes to the oldest that has not ended");
    assert_eq!((rows(&kit, resumed).await, rows(&kit, cancelled).await), (1, 1));

    engine.resume(resumed, "mended").await.unwrap();
    assert_eq!(end(&engine, resumed).await, Status::Completed);
    engine.cancel(cancelled, "no longer wanted").await.unwrap();
    assert_eq!(end(&engine, cancelled).await, Status::Compensated);
    engine.drain().await;
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}
