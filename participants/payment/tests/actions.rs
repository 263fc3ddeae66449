//! What each token makes of each action, with the state of both ledgers: the manual of the test cards.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_proto::contract::Op::{Close, Do};
use backstitch_services::{On, each_database};
use common::{AMOUNT, Said, Shop, gbp};

each_database!(blocking:
    a_token_decides_what_authorize_answers,
    a_customer_is_waited_for_and_the_answer_is_read,
    a_customer_who_never_comes_is_waited_for_until_the_undo_and_cannot_come_after_it,
    a_waiting_payment_is_ended_by_its_undo_though_the_customer_would_have_paid,
    a_lost_answer_is_read_and_a_lost_request_is_settled_by_the_next_repetition,
    void_after_a_lost_answer_finds_the_hold_and_ends_it,
    an_undo_before_its_do_makes_the_do_superseded_and_the_provider_never_hears_of_it,
    a_close_before_its_do_is_refused_and_so_is_the_step_for_ever,
    an_undo_ends_a_hold_and_has_nothing_to_do_after_a_refusal,
    a_void_that_fails_three_times_is_not_now_until_the_hold_is_gone,
    a_capture_repeated_captures_once,
    captured_already_under_another_step_is_done_and_not_captured_again,
    a_capture_that_is_declined_is_refused_and_its_hold_can_be_voided,
    a_capture_after_the_hold_ran_out_is_refused_by_name_and_nothing_is_held,
    a_capture_of_anything_but_the_hold_is_refused_by_name_and_not_asked,
    a_capture_of_a_part_lets_go_of_the_rest_and_is_not_made_of_another_part,
    a_capture_of_nothing_held_is_refused_and_stays_refused,
    an_undo_of_a_captured_payment_gives_everything_back_once,
    an_undo_of_a_captured_payment_gives_back_what_refunds_left,
    an_undo_whose_refund_fails_calls_a_person,
    refunds_together_never_exceed_what_was_captured,
    a_refund_that_fails_is_refused_by_name_and_does_not_count,
    another_request_under_the_same_key_is_broken_and_changes_nothing,
    a_payment_or_refund_id_of_another_step_is_broken,
    amounts_and_ids_that_cannot_be_are_broken_and_nothing_is_written,
    an_undo_of_another_saga_s_payment_is_broken,
    an_event_tells_what_moved_under_its_root_saga_s_key,
    a_payment_is_shown_by_its_id_and_a_wrong_id_is_told_by_its_field,
);

const HELD: &[&str] = &["authorized:1000"];
const VOIDED: &[&str] = &["authorized:1000", "voided:1000"];
const CAPTURED: &[&str] = &["authorized:1000", "captured:1000"];
const NOTHING: &[&str] = &[];

/// Both ledgers and the outbox say the same.
fn agree(shop: &Shop, entries: &[&str], why: &str) {
    assert_eq!(shop.bank(), entries, "{why}: the bank");
    assert_eq!(shop.ours(), entries, "{why}: ours");
    let kinds: Vec<_> = entries.iter().map(|e| e.split(':').next().unwrap()).collect();
    assert_eq!(shop.events(), kinds, "{why}: events");
}

fn a_token_decides_what_authorize_answers(on: On) {
    for (token, answer, status, entries) in [
        ("tok_ok", Said::Done, "authorized", HELD),
        ("tok_capture_fails", Said::Done, "authorized", HELD),
        ("tok_void_fails_3", Said::Done, "authorized", HELD),
        ("tok_refund_fails", Said::Done, "authorized", HELD),
        ("tok_slow_capture", Said::Done, "authorized", HELD),
        ("tok_declined", Said::refused("CARD_DECLINED"), "refused", NOTHING),
        ("tok_insufficient_funds", Said::refused("INSUFFICIENT_FUNDS"), "refused", NOTHING),
        ("tok_nobody_s", Said::refused("UNKNOWN_PAYMENT_METHOD"), "refused", NOTHING),
        ("", Said::refused("UNKNOWN_PAYMENT_METHOD"), "refused", NOTHING),
    ] {
        let shop = Shop::open(on);
        for attempt in 0..2 {
            assert_eq!(shop.authorize(Do, token), answer, "{token}, attempt {attempt}");
        }
        assert_eq!(shop.status(), status, "{token}");
        agree(&shop, entries, token);
        assert_eq!(shop.asked(), ["create:ok", "confirm:ok"], "{token}: asked once");
    }
}

