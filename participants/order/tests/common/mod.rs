//! An order participant in a house of its own, and what is asked of it.

// Each test file uses some of it.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

#[path = "../harness/mod.rs"]
pub(crate) mod harness;

use std::sync::Arc;

use backstitch_proto::common::{Address, Item, Money, PricedItem};
use backstitch_proto::contract::{Op, Verdict};
use backstitch_proto::order::orders_client::OrdersClient;
use backstitch_proto::order::{
    CancelOrderRequest, CancelReturnRequest, CompleteReturnRequest, ConfirmOrderRequest, CreateOrderRequest,
    CreateOrderResponse, CreateReturnRequest, CreateReturnResponse, GetOrderRequest, Order,
};
use backstitch_services::On;
use participant_kit::ManualClock;
use sqlx::{AnyConnection, Connection as _, Row as _};
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use harness::{Call, Served, call};

pub(crate) const NOW_MS: i64 = 1_790_000_000_000;

pub(crate) struct House {
    pub(crate) served: Served,
    pub(crate) orders: OrdersClient<Channel>,
    pub(crate) clock: ManualClock,
    pub(crate) url: String,
    pub(crate) directory: TempDir,
}

impl House {
    pub(crate) async fn open(on: On) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = harness::database(on, directory.path(), &participant_order::SCHEMA).await;
        Self::open_at(url, directory).await
    }

    pub(crate) async fn open_at(url: String, directory: TempDir) -> Self {
        let clock = ManualClock::new(NOW_MS);
        let options = participant_order::Options::new(&url, Arc::new(clock.clone()));
        let served = Served::start(participant_order::open(options).await.unwrap()).await;
        Self { orders: OrdersClient::new(served.channel.clone()), served, clock, url, directory }
    }

    /// Another process over the same database.
    pub(crate) async fn restart(self) -> Self {
        drop(self.orders);
        self.served.stop().await;
        Self::open_at(self.url, self.directory).await
    }

    pub(crate) async fn create(
        &self,
        call: &Call,
        order: &CreateOrderRequest,
    ) -> Result<CreateOrderResponse, Status> {
        Ok(self.orders.clone().create(call.with(order.clone())).await?.into_inner())
    }

    pub(crate) async fn cancel(&self, saga: Uuid, order: Uuid) -> Result<(), Status> {
        let request = CancelOrderRequest { order_id: order.to_string() };
        self.orders.clone().cancel(undo(saga).with(request)).await.map(drop)
    }

    pub(crate) async fn confirm(&self, saga: Uuid, order: Uuid) -> Result<String, Status> {
        let request = ConfirmOrderRequest { order_id: order.to_string() };
        Ok(self.orders.clone().confirm(confirm(saga).with(request)).await?.into_inner().order_number)
    }

    /// An order that stands, of a new saga.
    pub(crate) async fn stands(&self, order: &CreateOrderRequest) {
        let saga: Uuid = order.checkout_id.parse().unwrap();
        self.create(&create(saga), order).await.unwrap();
        self.confirm(saga, order_id(saga)).await.unwrap();
    }

    pub(crate) async fn create_return(
        &self,
        back: Back,
        request: &CreateReturnRequest,
    ) -> Result<CreateReturnResponse, Status> {
        let request = back.create().with(request.clone());
        Ok(self.orders.clone().create_return(request).await?.into_inner())
    }

    pub(crate) async fn cancel_return(&self, back: Back) -> Result<(), Status> {
        let request = CancelReturnRequest { return_id: back.id() };
        self.orders.clone().cancel_return(back.undo().with(request)).await.map(drop)
    }

    pub(crate) async fn complete_return(&self, back: Back) -> Result<String, Status> {
        let request = back.complete().with(CompleteReturnRequest { return_id: back.id() });
        Ok(self.orders.clone().complete_return(request).await?.into_inner().credit_note_number)
    }

    /// The laws of the database; see the migration of returns.
    pub(crate) async fn audit(&self) {
        let mut conn = AnyConnection::connect(&self.url).await.unwrap();
        let lines = sqlx::query(
            "SELECT i.order_id, i.line, i.quantity, i.returned,
                CAST(COALESCE((SELECT SUM(l.quantity) FROM order_return_lines l
                    JOIN order_returns r ON r.return_id = l.return_id
                    WHERE r.order_id = i.order_id AND l.line = i.line
                    AND r.status <> 'cancelled'), 0) AS BIGINT) AS claimed
            FROM order_items i",
        );
        for row in lines.fetch_all(&mut conn).await.unwrap() {
            let n = |name: &str| row.try_get::<i64, _>(name).unwrap();
            assert_eq!(n("returned"), n("claimed"), "line {}: what its returns say", n("line"));
            assert!(n("returned") <= n("quantity"), "line {}: more than was bought", n("line"));
        }
        let orders = sqlx::query(
            "SELECT o.total_minor, o.returned_minor,
                CAST(COALESCE((SELECT SUM(r.refund_minor) FROM order_returns r
                    WHERE r.order_id = o.order_id AND r.status <> 'cancelled'), 0) AS BIGINT) AS claimed,
                CAST(COALESCE((SELECT SUM(i.quantity - i.returned) FROM order_items i
                    WHERE i.order_id = o.order_id), 0) AS BIGINT) AS units_left
            FROM orders o",
        );
        for row in orders.fetch_all(&mut conn).await.unwrap() {
            let n = |name: &str| row.try_get::<i64, _>(name).unwrap();
            assert_eq!(n("returned_minor"), n("claimed"), "what its returns give back");
            assert!(n("returned_minor") <= n("total_minor"), "more than was paid");
            assert!(
                n("units_left") > 0 || n("returned_minor") == n("total_minor"),
                "everything came back, and {} of {} with it",
                n("returned_minor"),
                n("total_minor")
            );
        }
        conn.close().await.unwrap();
    }

    pub(crate) async fn get(&self, order: Uuid) -> Result<Order, Status> {
        let request = GetOrderRequest { order_id: order.to_string() };
        Ok(self.orders.clone().get(request).await?.into_inner())
    }
}

