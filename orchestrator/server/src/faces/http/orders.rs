//! Orders: a face of the order participant.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use backstitch_proto::common::{Address, Item, Money, PricedItem};
use backstitch_proto::ids::derived;
use backstitch_proto::order::{GetOrderRequest, Order, OrderReturn};
use backstitch_proto::payment::{GetPaymentRequest, RefundDocument};
use backstitch_sagas::return_thing;
use serde::Serialize;
use uuid::Uuid;

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
    /// `pending | done | failed`: where the money is that it gives back. One that was done may fail after all. Absent
    /// where nobody can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_status: Option<String>,
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
            refund_status: None,
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
    let mut document = Document::from(order);
    if !document.returns.is_empty() {
        let refunds = refunds(&app, &document.payment_id).await;
        for back in &mut document.returns {
            back.refund_status = back.return_id.parse().ok().and_then(|id: Uuid| {
                let refund = derived(id, return_thing::REFUND).to_string();
                refunds.iter().find(|shown| shown.refund_id == refund).map(|shown| shown.status.clone())
            });
        }
    }
    Ok(reply::json(StatusCode::OK, &document))
}

/// The refunds of a payment; none while nobody can say: an order is shown without them rather than not at all.
async fn refunds(app: &App, payment: &str) -> Vec<RefundDocument> {
    let payments = app.clients.payments();
    let got = app.clients.read("payment", GetPaymentRequest { payment_id: payment.to_owned() }, |request| {
        let mut payments = payments.clone();
        async move { payments.get_payment(request).await }
    });
    got.await.map(|payment| payment.refunds).unwrap_or_default()
}