fn a_customer_is_waited_for_and_the_answer_is_read(on: On) {
    for (token, end, status, entries) in [
        ("tok_3ds_ok", Said::Done, "authorized", HELD),
        ("tok_3ds_fail", Said::refused("AUTHENTICATION_FAILED"), "refused", NOTHING),
    ] {
        let shop = Shop::open(on);
        let Said::Pending(url) = shop.authorize(Do, token) else { panic!("{token}") };
        assert!(url.starts_with("https://"), "{url}");
        assert_eq!(shop.status(), "waiting");
        assert_eq!(shop.authorize(Do, token), Said::Pending(url), "{token}: still waiting");
        assert_eq!(shop.authorize(Do, token), end, "{token}");
        assert_eq!(shop.authorize(Do, token), end, "{token}: stored");
        assert_eq!(shop.status(), status, "{token}");
        agree(&shop, entries, token);
    }
}

fn a_customer_who_never_comes_is_waited_for_until_the_undo_and_cannot_come_after_it(on: On) {
    let mut shop = Shop::open(on);
    for _ in 0..3 {
        assert!(matches!(shop.authorize(Do, "tok_3ds_never"), Said::Pending(_)));
        shop.crash();
        shop.settle();
    }
    assert_eq!(shop.status(), "waiting", "a customer who takes long is no orphan");
    assert_eq!(shop.void(), Said::Done);
    assert_eq!(shop.authorize(Do, "tok_3ds_never"), Said::Superseded);
    assert_eq!(shop.status(), "voided");
    agree(&shop, NOTHING, "never held");
}

fn a_waiting_payment_is_ended_by_its_undo_though_the_customer_would_have_paid(on: On) {
    let shop = Shop::open(on);
    assert!(matches!(shop.authorize(Do, "tok_3ds_ok"), Said::Pending(_)));
    assert_eq!(shop.void(), Said::Done);
    assert_eq!(shop.status(), "voided");
    agree(&shop, NOTHING, "ended before the hold");

    // The customer finishes between two reads: what the undo finds is a hold, and it ends that.
    let shop = Shop::open(on);
    for _ in 0..2 {
        assert!(matches!(shop.authorize(Do, "tok_3ds_ok"), Said::Pending(_)));
    }
    assert_eq!(shop.void(), Said::Done);
    assert_eq!(shop.status(), "voided");
    agree(&shop, VOIDED, "ended after the hold");
}

fn a_lost_answer_is_read_and_a_lost_request_is_settled_by_the_next_repetition(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_timeout_executed"), Said::Unknown);
    assert_eq!(shop.authorize(Do, "tok_timeout_executed"), Said::Done);
    agree(&shop, HELD, "executed");
    assert_eq!(shop.asked(), ["create:ok", "confirm:unknown", "read:ok"], "confirmed once");

    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_timeout_not_executed"), Said::Unknown);
    shop.until_nobody_else_is_at_it();
    for _ in 0..2 {
        let again = shop.authorize(Do, "tok_timeout_not_executed");
        assert_eq!(again, Said::refused("PAYMENT_INTERRUPTED"), "by the provider's own word, and for good");
    }
    assert_eq!(
        shop.asked(),
        ["create:ok", "confirm:unknown", "read:ok", "read:ok", "cancel:ok"],
        "confirmed once"
    );
    agree(&shop, NOTHING, "not executed");
}

fn void_after_a_lost_answer_finds_the_hold_and_ends_it(on: On) {
    for (token, entries) in [("tok_timeout_executed", VOIDED), ("tok_timeout_not_executed", NOTHING)] {
        let shop = Shop::open(on);
        assert_eq!(shop.authorize(Do, token), Said::Unknown);
        for _ in 0..2 {
            assert_eq!(shop.void(), Said::Done, "{token}");
        }
        assert_eq!(shop.status(), "voided", "{token}");
        agree(&shop, entries, token);
        assert_eq!(shop.authorize(Do, token), Said::Superseded, "{token}");
        agree(&shop, entries, token);
    }
}

fn an_undo_before_its_do_makes_the_do_superseded_and_the_provider_never_hears_of_it(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.void(), Said::Done);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Superseded);
    assert_eq!(shop.void(), Said::Done);
    assert_eq!(shop.asked(), [""; 0]);
    agree(&shop, NOTHING, "never asked");
}

fn a_close_before_its_do_is_refused_and_so_is_the_step_for_ever(on: On) {
    let shop = Shop::open(on);
    assert!(matches!(shop.authorize(Close, "tok_ok"), Said::Refused(_)));
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Superseded);
    assert_eq!(shop.asked(), [""; 0]);
}

