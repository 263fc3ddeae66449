//! Orders: a face of the order participant.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use backstitch_proto::common::{Address, Item, Money, PricedItem};
use backstitch_proto::order::{GetOrderRequest, Order, OrderReturn};
use serde::Serialize;

use super::parse::Segment;
use super::reply;
use crate::app::App;
use crate::problem::{Problem, kind};
use crate::refusals;

/// An order as it is told. A pending one may still be cancelled.
#[derive(Serialize)]
struct Document {
    order_id: String,
    order_number: String,
    checkout_id: String,
    status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    customer_id: String,
    email: String,
    items: Vec<PricedItem>,
    shipping_address: Option<Address>,
    shipping_method: String,
    shipping_price: Option<Money>,
    total: Option<Money>,
    payment_id: String,
    history: Vec<Change>,
    /// Oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    returns: Vec<Returned>,
}

/// A return of it. A claimed one may still be cancelled.
#[derive(Serialize)]
struct Returned {
    return_id: String,
    status: String,
    items: Vec<Item>,
    refund: Option<Money>,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    credit_note_number: String,
    created_at_unix_ms: i64,
}

impl From<OrderReturn> for Returned {
    fn from(back: OrderReturn) -> Self {
        Self {
            return_id: back.return_id,
            status: back.status,
            items: back.items,
            refund: back.refund,
            reason: back.reason,
            credit_note_number: back.credit_note_number,
            created_at_unix_ms: back.created_at_unix_ms,
        }
    }
}

#[derive(Serialize)]
struct Change {
    at_unix_ms: i64,
    status: String,
}

impl From<Order> for Document {
    fn from(order: Order) -> Self {
        let change =
            |c: backstitch_proto::order::StatusChange| Change { at_unix_ms: c.at_unix_ms, status: c.status };
        Self {
            order_id: order.order_id,
            order_number: order.order_number,
            checkout_id: order.checkout_id,
            status: order.status,
            customer_id: order.customer_id,
            email: order.email,
            items: order.items,
            shipping_address: order.shipping_address,
            shipping_method: order.shipping_method,
            shipping_price: order.shipping_price,
            total: order.total,
            payment_id: order.payment_id,
            history: order.history.into_iter().map(change).collect(),
            returns: order.returns.into_iter().map(Returned::from).collect(),
        }
    }
}

/// `GET /api/v1/orders/{order_id}`
pub(super) async fn get(State(app): State<Arc<App>>, order_id: Segment) -> Result<Response, Problem> {
    let message = GetOrderRequest { order_id: order_id.id("order_id")?.to_string() };
    let orders = app.clients.orders();
    let got = app.clients.read("order", message, |request| {
        let mut orders = orders.clone();
        async move { orders.get(request).await }
    });
    let order = got.await.map_err(|e| refusals::problem(e, &kind::UNKNOWN_ORDER, "order_id"))?;
    Ok(reply::json(StatusCode::OK, &Document::from(order)))
}
