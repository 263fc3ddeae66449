//! A whole orchestrator in a test: both faces on loopback, the real engine over a store in memory, and participants
//! that do as they are told.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

pub mod participants;

use std::sync::Arc;
use std::time::Duration;

use backstitch_core::Catalog;
use backstitch_engine::{
    Engine, GrpcDispatcher, GrpcOptions, Options as EngineOptions, Sharing, SystemClock, Target,
};
use backstitch_server::{Clients, Options, ServeError, Server, channel};
use backstitch_store::testing::MemoryStore;
use backstitch_store::{Append, NewSaga, Store as _, Verdict};
use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusBuilder;
use participants::Participants;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// An address where nobody is.
pub const NOWHERE: &str = "http://127.0.0.1:1";

const SERVICES: [(&str, &str); 7] = [
    ("inventory", "backstitch.inventory.v1.Inventory"),
    ("shipping", "backstitch.shipping.v1.Shipping"),
    ("payment", "backstitch.payment.v1.Payment"),
    ("order", "backstitch.order.v1.Orders"),
    ("cart", "backstitch.cart.v1.Carts"),
    ("notification", "backstitch.notification.v1.Notifications"),
    ("noop", "backstitch.noop.v1.Noop"),
];

/// How a world differs from the usual one.
pub struct Setup {
    /// Sagas live at once.
    pub max_live: usize,
    /// Offer the benchmark's endpoint.
    pub bench: bool,
    /// Participants that nobody answers for.
    pub away: &'static [&'static str],
    /// Participants whose address the orchestrator was not given.
    pub unknown: &'static [&'static str],
    /// Checkouts that a former node has left behind: their journals, byte for byte.
    pub left_behind: Vec<(Uuid, Vec<Bytes>)>,
    /// The node's name.
    pub node: &'static str,
    /// What it can run.
    pub catalog: Catalog,
    /// The store, where another node has used it.
    pub store: Arc<MemoryStore>,
    /// How long a lease lasts, where other nodes use the store too.
    pub sharing: Option<Duration>,
    /// Where others are told that it is called, instead of where it is.
    pub advertise: Option<&'static str>,
    /// Participants that another node has already, and where they are.
    pub participants: Option<(Participants, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        let catalog = backstitch_sagas::catalog().unwrap().with(backstitch_sagas::synthetic(7).unwrap());
        Self {
            max_live: 1000,
            bench: false,
            away: &[],
            unknown: &[],
            left_behind: Vec::new(),
            node: "local",
            catalog,
            store: Arc::default(),
            sharing: None,
            advertise: None,
            participants: None,
        }
    }
}

/// A running orchestrator.
pub struct World {
    pub http: String,
    pub grpc: String,
    pub participants: Participants,
    /// Where they are.
    pub participants_at: String,
    pub store: Arc<MemoryStore>,
    pub engine: Engine,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<Result<(), ServeError>>,
    client: reqwest::Client,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let (participants, at) = match setup.participants.clone() {
            Some(there) => there,
            None => Participants::serve().await,
        };
        let (http, grpc) = (listener().await, listener().await);
        let (http_at, grpc_at) = (http.local_addr().unwrap(), grpc.local_addr().unwrap());
        let sharing = setup.sharing.map(|term| Sharing {
            address: setup.advertise.map_or_else(|| format!("http://{grpc_at}"), str::to_owned),
            term,
        });
        let uri = |name: &str| if setup.away.contains(&name) { NOWHERE.to_owned() } else { at.clone() };
        let targets =
            SERVICES.map(|(participant, service)| Target { participant, service, uri: uri(participant) });
        let dispatcher = GrpcDispatcher::new(targets.to_vec(), GrpcOptions::default()).unwrap();
        let store = setup.store.clone();
        if !setup.left_behind.is_empty() {
            leave_behind(&store, setup.left_behind).await;
        }
        let (max_live, node) = (setup.max_live, setup.node.to_owned());
        let options = EngineOptions { max_live, node, sharing, ..Default::default() };
        let (dispatcher, clock) = (Arc::new(dispatcher), Arc::new(SystemClock));
        let engine = Engine::start_up(store.clone(), dispatcher, setup.catalog.clone(), clock, options);
        let engine = engine.await.unwrap();
        if setup.sharing.is_some() {
            engine.spawn_recovery();
        }

        let participants_at = at.clone();
        let at = |name: &str| channel(&uri(name)).unwrap();
        let clients = Clients::new(at("inventory"), at("cart"), at("order"), at("payment"));
        let known = SERVICES.iter().map(|(name, _)| *name).filter(|name| !setup.unknown.contains(name));
        let clients = known.fold(clients, |clients, name| clients.probing(name, at(name)));
        let options =
            Options { bench: setup.bench, drain_patience: Duration::from_secs(5), ..Default::default() };
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let server = Server::new(engine.clone(), clients, options).with_metrics(metrics);
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(server.serve(http, grpc, shutdown.clone()));
        Self {
            http: format!("http://{http_at}"),
            grpc: format!("http://{grpc_at}"),
            participants,
            participants_at,
            store,
            engine,
            shutdown,
            serving,
            client: reqwest::Client::new(),
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.http))
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::PUT, path).json(body).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str) -> Answer {
        answer(self.request(Method::POST, path).send().await.unwrap()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path).send().await.unwrap()).await
    }

    /// Posts a checkout.
    pub async fn checkout(&self, key: &str, body: &Value) -> Answer {
        answer(self.checkout_request(key, body).send().await.unwrap()).await
    }

    /// Posts a checkout and waits for its end.
    pub async fn checkout_final(&self, key: &str, body: &Value) -> Answer {
        answer(self.checkout_request(key, body).header("Prefer", "wait=30").send().await.unwrap()).await
    }

    pub fn checkout_request(&self, key: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, "/api/v1/checkouts").header("Idempotency-Key", key).json(body)
    }
}

async fn leave_behind(store: &MemoryStore, journals: Vec<(Uuid, Vec<Bytes>)>) {
    let lease = store.acquire("former", 0).await.unwrap()[0];
    for (saga, records) in journals {
        let start = NewSaga {
            scope: "global".into(),
            key: None,
            request_hash: [0; 32],
            definition: "checkout".into(),
            version: 1,
            started_at_ms: 1,
        };
        let append = Append {
            saga,
            root: saga,
            shard: lease.shard,
            epoch: lease.epoch,
            start: Some(start),
            first_seq: 1,
            records,
            summary: None,
            events: Vec::new(),
        };
        assert_eq!(store.commit(&[append]).await.unwrap(), [Verdict::Committed]);
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or("")
    }

    /// Checks that it is a problem of this kind at this place.
    #[track_caller]
    pub fn is_problem(&self, status: u16, slug: &str, field: &str) {
        let told = (self.status, self.text("/type"), self.text("/field"));
        assert_eq!(told, (status, format!("/problems/{slug}").as_str(), field), "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert!(!self.text("/title").is_empty() && !self.text("/detail").is_empty());
    }
}

pub async fn answer(response: Response) -> Answer {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    let body =
        serde_json::from_slice(&bytes).unwrap_or(Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Answer { status, headers, body }
}

/// A checkout of this cart.
pub fn order_of(cart: &str) -> Value {
    json!({
        "cart_id": cart,
        "email": "ada@example.com",
        "shipping_address": {
            "name": "Ada Lovelace", "line1": "12 St James's Square", "city": "London", "postal_code": "SW1Y 4JH",
            "country": "GB",
        },
        "shipping_method": "standard",
        "payment_method": "tok_ok",
    })
}
