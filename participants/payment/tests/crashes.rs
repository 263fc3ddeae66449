//! Killed between any two lines: what the next process makes of it, alone or with the saga's repetition.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_proto::contract::Op::{Close, Do, Undo};
use backstitch_services::{On, each_database};
use common::Fault::{HangAfter, HangBefore, LoseAnswer, LoseRequest, Pass, RateLimited, Unavailable};
use common::{Fault, GONE_AFTER_MS, Said, Shop, in_the_end};

each_database!(blocking:
    killed_in_authorize_the_close_finds_the_hold_or_makes_it_impossible,
    killed_in_authorize_the_undo_leaves_nothing_held,
    killed_in_authorize_the_next_process_settles_it_by_itself,
    killed_after_the_capture_it_is_found_and_not_made_again,
    killed_before_the_capture_it_is_never_made,
    killed_in_void_the_next_process_goes_on_with_it,
    killed_in_the_refund_of_an_undo_it_is_given_back_once,
    killed_after_a_refund_it_is_found_and_counted_once,
    a_refund_that_the_provider_never_heard_of_is_asked_for_again_under_its_key,
    an_answer_that_is_lost_without_a_crash_is_read,
    a_capture_whose_request_was_lost_is_waited_for_and_then_settled,
    what_the_provider_surely_did_not_execute_is_asked_again_and_given_up_for_nobody,
    what_is_being_closed_or_may_have_been_executed_is_never_asked_again,
    a_busy_provider_is_not_asked_again_before_it_wants_to_be,
    a_capture_that_is_sent_again_after_a_long_time_is_waited_for_as_long_as_the_first,
    killed_in_the_end_of_a_capture_the_next_process_goes_on_with_it,
    a_dropped_request_cancels_nothing,
    an_undo_that_begins_while_the_object_is_created_lets_nothing_be_confirmed,
    an_undo_that_begins_while_the_hold_is_made_ends_it,
    a_close_that_begins_while_the_capture_is_made_waits_for_it_and_is_done,
    an_undo_waits_for_a_refund_in_doubt_before_it_gives_back_the_rest,
);

const HELD: &[&str] = &["authorized:1000"];
const VOIDED: &[&str] = &["authorized:1000", "voided:1000"];
const CAPTURED: &[&str] = &["authorized:1000", "captured:1000"];
const NOTHING: &[&str] = &[];

fn agree(shop: &Shop, entries: &[&str], why: &str) {
    assert_eq!(shop.bank(), entries, "{why}: the bank");
    assert_eq!(shop.ours(), entries, "{why}: ours");
    assert_eq!(shop.events().len(), entries.len(), "{why}: events");
}

/// A shop that was killed while `faults` were on the wire of its authorization.
fn killed_in_authorize(on: On, faults: &[Fault]) -> Shop {
    let mut shop = Shop::open(on);
    shop.faults(faults);
    assert_eq!(shop.try_authorize(Do, "tok_ok"), None, "it hangs at the provider");
    shop.crash();
    shop
}

fn killed_in_capture(on: On, fault: Fault) -> Shop {
    let mut shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.faults(&[fault]);
    assert_eq!(shop.try_capture(Do, common::gbp(common::AMOUNT)), None, "it hangs at the provider");
    shop.crash();
    shop
}

fn killed_in_authorize_the_next_process_settles_it_by_itself(on: On) {
    for (why, faults, status, entries) in [
        ("before create", &[HangBefore][..], "voided", NOTHING),
        ("after create", &[HangAfter], "voided", NOTHING),
        ("before confirm", &[Pass, HangBefore], "voided", NOTHING),
        ("after confirm", &[Pass, HangAfter], "authorized", HELD),
    ] {
        let shop = killed_in_authorize(on, faults);
        shop.tick(Duration::from_secs(6));
        assert_eq!(shop.status(), status, "{why}");
        agree(&shop, entries, why);
        let again = shop.authorize(Do, "tok_ok");
        match status {
            "authorized" => assert_eq!(again, Said::Done, "{why}"),
            _ => assert_eq!(again, Said::refused("PAYMENT_INTERRUPTED"), "{why}"),
        }
    }
}