pub(crate) fn create(saga: Uuid) -> Call {
    call(saga, "create_order", Op::Do)
}

pub(crate) fn undo(saga: Uuid) -> Call {
    call(saga, "create_order", Op::Undo)
}

pub(crate) fn close(saga: Uuid) -> Call {
    call(saga, "create_order", Op::Close)
}

pub(crate) fn confirm(saga: Uuid) -> Call {
    call(saga, "confirm_order", Op::Do)
}

pub(crate) fn gbp(amount_minor: i64) -> Option<Money> {
    Some(Money { amount_minor, currency: "GBP".into() })
}

pub(crate) fn item(sku: &str, quantity: i64, price: i64) -> PricedItem {
    PricedItem {
        sku: sku.into(),
        quantity,
        name: format!("THING {sku}"),
        unit_price: gbp(price),
        unit_weight_grams: 100,
    }
}

/// An order of saga `saga`, over 2 x 2.50 + 1 x 3.39 + 3.95 shipping.
pub(crate) fn order(saga: Uuid) -> CreateOrderRequest {
    CreateOrderRequest {
        order_id: order_id(saga).to_string(),
        checkout_id: saga.to_string(),
        customer_id: "17850".into(),
        email: "ada@example.com".into(),
        items: vec![item("85123A", 2, 250), item("71053", 1, 339)],
        shipping_address: Some(Address {
            name: "Ada Lovelace".into(),
            line1: "12 St James's Square".into(),
            city: "London".into(),
            postal_code: "SW1Y 4JH".into(),
            country: "GB".into(),
            ..Default::default()
        }),
        shipping_method: "standard".into(),
        shipping_price: gbp(395),
        total: gbp(1234),
        payment_id: backstitch_proto::ids::derived(saga, "payment").to_string(),
    }
}

pub(crate) fn order_id(saga: Uuid) -> Uuid {
    backstitch_proto::ids::derived(saga, "order")
}

#[track_caller]
pub(crate) fn broken(call: &Call, result: Result<impl std::fmt::Debug, Status>) -> String {
    match call.verdict(&result.unwrap_err(), "order") {
        Verdict::Broken(why) => why,
        other => panic!("not broken: {other:?}"),
    }
}

/// A return: its saga, and the checkout whose goods come back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Back {
    pub(crate) saga: Uuid,
    pub(crate) root: Uuid,
}

impl Back {
    /// A new one.
    pub(crate) fn of(root: Uuid) -> Self {
        Self { saga: Uuid::now_v7(), root }
    }

    pub(crate) fn id(self) -> String {
        backstitch_proto::ids::derived(self.saga, "return").to_string()
    }

    /// Of these items; of everything if there are none.
    pub(crate) fn wish(self, items: &[(&str, i64)]) -> CreateReturnRequest {
        CreateReturnRequest {
            return_id: self.id(),
            order_id: order_id(self.root).to_string(),
            items: items.iter().map(|&(sku, quantity)| Item { sku: sku.into(), quantity }).collect(),
            reason: "it does not fit".into(),
            make_good: false,
        }
    }

    fn call(self, step: &str, op: Op) -> Call {
        call(self.saga, step, op).of_family(self.root, "return")
    }

    pub(crate) fn create(self) -> Call {
        self.call("create_return", Op::Do)
    }

    pub(crate) fn close(self) -> Call {
        self.call("create_return", Op::Close)
    }

    pub(crate) fn undo(self) -> Call {
        self.call("create_return", Op::Undo)
    }

    pub(crate) fn complete(self) -> Call {
        self.call("write_credit_note", Op::Do)
    }
}
