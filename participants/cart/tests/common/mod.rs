//! Carts on a database of their own, called through their real handlers.

#![allow(dead_code, clippy::unwrap_used, unreachable_pub, reason = "each test file uses some of it")]

use std::sync::Arc;

use backstitch_proto::cart::carts_client::CartsClient;
use backstitch_proto::cart::{
    Cart, ClearCartRequest, DeleteCartRequest, FreeCartRequest, GetCartRequest, HoldCartRequest,
    LetGoCartRequest, MergeCartsRequest, PutCartRequest,
};
use backstitch_proto::common::Item;
use backstitch_proto::contract::{CallMeta, Op, Refusal, Verdict};
use backstitch_services::On;
use participant_cart::{Options, RedisOptions};
use participant_kit::{Clock as _, Kit, ManualClock, Participant, Progress, testing};
use sqlx::{AnyConnection, Connection as _};
use tempfile::TempDir;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;
use uuid::{NoContext, Timestamp, Uuid};

pub struct Shop {
    pub participant: Participant,
    pub client: CartsClient<Routes>,
    pub clock: ManualClock,
    url: String,
    /// Of the file, if it is one.
    pub directory: Arc<TempDir>,
    pub redis: Option<RedisOptions>,
}

pub const HOUR_MS: i64 = 60 * 60 * 1000;
pub const DAY_MS: i64 = 24 * HOUR_MS;

async fn open(url: &str, clock: &ManualClock, redis: Option<RedisOptions>) -> Participant {
    participant_cart::open(Options { redis, ..Options::new(url, Arc::new(clock.clone())) }).await.unwrap()
}

impl Shop {
    pub async fn open(on: On) -> Self {
        Self::open_on(on, None).await
    }

    pub async fn open_on(on: On, redis: Option<RedisOptions>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = on.url(directory.path(), "cart");
        participant_cart::SCHEMA.migrate(&url).await.unwrap();
        Self::open_at(url, Arc::new(directory), ManualClock::new(1_800_000_000_000), redis).await
    }

    async fn open_at(
        url: String,
        directory: Arc<TempDir>,
        clock: ManualClock,
        redis: Option<RedisOptions>,
    ) -> Self {
        let participant = open(&url, &clock, redis.clone()).await;
        let client = CartsClient::new(participant.routes.clone());
        Self { client, participant, clock, url, directory, redis }
    }

    /// Another process over the same database.
    pub async fn beside(&self, redis: Option<RedisOptions>) -> Self {
        Self::open_at(self.url.clone(), self.directory.clone(), self.clock.clone(), redis).await
    }

    /// The same database, opened again.
    pub async fn reopen(self) -> Self {
        let Self { participant, client, clock, url, directory, redis } = self;
        drop((participant, client));
        Self::open_at(url, directory, clock, redis).await
    }

    pub async fn try_get(&self, id: &str) -> Option<Cart> {
        self.ask(id, false).await
    }

    /// As the database has it.
    pub async fn fresh(&self, id: &str) -> Option<Cart> {
        self.ask(id, true).await
    }

    async fn ask(&self, id: &str, fresh: bool) -> Option<Cart> {
        match self.client.clone().get(GetCartRequest { cart_id: id.into(), fresh }).await {
            Ok(cart) => Some(cart.into_inner()),
            Err(status) if status.code() == Code::NotFound => None,
            Err(status) => panic!("{status}"),
        }
    }

    pub async fn get(&self, id: &str) -> Cart {
        self.try_get(id).await.unwrap()
    }

    pub async fn try_put(&self, id: &str, customer: &str, items: &[(&str, i64)]) -> Result<Cart, Status> {
        let request =
            PutCartRequest { cart_id: id.into(), customer_id: customer.into(), items: lines(items) };
        self.client.clone().put(request).await.map(Response::into_inner)
    }

    pub async fn put(&self, id: &str, items: &[(&str, i64)]) -> Cart {
        self.try_put(id, "", items).await.unwrap()
    }

    pub async fn delete(&self, id: &str) -> Result<(), Status> {
        self.client.clone().delete(DeleteCartRequest { cart_id: id.into() }).await.map(|_| ())
    }

    pub async fn merge(&self, guest: &str, into: &str, customer: &str) -> Result<Cart, Status> {
        let request = MergeCartsRequest {
            guest_cart_id: guest.into(),
            customer_cart_id: into.into(),
            customer_id: customer.into(),
        };
        self.client.clone().merge(request).await.map(Response::into_inner)
    }

    pub async fn hold(&self, saga: Saga, id: &str, version: i64) -> Result<(), Status> {
        let request = saga.call("hold_cart", Op::Do, HoldCartRequest { cart_id: id.into(), version });
        self.client.clone().hold(request).await.map(|_| ())
    }