fn killed_in_authorize_the_undo_leaves_nothing_held(on: On) {
    for (why, faults, entries) in [
        ("before create", &[HangBefore][..], NOTHING),
        ("after create", &[HangAfter], NOTHING),
        ("before confirm", &[Pass, HangBefore], NOTHING),
        ("after confirm", &[Pass, HangAfter], VOIDED),
    ] {
        let shop = killed_in_authorize(on, faults);
        assert_eq!(shop.void(), Said::Done, "{why}");
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Superseded, "{why}");
        agree(&shop, entries, why);
    }
}

fn killed_in_authorize_the_close_finds_the_hold_or_makes_it_impossible(on: On) {
    for (why, faults, held) in [
        ("before create", &[HangBefore][..], false),
        ("after create", &[HangAfter], false),
        ("before confirm", &[Pass, HangBefore], false),
        ("after confirm", &[Pass, HangAfter], true),
    ] {
        let shop = killed_in_authorize(on, faults);
        let said = shop.authorize(Close, "tok_ok");
        match held {
            true => assert_eq!(said, Said::Done, "{why}"),
            false => assert_eq!(said, Said::refused("PAYMENT_INTERRUPTED"), "{why}"),
        }
        agree(&shop, if held { HELD } else { NOTHING }, why);
    }
}

fn killed_after_the_capture_it_is_found_and_not_made_again(on: On) {
    let shop = killed_in_capture(on, HangAfter);
    assert_eq!(shop.status(), "capturing");
    assert_eq!(shop.void(), Said::NotNow, "a capture is settled before anything is voided");
    shop.asked();
    shop.tick(Duration::from_secs(6));
    assert_eq!(shop.status(), "captured");
    assert_eq!(shop.capture(Do), Said::Done);
    assert_eq!(shop.asked(), ["read:ok"], "never sent again");
    agree(&shop, CAPTURED, "once");
}

fn killed_before_the_capture_it_is_never_made(on: On) {
    let settles: [fn(&Shop); 3] = [
        |shop| shop.tick(Duration::from_secs(6)),
        |shop| assert_eq!(shop.capture(Do), Said::refused("PAYMENT_INTERRUPTED")),
        |shop| assert_eq!(shop.capture(Close), Said::refused("PAYMENT_INTERRUPTED")),
    ];
    for settle in settles {
        let shop = killed_in_capture(on, HangBefore);
        shop.asked();
        settle(&shop);
        agree(&shop, VOIDED, "the hold is ended");
        assert_eq!(shop.asked(), ["read:ok", "cancel:ok"], "never sent again");
        assert!(matches!(shop.capture(Close), Said::Refused(_)));
        assert_eq!(shop.void(), Said::Done);
        agree(&shop, VOIDED, "ended once");
    }
}

fn killed_in_void_the_next_process_goes_on_with_it(on: On) {
    for (why, faults) in [
        ("before read", &[HangBefore][..]),
        ("after read", &[HangAfter]),
        ("before cancel", &[Pass, HangBefore]),
        ("after cancel", &[Pass, HangAfter]),
    ] {
        for alone in [true, false] {
            let mut shop = Shop::open(on);
            assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
            shop.faults(faults);
            assert_eq!(shop.try_void(), None, "{why}");
            shop.crash();
            if alone {
                shop.tick(Duration::from_secs(6));
            }
            assert_eq!(shop.capture(Do), Said::refused("CAPTURE_FAILED"), "{why}: voiding is never captured");
            assert_eq!(shop.void(), Said::Done, "{why}");
            agree(&shop, VOIDED, why);
        }
    }
}

