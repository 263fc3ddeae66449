//! What a checkout asks of each participant, from its input and from earlier answers.
//!
//! Pure: an attempt after a restart asks for the same, byte for byte.

use std::collections::BTreeMap;

use backstitch_core::Invalid;
use backstitch_proto::cart::{ClearCartRequest, FreeCartRequest, HoldCartRequest};
use backstitch_proto::common::Item;
use backstitch_proto::inventory::{CommitRequest, ReleaseRequest, ReserveRequest};
use backstitch_proto::money::Money;
use backstitch_proto::notification::NotifyRequest;
use backstitch_proto::order::{
    CancelOrderRequest, ConfirmOrderRequest, CreateOrderRequest, CreateOrderResponse,
};
use backstitch_proto::payment::{AuthorizeRequest, CaptureRequest, VoidRequest};
use backstitch_proto::returns::ReturnInput;
use backstitch_proto::shipping::{
    CreateShipmentRequest, CreateShipmentResponse, QuoteRequest, QuoteResponse,
};

use crate::answers::total;
use crate::names::{Checkout, id, thing};

pub(crate) fn hold_cart(c: &Checkout, (): ()) -> HoldCartRequest {
    HoldCartRequest { cart_id: c.input.cart_id.clone(), version: c.input.cart_version }
}

pub(crate) fn free_cart(c: &Checkout) -> FreeCartRequest {
    FreeCartRequest { cart_id: c.input.cart_id.clone() }
}

pub(crate) fn reserve_stock(c: &Checkout, (): ()) -> ReserveRequest {
    ReserveRequest { reservation_id: id(c, thing::RESERVATION), items: items(c) }
}

pub(crate) fn release_stock(c: &Checkout) -> ReleaseRequest {
    ReleaseRequest { reservation_id: id(c, thing::RESERVATION) }
}

pub(crate) fn quote_shipping(c: &Checkout, (): ()) -> QuoteRequest {
    QuoteRequest {
        quote_id: id(c, thing::QUOTE),
        address: c.input.shipping_address.clone(),
        method: c.input.shipping_method.clone(),
        weight_grams: c.input.weight_grams,
        currency: c.input.subtotal.as_ref().map(|m| m.currency.clone()).unwrap_or_default(),
    }
}

pub(crate) fn authorize_payment(c: &Checkout, quote: QuoteResponse) -> Result<AuthorizeRequest, Invalid> {
    Ok(AuthorizeRequest {
        payment_id: id(c, thing::PAYMENT),
        amount: Some(total(c, &quote)?),
        payment_method: c.input.payment_method.clone(),
        order_id: id(c, thing::ORDER),
    })
}

pub(crate) fn void_payment(c: &Checkout) -> VoidRequest {
    VoidRequest { payment_id: id(c, thing::PAYMENT) }
}

pub(crate) fn create_order(c: &Checkout, quote: QuoteResponse) -> Result<CreateOrderRequest, Invalid> {
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
}

pub(crate) fn cancel_order(c: &Checkout) -> CancelOrderRequest {
    CancelOrderRequest { order_id: id(c, thing::ORDER) }
}

pub(crate) fn capture_payment(c: &Checkout, quote: QuoteResponse) -> Result<CaptureRequest, Invalid> {
    Ok(CaptureRequest { payment_id: id(c, thing::PAYMENT), amount: Some(total(c, &quote)?) })
}

pub(crate) fn confirm_order(c: &Checkout, (): ()) -> ConfirmOrderRequest {
    ConfirmOrderRequest { order_id: id(c, thing::ORDER) }
}

pub(crate) fn commit_stock(c: &Checkout, (): ()) -> CommitRequest {
    CommitRequest { reservation_id: id(c, thing::RESERVATION) }
}

pub(crate) fn clear_cart(c: &Checkout, (): ()) -> ClearCartRequest {
    ClearCartRequest { cart_id: c.input.cart_id.clone(), items: items(c) }
}

pub(crate) fn create_shipment(c: &Checkout, (): ()) -> CreateShipmentRequest {
    CreateShipmentRequest {
        shipment_id: id(c, thing::SHIPMENT),
        order_id: id(c, thing::ORDER),
        address: c.input.shipping_address.clone(),
        method: c.input.shipping_method.clone(),
        weight_grams: c.input.weight_grams,
    }
}

/// The confirmation mail.
pub(crate) fn notify(
    c: &Checkout,
    (order, (quote, shipment)): (CreateOrderResponse, (QuoteResponse, CreateShipmentResponse)),
) -> Result<NotifyRequest, Invalid> {
    let total = Money::parse(Some(&total(c, &quote)?)).map_err(Invalid::new)?;
    let name = c.input.shipping_address.as_ref().map(|a| a.name.clone()).unwrap_or_default();
    Ok(NotifyRequest {
        notification_id: id(c, thing::CONFIRMATION),
        template: "order_confirmed".into(),
        to: c.input.email.clone(),
        parameters: BTreeMap::from([
            ("order_number".into(), order.order_number),
            ("name".into(), name),
            ("total".into(), total.to_string()),
            ("tracking_number".into(), shipment.tracking_number),
        ]),
    })
}

/// The return of everything, which makes a checkout good that cannot go on after its capture.
pub(crate) fn whole_return(c: &Checkout, why: &str) -> ReturnInput {
    ReturnInput {
        checkout_id: c.saga.to_string(),
        order_id: id(c, thing::ORDER),
        items: Vec::new(),
        reason: why.to_owned(),
        make_good: true,
        cart_id: c.input.cart_id.clone(),
    }
}

/// What is bought, without prices.
fn items(c: &Checkout) -> Vec<Item> {
    c.input.items.iter().map(|item| Item { sku: item.sku.clone(), quantity: item.quantity }).collect()
}
