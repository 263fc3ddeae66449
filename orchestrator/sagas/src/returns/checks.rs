//! What a return makes of answers before it believes them.

use backstitch_core::Invalid;
use backstitch_proto::common;
use backstitch_proto::money::Money;
use backstitch_proto::order::{CompleteReturnResponse, CreateReturnResponse};
use backstitch_proto::payment::RefundResponse;
use bytes::Bytes;

use super::Return;
use super::requests::{of_checkout, own};
use crate::names::{return_thing, thing};

/// Nobody is waited for.
type Checked = Result<Option<Bytes>, Invalid>;

/// A claim is this return's, of the payment that its checkout took, and worth something.
pub(super) fn created(c: &Return, (): (), answer: &CreateReturnResponse) -> Checked {
    if answer.return_id != c.saga.to_string() {
        return Err(Invalid::new("the answer is about another return"));
    }
    let paid = of_checkout(c, thing::PAYMENT)?;
    if answer.payment_id != paid {
        return Err(Invalid(format!("the order was paid by {}, its checkout by {paid}", answer.payment_id)));
    }
    let refund = Money::parse(answer.refund.as_ref()).map_err(Invalid::new)?;
    if refund.minor <= 0 || answer.items.is_empty() {
        return Err(Invalid(format!("{} lines worth {refund} come back", answer.items.len())));
    }
    if answer.items.iter().any(|item| item.sku.is_empty() || item.quantity <= 0) {
        return Err(Invalid::new("a line of what comes back has no product or no quantity"));
    }
    Ok(None)
}

/// A refund is this one, of the whole claim.
pub(super) fn refunded(c: &Return, created: CreateReturnResponse, answer: &RefundResponse) -> Checked {
    let ours = own(c, return_thing::REFUND);
    if answer.refund_id != ours {
        return Err(Invalid(format!("asked about refund {ours}, answered about {}", answer.refund_id)));
    }
    if answer.refunded == created.refund {
        return Ok(None);
    }
    Err(Invalid(format!("asked for {}, answered {}", shown(&created.refund), shown(&answer.refunded))))
}

/// A credit note has the number that its customer is told.
pub(super) fn credited(_: &Return, (): (), answer: &CompleteReturnResponse) -> Checked {
    if answer.credit_note_number.is_empty() {
        Err(Invalid::new("the credit note has no number"))
    } else {
        Ok(None)
    }
}

fn shown(amount: &Option<common::Money>) -> String {
    Money::parse(amount.as_ref()).map_or_else(|e| e.to_string(), |amount| amount.to_string())
}