fn an_undo_ends_a_hold_and_has_nothing_to_do_after_a_refusal(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    for _ in 0..2 {
        assert_eq!(shop.void(), Said::Done);
    }
    agree(&shop, VOIDED, "held");
    assert_eq!(shop.asked(), ["create:ok", "confirm:ok", "read:ok", "cancel:ok"], "cancelled once");

    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_declined"), Said::refused("CARD_DECLINED"));
    assert_eq!(shop.void(), Said::Done);
    assert_eq!(shop.status(), "refused");
    agree(&shop, NOTHING, "declined");
}

fn a_void_that_fails_three_times_is_not_now_until_the_hold_is_gone(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_void_fails_3"), Said::Done);
    for _ in 0..3 {
        assert_eq!(shop.void(), Said::NotNow);
        assert_eq!(shop.status(), "voiding");
        assert_eq!(shop.capture(Do), Said::refused("CAPTURE_FAILED"), "voiding is never captured");
    }
    assert_eq!(shop.void(), Said::Done);
    agree(&shop, VOIDED, "the fourth");
}

fn a_capture_repeated_captures_once(on: On) {
    for token in ["tok_ok", "tok_slow_capture", "tok_refund_fails"] {
        let shop = Shop::open(on);
        shop.authorize(Do, token);
        for _ in 0..3 {
            assert_eq!(shop.capture(Do), Said::Done, "{token}");
            assert_eq!(shop.capture(Close), Said::Done, "{token}");
        }
        assert_eq!(shop.status(), "captured");
        agree(&shop, CAPTURED, token);
        assert_eq!(shop.asked(), ["create:ok", "confirm:ok", "capture:ok"], "{token}: asked once");
    }
}

fn captured_already_under_another_step_is_done_and_not_captured_again(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    assert_eq!(shop.capture(Do), Said::Done);
    assert_eq!(shop.try_capture_as("capture_again", Do, gbp(AMOUNT)), Some(Said::Done));
    agree(&shop, CAPTURED, "twice asked");
}

fn a_capture_that_is_declined_is_refused_and_its_hold_can_be_voided(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_capture_fails");
    for _ in 0..2 {
        assert_eq!(shop.capture(Do), Said::refused("CAPTURE_FAILED"));
    }
    assert_eq!(shop.capture(Close), Said::refused("CAPTURE_FAILED"));
    assert_eq!(shop.status(), "authorized");
    agree(&shop, HELD, "declined");
    assert_eq!(shop.void(), Said::Done);
    agree(&shop, VOIDED, "then voided");
}

fn a_capture_after_the_hold_ran_out_is_refused_by_name_and_nothing_is_held(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.clock.advance(participant_payment::gateway::sandbox::HOLD_MS + 1);
    assert_eq!(shop.capture(Do), Said::refused("AUTHORIZATION_EXPIRED"));
    assert_eq!(shop.status(), "voided");
    agree(&shop, VOIDED, "ran out");
    assert_eq!(shop.void(), Said::Done);
    agree(&shop, VOIDED, "still so");
}

fn a_capture_of_anything_but_the_hold_is_refused_by_name_and_not_asked(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.asked();
    let eur =
        backstitch_proto::money::Money::new(AMOUNT, backstitch_proto::money::Currency::parse("EUR").unwrap());
    for (step, amount) in [("a", gbp(AMOUNT + 1)), ("b", gbp(0)), ("c", gbp(-1)), ("d", eur)] {
        assert_eq!(shop.try_capture_as(step, Do, amount), Some(Said::refused("AMOUNT_MISMATCH")), "{amount}");
    }
    assert_eq!(shop.asked(), [""; 0]);
    assert_eq!(shop.capture(Do), Said::Done, "the right one is not hindered");
}

fn a_capture_of_a_part_lets_go_of_the_rest_and_is_not_made_of_another_part(on: On) {
    for part in [1, AMOUNT - 1] {
        let shop = Shop::open(on);
        shop.authorize(Do, "tok_ok");
        for _ in 0..2 {
            assert_eq!(shop.try_capture(Do, gbp(part)), Some(Said::Done), "{part}");
        }
        assert_eq!(shop.bank(), ["authorized:1000".into(), format!("captured:{part}")]);
        let entries =
            ["authorized:1000".into(), format!("captured:{part}"), format!("released:{}", AMOUNT - part)];
        assert_eq!(shop.ours(), entries);
        assert_eq!(shop.events(), ["authorized", "captured", "released"]);
        let again = |step, minor| shop.try_capture_as(step, Do, gbp(minor)).unwrap();
        assert_eq!(again("again", part), Said::Done, "taken already");
        assert_eq!(again("more", AMOUNT), Said::refused("AMOUNT_MISMATCH"));
        assert_eq!(shop.refund(Do, 1, part + 1), Said::refused("REFUND_EXCEEDS_CAPTURED"));
        assert_eq!(shop.void(), Said::Done);
        let document = shop.get().unwrap();
        let sums = (document.captured_minor, document.released_minor, document.refunded_minor);
        assert_eq!(sums, (part, AMOUNT - part, part));
    }
}

