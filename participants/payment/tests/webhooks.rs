//! What the provider tells by itself: who is believed, what is kept, and that nothing is learned from it but where to look.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_proto::contract::Op::Do;
use backstitch_services::{On, each_database};
use common::Fault::{HangAfter, Pass};
use common::{AMOUNT, SECRET, Said, Shop, gbp, in_the_end, signature};
use participant_kit::Clock as _;
use participant_payment::MOST_BYTES;
use participant_payment::gateway::PaymentGateway as _;
use tonic::Code;

each_database!(blocking:
    what_is_not_the_provider_s_is_told_so_and_leaves_nothing,
    a_body_is_taken_up_to_the_limit_and_not_one_byte_more,
    what_cannot_be_stored_is_not_answered_as_taken_and_comes_again,
    a_body_that_does_not_end_is_waited_for_ten_seconds_and_leaves_nothing,
    an_event_is_kept_once_however_often_it_comes,
    a_waiting_payment_that_the_customer_has_finished_is_settled_and_its_saga_woken,
    the_customer_the_webhook_and_the_saga_may_come_in_any_order_and_number,
    an_event_before_our_own_commit_is_parked_and_done_when_that_comes,
    an_event_about_nobody_s_object_is_parked_and_listed_and_never_dropped,
    an_event_about_nothing_is_taken_and_done,
    what_is_parked_is_tried_ever_more_rarely_for_a_month_and_due_when_its_payment_comes,
    what_is_new_comes_before_what_is_parked,
    a_capture_in_doubt_is_found_by_its_webhook,
    what_ends_while_nobody_s_call_waits_for_it_wakes_its_saga,
    a_hold_that_was_ended_at_the_provider_is_learned,
    a_refund_that_fails_later_is_learned_by_its_webhook,
    a_refund_that_fails_after_its_last_look_is_learned_by_its_webhook,
    a_provider_that_makes_no_sense_parks_the_event_with_the_reason,
    an_event_that_says_what_is_not_so_changes_nothing,
    a_wake_up_is_told_until_it_is_answered_and_survives_a_crash,
    a_case_is_told_until_it_is_opened,
    whoever_comes_back_after_the_undo_finds_an_object_that_is_ended,
);

const HELD: &[&str] = &["authorized:1000"];

fn now(shop: &Shop) -> i64 {
    shop.clock.now_ms() / 1_000
}