fn killed_in_the_refund_of_an_undo_it_is_given_back_once(on: On) {
    let all: &[&str] = &["authorized:1000", "captured:1000", "refunded:1000"];
    for (why, fault) in [("before", HangBefore), ("after", HangAfter)] {
        for alone in [true, false] {
            let mut shop = Shop::open(on);
            shop.authorize(Do, "tok_ok");
            shop.capture(Do);
            shop.faults(&[fault]);
            assert_eq!(shop.try_void(), None, "{why}");
            shop.crash();
            if alone {
                shop.tick(Duration::from_secs(6));
                agree(&shop, all, why);
            }
            assert_eq!(shop.void(), Said::Done, "{why}");
            agree(&shop, all, why);
        }
    }
}

fn killed_after_a_refund_it_is_found_and_counted_once(on: On) {
    let mut shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.capture(Do);
    shop.faults(&[HangAfter]);
    assert_eq!(shop.try_refund(Do, 1, common::gbp(600)), None);
    shop.crash();
    assert_eq!(shop.refund(Do, 2, 401), Said::refused("REFUND_EXCEEDS_CAPTURED"), "pending counts");
    shop.tick(Duration::from_secs(6));
    agree(&shop, &["authorized:1000", "captured:1000", "refunded:600"], "found");
    assert_eq!(shop.refund(Do, 1, 600), Said::Done);
}

fn a_refund_that_the_provider_never_heard_of_is_asked_for_again_under_its_key(on: On) {
    let settles: [fn(&Shop); 3] = [
        |shop| shop.tick(Duration::from_secs(6)),
        |shop| assert_eq!(shop.refund(Do, 1, 600), Said::Done),
        |shop| assert_eq!(shop.refund(Close, 1, 600), Said::Done),
    ];
    for settle in settles {
        let mut shop = Shop::open(on);
        shop.authorize(Do, "tok_ok");
        shop.capture(Do);
        shop.faults(&[HangBefore]);
        assert_eq!(shop.try_refund(Do, 1, common::gbp(600)), None);
        shop.crash();
        assert_eq!(shop.refund(Do, 2, 401), Said::refused("REFUND_EXCEEDS_CAPTURED"), "it stays claimed");
        shop.asked();
        settle(&shop);
        assert_eq!(shop.asked(), ["refunds:ok", "refund:ok"], "looked for, then asked for once");
        assert_eq!(shop.refund(Do, 1, 600), Said::Done);
        agree(&shop, &["authorized:1000", "captured:1000", "refunded:600"], "given back once");
    }
}

fn an_answer_that_is_lost_without_a_crash_is_read(on: On) {
    let shop = Shop::open(on);
    shop.faults(&[Pass, LoseAnswer]);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown);
    shop.faults(&[LoseAnswer]);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown, "the read's answer is lost too");
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.faults(&[LoseAnswer]);
    assert_eq!(shop.capture(Do), Said::Unknown);
    assert_eq!(shop.capture(Do), Said::Done);
    agree(&shop, CAPTURED, "once");
}

fn a_capture_whose_request_was_lost_is_waited_for_and_then_settled(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.faults(&[LoseRequest]);
    assert_eq!(shop.capture(Do), Said::Unknown);
    shop.tick(Duration::from_secs(6));
    assert_eq!(shop.capture(Do), Said::Unknown, "it may yet arrive");
    agree(&shop, HELD, "nobody has touched it");
    shop.tick(Duration::from_secs(61));
    assert_eq!(shop.capture(Do), Said::refused("PAYMENT_INTERRUPTED"));
    agree(&shop, VOIDED, "ended");
}

fn what_the_provider_surely_did_not_execute_is_asked_again_and_given_up_for_nobody(on: On) {
    let mut shop = Shop::open(on);
    shop.faults(&[Unavailable]);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown, "no object was made");
    shop.tick(Duration::from_secs(61));
    assert_eq!(shop.status(), "authorizing", "without the token it is left to the saga");
    shop.faults(&[Pass, Unavailable]);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown, "made, and not confirmed");
    shop.tick(Duration::from_secs(61));
    shop.faults(&[Pass, Unavailable]);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown, "read, and still not confirmed");
    shop.crash();
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    agree(&shop, HELD, "once");

    shop.faults(&[Unavailable]);
    assert_eq!(shop.capture(Do), Said::Unknown);
    shop.faults(&[Unavailable]);
    assert_eq!(shop.capture(Do), Said::Unknown);
    shop.crash();
    assert_eq!(shop.capture(Do), Said::Done);
    agree(&shop, CAPTURED, "once");
    let made: Vec<_> = shop.asked().into_iter().filter(|asked| !asked.starts_with("read")).collect();
    assert_eq!(made, ["create:ok", "confirm:ok", "capture:ok"]);
}