fn a_capture_of_nothing_held_is_refused_and_stays_refused(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.capture(Do), Said::refused("CAPTURE_FAILED"));
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    assert_eq!(shop.capture(Do), Said::refused("CAPTURE_FAILED"), "a refusal is a promise");
    agree(&shop, HELD, "only held");
}

fn an_undo_of_a_captured_payment_gives_everything_back_once(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.capture(Do);
    for _ in 0..2 {
        assert_eq!(shop.void(), Said::Done);
    }
    agree(&shop, &["authorized:1000", "captured:1000", "refunded:1000"], "given back");
    let document = shop.get().unwrap();
    assert_eq!((document.captured_minor, document.refunded_minor), (1_000, 1_000));
}

fn an_undo_of_a_captured_payment_gives_back_what_refunds_left(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.capture(Do);
    assert_eq!(shop.refund(Do, 1, 300), Said::Done);
    assert_eq!(shop.void(), Said::Done);
    agree(&shop, &["authorized:1000", "captured:1000", "refunded:300", "refunded:700"], "the rest");
}

fn an_undo_whose_refund_fails_calls_a_person(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_refund_fails");
    shop.capture(Do);
    let said = shop.void();
    let cases = shop.cases(true);
    let [case] = cases.as_slice() else { panic!("{cases:?}") };
    let Said::Broken(why) = &said else { panic!("{said:?}") };
    assert!(why.contains(&case.case_id) && why.contains("resolve the case"), "{why}");
    assert_eq!((case.amount.as_ref().unwrap().amount_minor, case.opened_at_unix_ms > 0), (1_000, true));
    assert_eq!(shop.void(), said, "however often it is resumed");
    assert_eq!(shop.told.heard(), [""; 0], "the saga itself is parked; there is no other one for the case");
    shop.resolve_case(&case.case_id, "sent by bank transfer 4711").unwrap();
    for _ in 0..2 {
        assert_eq!(shop.void(), Said::Done, "a person has given it back");
    }
    agree(&shop, CAPTURED, "as the provider shows it");
    assert_eq!(shop.cases(true), []);
}

fn refunds_together_never_exceed_what_was_captured(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.refund(Do, 9, 1), Said::refused("REFUND_EXCEEDS_CAPTURED"), "no payment");
    shop.authorize(Do, "tok_ok");
    assert_eq!(shop.refund(Do, 8, 1), Said::refused("REFUND_EXCEEDS_CAPTURED"), "nothing captured");
    shop.capture(Do);
    for _ in 0..2 {
        assert_eq!(shop.refund(Do, 1, 600), Said::Done);
    }
    assert_eq!(shop.refund(Do, 2, 401), Said::refused("REFUND_EXCEEDS_CAPTURED"));
    assert_eq!(shop.fact("left"), gbp(400).to_string());
    assert_eq!(shop.refund(Do, 3, 400), Said::Done);
    assert_eq!(shop.refund(Do, 4, 1), Said::refused("REFUND_EXCEEDS_CAPTURED"));
    assert_eq!(shop.fact("left"), gbp(0).to_string());
    agree(&shop, &["authorized:1000", "captured:1000", "refunded:600", "refunded:400"], "all of it");
}

fn a_refund_that_fails_is_refused_by_name_and_does_not_count(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_refund_fails");
    shop.capture(Do);
    for number in 1..=2 {
        for _ in 0..2 {
            assert_eq!(shop.refund(Do, number, 1_000), Said::refused("REFUND_FAILED"));
        }
    }
    agree(&shop, CAPTURED, "the money stays taken");
}

fn another_request_under_the_same_key_is_broken_and_changes_nothing(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    assert!(shop.authorize(Do, "tok_declined").is_broken(), "another token");
    let step = "authorize_payment";
    assert!(shop.try_authorize_as(step, shop.payment, Do, "tok_ok", gbp(1)).unwrap().is_broken());
    shop.capture(Do);
    assert!(shop.try_capture(Do, gbp(1)).unwrap().is_broken());
    shop.refund(Do, 1, 10);
    assert!(shop.refund(Do, 1, 11).is_broken());
    agree(&shop, &["authorized:1000", "captured:1000", "refunded:10"], "as it was");
}