fn body(event: &str, object: &str) -> Vec<u8> {
    format!(r#"{{"id":"{event}","type":"x","data":{{"object":{object}}}}}"#).into_bytes()
}

fn intent(object: &str) -> String {
    format!(r#"{{"id":"{object}","object":"payment_intent"}}"#)
}

/// Due at once: what the participant does by itself.
fn tick(shop: &Shop) {
    for _ in 0..2 {
        shop.tick(Duration::from_millis(1));
    }
}

/// A payment that waits for its customer.
fn waiting(on: On, token: &str) -> Shop {
    let shop = Shop::open(on);
    assert!(matches!(shop.authorize(Do, token), Said::Pending(_)));
    shop
}

fn what_is_not_the_provider_s_is_told_so_and_leaves_nothing(on: On) {
    let shop = Shop::open(on);
    let at = now(&shop);
    let good = body("evt_1", &intent("pi_1"));
    let other = body("evt_2", &intent("pi_1"));
    let signed = signature(SECRET, at, &good);
    let no_event = b"[]".to_vec();
    for (why, header, body, status, word) in [
        ("unsigned", None, &good, 401, "missing"),
        ("garbled", Some("t=,v1=".to_owned()), &good, 401, "no time"),
        ("tampered", Some(signed.clone()), &other, 401, "no v1 signature is of this body"),
        ("another secret", Some(signature("whsec_other", at, &good)), &good, 401, "no v1 signature"),
        ("stale", Some(signature(SECRET, at - 301, &good)), &good, 401, "301 seconds"),
        ("ahead", Some(signature(SECRET, at + 301, &good)), &good, 401, "301 seconds"),
        ("no event", Some(signature(SECRET, at, &no_event)), &no_event, 400, "no Stripe event"),
    ] {
        let (said, text) = shop.knock(header.as_deref(), body);
        assert_eq!(said, status, "{why}: {text}");
        assert!(text.contains(word), "{why}: {text}");
        assert!(!text.contains("whsec"), "{why}: {text}");
    }
    assert_eq!(shop.events_kept(), [""; 0]);
    for secret in [SECRET, "whsec_before"] {
        assert_eq!(shop.knock(Some(&signature(secret, at - 300, &good)), &good).0, 200, "{secret}");
    }
}

fn a_body_is_taken_up_to_the_limit_and_not_one_byte_more(on: On) {
    let shop = Shop::open(on);
    for (more, status) in [(0, 200), (1, 413)] {
        let mut body = body("evt_1", &intent("pi_1"));
        body.resize(MOST_BYTES + more, b' ');
        let header = signature(SECRET, now(&shop), &body);
        assert_eq!(shop.knock(Some(&header), &body).0, status, "{more}");
    }
}

fn what_cannot_be_stored_is_not_answered_as_taken_and_comes_again(on: On) {
    let shop = Shop::open(on);
    let body = body("evt_1", &intent("pi_1"));
    let signed = signature(SECRET, now(&shop), &body);
    shop.rows("payment", "ALTER TABLE webhooks RENAME TO webhooks_away");
    assert_eq!(shop.knock_and_be_told_when(&signed, &body), (503, Some("5".to_owned())));
    shop.rows("payment", "ALTER TABLE webhooks_away RENAME TO webhooks");
    assert_eq!(shop.events_kept(), [""; 0]);
    assert_eq!(shop.knock_and_be_told_when(&signed, &body), (200, None));
    assert_eq!(shop.events_kept(), ["evt_1 waiting"]);
}

fn a_body_that_does_not_end_is_waited_for_ten_seconds_and_leaves_nothing(on: On) {
    let shop = Shop::open(on);
    let body = body("evt_1", &intent("pi_1"));
    let signed = signature(SECRET, now(&shop), &body);
    let (answer, waited) = shop.knock_without_an_end(&signed, &body);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("/problems/slow-body"), "{answer}");
    assert!((10..11).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(shop.events_kept(), [""; 0]);
}

fn an_event_is_kept_once_however_often_it_comes(on: On) {
    let mut shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    let object = shop.object();
    for time in 0..3 {
        shop.asked();
        assert_eq!(shop.webhook("evt_1", &object), 200);
        tick(&shop);
        assert_eq!(shop.asked().len(), usize::from(time == 0), "acted on once");
        assert_eq!(shop.events_kept(), ["evt_1 done"]);
        shop.crash();
    }
    assert_eq!(shop.bank(), HELD);
    assert_eq!(shop.ours(), HELD);
    assert_eq!(shop.events(), ["authorized"]);
}

fn a_waiting_payment_that_the_customer_has_finished_is_settled_and_its_saga_woken(on: On) {
    for (token, status, said) in [
        ("tok_3ds_ok", "authorized", Said::Done),
        ("tok_3ds_fail", "refused", Said::refused("AUTHENTICATION_FAILED")),
    ] {
        let shop = waiting(on, token);
        shop.customer_finishes();
        assert_eq!(shop.webhook("evt_1", &shop.object()), 200);
        assert_eq!(shop.status(), "waiting", "answered first, acted on after");
        tick(&shop);
        assert_eq!(shop.status(), status);
        assert_eq!(shop.told.heard(), [format!("wake {}", shop.saga)]);
        assert_eq!(shop.events_kept(), ["evt_1 done"]);
        assert_eq!(shop.authorize(Do, token), said);
        tick(&shop);
        assert_eq!(shop.told.heard(), [""; 0], "once");
    }
}

fn the_customer_the_webhook_and_the_saga_may_come_in_any_order_and_number(on: On) {
    // 0 the customer finishes, 1 and 2 webhooks, 3 the saga asks, 4 the participant's own loops.
    for order in
        [[0, 1, 2, 3, 4], [1, 0, 3, 2, 4], [2, 1, 4, 0, 3], [3, 0, 4, 1, 2], [4, 2, 0, 3, 1], [1, 4, 0, 4, 3]]
    {
        let shop = waiting(on, "tok_3ds_ok");
        let object = shop.object();
        for step in order {
            match step {
                // Whoever was looked for twice has finished by then.
                0 if shop
                    .rows("sandbox", "SELECT id FROM accounts WHERE state = 'challenged'")
                    .is_empty() => {}
                0 => shop.customer_finishes(),
                1 | 2 => assert_eq!(shop.webhook(&format!("evt_{step}"), &object), 200),
                3 => assert!(matches!(shop.authorize(Do, "tok_3ds_ok"), Said::Pending(_) | Said::Done)),
                _ => tick(&shop),
            }
        }
        tick(&shop);
        assert_eq!(shop.authorize(Do, "tok_3ds_ok"), Said::Done, "{order:?}");
        assert_eq!(
            (shop.bank(), shop.ours()),
            (vec!["authorized:1000".into()], vec!["authorized:1000".into()])
        );
        assert_eq!(shop.events(), ["authorized"], "{order:?}");
    }
}

fn an_event_before_our_own_commit_is_parked_and_done_when_that_comes(on: On) {
    let mut shop = Shop::open(on);
    shop.faults(&[HangAfter]);
    assert_eq!(shop.try_authorize(Do, "tok_ok"), None, "the object is made and nobody here knows it");
    assert_eq!(shop.webhook("evt_1", &shop.object()), 200);
    // Not the whole tick: it would wait for what hangs.
    shop.tick_only("webhooks", Duration::ZERO);
    assert_eq!(shop.events_kept(), ["evt_1 parked"]);
    shop.release();
    assert_eq!(in_the_end(|| shop.authorize(Do, "tok_ok")), Said::Done);
    tick(&shop);
    assert_eq!(shop.events_kept(), ["evt_1 done"]);
    shop.crash();
    assert_eq!(shop.ours(), HELD);
}

fn an_event_about_nobody_s_object_is_parked_and_listed_and_never_dropped(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.webhook("evt_1", "pi_of_somebody_else"), 200);
    assert_eq!(
        shop.knock(Some(&signature(SECRET, now(&shop), &body("evt_2", "{}"))), &body("evt_2", "{}")).0,
        200
    );
    for _ in 0..30 {
        shop.tick(Duration::from_secs(24 * 60 * 60));
    }
    assert_eq!(shop.events_kept(), ["evt_1 parked", "evt_2 done"]);
    let listed = shop.webhooks();
    assert_eq!(listed.len(), 1);
    let parked = &listed[0];
    assert_eq!((parked.event_id.as_str(), parked.provider_id.as_str()), ("evt_1", "pi_of_somebody_else"));
    assert!(parked.why.contains("no payment here") && parked.tries > 20, "{parked:?}");
}

fn an_event_about_nothing_is_taken_and_done(on: On) {
    let shop = Shop::open(on);
    for (event, rest) in [("evt_1", ""), ("evt_2", r#","data":null"#), ("evt_3", r#","data":{"object":[]}"#)]
    {
        let body = format!(r#"{{"id":"{event}","type":"v2.core.event_destination.ping"{rest}}}"#);
        let header = signature(SECRET, now(&shop), body.as_bytes());
        assert_eq!(shop.knock(Some(&header), body.as_bytes()), (200, r#"{"received":true}"#.to_owned()));
    }
    tick(&shop);
    assert_eq!(shop.events_kept(), ["evt_1 done", "evt_2 done", "evt_3 done"]);
}

fn what_is_parked_is_tried_ever_more_rarely_for_a_month_and_due_when_its_payment_comes(on: On) {
    let mut shop = Shop::open(on);
    shop.faults(&[HangAfter]);
    assert_eq!(shop.try_authorize(Do, "tok_ok"), None, "the object is made and nobody here knows it");
    assert_eq!(shop.webhook("evt_1", &shop.object()), 200);
    let tries =
        |shop: &Shop| shop.rows("payment", "SELECT tries FROM webhooks").remove(0).parse::<i64>().unwrap();
    let hour = Duration::from_secs(60 * 60);
    for _ in 0..29 * 24 {
        shop.tick_only("webhooks", hour);
    }
    let month = tries(&shop);
    assert!((29..60).contains(&month), "in the end once a day: {month}");
    for _ in 0..2 {
        shop.tick_only("webhooks", 24 * hour);
    }
    let end = tries(&shop);
    assert!(end > month);
    for _ in 0..40 {
        shop.tick_only("webhooks", 24 * hour);
    }
    assert_eq!((tries(&shop), shop.events_kept()), (end, vec!["evt_1 parked".to_owned()]), "kept");
    shop.release();
    assert_eq!(in_the_end(|| shop.authorize(Do, "tok_ok")), Said::Done);
    shop.tick_only("webhooks", Duration::ZERO);
    assert_eq!(shop.events_kept(), ["evt_1 done"]);
    shop.crash();
    assert_eq!(shop.ours(), HELD);
}

fn what_is_new_comes_before_what_is_parked(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    // More than one tick takes.
    for number in 0..40 {
        assert_eq!(shop.webhook(&format!("evt_{number:02}"), "pi_of_somebody_else"), 200);
    }
    tick(&shop);
    let parked = "SELECT event_id FROM webhooks WHERE status = 'parked'";
    assert_eq!(shop.rows("payment", parked).len(), 40);
    shop.clock.advance(60_000);
    assert_eq!(shop.webhook("evt_ours", &shop.object()), 200);
    shop.tick_only("webhooks", Duration::ZERO);
    let ours = "SELECT status FROM webhooks WHERE event_id = 'evt_ours'";
    assert_eq!(shop.rows("payment", ours), ["done"]);
}

fn a_capture_in_doubt_is_found_by_its_webhook(on: On) {
    let mut shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.faults(&[HangAfter]);
    assert_eq!(shop.try_capture(Do, gbp(AMOUNT)), None);
    shop.crash();
    assert_eq!(shop.status(), "capturing");
    assert_eq!(shop.webhook("evt_1", &shop.object()), 200);
    tick(&shop);
    assert_eq!(shop.status(), "captured");
    assert_eq!(shop.told.heard(), [format!("wake {}", shop.saga)]);
    assert_eq!(shop.capture(Do), Said::Done);
    assert_eq!(shop.bank(), shop.ours());
}

fn what_ends_while_nobody_s_call_waits_for_it_wakes_its_saga(on: On) {
    let wakes = |shop: &Shop, why: &str| {
        assert_eq!(shop.told.heard(), [""; 0], "{why}: whoever calls is answered, and needs no waking");
        shop.tick(Duration::from_secs(6));
        shop.settle();
        tick(shop);
        assert_eq!(shop.told.heard(), [format!("wake {}", shop.saga)], "{why}");
    };
    let mut shop = Shop::open(on);
    shop.faults(&[Pass, HangAfter]);
    assert_eq!(shop.try_authorize(Do, "tok_ok"), None);
    shop.crash();
    wakes(&shop, "a hold");
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.faults(&[HangAfter]);
    assert_eq!(shop.try_capture(Do, gbp(AMOUNT)), None);
    shop.crash();
    wakes(&shop, "a capture");
    assert_eq!(shop.status(), "captured");

    let mut shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.faults(&[Pass, HangAfter]);
    assert_eq!(shop.try_void(), None);
    shop.crash();
    wakes(&shop, "a void");
    assert_eq!(shop.status(), "voided");
}

fn a_hold_that_was_ended_at_the_provider_is_learned(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.at_the_bank(async |bank, object| bank.cancel("somebody's", &object).await).unwrap();
    assert_eq!(shop.webhook("evt_1", &shop.object()), 200);
    tick(&shop);
    assert_eq!(shop.status(), "voided");
    assert_eq!(shop.bank(), shop.ours());
    assert_eq!(shop.capture(Do), Said::refused("CAPTURE_FAILED"));
}

fn a_refund_that_fails_later_is_learned_by_its_webhook(on: On) {
    refund_fails_later(&Shop::open(on), |_| {});
}

fn a_refund_that_fails_after_its_last_look_is_learned_by_its_webhook(on: On) {
    refund_fails_later(&Shop::open(on), |shop| {
        shop.rows("payment", "UPDATE refunds SET look_at_ms = 0");
        shop.tick(Duration::from_secs(100 * 24 * 60 * 60));
        assert_eq!(shop.ours(), ["authorized:1000", "captured:1000", "refunded:600"], "nobody looks");
    });
}

fn refund_fails_later(shop: &Shop, meanwhile: impl Fn(&Shop)) {
    shop.authorize(Do, "tok_refund_fails_later");
    shop.capture(Do);
    assert_eq!(shop.refund(Do, 1, 600), Said::Done);
    meanwhile(shop);
    let refund = format!(r#"{{"id":"re_1","object":"refund","payment_intent":"{}"}}"#, shop.object());
    for event in ["evt_1", "evt_2", "evt_3"] {
        let body = body(event, &refund);
        assert_eq!(shop.knock(Some(&signature(SECRET, now(shop), &body)), &body).0, 200);
        tick(shop);
    }
    assert_eq!(shop.ours(), ["authorized:1000", "captured:1000", "refunded:600", "reversed:600"]);
    assert_eq!(shop.cases(true).len(), 1);
    assert_eq!(shop.told.heard(), [format!("case {} of {}", shop.refund_id(1), shop.saga)]);
}

fn a_provider_that_makes_no_sense_parks_the_event_with_the_reason(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.lie(|_, payment| payment.amount.minor += 1);
    assert_eq!(shop.webhook("evt_1", &shop.object()), 200);
    tick(&shop);
    assert_eq!(shop.events_kept(), ["evt_1 parked"]);
    assert!(shop.webhooks()[0].why.contains("10.01"), "{:?}", shop.webhooks());
    assert_eq!(shop.ours(), HELD);
    shop.lie(|_, _| {});
    shop.tick(Duration::from_secs(60 * 60));
    assert_eq!(shop.events_kept(), ["evt_1 done"]);
}

fn an_event_that_says_what_is_not_so_changes_nothing(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    let object = shop.object();
    let lie = format!(
        r#"{{"id":"{object}","object":"payment_intent","status":"succeeded","amount_received":1000,"amount":1}}"#
    );
    let body = body("evt_1", &lie);
    shop.asked();
    assert_eq!(shop.knock(Some(&signature(SECRET, now(&shop), &body)), &body).0, 200);
    tick(&shop);
    assert_eq!(shop.asked(), ["read:ok"], "it is not believed, and the object is looked at");
    assert_eq!((shop.status().as_str(), shop.ours()), ("authorized", vec!["authorized:1000".to_owned()]));
}

fn a_wake_up_is_told_until_it_is_answered_and_survives_a_crash(on: On) {
    for answered in [Code::Ok, Code::NotFound, Code::FailedPrecondition] {
        let mut shop = waiting(on, "tok_3ds_ok");
        shop.told.answers(&[Code::Unavailable, Code::DeadlineExceeded, Code::Internal]);
        shop.customer_finishes();
        assert_eq!(shop.webhook("evt_1", &shop.object()), 200);
        tick(&shop);
        shop.crash();
        let mut tells = 1;
        for _ in 0..2 {
            shop.tick(Duration::from_secs(10));
            tells += 1;
        }
        assert_eq!(shop.told.heard().len(), tells);
        if answered != Code::Ok {
            shop.told.answers(&[answered]);
        }
        // Left alone twice as long each time: four seconds after the third.
        shop.tick(Duration::from_millis(3_999));
        assert_eq!(shop.told.heard(), [""; 0], "not before");
        shop.tick(Duration::from_millis(1));
        assert_eq!(shop.told.heard(), [format!("wake {}", shop.saga)]);
        shop.tick(Duration::from_secs(4_000));
        assert_eq!(shop.told.heard(), [""; 0], "answered: {answered:?}");
    }
}

fn a_case_is_told_until_it_is_opened(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_refund_fails_later");
    shop.capture(Do);
    assert_eq!(shop.refund(Do, 1, 600), Said::Done);
    shop.told.answers(&[Code::Unimplemented, Code::NotFound]);
    for _ in 0..8 {
        shop.tick(Duration::from_secs(3_600));
    }
    assert_eq!(shop.told.heard().len(), 3, "twice in vain");
}

fn whoever_comes_back_after_the_undo_finds_an_object_that_is_ended(on: On) {
    let shop = waiting(on, "tok_3ds_ok");
    assert_eq!(shop.void(), Said::Done);
    let late = shop.at_the_bank(async |bank, object| bank.finish_challenge(&object).await);
    assert!(late.is_err(), "finishing is impossible: {late:?}");
    assert_eq!(shop.webhook("evt_1", &shop.object()), 200);
    tick(&shop);
    assert_eq!((shop.status().as_str(), shop.ours().len()), ("voided", 0));
    assert_eq!(shop.told.heard(), [""; 0]);
}
