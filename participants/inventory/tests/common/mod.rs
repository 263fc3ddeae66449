//! An inventory on a database of its own, called through its real handlers, and an auditor for its database.

#![allow(dead_code, clippy::unwrap_used, unreachable_pub, reason = "each test file uses some of it")]

use std::sync::Arc;

use backstitch_proto::common::{Item, Money};
use backstitch_proto::contract::{CallMeta, Op, Verdict};
use backstitch_proto::ids;
use backstitch_proto::inventory::inventory_client::InventoryClient;
use backstitch_proto::inventory::{
    CommitRequest, GetProductRequest, Product, PutProductRequest, ReleaseRequest, ReserveRequest,
    RestockRequest,
};
use backstitch_services::On;
use participant_inventory::Options;
use participant_kit::{ManualClock, Participant, testing};
use sqlx::{AnyConnection, Connection as _, Row as _};
use tempfile::TempDir;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use uuid::Uuid;

pub struct Shop {
    pub participant: Participant,
    pub client: InventoryClient<Routes>,
    url: String,
    /// Of the file, if it is one.
    pub directory: Arc<TempDir>,
}

pub const NOW_MS: i64 = 1_800_000_000_000;

async fn open(url: &str) -> Participant {
    let clock = Arc::new(ManualClock::new(NOW_MS));
    participant_inventory::open(Options { database_url: url.to_owned(), clock }).await.unwrap()
}

impl Shop {
    pub async fn open(on: On) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let url = on.url(directory.path(), "inventory");
        participant_inventory::SCHEMA.migrate(&url).await.unwrap();
        Self::open_at(url, directory).await
    }

    async fn open_at(url: String, directory: Arc<TempDir>) -> Self {
        let participant = open(&url).await;
        Self { client: InventoryClient::new(participant.routes.clone()), participant, url, directory }
    }

    /// Another process over the same database.
    pub async fn beside(&self) -> Self {
        Self::open_at(self.url.clone(), self.directory.clone()).await
    }

    /// The same database, opened again.
    pub async fn reopen(self) -> Self {
        let Self { participant, client, url, directory } = self;
        drop((participant, client));
        Self::open_at(url, directory).await
    }

    pub async fn put(&self, request: PutProductRequest) -> Result<Product, Status> {
        self.client.clone().put_product(request).await.map(Response::into_inner)
    }

    pub async fn get(&self, sku: &str) -> Product {
        let request = GetProductRequest { sku: sku.into() };
        self.client.clone().get_product(request).await.unwrap().into_inner()
    }

    /// (on hand, reserved, sold)
    pub async fn stock(&self, sku: &str) -> (i64, i64, i64) {
        let product = self.get(sku).await;
        (product.on_hand, product.reserved, product.sold)
    }

    pub async fn database(&self) -> AnyConnection {
        AnyConnection::connect(&self.url).await.unwrap()
    }

    /// The laws of the database at rest; see the migration.
    pub async fn audit(&self) {
        const SQL: &str = "
            WITH lines AS (
                SELECT l.sku, l.quantity - l.restocked AS quantity, r.status
                FROM reservation_lines l
                JOIN reservations r ON r.reservation_id = l.reservation_id
            )
            SELECT s.sku, s.on_hand, s.reserved, s.sold,
                CAST(COALESCE((SELECT SUM(c.quantity) FROM stock_corrections c
                    WHERE c.sku = s.sku), 0) AS BIGINT) AS counted,
                CAST(COALESCE((SELECT SUM(l.quantity) FROM lines l
                    WHERE l.sku = s.sku AND l.status = 'reserved'), 0) AS BIGINT) AS held,
                CAST(COALESCE((SELECT SUM(l.quantity) FROM lines l
                    WHERE l.sku = s.sku AND l.status = 'sold'), 0) AS BIGINT) AS gone
            FROM stock s";
        const BACK: &str = "
            SELECT l.sku, l.quantity, l.restocked,
                CAST(COALESCE((SELECT SUM(b.quantity) FROM restock_lines b
                    JOIN restocks r ON r.restock_id = b.restock_id
                    WHERE r.reservation_id = l.reservation_id AND b.sku = l.sku), 0) AS BIGINT) AS back
            FROM reservation_lines l";
        let rows = sqlx::query(BACK).fetch_all(&mut self.database().await).await.unwrap();
        for row in rows {
            let n = |name: &str| row.try_get::<i64, _>(name).unwrap();
            assert_eq!(n("restocked"), n("back"), "what came back is what restocks say");
            assert!(n("restocked") <= n("quantity"), "more came back than there was");
        }
        let rows = sqlx::query(SQL).fetch_all(&mut self.database().await).await.unwrap();
        for row in rows {
            let n = |name: &str| row.try_get::<i64, _>(name).unwrap();
            let sku: String = row.try_get("sku").unwrap();
            assert!(n("on_hand") >= 0 && n("reserved") >= 0 && n("sold") >= 0, "{sku} is negative");
            assert_eq!(
                n("on_hand") + n("reserved") + n("sold"),
                n("counted"),
                "{sku}: stock is what was counted"
            );
            assert_eq!(n("reserved"), n("held"), "{sku}: reserved is what open reservations hold");
            assert_eq!(n("sold"), n("gone"), "{sku}: sold is what committed reservations held");
        }
    }

    /// Kinds and payloads of the events under a key, in their order.
    pub async fn events(&self, key: &str) -> Vec<(String, serde_json::Value)> {
        let rows = self.participant.outbox.pending(10_000).await.unwrap();
        let rows = rows.into_iter().filter(|row| row.event.key == key);
        rows.map(|row| (row.event.kind, serde_json::from_slice(&row.event.payload).unwrap())).collect()
    }

    pub async fn reserve(&self, saga: &Saga, items: &[(&str, i64)]) -> Result<(), Status> {
        let request = saga.call("reserve_stock", Op::Do, saga.wish(items));
        self.client.clone().reserve(request).await.map(|_| ())
    }

    pub async fn close_reserve(&self, saga: &Saga, items: &[(&str, i64)]) -> Result<(), Status> {
        let request = saga.call("reserve_stock", Op::Close, saga.wish(items));
        self.client.clone().reserve(request).await.map(|_| ())
    }

    pub async fn release(&self, saga: &Saga) -> Result<(), Status> {
        let request = ReleaseRequest { reservation_id: saga.reservation() };
        self.client.clone().release(saga.call("reserve_stock", Op::Undo, request)).await.map(|_| ())
    }

    pub async fn commit(&self, saga: &Saga) -> Result<(), Status> {
        self.commit_reservation(saga, saga.reservation()).await
    }

    pub async fn commit_reservation(&self, saga: &Saga, reservation_id: String) -> Result<(), Status> {
        let request = saga.call("commit_stock", Op::Do, CommitRequest { reservation_id });
        self.client.clone().commit(request).await.map(|_| ())
    }

    pub async fn restock(&self, back: &Back, items: &[(&str, i64)]) -> Result<(), Status> {
        let request = back.call(Op::Do, back.wish(items));
        self.client.clone().restock(request).await.map(|_| ())
    }
}