fn a_payment_or_refund_id_of_another_step_is_broken(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    let again = shop.try_authorize_as("authorize_again", shop.payment, Do, "tok_ok", gbp(AMOUNT));
    assert!(again.unwrap().is_broken());
    agree(&shop, HELD, "one hold");
}

fn amounts_and_ids_that_cannot_be_are_broken_and_nothing_is_written(on: On) {
    let shop = Shop::open(on);
    for minor in [0, -1, i64::MIN] {
        let said = shop.try_authorize_as("authorize_payment", shop.payment, Do, "tok_ok", gbp(minor));
        assert!(said.unwrap().is_broken(), "{minor}");
        assert!(shop.refund(Do, 1, minor).is_broken(), "{minor}");
    }
    assert!(shop.rows("payment", "SELECT saga_id FROM barrier").is_empty());
    assert_eq!(shop.status(), "NotFound");
}

fn an_undo_of_another_saga_s_payment_is_broken(on: On) {
    let mut shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    let (saga, payment) = (shop.saga, shop.payment);
    shop.saga = uuid::Uuid::now_v7();
    shop.payment = uuid::Uuid::now_v7();
    shop.authorize(Do, "tok_ok");
    shop.payment = payment;
    assert!(shop.void().is_broken());
    assert!(shop.capture(Do).is_broken());
    shop.saga = saga;
    assert_eq!(shop.status(), "authorized");
    assert_eq!(shop.capture(Do), Said::Done);
}

#[test]
fn a_token_is_not_in_our_database_and_a_card_number_is_in_none() {
    // In a file the bytes can be looked for; the same columns are written to a server.
    let shop = Shop::open(On::Sqlite);
    assert!(matches!(shop.authorize(Do, "tok_3ds_never"), Said::Pending(_)));
    assert!(shop.bytes("payment.db").contains(&shop.payment.to_string()), "this reads what is written");
    assert!(!shop.bytes("payment.db").contains("tok_3ds"));

    let shop = Shop::open(On::Sqlite);
    assert_eq!(shop.authorize(Do, "4000056655665556"), Said::refused("UNKNOWN_PAYMENT_METHOD"));
    for file in ["payment.db", "sandbox.db"] {
        assert!(!shop.bytes(file).contains("4000056655665556"), "{file}");
    }
}

fn an_event_tells_what_moved_under_its_root_saga_s_key(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    let event = shop.rows(
        "payment",
        match on {
            On::Sqlite => "SELECT topic, source, key, subject, CAST(payload AS TEXT) FROM outbox",
            On::Postgres => "SELECT topic, source, key, subject, convert_from(payload, 'UTF8') FROM outbox",
        },
    );
    let (saga, payment) = (shop.saga, shop.payment);
    let payload = format!(
        r#"{{"payment_id":"{payment}","status":"authorized","amount":{{"amount_minor":1000,"currency":"GBP"}}}}"#
    );
    assert_eq!(event, [format!("payment.events:/backstitch/payment:{saga}:{payment}:{payload}")]);
}

fn a_payment_is_shown_by_its_id_and_a_wrong_id_is_told_by_its_field(on: On) {
    let mut shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.capture(Do);
    shop.refund(Do, 1, 10);
    let shown = shop.get().unwrap();
    assert_eq!(shown.payment_id, shop.payment.to_string());
    assert_eq!(shown.amount, Some(gbp(AMOUNT).to_proto()));
    assert_eq!((shown.status.as_str(), shown.captured_minor, shown.refunded_minor), ("captured", 1_000, 10));
    assert!(shown.provider_id.starts_with("sbx_"));
    shop.payment = uuid::Uuid::now_v7();
    assert_eq!(shop.get().unwrap_err().code(), tonic::Code::NotFound);
    let status = shop.get_by("no id").unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().contains("payment_id"), "{status}");
}

#[test]
fn a_wrong_option_is_refused_by_its_name() {
    let shop = Shop::open(On::Sqlite);
    for (database, sandbox) in [
        (shop.url("a.db"), shop.url("a.db")),
        (shop.url("b.db"), "postgres://bank".to_owned()),
        (shop.url("c.db"), "sandbox.db".to_owned()),
    ] {
        let opened =
            shop.block_on(participant_payment::open(participant_payment::Options::new(database, sandbox)));
        let error = opened.err().map(|error| error.to_string()).unwrap();
        assert!(error.starts_with("sandbox_ledger_url: "), "{error}");
    }
}
