//! Two payment processes on one database: what one has begun the other one leaves alone while it may be alive, and goes
//! on with when it is gone.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_proto::contract::Op::{Close, Do};
use common::Fault::{HangAfter, HangBefore, HangUnavailable, Pass, Unavailable};
use common::{AMOUNT, Fault, GONE_AFTER_MS, Said, Shop, gbp, in_the_end};

const HELD: &[&str] = &["authorized:1000"];
const NOTHING: &[&str] = &[];

fn agree(shop: &Shop, entries: &[&str], why: &str) {
    assert_eq!(shop.bank(), entries, "{why}: the bank");
    assert_eq!(shop.ours(), entries, "{why}: ours");
    assert_eq!(shop.events().len(), entries.len(), "{why}: events");
}

/// One process hangs at the provider in its authorization, and the other one is the current one.
fn hanging_in_authorize(faults: &[Fault]) -> Shop {
    let mut shop = Shop::with_two_processes();
    shop.faults(faults);
    assert_eq!(shop.try_authorize(Do, "tok_ok"), None, "it hangs at the provider");
    shop.faults(&[]);
    shop.other();
    shop
}

/// Shortly before whatever another process has begun is held to be nobody's.
fn almost() -> Duration {
    Duration::from_millis(GONE_AFTER_MS.unsigned_abs() - 1_000)
}

#[test]
fn a_call_that_another_process_is_in_is_neither_made_again_nor_ended_nor_answered_too_early() {
    for faults in [&[HangBefore][..], &[Pass, HangBefore], &[Pass, HangAfter]] {
        let mut shop = hanging_in_authorize(faults);
        let confirmed = faults.last() == Some(&HangAfter);
        for _ in 0..2 {
            let said = shop.authorize(Do, "tok_ok");
            // A hold that the provider shows is there, whoever made it.
            assert_eq!(said, if confirmed { Said::Done } else { Said::Unknown }, "{faults:?}");
            shop.tick(almost() / 2);
        }
        assert!(!shop.asked().iter().any(|call| call.starts_with("cancel")), "{faults:?}");
        shop.other();
        shop.release();
        assert_eq!(in_the_end(|| shop.authorize(Do, "tok_ok")), Said::Done, "{faults:?}");
        shop.other();
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done, "{faults:?}");
        agree(&shop, HELD, &format!("{faults:?}"));
    }
}

#[test]
fn between_a_close_and_another_process_s_call_the_provider_decides() {
    // The object is there and not confirmed: it is ended, and the confirmation comes too late.
    let mut shop = hanging_in_authorize(&[Pass, HangBefore]);
    assert_eq!(shop.authorize(Close, "tok_ok"), Said::refused("PAYMENT_INTERRUPTED"));
    shop.other();
    shop.release();
    assert_eq!(in_the_end(|| shop.authorize(Do, "tok_ok")), Said::Superseded);
    agree(&shop, NOTHING, "ended first");
    // It is confirmed, and the answer is on its way.
    let mut shop = hanging_in_authorize(&[Pass, HangAfter]);
    assert_eq!(shop.authorize(Close, "tok_ok"), Said::Done);
    shop.other();
    shop.release();
    assert_eq!(in_the_end(|| shop.authorize(Do, "tok_ok")), Said::Done);
    agree(&shop, HELD, "confirmed first");
}

#[test]
fn a_close_of_a_call_whose_object_nobody_knows_yet_waits_until_its_process_is_gone() {
    let mut shop = hanging_in_authorize(&[HangBefore]);
    let early = shop.authorize(Close, "tok_ok");
    assert!(matches!(early, Said::NotNow | Said::Refused(_)), "{early:?}");
    shop.kill_other();
    shop.settle();
    assert_eq!(shop.authorize(Close, "tok_ok"), Said::refused("PAYMENT_INTERRUPTED"));
    agree(&shop, NOTHING, "never confirmed");
}

#[test]
fn what_a_process_that_is_gone_had_begun_is_settled_by_the_other_one_s_tick() {
    for (faults, said, entries) in [
        (&[HangBefore][..], Said::refused("PAYMENT_INTERRUPTED"), NOTHING),
        (&[Pass, HangBefore], Said::refused("PAYMENT_INTERRUPTED"), NOTHING),
        (&[Pass, HangAfter], Said::Done, HELD),
    ] {
        let mut shop = hanging_in_authorize(faults);
        shop.kill_other();
        shop.tick(almost());
        let open = shop.rows("payment", "SELECT step FROM barrier_open").len();
        assert_eq!(open, usize::from(said != Said::Done), "{faults:?}: it may be alive");
        shop.settle();
        assert!(shop.rows("payment", "SELECT step FROM barrier_open").is_empty(), "{faults:?}");
        assert_eq!(shop.authorize(Do, "tok_ok"), said, "{faults:?}");
        agree(&shop, entries, &format!("{faults:?}"));
    }
}

#[test]
fn an_undo_in_another_process_waits_and_then_leaves_nothing_held() {
    for faults in [&[HangBefore][..], &[Pass, HangBefore], &[Pass, HangAfter]] {
        let mut shop = hanging_in_authorize(faults);
        let early = shop.void();
        assert!(matches!(early, Said::NotNow | Said::Done), "{faults:?}: {early:?}");
        shop.kill_other();
        shop.settle();
        assert_eq!(shop.void(), Said::Done, "{faults:?}");
        let left = shop.rows("sandbox", "SELECT held_minor + captured_minor - refunded_minor FROM statement");
        assert!(left.iter().all(|line| line == "0"), "{faults:?}: {left:?}");
        assert_eq!(shop.bank(), shop.ours(), "{faults:?}");
    }
}