fn what_is_being_closed_or_may_have_been_executed_is_never_asked_again(on: On) {
    for ends in [Close, Undo] {
        let shop = Shop::open(on);
        shop.faults(&[Pass, Unavailable]);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown);
        let (said, after) = match ends {
            Close => (shop.authorize(Close, "tok_ok"), Said::refused("PAYMENT_INTERRUPTED")),
            _ => (shop.void(), Said::Done),
        };
        assert_eq!(said, after);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Superseded);
        agree(&shop, NOTHING, "never held");
    }
    // Executed or not, then surely not: the one before decides.
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.faults(&[Unavailable, LoseRequest]);
    for _ in 0..3 {
        assert_eq!(shop.capture(Do), Said::Unknown);
    }
    assert_eq!(shop.capture(Close), Said::refused("PAYMENT_INTERRUPTED"));
    agree(&shop, VOIDED, "ended");
    assert!(
        shop.asked().iter().all(|asked| !asked.starts_with("capture")),
        "sent and lost, and not sent again"
    );
}

fn a_busy_provider_is_not_asked_again_before_it_wants_to_be(on: On) {
    let shop = Shop::open(on);
    let waits = |call: &dyn Fn() -> Said, asked: &[&str]| {
        assert_eq!(call(), Said::Unknown, "it is busy");
        shop.asked();
        for pause_ms in [0, 6_999] {
            shop.clock.advance(pause_ms);
            assert_eq!(call(), Said::Unknown, "{asked:?} after {pause_ms} ms");
            assert_eq!(shop.asked(), [""; 0], "not even read");
        }
        shop.clock.advance(1);
        let said = call();
        assert_eq!(shop.asked(), asked);
        said
    };
    shop.faults(&[RateLimited(7), Pass, RateLimited(7)]);
    let authorize = || shop.authorize(Do, "tok_ok");
    assert_eq!(waits(&authorize, &["create:ok"]), Said::Unknown, "made, and too busy to confirm it");
    // That busy answer was the first one of the next wait.
    shop.clock.advance(6_999);
    assert_eq!(authorize(), Said::Unknown);
    assert_eq!(shop.asked(), [""; 0], "not even read");
    shop.clock.advance(1);
    assert_eq!(authorize(), Said::Done);
    assert_eq!(shop.asked(), ["read:ok", "confirm:ok"]);
    shop.faults(&[RateLimited(7)]);
    assert_eq!(waits(&|| shop.capture(Do), &["capture:ok"]), Said::Done);
    agree(&shop, CAPTURED, "once");
    shop.faults(&[RateLimited(7)]);
    assert_eq!(waits(&|| shop.refund(Do, 1, 1_000), &["refunds:ok", "refund:ok"]), Said::Done);
}

fn a_capture_that_is_sent_again_after_a_long_time_is_waited_for_as_long_as_the_first(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.faults(&[Unavailable]);
    assert_eq!(shop.capture(Do), Said::Unknown);
    shop.clock.advance(GONE_AFTER_MS + 1);
    shop.faults(&[LoseRequest]);
    assert_eq!(shop.capture(Do), Said::Unknown, "sent again, and not heard of");
    shop.clock.advance(GONE_AFTER_MS);
    assert_eq!(shop.capture(Do), Said::Unknown, "it may yet arrive");
    agree(&shop, HELD, "nobody has touched it");
    shop.clock.advance(1);
    assert_eq!(shop.capture(Do), Said::refused("PAYMENT_INTERRUPTED"));
    agree(&shop, VOIDED, "ended");
}

