//! The return.

mod checks;
mod requests;

use backstitch_core::{Context, Definition, DefinitionBuilder, DefinitionError};
use backstitch_proto::returns::ReturnInput;

use crate::names::{definition, return_step};
use crate::operations::{inventory, notification, order, payment, shipping};
use crate::refunds::REFUND;
use crate::{Timings, events};

/// A return as its requests and checks see it.
type Return = Context<ReturnInput>;

/// Claim what comes back; give the money back; then take the goods, and write the credit note.
pub fn returns() -> Result<Definition, DefinitionError> {
    returns_with(&Timings::default())
}

/// As [`returns`], with another patience than the usual.
pub fn returns_with(timings: &Timings) -> Result<Definition, DefinitionError> {
    let mut d = DefinitionBuilder::<ReturnInput>::new(definition::RETURN, 1)
        .deadline(timings.deadline)
        .undo_retry(timings.undo)
        .publishing(events::of_return);

    let create = d
        .step(return_step::CREATE_RETURN, order::CREATE_RETURN)
        .request(requests::create)
        .answer(checks::created)
        .compensated_by(order::CANCEL_RETURN, requests::cancel);
    let refund = d
        .step(return_step::REFUND_PAYMENT, payment::REFUND)
        .reading(create)
        .retry(REFUND)
        .request(requests::refund)
        .answer(checks::refunded)
        .pivot();

    let restock = d
        .step(return_step::RESTOCK, inventory::RESTOCK)
        .after([refund.step()])
        .reading(create)
        .try_request(requests::restock)
        .retriable();
    let take_back = d
        .step(return_step::TAKE_BACK_SHIPMENT, shipping::TAKE_BACK)
        .after([refund.step()])
        .reading(create)
        .try_request(requests::take_back)
        .retriable();
    let credit = d
        .step(return_step::CREDIT_NOTE, order::COMPLETE_RETURN)
        .after([restock.step(), take_back.step()])
        .request(requests::complete)
        .answer(checks::credited)
        .retriable();
    d.step(return_step::NOTIFY, notification::NOTIFY)
        .reading((create, credit))
        .try_request(requests::notify)
        .retriable();
    d.build()
}
