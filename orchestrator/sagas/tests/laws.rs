//! Every definition of this crate keeps the laws of a saga, under every schedule of up to two faults.

#![allow(clippy::unwrap_used)]

use backstitch_chaos::definitions::{Fault, Law, Moment, SAGA, Samples, Tally, laws_of, laws_under};
use backstitch_core::{Class, Definition, Entry, Facts, Op, Record, Timestamp, begin};
use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::common::{Address, Item, Money, PricedItem};
use backstitch_proto::ids::derived;
use backstitch_proto::inventory::ReserveResponse;
use backstitch_proto::noop::SyntheticInput;
use backstitch_proto::order::{CompleteReturnResponse, CreateOrderResponse, CreateReturnResponse};
use backstitch_proto::payment::authorize_response::Result as Authorization;
use backstitch_proto::payment::{
    AuthorizeResponse, Authorized, CaptureResponse, CustomerAction, RefundResponse, SettleCaseResponse,
    TakeBackObjectResponse,
};
use backstitch_proto::returns::{CaseInput, RepairInput, ReturnInput};
use backstitch_proto::shipping::{CreateShipmentResponse, QuoteResponse, TakeBackRequest};
use backstitch_sagas::{
    MAX_STEPS, checkout, make_good, refund_case, repair, return_step, return_thing, returns, step, synthetic,
    thing,
};
use bytes::Bytes;
use prost::Message as _;
use uuid::Uuid;

fn euros(amount_minor: i64) -> Option<Money> {
    Some(Money { amount_minor, currency: "EUR".into() })
}

fn id(thing: &str) -> String {
    derived(SAGA, thing).to_string()
}

/// Two mugs at 9.99 and 4.90 for the parcel.
fn input() -> CheckoutInput {
    CheckoutInput {
        cart_id: "cart-1".into(),
        cart_version: 3,
        customer_id: "ada".into(),
        email: "ada@example.org".into(),
        shipping_address: Some(Address {
            name: "Ada".into(),
            line1: "1 Loop Road".into(),
            city: "Graz".into(),
            postal_code: "8010".into(),
            country: "AT".into(),
            ..Default::default()
        }),
        shipping_method: "standard".into(),
        payment_method: "tok_visa".into(),
        expected_total: euros(2_488),
        items: vec![PricedItem {
            sku: "MUG".into(),
            quantity: 2,
            name: "Mug".into(),
            unit_price: euros(999),
            unit_weight_grams: 300,
        }],
        subtotal: euros(1_998),
        weight_grams: 600,
    }
}

fn authorization(result: Authorization) -> AuthorizeResponse {
    AuthorizeResponse { payment_id: id(thing::PAYMENT), result: Some(result) }
}

/// What the participants answer to `input`.
fn samples(input: &CheckoutInput) -> Samples {
    let quote = QuoteResponse {
        quote_id: id(thing::QUOTE),
        price: euros(490),
        method: "standard".into(),
        valid_for_seconds: 1_800,
    };
    let authorized = Authorized { amount: euros(2_488), capturable_for_seconds: 600_000 };
    let redirect = CustomerAction {
        kind: "redirect".into(),
        url: "https://bank.example/3ds".into(),
        ..Default::default()
    };
    Samples::new(input)
        .answer(step::RESERVE_STOCK, &ReserveResponse { reservation_id: id(thing::RESERVATION) })
        .answer(step::QUOTE_SHIPPING, &quote)
        .leaves_nothing(step::QUOTE_SHIPPING)
        .answer(step::AUTHORIZE_PAYMENT, &authorization(Authorization::Authorized(authorized)))
        .pending(step::AUTHORIZE_PAYMENT, &authorization(Authorization::Pending(redirect)))
        .answer(
            step::CREATE_ORDER,
            &CreateOrderResponse { order_id: id(thing::ORDER), order_number: "1001".into() },
        )
        .answer(
            step::CAPTURE_PAYMENT,
            &CaptureResponse { payment_id: id(thing::PAYMENT), captured: euros(2_488) },
        )
        .outside(step::CAPTURE_PAYMENT)
        .answer(
            step::CREATE_SHIPMENT,
            &CreateShipmentResponse { shipment_id: id(thing::SHIPMENT), tracking_number: "T1".into() },
        )
        // What the shop means, whatever edges the definition has.
        .needs(step::AUTHORIZE_PAYMENT, step::HOLD_CART)
        .needs(step::AUTHORIZE_PAYMENT, step::RESERVE_STOCK)
        .needs(step::CREATE_ORDER, step::AUTHORIZE_PAYMENT)
        .needs(step::CAPTURE_PAYMENT, step::AUTHORIZE_PAYMENT)
        .needs(step::CAPTURE_PAYMENT, step::CREATE_ORDER)
        .needs(step::CAPTURE_PAYMENT, step::RESERVE_STOCK)
        .needs(step::CONFIRM_ORDER, step::CAPTURE_PAYMENT)
        .needs(step::COMMIT_STOCK, step::CAPTURE_PAYMENT)
        .needs(step::CREATE_SHIPMENT, step::CONFIRM_ORDER)
        .needs(step::NOTIFY, step::CONFIRM_ORDER)
}

