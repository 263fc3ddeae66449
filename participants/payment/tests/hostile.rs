//! A provider whose answers cannot be: Broken with the reason, nothing recorded as done, and no money moved on them.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_proto::contract::Op::Do;
use backstitch_proto::money::{Currency, Money};
use backstitch_services::{On, each_database};
use common::{Lie, Said, Shop};
use participant_payment::gateway::{ProviderId, ProviderState};

each_database!(blocking:
    an_authorization_that_cannot_be_is_broken_and_recorded_as_nothing,
    a_capture_that_cannot_be_is_broken_and_found_when_the_provider_makes_sense_again,
    an_answer_to_a_capture_that_contradicts_what_was_asked_is_not_believed,
    money_taken_where_only_a_hold_was_asked_for_is_broken_and_given_back_by_the_undo,
    a_void_that_the_provider_does_not_confirm_is_not_done,
);

const HELD: &[&str] = &["authorized:1000"];

const LIES: [(&str, Lie); 7] = [
    ("another amount", |_, payment| payment.amount.minor += 1),
    ("another currency", |_, payment| {
        payment.amount = Money::new(payment.amount.minor, Currency::parse("EUR").unwrap());
    }),
    ("another payment", |_, payment| payment.reference = Some(uuid::Uuid::nil())),
    ("nobody's payment", |_, payment| payment.reference = None),
    ("another object", |verb, payment| {
        if verb != "create" {
            payment.id = ProviderId::new("sbx_other");
        }
    }),
    ("less held", |verb, payment| {
        if verb != "create" {
            payment.authorized_minor = 1;
        }
    }),
    ("refunded more than captured", |_, payment| payment.refunded_minor = payment.captured_minor + 1),
];

fn truth(_: &'static str, _: &mut participant_payment::gateway::ProviderPayment) {}

fn an_authorization_that_cannot_be_is_broken_and_recorded_as_nothing(on: On) {
    for (why, lie) in LIES {
        let shop = Shop::open(on);
        shop.lie(lie);
        assert!(shop.authorize(Do, "tok_ok").is_broken(), "{why}");
        // An object that was never stored is never confirmed, whatever it is: that much can be promised.
        shop.until_nobody_else_is_at_it();
        let again = shop.authorize(Do, "tok_ok");
        let ended = again == Said::refused("PAYMENT_INTERRUPTED") && shop.bank().is_empty();
        assert!(again.is_broken() || ended, "{why}: {again:?}");
        assert_eq!(shop.ours(), [""; 0], "{why}");
        assert_eq!(shop.events(), [""; 0], "{why}");
        assert_ne!(shop.status(), "authorized", "{why}");
        assert_ne!(shop.void(), Said::NotNow, "{why}");
        // Once the provider makes sense again nothing is left held.
        shop.lie(truth);
        shop.settle();
        assert_eq!(shop.void(), Said::Done, "{why}");
        assert_eq!(shop.bank(), shop.ours(), "{why}");
        assert_eq!(shop.status(), "voided", "{why}");
    }
}

fn a_capture_that_cannot_be_is_broken_and_found_when_the_provider_makes_sense_again(on: On) {
    for (why, lie) in LIES {
        let shop = Shop::open(on);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
        shop.lie(lie);
        for _ in 0..2 {
            assert!(shop.capture(Do).is_broken(), "{why}");
        }
        assert_eq!(shop.ours(), HELD, "{why}");
        assert_eq!(shop.status(), "capturing", "{why}");
        assert_eq!(shop.void(), Said::NotNow, "{why}: a capture in doubt is never voided");
        shop.lie(truth);
        assert_eq!(shop.capture(Do), Said::Done, "{why}");
        assert_eq!(shop.bank(), shop.ours(), "{why}");
    }
}

fn an_answer_to_a_capture_that_contradicts_what_was_asked_is_not_believed(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.lie(|verb, payment| {
        if verb == "capture" {
            payment.captured_minor = payment.captured_minor.min(1);
        }
    });
    assert_eq!(shop.capture(Do), Said::Done, "the object tells");
    assert_eq!(shop.ours(), ["authorized:1000", "captured:1000"]);
    assert_eq!(shop.bank(), shop.ours());
}

fn money_taken_where_only_a_hold_was_asked_for_is_broken_and_given_back_by_the_undo(on: On) {
    let shop = Shop::open(on);
    shop.lie(|verb, payment| {
        if verb == "confirm" {
            payment.state = ProviderState::Captured;
            payment.captured_minor = payment.authorized_minor;
        }
    });
    assert!(shop.authorize(Do, "tok_ok").is_broken());
    assert_eq!(shop.ours(), [""; 0]);
    shop.lie(truth);
    assert_eq!(shop.void(), Said::Done);
    assert_eq!(shop.bank(), shop.ours());
}

fn a_void_that_the_provider_does_not_confirm_is_not_done(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.lie(|verb, payment| {
        if verb == "cancel" {
            payment.state = ProviderState::Authorized { capture_before_ms: 1 };
        }
    });
    assert_eq!(shop.void(), Said::NotNow);
    assert_eq!(shop.status(), "voiding");
    shop.lie(truth);
    assert_eq!(shop.void(), Said::Done);
    assert_eq!(shop.bank(), shop.ours());
}
