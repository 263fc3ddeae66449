//! The payment service with Stripe as its provider, which declines, asks the customer, and goes wrong in its own ways.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use backstitch_proto::contract::Op::{Close, Do};
use backstitch_proto::money::{Currency, Money};
use backstitch_services::{On, each_database};
use backstitch_stripe_double::{Kind, Operation};
use common::Fault::{HangAfter, HangBefore, Pass};
use common::{AMOUNT, GONE_AFTER_MS, Said, Shop, gbp};

each_database!(blocking:
    a_decline_ends_the_object_and_is_refused_for_its_reason,
    a_decline_whose_object_was_left_open_is_ended_and_refused_for_its_reason,
    a_customer_who_proves_it_is_held_and_one_who_fails_is_refused_by_name,
    a_customer_cannot_come_back_to_a_checkout_that_has_turned_back,
    a_capture_that_stripe_executed_is_found_whatever_it_answered,
    a_capture_that_stripe_did_not_execute_is_never_made_whatever_it_answered,
    a_hold_that_stripe_made_is_found_whatever_it_answered,
    a_hold_that_stripe_did_not_make_is_made_impossible_whatever_it_answered,
    what_stripe_was_too_busy_for_is_asked_again_under_its_key,
    what_takes_longer_than_we_wait_is_settled_once_it_has_come_about,
    what_has_ended_before_a_slow_confirmation_holds_nothing,
    an_object_that_stripe_made_and_nobody_heard_of_is_never_confirmed,
    a_void_goes_on_whatever_stripe_answered,
    what_somebody_captures_at_stripe_before_the_cancel_is_given_back_by_the_undo,
    another_amount_that_somebody_captures_at_stripe_refuses_ours_and_is_given_back_by_the_undo,
    what_somebody_captures_at_stripe_before_the_capture_is_read_and_done,
    a_refund_that_stripe_made_is_found_whatever_it_answered,
    a_refund_that_stripe_did_not_make_is_asked_for_until_it_is_made_once,
    a_charge_that_was_given_back_elsewhere_refuses_a_refund_and_its_amount_is_free,
    a_hold_that_stripe_has_let_go_is_refused_by_name,
    an_amount_that_stripe_does_not_take_is_refused_by_name_and_holds_nothing,
    an_amount_in_any_unit_is_held_and_captured_exactly,
);

const NOTHING: &[&str] = &[];
const HELD: &[&str] = &["authorized:1000"];
const VOIDED: &[&str] = &["authorized:1000", "voided:1000"];
const CAPTURED: &[&str] = &["authorized:1000", "captured:1000"];

/// Stripe executed it, and did not say so.
const EXECUTED: [Kind; 2] = [Kind::ReplyLost, Kind::ErrorExecuted];

/// After how long a busy Stripe wants to be asked again: nobody asks it anything before.
const BUSY_MS: i64 = 7_000;

/// Stripe did not execute it, whatever it said.
const NOT_EXECUTED: [Kind; 5] =
    [Kind::Reset, Kind::ErrorStored, Kind::ErrorUnexecuted, Kind::RateLimited(7), Kind::KeyInUse];

fn agree(shop: &Shop, entries: &[&str], why: &str) {
    assert_eq!(shop.bank(), entries, "{why}: the bank");
    assert_eq!(shop.ours(), entries, "{why}: ours");
}

fn a_decline_ends_the_object_and_is_refused_for_its_reason(on: On) {
    for (token, reason) in [
        ("tok_declined", "CARD_DECLINED"),
        ("tok_insufficient_funds", "INSUFFICIENT_FUNDS"),
        ("tok_nobody_s", "UNKNOWN_PAYMENT_METHOD"),
        ("pm_card_chargeDeclinedExpiredCard", "CARD_DECLINED"),
        ("pm_card_visa_chargeDeclinedLostCard", "CARD_DECLINED"),
        ("pm_card_authenticationDeclined", "AUTHENTICATION_FAILED"),
    ] {
        let shop = Shop::open(on);
        for _ in 0..2 {
            assert_eq!(shop.authorize(Do, token), Said::refused(reason), "{token}");
        }
        assert_eq!(shop.authorize(Close, token), Said::refused(reason), "{token}");
        assert_eq!(shop.status(), "refused", "{token}");
        let asked = shop.asked();
        assert_eq!(asked.iter().filter(|asked| asked.starts_with("confirm")).count(), 1, "{asked:?}");
        assert_eq!(asked.last().map(String::as_str), Some("cancel:ok"), "{asked:?}");
        assert_eq!(shop.void(), Said::Done);
        agree(&shop, NOTHING, token);
    }
}

