//! The checkout.

use std::time::Duration;

use backstitch_core::{Context, Definition, DefinitionBuilder, DefinitionError, Invalid};
use backstitch_proto::cart::{ClearCartRequest, FreeCartRequest, HoldCartRequest};
use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::ids::derived;
use backstitch_proto::inventory::{CommitRequest, ReleaseRequest, ReserveRequest};
use backstitch_proto::notification::NotifyRequest;
use backstitch_proto::order::{
    CancelOrderRequest, ConfirmOrderRequest, CreateOrderRequest, CreateOrderResponse,
};
use backstitch_proto::payment::{
    AuthorizeRequest, CaptureRequest, VoidRequest, authorize_response::Result as Authorization,
};
use backstitch_proto::shipping::{CreateShipmentRequest, QuoteRequest};

use crate::Timings;
use crate::answers::{authorized, captured, items, quoted, total, total_is_expected};
use crate::events;
use crate::operations::{cart, inventory, notification, order, payment, shipping};

/// Names of the steps.
pub mod step {
    /// Holds the cart at the version that was priced.
    pub const HOLD_CART: &str = "hold_cart";
    /// Reserves all items or none.
    pub const RESERVE_STOCK: &str = "reserve_stock";
    /// Prices the sending.
    pub const QUOTE_SHIPPING: &str = "quote_shipping";
    /// Holds the money.
    pub const AUTHORIZE_PAYMENT: &str = "authorize_payment";
    /// Writes the pending order.
    pub const CREATE_ORDER: &str = "create_order";
    /// Takes the money: the pivot.
    pub const CAPTURE_PAYMENT: &str = "capture_payment";
    /// The order stands.
    pub const CONFIRM_ORDER: &str = "confirm_order";
    /// What was reserved is sold.
    pub const COMMIT_STOCK: &str = "commit_stock";
    /// What was bought leaves the cart.
    pub const CLEAR_CART: &str = "clear_cart";
    /// The parcel goes to the carrier.
    pub const CREATE_SHIPMENT: &str = "create_shipment";
    /// The customer is told.
    pub const NOTIFY: &str = "notify";
}

/// Names that the ids of a checkout's things are derived from.
pub mod thing {
    /// Its reservation.
    pub const RESERVATION: &str = "reservation";
    /// Its shipping quote.
    pub const QUOTE: &str = "quote";
    /// Its payment.
    pub const PAYMENT: &str = "payment";
    /// Its order.
    pub const ORDER: &str = "order";
    /// Its shipment.
    pub const SHIPMENT: &str = "shipment";
    /// Its confirmation mail.
    pub const CONFIRMATION: &str = "confirmation";
}

type Checkout = Context<CheckoutInput>;

/// Hold the cart, the goods and the money; write the order; take the money; then deliver on it.
pub fn checkout() -> Result<Definition, DefinitionError> {
    checkout_with(&Timings::default())
}

