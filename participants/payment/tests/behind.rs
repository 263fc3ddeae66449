//! What somebody who has the account takes behind our back: booked as it was taken, and given back by the undo; a capture of
//! another amount is refused, whatever became of its own call.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use backstitch_proto::contract::Op::{Close, Do};
use backstitch_services::{On, each_database};
use common::Fault::{HangAfter, HangBefore, LoseRequest, Pass, Unavailable};
use common::{AMOUNT, GONE_AFTER_MS, Said, Shop, gbp, in_the_end};
use participant_payment::gateway::{PaymentGateway as _, ProviderState};

each_database!(blocking:
    a_hold_that_was_captured_behind_our_back_is_booked_and_given_back_by_the_undo,
    a_hold_that_is_captured_behind_our_back_while_it_is_cancelled_is_booked_and_given_back,
    a_hold_that_is_captured_behind_our_back_before_it_is_read_is_broken_and_given_back_by_the_undo,
    what_somebody_has_captured_is_our_capture_if_it_is_the_same_amount,
    a_capture_of_what_somebody_has_ended_is_refused,
    a_capture_of_another_amount_than_somebody_took_is_refused_and_the_undo_gives_back_what_was_taken,
    what_somebody_took_refuses_a_capture_whatever_became_of_its_own_call,
    what_somebody_takes_while_a_capture_is_given_up_is_booked_and_given_back,
);

const GIVEN_BACK: &[&str] = &["authorized:1000", "captured:1000", "refunded:1000"];
const PART_GIVEN_BACK: &[&str] = &["authorized:1000", "captured:600", "released:400", "refunded:600"];

/// Somebody captures so much of our object at the bank, whom nobody here knows of.
fn captured_behind_our_back(shop: &Shop, minor: i64) {
    let captured = shop.at_the_bank(async |bank, object| bank.capture("nobody's", &object, gbp(minor)).await);
    let captured = captured.unwrap();
    assert_eq!((captured.state, captured.captured_minor), (ProviderState::Captured, minor));
}

fn held(on: On) -> Shop {
    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop
}

fn captures(shop: &Shop) -> usize {
    shop.asked().iter().filter(|call| call.starts_with("capture")).count()
}

/// The undo gives back exactly what was taken, and both ledgers say so.
fn is_given_back(shop: &Shop, entries: &[&str], why: &str) {
    assert_eq!(in_the_end(|| shop.void()), Said::Done, "{why}");
    assert_eq!(shop.ours(), entries, "{why}");
    let moved: Vec<_> = entries.iter().copied().filter(|entry| !entry.starts_with("released")).collect();
    assert_eq!(shop.bank(), moved, "{why}");
}

fn a_hold_that_was_captured_behind_our_back_is_booked_and_given_back_by_the_undo(on: On) {
    for (minor, entries) in [(AMOUNT, GIVEN_BACK), (600, PART_GIVEN_BACK)] {
        let shop = held(on);
        captured_behind_our_back(&shop, minor);
        is_given_back(&shop, entries, "by the undo");
        assert!(!shop.asked().iter().any(|call| call.starts_with("cancel")), "seen before it is cancelled");
    }
}

fn a_hold_that_is_captured_behind_our_back_while_it_is_cancelled_is_booked_and_given_back(on: On) {
    let shop = held(on);
    // The undo has read that it is held, and its cancel has not left.
    shop.faults(&[Pass, HangBefore]);
    assert_eq!(shop.try_void(), None);
    captured_behind_our_back(&shop, AMOUNT);
    shop.release();
    is_given_back(&shop, GIVEN_BACK, "by the undo");
    assert!(shop.asked().contains(&"cancel:refused".to_owned()), "the cancel came too late");
}

fn a_hold_that_is_captured_behind_our_back_before_it_is_read_is_broken_and_given_back_by_the_undo(on: On) {
    let mut shop = Shop::open(on);
    // Confirmed, and killed before the answer.
    shop.faults(&[Pass, HangAfter]);
    assert_eq!(shop.try_authorize(Do, "tok_ok"), None);
    captured_behind_our_back(&shop, AMOUNT);
    shop.crash();
    let said = in_the_end(|| shop.authorize(Do, "tok_ok"));
    assert!(said.is_broken(), "{said:?}");
    assert_eq!(shop.ours(), [""; 0], "nothing is booked that cannot be");
    is_given_back(&shop, GIVEN_BACK, "by the undo");
}

fn what_somebody_has_captured_is_our_capture_if_it_is_the_same_amount(on: On) {
    let shop = held(on);
    captured_behind_our_back(&shop, 600);
    shop.asked();
    assert_eq!(shop.try_capture(Do, gbp(600)), Some(Said::Done));
    assert_eq!(shop.asked(), ["capture:refused", "read:ok"]);
    assert_eq!(shop.ours(), ["authorized:1000", "captured:600", "released:400"]);
}

