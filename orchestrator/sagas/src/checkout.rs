//! The checkout.

use backstitch_core::{Definition, DefinitionBuilder, DefinitionError};
use backstitch_proto::checkout::CheckoutInput;

use crate::names::{definition, step};
use crate::operations::{cart, inventory, notification, order, payment, shipping};
use crate::{Timings, answers, events, requests};

/// Hold the cart, the goods and the money; write the order; take the money; then deliver on it.
pub fn checkout() -> Result<Definition, DefinitionError> {
    checkout_with(&Timings::default())
}

/// As [`checkout`], with another patience than the usual.
pub fn checkout_with(timings: &Timings) -> Result<Definition, DefinitionError> {
    let mut d = DefinitionBuilder::<CheckoutInput>::new(definition::CHECKOUT, 1)
        .deadline(timings.deadline)
        .undo_retry(timings.undo)
        .made_good_by(definition::MAKE_GOOD, requests::whole_return)
        .publishing(events::of_checkout);

    let hold = d
        .step(step::HOLD_CART, cart::HOLD)
        .request(requests::hold_cart)
        .compensated_by(cart::FREE, requests::free_cart);
    let reserve = d
        .step(step::RESERVE_STOCK, inventory::RESERVE)
        .request(requests::reserve_stock)
        .compensated_by(inventory::RELEASE, requests::release_stock);
    let quote = d
        .step(step::QUOTE_SHIPPING, shipping::QUOTE)
        .request(requests::quote_shipping)
        .answer(answers::quoted)
        .lasting(answers::quote_holds)
        .needs_no_undo("a quote is an offer that expires by itself");
    let authorize = d
        .step(step::AUTHORIZE_PAYMENT, payment::AUTHORIZE)
        .after([hold.step(), reserve.step()])
        .reading(quote)
        .customer_wait(timings.customer_wait)
        .guard(answers::total_is_expected)
        .try_request(requests::authorize_payment)
        .answer(answers::authorized)
        .lasting(answers::authorization_holds)
        .compensated_by(payment::VOID, requests::void_payment);
    let create = d
        .step(step::CREATE_ORDER, order::CREATE)
        .after([authorize.step()])
        .reading(quote)
        .try_request(requests::create_order)
        .answer(answers::created)
        .compensated_by(order::CANCEL, requests::cancel_order);
    let capture = d
        .step(step::CAPTURE_PAYMENT, payment::CAPTURE)
        .after([create.step()])
        .reading(quote)
        .try_request(requests::capture_payment)
        .answer(answers::captured)
        .pivot();

    let confirm = d
        .step(step::CONFIRM_ORDER, order::CONFIRM)
        .after([capture.step()])
        .request(requests::confirm_order)
        .retriable();
    let commit = d
        .step(step::COMMIT_STOCK, inventory::COMMIT)
        .after([confirm.step()])
        .request(requests::commit_stock)
        .retriable();
    let clear = d
        .step(step::CLEAR_CART, cart::CLEAR)
        .after([confirm.step()])
        .request(requests::clear_cart)
        .retriable();
    let ship = d
        .step(step::CREATE_SHIPMENT, shipping::CREATE)
        .after([confirm.step()])
        .request(requests::create_shipment)
        .retriable();
    d.step(step::NOTIFY, notification::NOTIFY)
        .after([commit.step(), clear.step()])
        .reading((create, (quote, ship)))
        .try_request(requests::notify)
        .retriable();
    d.build()
}
