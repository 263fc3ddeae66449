//! The return: of what a customer sends back, and of all that a checkout cannot deliver.

mod checks;
mod requests;

use backstitch_core::{Context, Definition, DefinitionBuilder, DefinitionError, Handle};
use backstitch_proto::payment::RefundResponse;
use backstitch_proto::returns::ReturnInput;

use crate::names::{definition, return_step};
use crate::operations::{cart, inventory, notification, order, payment, shipping};
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
    let mut d = begin(definition::RETURN, timings);
    give_back(&mut d, "order_returned");
    d.build()
}

/// A return, and the checkout's cart is let go of. Whether that checkout has cleared it does not matter.
pub fn make_good() -> Result<Definition, DefinitionError> {
    make_good_with(&Timings::default())
}

/// As [`make_good`], with another patience than the usual.
pub fn make_good_with(timings: &Timings) -> Result<Definition, DefinitionError> {
    let mut d = begin(definition::MAKE_GOOD, timings);
    let refund = give_back(&mut d, "order_made_good");
    d.step(return_step::LET_GO_CART, cart::LET_GO)
        .after([refund.step()])
        .request(requests::let_go_cart)
        .retriable();
    d.build()
}

fn begin(name: &'static str, timings: &Timings) -> DefinitionBuilder<ReturnInput> {
    DefinitionBuilder::new(name, 1)
        .deadline(timings.deadline)
        .undo_retry(timings.undo)
        .publishing(events::of_return)
}

/// The steps of every return, whose customer is told with `template`. Answers the refund, after which nothing of it is
/// taken back.
fn give_back(d: &mut DefinitionBuilder<ReturnInput>, template: &'static str) -> Handle<RefundResponse> {
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
        .try_request(move |c, read| requests::notify(c, read, template))
        .retriable();
    refund
}