#[test]
fn a_capture_that_another_process_is_in_is_not_made_twice() {
    let mut shop = Shop::with_two_processes();
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.faults(&[HangAfter]);
    assert_eq!(shop.try_capture(Do, gbp(AMOUNT)), None, "it hangs at the provider");
    shop.faults(&[]);
    shop.other();
    let said = shop.capture(Do);
    assert!(matches!(said, Said::Unknown | Said::Done), "{said:?}");
    shop.other();
    shop.release();
    assert_eq!(in_the_end(|| shop.capture(Do)), Said::Done);
    shop.other();
    assert_eq!(shop.capture(Do), Said::Done);
    agree(&shop, &["authorized:1000", "captured:1000"], "captured");
}

#[test]
fn no_capture_is_sent_after_another_process_has_sent_the_cancel() {
    let mut shop = Shop::with_two_processes();
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.faults(&[HangUnavailable]);
    assert_eq!(shop.try_capture(Do, gbp(AMOUNT)), None, "it hangs at the provider");
    shop.clock.advance(GONE_AFTER_MS + 1);
    // The other one holds it to be gone and cancels; it has not heard of that yet.
    shop.other();
    shop.faults(&[Pass, HangAfter]);
    assert_eq!(shop.try_capture(Do, gbp(AMOUNT)), None, "it hangs at the provider");
    assert_eq!(shop.status(), "voiding", "the ledger says so before the provider is told");
    // Now the first one hears that the provider was only busy, and would ask again.
    shop.other();
    shop.release();
    assert_eq!(in_the_end(|| shop.capture(Do)), Said::refused("PAYMENT_INTERRUPTED"));
    shop.other();
    shop.release();
    assert_eq!(in_the_end(|| shop.capture(Do)), Said::refused("PAYMENT_INTERRUPTED"));
    agree(&shop, &["authorized:1000", "voided:1000"], "ended");
    let asked = shop.asked();
    assert!(!asked.iter().any(|call| call.starts_with("capture")), "{asked:?}");
}

#[test]
fn a_capture_that_another_process_may_be_about_to_send_is_not_overtaken_by_a_cancel() {
    let mut shop = Shop::with_two_processes();
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.faults(&[HangBefore]);
    assert_eq!(shop.try_capture(Do, gbp(AMOUNT)), None, "it hangs on its way");
    shop.faults(&[]);
    shop.other();
    let left = |shop: &Shop| shop.asked().iter().any(|call| call.starts_with("cancel"));
    assert_eq!(shop.capture(Close), Said::NotNow);
    assert_eq!(shop.status(), "voiding", "no other capture is begun");
    assert_eq!(shop.void(), Said::NotNow);
    shop.clock.advance(GONE_AFTER_MS);
    assert_eq!(shop.capture(Close), Said::NotNow, "it may still leave");
    assert!(!left(&shop), "nothing was ended");
    shop.clock.advance(1);
    assert_eq!(shop.capture(Close), Said::refused("PAYMENT_INTERRUPTED"));
    assert!(left(&shop));
    assert_eq!(shop.void(), Said::Done);
    agree(&shop, &["authorized:1000", "voided:1000"], "ended");
}

#[test]
fn a_hold_that_is_asked_for_again_after_a_long_time_is_left_alone_as_long_as_the_first() {
    let mut shop = Shop::with_two_processes();
    shop.faults(&[Pass, Unavailable]);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown, "made, and not confirmed");
    shop.clock.advance(GONE_AFTER_MS + 1);
    shop.faults(&[Pass, HangBefore]);
    assert_eq!(shop.try_authorize(Do, "tok_ok"), None, "it hangs at the provider");
    shop.other();
    shop.clock.advance(GONE_AFTER_MS);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown, "it may be on its way");
    shop.other();
    shop.release();
    assert_eq!(in_the_end(|| shop.authorize(Do, "tok_ok")), Said::Done);
    agree(&shop, HELD, "held");
}

#[test]
fn of_two_processes_that_find_a_row_due_one_takes_it_up() {
    let mut shop = hanging_in_authorize(&[HangBefore]);
    shop.kill_other();
    // Both look at the same time: neither sees that the other one has taken it.
    let now = Duration::from_secs(6);
    shop.tick(now);
    shop.other();
    shop.tick(Duration::ZERO);
    assert_eq!(shop.rows("payment", "SELECT takes FROM barrier_open"), ["1"]);
}

#[test]
fn what_is_left_is_promised_to_one_of_two_that_ask_at_the_same_moment() {
    let mut shop = Shop::with_two_processes();
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    assert_eq!(shop.capture(Do), Said::Done);
    shop.other();
    shop.other();
    shop.asked();
    // Both would have read what is left before either writes, if nothing kept them apart.
    let kept = shop.block_on(shop.no_refund_is_written());
    let (one, other, ()) = shop.block_on(async {
        tokio::join!(shop.refunding(1, 600), shop.refunding_in_the_other(2, 600), kept.until_two_wait())
    });
    let said = [one, other];
    for wanted in [Said::Done, Said::refused("REFUND_EXCEEDS_CAPTURED")] {
        assert!(said.contains(&wanted), "{said:?}");
    }
    assert_eq!(shop.asked(), ["refund:ok"], "the bank is asked for one");
    agree(&shop, &["authorized:1000", "captured:1000", "refunded:600"], "once");
}