fn keeps_the_laws(definition: &Definition, samples: &Samples) -> Tally {
    laws_of(definition, samples).unwrap_or_else(|broken| panic!("{broken}"))
}

/// What can strike any call.
const ANYWHERE: [Fault; 17] = [
    Fault::Twice,
    Fault::Again,
    Fault::Echoed,
    Fault::Lost,
    Fault::Delayed,
    Fault::Unanswered,
    Fault::Slow,
    Fault::NotNow,
    Fault::Broken,
    Fault::Garbled,
    Fault::Away,
    Fault::Silent,
    Fault::Crash(Moment::BeforeSend),
    Fault::Crash(Moment::AfterEffect),
    Fault::Crash(Moment::AfterReply),
    Fault::Crash(Moment::BeforeCommit),
    Fault::Crash(Moment::AfterCommit),
];

/// Every fault struck every call that it can strike: each do, each undo, the pivot's close.
fn assert_struck_everywhere(definition: &Definition, tally: &Tally) {
    for step in &definition.steps {
        let ops = match step.class {
            Class::Compensatable => vec![Op::Do, Op::Undo],
            Class::Pivot => vec![Op::Do, Op::Close],
            Class::NeedsNoUndo(_) | Class::Retriable => vec![Op::Do],
        };
        for (op, fault) in ops.into_iter().flat_map(|op| ANYWHERE.map(|fault| (op, fault))) {
            assert!(tally.has_struck(step.name, op, fault), "{} {op} never {fault}", step.name);
        }
        for fault in [Fault::Cancelled, Fault::Deadline] {
            assert!(tally.has_struck(step.name, Op::Do, fault), "{} do never {fault}", step.name);
        }
        let may_refuse = step.class != Class::Retriable;
        assert_eq!(tally.has_struck(step.name, Op::Do, Fault::Refused), may_refuse, "{}", step.name);
    }
    // Without a fault, a saga of so many steps has one record each, its start, its pivot's intent and its end.
    let records = definition.steps.len() + 3;
    assert!((2..=records).all(|record| tally.records.contains(&record)), "{:?}", tally.records);
}

#[test]
fn the_checkout_keeps_the_laws() {
    let definition = checkout().unwrap();
    let tally = keeps_the_laws(&definition, &samples(&input()));
    assert_struck_everywhere(&definition, &tally);
    for fault in [Fault::Waits, Fault::Forsaken, Fault::DiesBefore, Fault::DiesAfter] {
        assert!(tally.has_struck(step::AUTHORIZE_PAYMENT, Op::Do, fault), "{fault}");
    }
    assert!(tally.schedules > 50_000, "{} schedules", tally.schedules);
}

#[test]
fn a_checkout_that_expects_no_total_keeps_the_laws() {
    let input = CheckoutInput { expected_total: None, ..input() };
    keeps_the_laws(&checkout().unwrap(), &samples(&input));
}

#[test]
fn a_checkout_whose_total_has_changed_keeps_the_laws() {
    let input = CheckoutInput { expected_total: euros(2_487), ..input() };
    let tally = keeps_the_laws(&checkout().unwrap(), &samples(&input).is_refused());
    assert_eq!(tally.completed, 0);
    assert!(!tally.has_struck(step::AUTHORIZE_PAYMENT, Op::Do, Fault::Lost), "no money is asked for");
}

#[test]
fn a_synthetic_saga_of_any_length_keeps_the_laws() {
    let samples = Samples::new(&SyntheticInput { payload: vec![7; 32].into() });
    for steps in 1..=8 {
        let definition = synthetic(steps).unwrap();
        let tally = keeps_the_laws(&definition, &samples);
        assert_struck_everywhere(&definition, &tally);
    }
    laws_under(&synthetic(MAX_STEPS).unwrap(), &samples, 1).unwrap_or_else(|broken| panic!("{broken}"));
}