fn a_decline_whose_object_was_left_open_is_ended_and_refused_for_its_reason(on: On) {
    for fault in [HangBefore, HangAfter] {
        let mut shop = Shop::open(on);
        // Declined, and killed around the cancel.
        shop.faults(&[Pass, Pass, fault]);
        assert_eq!(shop.try_authorize(Do, "tok_insufficient_funds"), None);
        shop.crash();
        let said = shop.authorize(Do, "tok_insufficient_funds");
        assert_eq!(said, Said::refused("INSUFFICIENT_FUNDS"), "{fault:?}");
        assert_eq!(shop.status(), "refused");
        agree(&shop, NOTHING, "declined");
    }
}

fn a_customer_who_proves_it_is_held_and_one_who_fails_is_refused_by_name(on: On) {
    for (proves, said, entries) in
        [(true, Said::Done, HELD), (false, Said::refused("AUTHENTICATION_FAILED"), NOTHING)]
    {
        let shop = Shop::open(on);
        for _ in 0..3 {
            assert!(matches!(shop.authorize(Do, "tok_3ds_ok"), Said::Pending(_)), "as often as it is asked");
        }
        assert!(shop.stripe().customer(proves));
        assert_eq!(shop.authorize(Do, "tok_3ds_ok"), said);
        assert_eq!(shop.authorize(Do, "tok_3ds_ok"), said, "stored");
        agree(&shop, entries, "after the challenge");
        let asked = shop.asked();
        let ended = asked.last().map(String::as_str) == Some("cancel:ok");
        assert_eq!(ended, !proves, "who fails cannot try again: {asked:?}");
    }
}

fn a_customer_cannot_come_back_to_a_checkout_that_has_turned_back(on: On) {
    let shop = Shop::open(on);
    assert!(matches!(shop.authorize(Do, "tok_3ds_ok"), Said::Pending(_)));
    assert_eq!(shop.void(), Said::Done);
    assert!(!shop.stripe().customer(true), "nobody is waited for");
    agree(&shop, NOTHING, "turned back");

    // The customer was quicker by a moment.
    let shop = Shop::open(on);
    assert!(matches!(shop.authorize(Do, "tok_3ds_ok"), Said::Pending(_)));
    assert!(shop.stripe().customer(true));
    assert_eq!(shop.void(), Said::Done);
    agree(&shop, VOIDED, "held, and let go");
}

fn a_capture_that_stripe_executed_is_found_whatever_it_answered(on: On) {
    for kind in EXECUTED {
        let shop = Shop::open(on);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
        shop.stripe().goes_wrong(Operation::CaptureIntent, kind);
        assert_eq!(shop.capture(Do), Said::Unknown, "{kind:?}");
        assert_eq!(shop.capture(Do), Said::Done, "{kind:?}");
        agree(&shop, CAPTURED, "once");
    }
}

fn a_capture_that_stripe_did_not_execute_is_never_made_whatever_it_answered(on: On) {
    for kind in NOT_EXECUTED {
        let shop = Shop::open(on);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
        shop.stripe().goes_wrong(Operation::CaptureIntent, kind);
        assert_eq!(shop.capture(Do), Said::Unknown, "{kind:?}");
        shop.clock.advance(BUSY_MS);
        assert_eq!(shop.capture(Close), Said::refused("PAYMENT_INTERRUPTED"), "{kind:?}");
        assert_eq!(shop.void(), Said::Done, "{kind:?}");
        agree(&shop, VOIDED, "ended once");
    }
}

fn a_hold_that_stripe_made_is_found_whatever_it_answered(on: On) {
    for kind in EXECUTED {
        let shop = Shop::open(on);
        shop.stripe().goes_wrong(Operation::ConfirmIntent, kind);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown, "{kind:?}");
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done, "{kind:?}");
        agree(&shop, HELD, "once");
    }
}

fn a_hold_that_stripe_did_not_make_is_made_impossible_whatever_it_answered(on: On) {
    for operation in [Operation::CreateIntent, Operation::ConfirmIntent] {
        for kind in NOT_EXECUTED {
            let shop = Shop::open(on);
            shop.stripe().goes_wrong(operation, kind);
            assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown, "{operation:?} {kind:?}");
            shop.clock.advance(BUSY_MS);
            let closed = shop.authorize(Close, "tok_ok");
            assert_eq!(closed, Said::refused("PAYMENT_INTERRUPTED"), "{operation:?} {kind:?}");
            agree(&shop, NOTHING, "never held");
        }
    }
}

