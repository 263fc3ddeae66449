//! What the checkout makes of answers before it believes them, and the sums it derives from them.

use std::collections::BTreeMap;

use backstitch_core::{Context, Invalid, Refusal};
use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::common::{self, Item};
use backstitch_proto::ids::derived;
use backstitch_proto::money::Money;
use backstitch_proto::order::CreateOrderResponse;
use backstitch_proto::payment::{
    AuthorizeResponse, CaptureResponse, authorize_response::Result as Authorization,
};
use backstitch_proto::shipping::{CreateShipmentResponse, QuoteResponse};
use bytes::Bytes;
use prost::Message as _;

use crate::checkout::thing;

type Checkout = Context<CheckoutInput>;
/// `None`: done. `Some`: the customer has to act, with these instructions.
type Checked = Result<Option<Bytes>, Invalid>;

/// What is bought, without prices.
pub(crate) fn items(c: &Checkout) -> Vec<Item> {
    c.input.items.iter().map(|item| Item { sku: item.sku.clone(), quantity: item.quantity }).collect()
}

/// Items plus shipping, checked.
pub(crate) fn total(c: &Checkout, quote: &QuoteResponse) -> Result<common::Money, Invalid> {
    let subtotal = Money::parse(c.input.subtotal.as_ref()).map_err(Invalid::new)?;
    let shipping = Money::parse(quote.price.as_ref()).map_err(Invalid::new)?;
    Ok(subtotal.plus(shipping).map_err(Invalid::new)?.to_proto())
}

/// The guard of the authorization: what the customer was shown is what is asked of the card.
pub(crate) fn total_is_expected(c: &Checkout, quote: QuoteResponse) -> Result<Option<Refusal>, Invalid> {
    let Some(expected) = &c.input.expected_total else { return Ok(None) };
    let total = total(c, &quote)?;
    if *expected == total {
        return Ok(None);
    }
    let detail = format!("the total is {}, not the expected {}", shown(&total), shown(expected));
    let refusal = Refusal::new("TOTAL_CHANGED", detail)
        .with("total_amount_minor", total.amount_minor)
        .with("total_currency", total.currency);
    Ok(Some(refusal))
}

/// A quote is in the currency that was asked for, and costs nothing or more.
pub(crate) fn quoted(c: &Checkout, (): (), answer: &QuoteResponse) -> Checked {
    let price = Money::parse(answer.price.as_ref()).map_err(Invalid::new)?;
    let asked = Money::parse(c.input.subtotal.as_ref()).map_err(Invalid::new)?;
    if price.currency != asked.currency {
        return Err(Invalid(format!(
            "asked for a price in {}, quoted in {}",
            asked.currency, price.currency
        )));
    }
    if price.minor < 0 {
        return Err(Invalid(format!("quoted a negative price, {price}")));
    }
    Ok(None)
}

/// An authorization is of this payment and this amount, or says what the customer has to do.
pub(crate) fn authorized(c: &Checkout, quote: QuoteResponse, answer: &AuthorizeResponse) -> Checked {
    same_payment(c, &answer.payment_id)?;
    match &answer.result {
        Some(Authorization::Authorized(authorized)) => {
            same_amount(&total(c, &quote)?, authorized.amount.as_ref())?;
            Ok(None)
        }
        Some(Authorization::Pending(action)) => Ok(Some(action.encode_to_vec().into())),
        None => Err(Invalid::new("neither authorized nor waiting for the customer")),
    }
}

/// A capture is of this payment and the whole amount.
pub(crate) fn captured(c: &Checkout, quote: QuoteResponse, answer: &CaptureResponse) -> Checked {
    same_payment(c, &answer.payment_id)?;
    same_amount(&total(c, &quote)?, answer.captured.as_ref())?;
    Ok(None)
}

fn same_payment(c: &Checkout, payment_id: &str) -> Result<(), Invalid> {
    let ours = derived(c.saga, thing::PAYMENT).to_string();
    if payment_id == ours {
        Ok(())
    } else {
        Err(Invalid(format!("asked about payment {ours}, answered about {payment_id}")))
    }
}

fn same_amount(asked: &common::Money, answered: Option<&common::Money>) -> Result<(), Invalid> {
    match answered {
        Some(answered) if answered == asked => Ok(()),
        Some(other) => Err(Invalid(format!("asked for {}, answered {}", shown(asked), shown(other)))),
        None => Err(Invalid::new("the answer has no amount")),
    }
}

/// An amount as people write it.
fn shown(amount: &common::Money) -> String {
    Money::parse(Some(amount)).map_or_else(|e| e.to_string(), |amount| amount.to_string())
}

/// What the confirmation mail says.
pub(crate) fn mail(
    c: &Checkout,
    order: &CreateOrderResponse,
    quote: &QuoteResponse,
    shipment: &CreateShipmentResponse,
) -> Result<BTreeMap<String, String>, Invalid> {
    let total = Money::parse(Some(&total(c, quote)?)).map_err(Invalid::new)?;
    let name = c.input.shipping_address.as_ref().map(|a| a.name.clone()).unwrap_or_default();
    Ok(BTreeMap::from([
        ("order_number".into(), order.order_number.clone()),
        ("name".into(), name),
        ("total".into(), total.to_string()),
        ("tracking_number".into(), shipment.tracking_number.clone()),
    ]))
}