    pub async fn free(&self, saga: Saga, id: &str) -> Result<(), Status> {
        let request = saga.call("hold_cart", Op::Undo, FreeCartRequest { cart_id: id.into() });
        self.client.clone().free(request).await.map(|_| ())
    }

    pub async fn clear(&self, saga: Saga, id: &str, bought: &[(&str, i64)]) -> Result<(), Status> {
        let request = ClearCartRequest { cart_id: id.into(), items: lines(bought) };
        self.client.clone().clear(saga.call("clear_cart", Op::Do, request)).await.map(|_| ())
    }

    /// A saga that makes `checkout` good lets its cart go.
    pub async fn let_go(&self, saga: Saga, checkout: Saga, id: &str) -> Result<(), Status> {
        self.ask_to_let_go(saga, checkout, Op::Do, id).await
    }

    pub async fn ask_to_let_go(&self, saga: Saga, checkout: Saga, op: Op, id: &str) -> Result<(), Status> {
        let call = testing::call(saga.0, "let_go_cart", op);
        let call = CallMeta { root: checkout.0, name: "make_good".into(), ..call };
        let request = testing::request(&call, LetGoCartRequest { cart_id: id.into() });
        self.client.clone().let_go(request).await.map(|_| ())
    }

    /// Lets the expiry do what is due now.
    pub async fn tick(&self) -> Progress {
        self.tick_of("cart expiry").await
    }

    /// Lets the barrier forget sagas born before `before_ms`, of at most so many rows, and then what goes with them; an hour
    /// passes.
    pub async fn forget(&self, before_ms: i64, limit: u32) {
        let kit =
            Kit::open(&participant_cart::SCHEMA, &self.url, Arc::new(self.clock.clone())).await.unwrap();
        kit.purge(before_ms, limit).await.unwrap();
        self.clock.advance(HOUR_MS);
        let progress = self.tick_of("forgetting carts that were let go of").await;
        assert_eq!(progress.problem, None);
    }

    /// The checkouts of which it is known that they have let their carts go.
    pub async fn known_to_have_let_go(&self) -> Vec<Saga> {
        let mut conn = AnyConnection::connect(&self.url).await.unwrap();
        let sql = "SELECT checkout_id FROM carts_let_go ORDER BY checkout_id";
        let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap();
        rows.iter().map(|id| Saga(id.parse().unwrap())).collect()
    }

    /// Lets the connection to Redis be looked after.
    pub async fn look_after_copies(&self) -> Progress {
        self.tick_of("cart copies").await
    }

    async fn tick_of(&self, name: &str) -> Progress {
        let background = self.participant.background.iter().find(|background| background.name() == name);
        background.unwrap().tick(self.clock.now_ms()).await
    }

    /// Kinds and payloads of the events under a key, in their order.
    pub async fn events(&self, key: &str) -> Vec<(String, serde_json::Value)> {
        let rows = self.participant.outbox.pending(1000).await.unwrap();
        let rows = rows.into_iter().filter(|row| row.event.key == key);
        rows.map(|row| (row.event.kind, serde_json::from_slice(&row.event.payload).unwrap())).collect()
    }
}

/// A checkout, as far as the cart sees one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saga(pub Uuid);

impl Saga {
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// One that was born then.
    pub fn born(at_ms: i64) -> Self {
        let (seconds, millis) = (at_ms / 1000, at_ms % 1000);
        let nanos = u32::try_from(millis).unwrap() * 1_000_000;
        Self(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds.unsigned_abs(), nanos)))
    }

    pub fn call<T>(self, step: &str, op: Op, message: T) -> Request<T> {
        testing::request(&testing::call(self.0, step, op), message)
    }

    /// What the contract reads from the answer of this saga's call.
    pub fn verdict(self, step: &str, op: Op, answer: &Result<(), Status>) -> Verdict {
        let status = answer.as_ref().unwrap_err();
        testing::verdict(&testing::call(self.0, step, op), participant_cart::NAME, status)
    }

    /// The refusal of a hold.
    pub fn refusal(self, answer: &Result<(), Status>) -> Refusal {
        match self.verdict("hold_cart", Op::Do, answer) {
            Verdict::Refused(refusal) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }
}

pub fn lines(items: &[(&str, i64)]) -> Vec<Item> {
    items.iter().map(|&(sku, quantity)| Item { sku: sku.into(), quantity }).collect()
}

/// The reason of a plain refusal outside any saga.
pub fn reason(status: &Status) -> String {
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    status.get_details_error_info().unwrap().reason
}

/// The field that a request was refused for.
pub fn field(status: &Status) -> String {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    status.get_details_bad_request().unwrap().field_violations[0].field.clone()
}