/// The laws look at this definition too: with a business that means something else, it breaks them.
#[test]
fn what_the_checkout_does_not_promise_is_found_missing() {
    let definition = checkout().unwrap();
    let law_of = |samples: &Samples| laws_of(&definition, samples).map(drop).unwrap_err().law;
    let means = || samples(&input());
    // A parcel goes out whether or not the mail does.
    assert_eq!(law_of(&means().needs(step::CREATE_SHIPMENT, step::NOTIFY)), Law::NeedsStand);
    // Goods and cart are held in no order.
    assert_eq!(law_of(&means().needs(step::RESERVE_STOCK, step::HOLD_CART)), Law::NeedsStand);
    assert_eq!(law_of(&means().needs(step::HOLD_CART, step::RESERVE_STOCK)), Law::NeedsStand);
    // A card is charged the sum that was asked for.
    let dearer = CaptureResponse { payment_id: id(thing::PAYMENT), captured: euros(9_999) };
    assert_eq!(law_of(&means().answer(step::CAPTURE_PAYMENT, &dearer)), Law::SamplesFit);
}

/// One of the two mugs comes back.
fn return_input() -> ReturnInput {
    ReturnInput {
        checkout_id: CHECKOUT.to_string(),
        order_id: derived(CHECKOUT, thing::ORDER).to_string(),
        items: vec![Item { sku: "MUG".into(), quantity: 1 }],
        reason: "chipped".into(),
        make_good: false,
        cart_id: String::new(),
    }
}

/// The checkout that sold them.
const CHECKOUT: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_5a6a_0000);

fn return_samples() -> Samples {
    return_samples_of(&return_input())
}

/// What the participants answer to either return.
fn return_samples_of(input: &ReturnInput) -> Samples {
    let items =
        vec![PricedItem { sku: "MUG".into(), quantity: 1, unit_price: euros(999), ..Default::default() }];
    let created = CreateReturnResponse {
        return_id: SAGA.to_string(),
        order_number: "1001".into(),
        payment_id: derived(CHECKOUT, thing::PAYMENT).to_string(),
        items,
        refund: euros(999),
        ..Default::default()
    };
    Samples::new(input)
        .answer(return_step::CREATE_RETURN, &created)
        .answer(
            return_step::REFUND_PAYMENT,
            &RefundResponse { refund_id: id(return_thing::REFUND), refunded: euros(999) },
        )
        .outside(return_step::REFUND_PAYMENT)
        .answer(return_step::CREDIT_NOTE, &CompleteReturnResponse { credit_note_number: "CN-000001".into() })
        // What the shop means: no money without a claim, no goods, note or mail without the money.
        .needs(return_step::REFUND_PAYMENT, return_step::CREATE_RETURN)
        .needs(return_step::RESTOCK, return_step::REFUND_PAYMENT)
        .needs(return_step::TAKE_BACK_SHIPMENT, return_step::REFUND_PAYMENT)
        .needs(return_step::CREDIT_NOTE, return_step::REFUND_PAYMENT)
        .needs(return_step::CREDIT_NOTE, return_step::RESTOCK)
        .needs(return_step::NOTIFY, return_step::CREDIT_NOTE)
}

#[test]
fn the_return_keeps_the_laws() {
    let definition = returns().unwrap();
    let tally = keeps_the_laws(&definition, &return_samples());
    assert_struck_everywhere(&definition, &tally);
    for fault in [Fault::DiesBefore, Fault::DiesAfter] {
        assert!(tally.has_struck(return_step::REFUND_PAYMENT, Op::Do, fault), "{fault}");
    }
}

/// A parcel is called back by what has come back of what was bought, not by what a return has claimed.
#[test]
fn a_parcel_is_told_what_was_bought_and_what_comes_back_of_it() {
    let definition = returns().unwrap();
    let mug = |quantity| vec![Item { sku: "MUG".into(), quantity }];
    let items =
        vec![PricedItem { sku: "MUG".into(), quantity: 1, unit_price: euros(999), ..Default::default() }];
    let created = CreateReturnResponse { items, ordered: mug(3), whole: true, ..Default::default() };
    let (input, created) = (return_input().encode_to_vec().into(), Bytes::from(created.encode_to_vec()));
    let output = |_| Some(created.clone());
    let facts = Facts { saga: SAGA, input: &input, output: &output };
    let step = definition.find(return_step::TAKE_BACK_SHIPMENT).unwrap();
    let asked = TakeBackRequest::decode(definition.request(step, Op::Do, &facts).unwrap()).unwrap();
    assert_eq!((asked.items, asked.ordered), (mug(1), mug(3)));
}