fn what_stripe_was_too_busy_for_is_asked_again_under_its_key(on: On) {
    for operation in [Operation::CreateIntent, Operation::ConfirmIntent] {
        let shop = Shop::open(on);
        shop.stripe().goes_wrong(operation, Kind::RateLimited(7));
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown, "{operation:?}");
        shop.clock.advance(6_999);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown, "{operation:?}: too early");
        shop.clock.advance(1);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done, "{operation:?}");
        agree(&shop, HELD, "once");
    }
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.stripe().goes_wrong(Operation::CaptureIntent, Kind::RateLimited(7));
    assert_eq!(shop.capture(Do), Said::Unknown);
    shop.clock.advance(6_999);
    assert_eq!(shop.capture(Do), Said::Unknown, "too early");
    shop.clock.advance(1);
    assert_eq!(shop.capture(Do), Said::Done);
    agree(&shop, CAPTURED, "once");
}

/// A shop that does not wait for a slow Stripe.
fn impatient(on: On) -> Shop {
    let mut shop = Shop::open(on);
    shop.stripe().is_waited_for(Duration::from_millis(400));
    shop.crash();
    shop
}

/// The call takes longer than anybody waits for it.
const SLOW: Kind = Kind::Slow(1_200);

/// What a call comes to in the end, which was not known when it was given up.
fn in_the_end(call: impl Fn() -> Said) -> Said {
    let first = call();
    assert!(matches!(first, Said::Unknown | Said::NotNow), "it was waited for: {first:?}");
    let began = Instant::now();
    let mut said = first;
    while matches!(said, Said::Unknown | Said::NotNow) {
        assert!(began.elapsed() < Duration::from_secs(20), "it never ends");
        said = call();
    }
    said
}

fn what_takes_longer_than_we_wait_is_settled_once_it_has_come_about(on: On) {
    let held = || {
        let shop = impatient(on);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
        shop
    };
    let shop = held();
    shop.stripe().goes_wrong(Operation::CaptureIntent, SLOW);
    assert_eq!(in_the_end(|| shop.capture(Do)), Said::Done);
    assert_eq!(shop.stripe().answered(Operation::CaptureIntent), [200], "asked for once");
    agree(&shop, CAPTURED, "once");

    shop.stripe().goes_wrong(Operation::CreateRefund, SLOW);
    assert_eq!(in_the_end(|| shop.refund(Do, 1, 300)), Said::Done);
    agree(&shop, &["authorized:1000", "captured:1000", "refunded:300"], "once");

    let shop = held();
    shop.stripe().goes_wrong(Operation::CancelIntent, SLOW);
    assert_eq!(in_the_end(|| shop.void()), Said::Done);
    agree(&shop, VOIDED, "once");
}

/// Alone on its database a process knows that its confirmation is given up, and ends the object; one that may not be waits.
fn what_has_ended_before_a_slow_confirmation_holds_nothing(on: On) {
    let (said, entries) = match on {
        On::Sqlite => (Said::refused("PAYMENT_INTERRUPTED"), NOTHING),
        On::Postgres => (Said::Done, HELD),
    };
    let shop = impatient(on);
    shop.stripe().goes_wrong(Operation::ConfirmIntent, SLOW);
    assert_eq!(in_the_end(|| shop.authorize(Do, "tok_ok")), said);
    // Until the slow one has been answered too.
    let began = Instant::now();
    while shop.stripe().answered(Operation::ConfirmIntent) == [0] {
        assert!(began.elapsed() < Duration::from_secs(20), "it never ends");
    }
    assert_eq!(shop.stripe().answered(Operation::ConfirmIntent).len(), 1, "asked for once");
    agree(&shop, entries, "in the end");
}