/// A return, as far as inventory sees one: its saga, and the checkout whose goods come back.
#[derive(Clone, Copy, Debug)]
pub struct Back {
    pub saga: Uuid,
    pub of: Saga,
}

impl Back {
    pub fn of(of: Saga) -> Self {
        Self { saga: Uuid::now_v7(), of }
    }

    pub fn id(self) -> String {
        ids::derived(self.saga, "restock").to_string()
    }

    pub fn wish(self, items: &[(&str, i64)]) -> RestockRequest {
        RestockRequest {
            restock_id: self.id(),
            reservation_id: self.of.reservation(),
            items: items.iter().map(|&(sku, quantity)| item(sku, quantity)).collect(),
        }
    }

    fn meta(self, op: Op) -> CallMeta {
        let call = testing::call(self.saga, "restock", op);
        CallMeta { root: self.of.0, name: "return".into(), ..call }
    }

    pub fn call<T>(self, op: Op, message: T) -> Request<T> {
        testing::request(&self.meta(op), message)
    }

    pub fn verdict(self, answer: &Result<(), Status>) -> Verdict {
        let status = answer.as_ref().unwrap_err();
        testing::verdict(&self.meta(Op::Do), participant_inventory::NAME, status)
    }

    /// Why it is Broken.
    pub fn broken(self, answer: &Result<(), Status>) -> String {
        match self.verdict(answer) {
            Verdict::Broken(why) => why,
            other => panic!("not broken: {other:?}"),
        }
    }
}

/// A checkout, as far as inventory sees one.
#[derive(Clone, Copy, Debug)]
pub struct Saga(pub Uuid);

impl Saga {
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    pub fn reservation(self) -> String {
        ids::derived(self.0, "reservation").to_string()
    }

    pub fn wish(self, items: &[(&str, i64)]) -> ReserveRequest {
        let items = items.iter().map(|&(sku, quantity)| item(sku, quantity)).collect();
        ReserveRequest { reservation_id: self.reservation(), items }
    }

    pub fn call<T>(self, step: &str, op: Op, message: T) -> Request<T> {
        testing::request(&testing::call(self.0, step, op), message)
    }

    /// What the contract reads from the answer of this saga's call.
    pub fn verdict(self, step: &str, op: Op, answer: &Result<(), Status>) -> Verdict {
        let status = answer.as_ref().unwrap_err();
        testing::verdict(&testing::call(self.0, step, op), participant_inventory::NAME, status)
    }

    pub fn reserve_verdict(self, answer: &Result<(), Status>) -> Verdict {
        self.verdict("reserve_stock", Op::Do, answer)
    }
}

pub fn item(sku: &str, quantity: i64) -> Item {
    Item { sku: sku.into(), quantity }
}

pub fn product(sku: &str, stock: i64) -> PutProductRequest {
    PutProductRequest {
        sku: sku.into(),
        name: format!("Product {sku}"),
        price: Some(Money { amount_minor: 255, currency: "GBP".into() }),
        weight_grams: 100,
        stock,
        if_match: String::new(),
    }
}

/// Reason and facts of a refusal.
pub fn refused(verdict: Verdict) -> (String, Vec<(String, String)>) {
    match verdict {
        Verdict::Refused(refusal) => (refusal.reason, refusal.metadata.into_iter().collect()),
        other => panic!("not refused: {other:?}"),
    }
}
