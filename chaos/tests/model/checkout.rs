//! The checkout itself, with what its participants answer.

use backstitch_chaos::definitions::SAGA;
use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::common::{Address, Money, PricedItem};
use backstitch_proto::ids::derived;
use backstitch_proto::inventory::ReserveResponse;
use backstitch_proto::order::CreateOrderResponse;
use backstitch_proto::payment::authorize_response::Result as Authorization;
use backstitch_proto::payment::{AuthorizeResponse, Authorized, CaptureResponse};
use backstitch_proto::shipping::{CreateShipmentResponse, QuoteResponse};
use backstitch_sagas::{step, thing};
use bytes::Bytes;
use prost::Message as _;

use crate::stage::Stage;

fn euros(amount_minor: i64) -> Option<Money> {
    Some(Money { amount_minor, currency: "EUR".into() })
}

fn id(thing: &str) -> String {
    derived(SAGA, thing).to_string()
}

/// Two mugs at 9.99 and 4.90 for the parcel.
fn input() -> Bytes {
    let address = Address {
        name: "Ada".into(),
        line1: "1 Loop Road".into(),
        city: "Graz".into(),
        postal_code: "8010".into(),
        country: "AT".into(),
        ..Default::default()
    };
    let mugs = PricedItem {
        sku: "MUG".into(),
        quantity: 2,
        name: "Mug".into(),
        unit_price: euros(999),
        unit_weight_grams: 300,
    };
    let input = CheckoutInput {
        cart_id: "cart-1".into(),
        cart_version: 3,
        customer_id: "ada".into(),
        email: "ada@example.org".into(),
        shipping_address: Some(address),
        shipping_method: "standard".into(),
        payment_method: "tok_visa".into(),
        expected_total: euros(2_488),
        items: vec![mugs],
        subtotal: euros(1_998),
        weight_grams: 600,
    };
    input.encode_to_vec().into()
}

fn answer(name: &str) -> Bytes {
    let payment_id = id(thing::PAYMENT);
    let answer = match name {
        step::RESERVE_STOCK => ReserveResponse { reservation_id: id(thing::RESERVATION) }.encode_to_vec(),
        step::QUOTE_SHIPPING => {
            let (quote_id, method) = (id(thing::QUOTE), "standard".into());
            QuoteResponse { quote_id, price: euros(490), method, valid_for_seconds: 1_800 }.encode_to_vec()
        }
        step::AUTHORIZE_PAYMENT => {
            let authorized = Authorized { amount: euros(2_488), capturable_for_seconds: 600_000 };
            let result = Some(Authorization::Authorized(authorized));
            AuthorizeResponse { payment_id, result }.encode_to_vec()
        }
        step::CREATE_ORDER => {
            CreateOrderResponse { order_id: id(thing::ORDER), order_number: "1001".into() }.encode_to_vec()
        }
        step::CAPTURE_PAYMENT => CaptureResponse { payment_id, captured: euros(2_488) }.encode_to_vec(),
        step::CREATE_SHIPMENT => {
            let tracking_number = "T1".into();
            CreateShipmentResponse { shipment_id: id(thing::SHIPMENT), tracking_number }.encode_to_vec()
        }
        _ => Vec::new(),
    };
    answer.into()
}

/// The checkout that the product runs.
pub(crate) fn checkout() -> Stage {
    let definition = backstitch_sagas::checkout().expect("the checkout builds");
    let answers = definition.steps.iter().map(|step| answer(step.name)).collect();
    Stage::new(definition, input(), answers)
}