fn an_object_that_stripe_made_and_nobody_heard_of_is_never_confirmed(on: On) {
    for kind in EXECUTED.into_iter().chain([SLOW]) {
        let shop = impatient(on);
        shop.stripe().goes_wrong(Operation::CreateIntent, kind);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown, "{kind:?}");
        shop.clock.advance(GONE_AFTER_MS + 1);
        let said = common::in_the_end(|| shop.authorize(Do, "tok_ok"));
        assert_eq!(said, Said::refused("PAYMENT_INTERRUPTED"), "{kind:?}");
        // Until the slow one has been answered too.
        let began = Instant::now();
        while kind == SLOW && shop.stripe().answered(Operation::CreateIntent) == [0] {
            assert!(began.elapsed() < Duration::from_secs(20), "it never ends");
        }
        assert_eq!(shop.stripe().answered(Operation::CreateIntent).len(), 1, "{kind:?}: asked for once");
        assert!(shop.stripe().answered(Operation::ConfirmIntent).is_empty(), "{kind:?}");
        assert_eq!(shop.void(), Said::Done, "{kind:?}");
        agree(&shop, NOTHING, "it holds nothing");
    }
}

fn a_void_goes_on_whatever_stripe_answered(on: On) {
    for kind in EXECUTED.into_iter().chain(NOT_EXECUTED) {
        let shop = Shop::open(on);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
        shop.stripe().goes_wrong(Operation::CancelIntent, kind);
        assert_eq!(shop.void(), Said::NotNow, "{kind:?}");
        shop.clock.advance(BUSY_MS);
        assert_eq!(shop.void(), Said::Done, "{kind:?}");
        agree(&shop, VOIDED, "once");
        assert_eq!(shop.capture(Do), Said::refused("CAPTURE_FAILED"), "{kind:?}: never captured any more");
    }
}

fn what_somebody_captures_at_stripe_before_the_cancel_is_given_back_by_the_undo(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.stripe().goes_wrong(Operation::CancelIntent, Kind::Overtaken);
    assert_eq!(shop.void(), Said::Done);
    agree(&shop, &["authorized:1000", "captured:1000", "refunded:1000"], "given back");
    let asked = shop.asked();
    assert!(asked.contains(&"cancel:refused".to_owned()), "{asked:?}");
}

fn another_amount_that_somebody_captures_at_stripe_refuses_ours_and_is_given_back_by_the_undo(on: On) {
    for (asked, kind, taken) in [(1_000, Kind::OvertakenInPart(600), 600), (600, Kind::Overtaken, 1_000)] {
        for op in [Do, Close] {
            let shop = Shop::open(on);
            assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
            shop.stripe().goes_wrong(Operation::CaptureIntent, kind);
            let refused = Some(Said::refused("AMOUNT_MISMATCH"));
            assert_eq!(shop.try_capture(Do, gbp(asked)), refused, "{kind:?}");
            assert_eq!(shop.try_capture(op, gbp(asked)), refused, "{kind:?}");
            assert_eq!(shop.void(), Said::Done, "{kind:?}");
            let (captured, back) = (format!("captured:{taken}"), format!("refunded:{taken}"));
            let only = |entries: Vec<String>| {
                let told = entries.into_iter().filter(|entry| !entry.ends_with(":400"));
                told.collect::<Vec<_>>()
            };
            let moved = ["authorized:1000", captured.as_str(), back.as_str()];
            assert_eq!(only(shop.bank()), moved, "{kind:?}");
            assert_eq!(only(shop.ours()), moved, "{kind:?}");
        }
    }
}

fn what_somebody_captures_at_stripe_before_the_capture_is_read_and_done(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.asked();
    shop.stripe().goes_wrong(Operation::CaptureIntent, Kind::Overtaken);
    assert_eq!(shop.capture(Do), Said::Done);
    assert_eq!(shop.asked(), ["capture:refused", "read:ok"]);
    agree(&shop, CAPTURED, "once");
    // Another step of ours is no other than somebody else.
    assert_eq!(shop.try_capture_as("capture_again", Do, gbp(AMOUNT)), Some(Said::Done));
    assert_eq!(shop.asked(), ["capture:refused", "read:ok"]);
    agree(&shop, CAPTURED, "once");
}

fn a_refund_that_stripe_made_is_found_whatever_it_answered(on: On) {
    for kind in EXECUTED {
        let shop = Shop::open(on);
        shop.authorize(Do, "tok_ok");
        assert_eq!(shop.capture(Do), Said::Done);
        shop.stripe().goes_wrong(Operation::CreateRefund, kind);
        assert_eq!(shop.refund(Do, 1, 300), Said::Unknown, "{kind:?}");
        assert_eq!(shop.refund(Do, 1, 300), Said::Done, "{kind:?}");
        agree(&shop, &["authorized:1000", "captured:1000", "refunded:300"], "once");
    }
}

