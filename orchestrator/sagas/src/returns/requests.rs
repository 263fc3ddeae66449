//! What a return asks of each participant.
//!
//! The checkout's things have ids that are derived from the checkout's, the return's own from the return's.

use std::collections::BTreeMap;

use backstitch_core::Invalid;
use backstitch_proto::cart::LetGoCartRequest;
use backstitch_proto::common::Item;
use backstitch_proto::ids::derived;
use backstitch_proto::inventory::RestockRequest;
use backstitch_proto::money::Money;
use backstitch_proto::notification::NotifyRequest;
use backstitch_proto::order::{
    CancelReturnRequest, CompleteReturnRequest, CompleteReturnResponse, CreateReturnRequest,
    CreateReturnResponse,
};
use backstitch_proto::payment::RefundRequest;
use backstitch_proto::shipping::TakeBackRequest;
use uuid::Uuid;

use super::Return;
use crate::names::{return_thing, thing};

/// The id of one of the return's own things.
pub(super) fn own(c: &Return, thing: &str) -> String {
    derived(c.saga, thing).to_string()
}

/// The id of one of the checkout's.
pub(super) fn of_checkout(c: &Return, thing: &str) -> Result<String, Invalid> {
    let checkout =
        Uuid::parse_str(&c.input.checkout_id).map_err(|e| Invalid(format!("the checkout's id: {e}")))?;
    Ok(derived(checkout, thing).to_string())
}

pub(super) fn create(c: &Return, (): ()) -> CreateReturnRequest {
    CreateReturnRequest {
        return_id: c.saga.to_string(),
        order_id: c.input.order_id.clone(),
        items: c.input.items.clone(),
        reason: c.input.reason.clone(),
        make_good: c.input.make_good,
    }
}

pub(super) fn cancel(c: &Return) -> CancelReturnRequest {
    CancelReturnRequest { return_id: c.saga.to_string() }
}

pub(super) fn refund(c: &Return, created: CreateReturnResponse) -> RefundRequest {
    RefundRequest {
        refund_id: own(c, return_thing::REFUND),
        payment_id: created.payment_id,
        amount: created.refund,
    }
}

pub(super) fn restock(c: &Return, created: CreateReturnResponse) -> Result<RestockRequest, Invalid> {
    Ok(RestockRequest {
        restock_id: own(c, return_thing::RESTOCK),
        reservation_id: of_checkout(c, thing::RESERVATION)?,
        items: items(&created)?,
    })
}

pub(super) fn take_back(c: &Return, created: CreateReturnResponse) -> Result<TakeBackRequest, Invalid> {
    Ok(TakeBackRequest {
        receipt_id: own(c, return_thing::RECEIPT),
        shipment_id: of_checkout(c, thing::SHIPMENT)?,
        order_id: c.input.order_id.clone(),
        whole: created.whole,
        items: items(&created)?,
        ordered: created.ordered,
    })
}

pub(super) fn complete(c: &Return, (): ()) -> CompleteReturnRequest {
    CompleteReturnRequest { return_id: c.saga.to_string() }
}

pub(super) fn let_go_cart(c: &Return, (): ()) -> LetGoCartRequest {
    LetGoCartRequest { cart_id: c.input.cart_id.clone() }
}

/// The mail that the money is on its way.
pub(super) fn notify(
    c: &Return,
    (created, credited): (CreateReturnResponse, CompleteReturnResponse),
    template: &str,
) -> Result<NotifyRequest, Invalid> {
    let refund = Money::parse(created.refund.as_ref()).map_err(Invalid::new)?;
    Ok(NotifyRequest {
        notification_id: own(c, return_thing::NOTICE),
        template: template.into(),
        to: created.email,
        parameters: BTreeMap::from([
            ("order_number".into(), created.order_number),
            ("name".into(), created.name),
            ("refund".into(), refund.to_string()),
            ("credit_note_number".into(), credited.credit_note_number),
        ]),
    })
}

/// What comes back, one line a SKU and without prices.
fn items(created: &CreateReturnResponse) -> Result<Vec<Item>, Invalid> {
    let mut quantities = BTreeMap::<&str, i64>::new();
    for item in &created.items {
        let sum = quantities.entry(&item.sku).or_default();
        *sum = sum
            .checked_add(item.quantity)
            .ok_or_else(|| Invalid::new("more comes back than can be counted"))?;
    }
    Ok(quantities.into_iter().map(|(sku, quantity)| Item { sku: sku.to_owned(), quantity }).collect())
}