fn a_capture_of_what_somebody_has_ended_is_refused(on: On) {
    let shop = held(on);
    shop.at_the_bank(async |bank, object| bank.cancel("nobody's", &object).await).unwrap();
    shop.asked();
    assert_eq!(shop.capture(Do), Said::refused("CAPTURE_FAILED"));
    assert_eq!(shop.asked(), ["capture:refused", "read:ok"]);
    assert_eq!(shop.bank(), ["authorized:1000", "voided:1000"]);
    assert_eq!((shop.ours(), shop.status().as_str()), (shop.bank(), "voided"));
}

fn a_capture_of_another_amount_than_somebody_took_is_refused_and_the_undo_gives_back_what_was_taken(on: On) {
    for (taken, asked, entries) in
        [(600, AMOUNT, PART_GIVEN_BACK), (AMOUNT, 600, GIVEN_BACK), (600, 599, PART_GIVEN_BACK)]
    {
        for op in [Do, Close] {
            let shop = held(on);
            captured_behind_our_back(&shop, taken);
            // A step that never began has nothing to close.
            let first = shop.try_capture(Do, gbp(asked));
            for op in [op, Do, op] {
                assert_eq!(first, Some(Said::refused("AMOUNT_MISMATCH")), "{taken} {asked}");
                assert_eq!(shop.try_capture(op, gbp(asked)), first, "{taken} {asked} {op:?}");
            }
            let facts = ["authorized", "asked", "taken"].map(|name| shop.fact(name));
            assert_eq!(facts, [AMOUNT, asked, taken].map(|minor| gbp(minor).to_string()));
            assert_eq!(captures(&shop), 1, "asked for once");
            assert_eq!(shop.ours(), entries[..entries.len() - 1], "booked as it was taken");
            assert_eq!(shop.status(), "captured");
            is_given_back(&shop, entries, "then undone");
        }
    }
}

fn what_somebody_took_refuses_a_capture_whatever_became_of_its_own_call(on: On) {
    for fault in [LoseRequest, Unavailable, HangBefore] {
        for op in [Do, Close] {
            let shop = held(on);
            shop.faults(&[fault]);
            let first = shop.try_capture(Do, gbp(AMOUNT));
            assert!(matches!(first, None | Some(Said::Unknown)), "{fault:?}: {first:?}");
            captured_behind_our_back(&shop, 600);
            shop.release();
            let said = in_the_end(|| shop.capture(op));
            assert_eq!(said, Said::refused("AMOUNT_MISMATCH"), "{fault:?} {op:?}");
            is_given_back(&shop, PART_GIVEN_BACK, "refused, then undone");
        }
    }
}

fn what_somebody_takes_while_a_capture_is_given_up_is_booked_and_given_back(on: On) {
    let mut shop = held(on);
    // Nobody knows what became of it, it is closed, and the process dies before its cancel leaves.
    shop.faults(&[LoseRequest, Pass, HangBefore]);
    assert_eq!(shop.capture(Do), Said::Unknown);
    shop.clock.advance(GONE_AFTER_MS + 1);
    assert_eq!(shop.try_capture(Close, gbp(AMOUNT)), None);
    assert_eq!(shop.status(), "voiding");
    captured_behind_our_back(&shop, 600);
    shop.crash();
    assert_eq!(shop.capture(Close), Said::refused("AMOUNT_MISMATCH"));
    is_given_back(&shop, PART_GIVEN_BACK, "given up, then undone");
}

#[test]
fn what_somebody_took_is_learned_by_another_process_while_our_own_capture_is_on_its_way() {
    let mut shop = Shop::with_two_processes();
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.faults(&[HangBefore]);
    assert_eq!(shop.try_capture(Do, gbp(AMOUNT)), None);
    captured_behind_our_back(&shop, 600);
    shop.other();
    shop.clock.advance(GONE_AFTER_MS + 1);
    assert_eq!(shop.capture(Do), Said::refused("AMOUNT_MISMATCH"));
    is_given_back(&shop, PART_GIVEN_BACK, "before ours arrives");
    shop.other();
    shop.release();
    let began = Instant::now();
    while !shop.asked().contains(&"capture:refused".to_owned()) {
        assert!(began.elapsed() < Duration::from_secs(20), "it never arrives");
        let said = shop.capture(Do);
        assert!(said == Said::NotNow || said == Said::refused("AMOUNT_MISMATCH"), "{said:?}");
    }
    is_given_back(&shop, PART_GIVEN_BACK, "after ours has arrived");
}
