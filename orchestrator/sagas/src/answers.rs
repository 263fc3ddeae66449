//! What the checkout makes of answers before it believes them, how long they hold, and the sums it derives from them.

use std::time::Duration;

use backstitch_core::{Invalid, Refusal};
use backstitch_proto::common;
use backstitch_proto::money::Money;
use backstitch_proto::order::CreateOrderResponse;
use backstitch_proto::payment::{
    AuthorizeResponse, CaptureResponse, authorize_response::Result as Authorization,
};
use backstitch_proto::shipping::QuoteResponse;
use bytes::Bytes;
use prost::Message as _;

use crate::names::{Checkout, id, thing};

/// `None`: done. `Some`: the customer has to act, with these instructions.
type Checked = Result<Option<Bytes>, Invalid>;

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

/// How long a quoted price is kept.
pub(crate) fn quote_holds(answer: &QuoteResponse) -> Option<Duration> {
    seconds(answer.valid_for_seconds)
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

/// How long held money can be taken; while the customer has to act, none is held.
pub(crate) fn authorization_holds(answer: &AuthorizeResponse) -> Option<Duration> {
    match &answer.result {
        Some(Authorization::Authorized(hold)) => seconds(hold.capturable_for_seconds),
        _ => None,
    }
}

/// An order is this checkout's, and has the number that its customer is told.
pub(crate) fn created(c: &Checkout, _: QuoteResponse, answer: &CreateOrderResponse) -> Checked {
    if answer.order_id == id(c, thing::ORDER) && !answer.order_number.is_empty() {
        Ok(None)
    } else {
        Err(Invalid::new("the answer is about another order, or has no order number"))
    }
}

/// A capture is of this payment and the whole amount.
pub(crate) fn captured(c: &Checkout, quote: QuoteResponse, answer: &CaptureResponse) -> Checked {
    same_payment(c, &answer.payment_id)?;
    same_amount(&total(c, &quote)?, answer.captured.as_ref())?;
    Ok(None)
}

/// Negative is over at once.
fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn same_payment(c: &Checkout, payment_id: &str) -> Result<(), Invalid> {
    let ours = id(c, thing::PAYMENT);
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