/// As [`checkout`], with another patience than the usual.
pub fn checkout_with(timings: &Timings) -> Result<Definition, DefinitionError> {
    let mut d = DefinitionBuilder::<CheckoutInput>::new("checkout", 1)
        .deadline(timings.deadline)
        .undo_retry(timings.undo)
        .publishing(events::of_checkout);

    let hold = d
        .step(step::HOLD_CART, cart::HOLD)
        .request(|c, ()| HoldCartRequest { cart_id: cart_id(c), version: c.input.cart_version })
        .compensated_by(cart::FREE, |c| FreeCartRequest { cart_id: cart_id(c) });
    let reserve = d
        .step(step::RESERVE_STOCK, inventory::RESERVE)
        .request(|c, ()| ReserveRequest { reservation_id: id(c, thing::RESERVATION), items: items(c) })
        .compensated_by(inventory::RELEASE, |c| ReleaseRequest { reservation_id: id(c, thing::RESERVATION) });
    let quote = d
        .step(step::QUOTE_SHIPPING, shipping::QUOTE)
        .request(|c, ()| QuoteRequest {
            quote_id: id(c, thing::QUOTE),
            address: c.input.shipping_address.clone(),
            method: c.input.shipping_method.clone(),
            weight_grams: c.input.weight_grams,
            currency: c.input.subtotal.as_ref().map(|m| m.currency.clone()).unwrap_or_default(),
        })
        .answer(quoted)
        .lasting(|quote| seconds(quote.valid_for_seconds))
        .needs_no_undo("a quote is an offer that expires by itself");
    let authorize = d
        .step(step::AUTHORIZE_PAYMENT, payment::AUTHORIZE)
        .after([hold.step(), reserve.step()])
        .reading(quote)
        .customer_wait(timings.customer_wait)
        .guard(total_is_expected)
        .try_request(|c, quote| {
            Ok(AuthorizeRequest {
                payment_id: id(c, thing::PAYMENT),
                amount: Some(total(c, &quote)?),
                payment_method: c.input.payment_method.clone(),
                order_id: id(c, thing::ORDER),
            })
        })
        .answer(authorized)
        .lasting(|answer| match &answer.result {
            Some(Authorization::Authorized(hold)) => seconds(hold.capturable_for_seconds),
            _ => None,
        })
        .compensated_by(payment::VOID, |c| VoidRequest { payment_id: id(c, thing::PAYMENT) });
    let create = d
        .step(step::CREATE_ORDER, order::CREATE)
        .after([authorize.step()])
        .reading(quote)
        .try_request(|c, quote| {
            Ok(CreateOrderRequest {
                order_id: id(c, thing::ORDER),
                checkout_id: c.saga.to_string(),
                customer_id: c.input.customer_id.clone(),
                email: c.input.email.clone(),
                items: c.input.items.clone(),
                shipping_address: c.input.shipping_address.clone(),
                shipping_method: c.input.shipping_method.clone(),
                total: Some(total(c, &quote)?),
                shipping_price: quote.price,
                payment_id: id(c, thing::PAYMENT),
            })
        })
        .answer(created)
        .compensated_by(order::CANCEL, |c| CancelOrderRequest { order_id: id(c, thing::ORDER) });
    let capture = d
        .step(step::CAPTURE_PAYMENT, payment::CAPTURE)
        .after([create.step()])
        .reading(quote)
        .try_request(|c, quote| {
            Ok(CaptureRequest { payment_id: id(c, thing::PAYMENT), amount: Some(total(c, &quote)?) })
        })
        .answer(captured)
        .pivot();
    let confirm = d
        .step(step::CONFIRM_ORDER, order::CONFIRM)
        .after([capture.step()])
        .request(|c, ()| ConfirmOrderRequest { order_id: id(c, thing::ORDER) })
        .retriable();
    let commit = d
        .step(step::COMMIT_STOCK, inventory::COMMIT)
        .after([confirm.step()])
        .request(|c, ()| CommitRequest { reservation_id: id(c, thing::RESERVATION) })
        .retriable();
    let clear = d
        .step(step::CLEAR_CART, cart::CLEAR)
        .after([confirm.step()])
        .request(|c, ()| ClearCartRequest { cart_id: cart_id(c), items: items(c) })
        .retriable();
    let ship = d
        .step(step::CREATE_SHIPMENT, shipping::CREATE)
        .after([confirm.step()])
        .request(|c, ()| CreateShipmentRequest {
            shipment_id: id(c, thing::SHIPMENT),
            order_id: id(c, thing::ORDER),
            address: c.input.shipping_address.clone(),
            method: c.input.shipping_method.clone(),
            weight_grams: c.input.weight_grams,
        })
        .retriable();
    d.step(step::NOTIFY, notification::NOTIFY)
        .after([commit.step(), clear.step()])
        .reading((create, (quote, ship)))
        .try_request(|c, (order, (quote, shipment))| {
            Ok(NotifyRequest {
                notification_id: id(c, thing::CONFIRMATION),
                template: "order_confirmed".into(),
                to: c.input.email.clone(),
                parameters: crate::answers::mail(c, &order, &quote, &shipment)?,
            })
        })
        .retriable();
    d.build()
}

fn id(c: &Checkout, thing: &str) -> String {
    derived(c.saga, thing).to_string()
}

/// Negative is over at once.
fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn cart_id(c: &Checkout) -> String {
    c.input.cart_id.clone()
}

fn created(
    c: &Checkout,
    _: impl Sized,
    answer: &CreateOrderResponse,
) -> Result<Option<bytes::Bytes>, Invalid> {
    if answer.order_id == id(c, thing::ORDER) && !answer.order_number.is_empty() {
        Ok(None)
    } else {
        Err(Invalid::new("the answer is about another order, or has no order number"))
    }
}