#[test]
fn what_makes_a_checkout_good_keeps_the_laws() {
    let input = ReturnInput { items: vec![], make_good: true, cart_id: "cart-1".into(), ..return_input() };
    // A cart is let go of for nobody who keeps the money.
    let samples = return_samples_of(&input).needs(return_step::LET_GO_CART, return_step::REFUND_PAYMENT);
    let definition = make_good().unwrap();
    let tally = keeps_the_laws(&definition, &samples);
    assert_struck_everywhere(&definition, &tally);
    // And for everybody who has it back, whatever of the goods or the mail is still to be done.
    let samples = samples.needs(return_step::LET_GO_CART, return_step::NOTIFY);
    assert_eq!(laws_of(&definition, &samples).map(drop).unwrap_err().law, Law::NeedsStand);
}

#[test]
fn what_the_return_does_not_promise_is_found_missing() {
    let law_of = |samples: &Samples| laws_of(&returns().unwrap(), samples).map(drop).unwrap_err().law;
    // Goods are on hand again whether or not their parcel is received.
    let samples = return_samples().needs(return_step::RESTOCK, return_step::TAKE_BACK_SHIPMENT);
    assert_eq!(law_of(&samples), Law::NeedsStand);
    // Another amount, another payment, or a claim of nothing is not believed.
    let refunded = |amount| RefundResponse { refund_id: id(return_thing::REFUND), refunded: euros(amount) };
    let dearer = return_samples().answer(return_step::REFUND_PAYMENT, &refunded(1_000));
    let nothing = CreateReturnResponse { return_id: SAGA.to_string(), ..Default::default() };
    let nothing = return_samples().answer(return_step::CREATE_RETURN, &nothing);
    for samples in [dearer, nothing] {
        assert_eq!(law_of(&samples), Law::SamplesFit);
    }
}

#[test]
fn the_repair_and_the_case_keep_the_laws() {
    let repair_input =
        RepairInput { provider_id: "pi_7".into(), state: "captured".into(), reason: "nobody's".into() };
    let taken = TakeBackObjectResponse { outcome: "refunded".into(), amount: euros(999) };
    let samples = Samples::new(&repair_input)
        .answer(return_step::TAKE_BACK_OBJECT, &taken)
        .outside(return_step::TAKE_BACK_OBJECT);
    let definition = repair().unwrap();
    assert_struck_everywhere(&definition, &keeps_the_laws(&definition, &samples));
    let stolen = TakeBackObjectResponse { outcome: "stolen".into(), ..taken };
    let broken = laws_of(&definition, &samples.answer(return_step::TAKE_BACK_OBJECT, &stolen));
    assert_eq!(broken.map(drop).unwrap_err().law, Law::SamplesFit);

    let samples = Samples::new(&CaseInput { case_id: SAGA.to_string() })
        .answer(return_step::SETTLE_CASE, &SettleCaseResponse { resolution: "bank transfer 7".into() });
    let definition = refund_case().unwrap();
    assert_struck_everywhere(&definition, &keeps_the_laws(&definition, &samples));
}

/// What makes a checkout good is the return of all of it, of that checkout and for the person's reason.
#[test]
fn a_checkout_is_made_good_by_the_return_of_everything() {
    let definition = checkout().unwrap();
    let (mut saga, _) =
        begin(&definition, SAGA, SAGA, input().encode_to_vec().into(), String::new(), Timestamp(0));
    assert!(definition.return_of(&saga).is_none(), "nobody has decided that");
    let entry = |record| Entry { at: Timestamp(1), record };
    saga.fold(&entry(Record::MadeGood { why: "flooded".into(), return_saga: CHECKOUT })).unwrap();
    let (name, input) = definition.return_of(&saga).unwrap().unwrap();
    let expected = ReturnInput {
        checkout_id: SAGA.to_string(),
        order_id: id(thing::ORDER),
        items: vec![],
        reason: "flooded".into(),
        make_good: true,
        cart_id: "cart-1".into(),
    };
    assert_eq!((name, ReturnInput::decode(input).unwrap()), ("make_good", expected));
}