fn a_refund_that_stripe_did_not_make_is_asked_for_until_it_is_made_once(on: On) {
    /// Until a key is forgotten, and nothing that was asked under it can be on its way.
    const FORGOTTEN_MS: i64 = (24 * 60 + 6) * 60_000;
    for kind in NOT_EXECUTED {
        let shop = Shop::open(on);
        shop.authorize(Do, "tok_ok");
        assert_eq!(shop.capture(Do), Said::Done);
        shop.stripe().goes_wrong(Operation::CreateRefund, kind);
        assert_eq!(shop.refund(Do, 1, 600), Said::Unknown, "{kind:?}");
        shop.clock.advance(BUSY_MS);
        if kind == Kind::ErrorStored {
            // Its key gives the error again for as long as it is remembered, and nobody takes that for a no.
            for _ in 0..2 {
                assert_eq!(shop.refund(Do, 1, 600), Said::Unknown);
            }
            assert_eq!(shop.refund(Close, 1, 600), Said::NotNow);
            assert_eq!(shop.refund(Do, 2, 401), Said::refused("REFUND_EXCEEDS_CAPTURED"), "it stays claimed");
            agree(&shop, CAPTURED, "nothing is given back yet");
            shop.stripe().turn(Duration::from_millis(FORGOTTEN_MS.unsigned_abs()));
            shop.clock.advance(FORGOTTEN_MS);
        }
        let op = if kind == Kind::ErrorStored { Close } else { Do };
        assert_eq!(shop.refund(op, 1, 600), Said::Done, "{kind:?}");
        agree(&shop, &["authorized:1000", "captured:1000", "refunded:600"], "once");
    }
}

fn a_charge_that_was_given_back_elsewhere_refuses_a_refund_and_its_amount_is_free(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    assert_eq!(shop.capture(Do), Said::Done);
    shop.stripe().given_back_elsewhere(AMOUNT);
    assert_eq!(shop.refund(Do, 1, 300), Said::refused("REFUND_FAILED"));
    assert_eq!(shop.refund(Do, 2, AMOUNT), Said::refused("REFUND_FAILED"), "the first one claims nothing");
    assert_eq!(shop.bank(), ["authorized:1000", "captured:1000", "refunded:1000"]);
    assert_eq!(shop.ours(), CAPTURED, "nothing is booked that is not ours");
}

fn a_hold_that_stripe_has_let_go_is_refused_by_name(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.stripe().holds_run_out();
    assert_eq!(shop.capture(Do), Said::refused("AUTHORIZATION_EXPIRED"));
    assert_eq!(shop.void(), Said::Done);
    agree(&shop, VOIDED, "ran out");
}

fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, Currency::parse(code).unwrap())
}

fn an_amount_that_stripe_does_not_take_is_refused_by_name_and_holds_nothing(on: On) {
    for amount in [
        money(100_000_000, "GBP"),
        money(29, "GBP"),
        money(5_124, "KWD"),
        money(101, "MGA"),
        money(1_000, "IQD"),
    ] {
        let shop = Shop::open(on);
        let said = shop.try_authorize_as("authorize_payment", shop.payment, Do, "tok_ok", amount);
        assert_eq!(said, Some(Said::refused("AMOUNT_NOT_ALLOWED")), "{amount}");
        assert_eq!(shop.status(), "refused", "{amount}");
        assert_eq!(shop.void(), Said::Done, "{amount}");
        agree(&shop, NOTHING, "never held");
    }
}

fn an_amount_in_any_unit_is_held_and_captured_exactly(on: On) {
    for (amount, units) in [
        (money(99_999_999, "GBP"), 99_999_999),
        (money(30, "GBP"), 30),
        (money(5_000, "JPY"), 5_000),
        (money(5_000, "ISK"), 500_000),
        (money(5_120, "KWD"), 5_120),
    ] {
        let shop = Shop::open(on);
        let said = shop.try_authorize_as("authorize_payment", shop.payment, Do, "tok_ok", amount);
        assert_eq!(said, Some(Said::Done), "{amount}");
        assert_eq!(shop.try_capture(Do, amount), Some(Said::Done), "{amount}");
        assert_eq!(shop.bank(), [format!("authorized:{units}"), format!("captured:{units}")], "{amount}");
        let minor = amount.minor;
        assert_eq!(shop.ours(), [format!("authorized:{minor}"), format!("captured:{minor}")], "{amount}");
    }
}
