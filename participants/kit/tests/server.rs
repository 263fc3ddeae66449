//! Serving a participant: health, reflection, sizes, panics, background loops and the end.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use backstitch_proto::noop::noop_client::NoopClient;
use backstitch_proto::noop::noop_server::{Noop, NoopServer};
use backstitch_proto::noop::{ActRequest, ActResponse, UndoRequest, UndoResponse};
use backstitch_services::On;
use common::Shop;
use participant_kit::{Background, MAX_MESSAGE_BYTES, Participant, Progress, ServeError};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

/// Does as its request's id says.
struct Echo {
    arrived: Arc<Semaphore>,
    gate: Arc<Semaphore>,
}

#[async_trait]
impl Noop for Echo {
    async fn act(&self, request: Request<ActRequest>) -> Result<Response<ActResponse>, Status> {
        let ActRequest { id, payload } = request.into_inner();
        match id.as_str() {
            "panic" => panic!("the handler panics"),
            "wait" => {
                self.arrived.add_permits(1);
                self.gate.acquire().await.unwrap().forget();
            }
            _ => {}
        }
        Ok(Response::new(ActResponse { payload }))
    }

    async fn undo(&self, _: Request<UndoRequest>) -> Result<Response<UndoResponse>, Status> {
        Ok(Response::new(UndoResponse {}))
    }
}

/// Says that there is more to do for a while; panics once on the way.
struct Worker {
    ticks: Arc<AtomicUsize>,
    enough: Arc<Semaphore>,
}

#[async_trait]
impl Background for Worker {
    fn name(&self) -> &'static str {
        "worker"
    }

    async fn tick(&self, _: i64) -> Progress {
        let tick = self.ticks.fetch_add(1, Ordering::SeqCst);
        assert!(tick != 3, "the fourth tick panics");
        if tick == 20 {
            self.enough.add_permits(1);
        }
        Progress::done(1, tick < 20)
    }
}

struct Served {
    channel: Channel,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
    arrived: Arc<Semaphore>,
    gate: Arc<Semaphore>,
    enough: Arc<Semaphore>,
    _shop: Shop,
}

async fn serve() -> Served {
    let shop = Shop::open(On::Sqlite).await;
    let semaphore = || Arc::new(Semaphore::new(0));
    let (arrived, gate, enough) = (semaphore(), semaphore(), semaphore());
    let routes =
        tonic::service::Routes::new(NoopServer::new(Echo { arrived: arrived.clone(), gate: gate.clone() }));
    let worker = Worker { ticks: Arc::default(), enough: enough.clone() };
    let mut participant = Participant::new(&shop.kit, routes).beside(worker);
    // Of its services, for health and reflection.
    participant.name = "noop";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(participant.serve(listener, shutdown.clone()));
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    Served { channel, shutdown, serving, arrived, gate, enough, _shop: shop }
}

fn request(id: &str, bytes: usize) -> ActRequest {
    ActRequest { id: id.into(), payload: vec![7; bytes].into() }
}

#[tokio::test]
async fn health_and_reflection_tell_of_the_participant_s_own_services() {
    let served = serve().await;
    let mut health = HealthClient::new(served.channel.clone());
    for service in ["", "backstitch.noop.v1.Noop"] {
        let check = health.check(HealthCheckRequest { service: service.into() }).await.unwrap().into_inner();
        assert_eq!(check.status, ServingStatus::Serving as i32, "{service}");
    }
    let mut reflection = ServerReflectionClient::new(served.channel.clone());
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = reflection.server_reflection_info(tokio_stream::once(list)).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list")
    };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["backstitch.noop.v1.Noop"]);
}

#[tokio::test]
async fn a_message_up_to_the_limit_is_read_and_one_beyond_it_is_no_verdict() {
    let mut client = NoopClient::new(serve().await.channel).max_decoding_message_size(2 * MAX_MESSAGE_BYTES);
    let fits = client.act(request("", MAX_MESSAGE_BYTES - 100)).await.unwrap().into_inner();
    assert_eq!(fits.payload.len(), MAX_MESSAGE_BYTES - 100);
    let status = client.act(request("", MAX_MESSAGE_BYTES + 1)).await.unwrap_err();
    assert_eq!((status.code(), status.details()), (Code::OutOfRange, &[][..]));
}

#[tokio::test]
async fn a_panic_in_a_handler_is_unknown_and_the_connection_s_other_calls_live_on() {
    let served = serve().await;
    let mut client = NoopClient::new(served.channel.clone());
    let mut other = client.clone();
    let waiting = tokio::spawn(async move { other.act(request("wait", 1)).await });
    served.arrived.acquire().await.unwrap().forget();
    let status = client.act(request("panic", 0)).await.unwrap_err();
    assert_eq!((status.code(), status.details()), (Code::Unknown, &[][..]));
    served.gate.add_permits(1);
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test]
async fn background_goes_on_while_there_is_more_and_after_a_panic() {
    let served = serve().await;
    served.enough.acquire().await.unwrap().forget();
    served.shutdown.cancel();
    drop(served.channel);
    served.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn at_the_end_calls_in_flight_finish_and_no_new_ones_begin() {
    let served = serve().await;
    let mut client = NoopClient::new(served.channel.clone());
    let waiting = tokio::spawn(async move { client.act(request("wait", 1)).await });
    served.arrived.acquire().await.unwrap().forget();
    served.shutdown.cancel();
    let mut late = NoopClient::new(served.channel.clone());
    while late.act(request("", 0)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!served.serving.is_finished());
    served.gate.add_permits(1);
    assert!(waiting.await.unwrap().is_ok());
    served.serving.await.unwrap().unwrap();
}