fn killed_in_the_end_of_a_capture_the_next_process_goes_on_with_it(on: On) {
    for fault in [HangBefore, HangAfter] {
        for ends in [Do, Close] {
            let mut shop = killed_in_capture(on, HangBefore);
            shop.faults(&[Pass, fault]);
            assert_eq!(shop.try_capture(ends, common::gbp(common::AMOUNT)), None, "it hangs at the provider");
            assert_eq!(shop.status(), "voiding", "the ledger says so before the provider is told");
            shop.crash();
            shop.settle();
            assert_eq!(shop.status(), "voided", "{fault:?} {ends:?}");
            assert_eq!(shop.capture(Close), Said::refused("PAYMENT_INTERRUPTED"), "{fault:?} {ends:?}");
            agree(&shop, VOIDED, "ended");
        }
    }
}

fn a_dropped_request_cancels_nothing(on: On) {
    let dropped = || {
        let shop = Shop::open(on);
        shop.faults(&[Pass, HangBefore]);
        assert_eq!(shop.try_authorize(Do, "tok_ok"), None);
        // The caller has gone away, the task goes on: it has the step, so nobody else reaches for the provider.
        shop.asked();
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown);
        shop
    };
    let shop = dropped();
    assert_eq!(shop.void(), Said::NotNow, "waited for");
    assert_eq!(shop.asked(), [""; 0]);
    // What was called outside has its effect, and is recorded.
    let shop = dropped();
    shop.release();
    assert_eq!(in_the_end(|| shop.authorize(Do, "tok_ok")), Said::Done);
    agree(&shop, HELD, "once");
}

fn an_undo_that_begins_while_the_object_is_created_lets_nothing_be_confirmed(on: On) {
    for fault in [HangBefore, HangAfter] {
        let shop = Shop::open(on);
        shop.faults(&[fault]);
        assert_eq!(shop.try_authorize(Do, "tok_ok"), None);
        assert_eq!(shop.void(), Said::NotNow, "waited for");
        shop.release();
        assert_eq!(in_the_end(|| shop.void()), Said::Done);
        assert_eq!(shop.asked(), ["create:ok", "cancel:ok"], "{fault:?}");
        agree(&shop, NOTHING, "never held");
    }
}

fn an_undo_that_begins_while_the_hold_is_made_ends_it(on: On) {
    for fault in [HangBefore, HangAfter] {
        let shop = Shop::open(on);
        shop.faults(&[Pass, fault]);
        assert_eq!(shop.try_authorize(Do, "tok_ok"), None);
        assert_eq!(shop.void(), Said::NotNow, "waited for");
        shop.release();
        assert_eq!(in_the_end(|| shop.void()), Said::Done);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Superseded);
        agree(&shop, VOIDED, "held, then ended");
    }
}

fn a_close_that_begins_while_the_capture_is_made_waits_for_it_and_is_done(on: On) {
    for fault in [HangBefore, HangAfter] {
        let shop = Shop::open(on);
        shop.authorize(Do, "tok_ok");
        shop.faults(&[fault]);
        assert_eq!(shop.try_capture(Do, common::gbp(common::AMOUNT)), None);
        assert_eq!(shop.capture(Close), Said::NotNow, "waited for");
        assert_eq!(shop.void(), Said::NotNow, "a capture is settled before anything is voided");
        shop.release();
        assert_eq!(in_the_end(|| shop.capture(Close)), Said::Done, "{fault:?}");
        agree(&shop, CAPTURED, "once");
    }
}

fn an_undo_waits_for_a_refund_in_doubt_before_it_gives_back_the_rest(on: On) {
    let mut shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.capture(Do);
    shop.faults(&[HangAfter]);
    assert_eq!(shop.try_refund(Do, 1, common::gbp(400)), None);
    shop.crash();
    assert_eq!(shop.void(), Said::NotNow);
    assert_eq!(shop.refund(Do, 1, 400), Said::Done);
    assert_eq!(shop.void(), Said::Done);
    agree(&shop, &["authorized:1000", "captured:1000", "refunded:400", "refunded:600"], "all of it");
}
