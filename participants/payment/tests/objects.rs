//! What a reconciler reads, and what a repair takes back: by the object's state at the provider, and true in our ledger.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_proto::contract::Op::{Close, Do};
use backstitch_services::{On, each_database};
use common::Fault::{HangAfter, HangBefore, LoseAnswer, Pass};
use common::{AMOUNT, Said, Shop, gbp};
use metrics_exporter_prometheus::PrometheusBuilder;
use participant_payment::gateway::{NewPayment, PaymentGateway as _, PaymentMethod};
use uuid::Uuid;

each_database!(blocking:
    payments_are_listed_a_page_at_a_time_with_their_refunds,
    the_provider_s_objects_are_listed_with_our_ids,
    a_hold_in_the_ledger_is_voided_and_never_captured_after,
    a_captured_payment_gives_back_what_refunds_left,
    an_object_of_no_payment_here_is_taken_back_and_on_record,
    what_is_not_as_it_was_decided_on_is_refused_and_unchanged,
    killed_anywhere_a_repair_takes_back_once,
    a_capture_in_doubt_is_settled_before_a_repair_touches_it,
    a_repair_that_cannot_be_read_is_broken,
    a_repair_of_another_saga_touches_nothing,
    a_hold_is_warned_about_once_and_learned_to_have_ended,
    every_hold_that_is_about_to_end_is_counted_once_and_nothing_else,
    a_hold_that_has_ended_is_looked_at_until_the_provider_shows_it,
    a_hold_that_its_provider_does_not_let_go_is_looked_at_twice_as_late_each_time_and_daily_in_the_end,
);

const VOIDED: &[&str] = &["authorized:1000", "voided:1000"];

/// An object at the provider that nobody here has on record; held, or captured.
fn orphan(shop: &Shop, captured: bool) -> String {
    orphan_of(shop, Uuid::now_v7(), captured)
}

/// One that bears this payment's id.
fn orphan_of(shop: &Shop, reference: Uuid, captured: bool) -> String {
    let wire = shop.bank_itself();
    shop.block_on(async move {
        let new = NewPayment {
            reference,
            amount: gbp(500),
            saga: Uuid::now_v7(),
            root: Uuid::now_v7(),
            order_id: "lost".into(),
        };
        let made = wire.create("orphan/create", &new).await.unwrap();
        wire.confirm("orphan/confirm", &made.id, &PaymentMethod::new("tok_ok")).await.unwrap();
        if captured {
            wire.capture("orphan/capture", &made.id, gbp(500)).await.unwrap();
        }
        made.id.to_string()
    })
}

fn left(shop: &Shop) -> Vec<String> {
    shop.rows("sandbox", "SELECT held_minor + captured_minor - refunded_minor FROM statement")
}

fn payments_are_listed_a_page_at_a_time_with_their_refunds(on: On) {
    let mut shop = Shop::open(on);
    let mut ids = Vec::new();
    for number in 0..3 {
        (shop.saga, shop.payment) = (Uuid::now_v7(), Uuid::now_v7());
        shop.authorize(Do, "tok_ok");
        shop.capture(Do);
        if number == 1 {
            shop.refund(Do, 1, 300);
        }
        ids.push(shop.payment.to_string());
    }
    let whole = shop.payments(0, "").unwrap();
    assert_eq!(whole.payments.iter().map(|p| p.payment_id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!(whole.next_page_token, "");
    let first = shop.payments(2, "").unwrap();
    assert_eq!((first.payments.len(), first.next_page_token.as_str()), (2, ids[1].as_str()));
    let (payment, refunds) = (&first.payments[1], &first.payments[1].refunds);
    assert_eq!((payment.captured_minor, payment.refunded_minor, refunds.len()), (1_000, 300, 1));
    assert_eq!((refunds[0].status.as_str(), refunds[0].amount_minor), ("done", 300));
    assert!(!refunds[0].provider_id.is_empty());
    assert!(first.payments[0].refunds.is_empty());
    let second = shop.payments(2, &first.next_page_token).unwrap();
    assert_eq!((second.payments.len(), second.next_page_token.as_str()), (1, ""));
    assert_eq!((payment.provider.as_str(), payment.order_id.as_str()), ("sandbox", "an order"));
    assert!(payment.capture_before_unix_ms > payment.created_at_unix_ms && payment.created_at_unix_ms > 0);
    for (size, token, field) in [(-1, "", "page_size"), (1_001, "", "page_size"), (0, "x", "page_token")] {
        let status = shop.payments(size, token).unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert!(status.message().contains(field), "{status}");
    }
    assert!(shop.payments(1_000, "").is_ok());
}

fn the_provider_s_objects_are_listed_with_our_ids(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.capture(Do);
    shop.refund(Do, 1, 300);
    let listed = shop.objects("").unwrap();
    assert_eq!((listed.objects.len(), listed.next_page_token.as_str()), (1, ""));
    let object = &listed.objects[0];
    assert_eq!((object.provider_id.as_str(), object.state.as_str()), (shop.object().as_str(), "captured"));
    assert_eq!(object.payment_id, shop.payment.to_string());
    assert_eq!(
        (object.saga_id.as_str(), object.order_id.as_str()),
        (shop.saga.to_string().as_str(), "an order")
    );
    assert_eq!((object.authorized_minor, object.captured_minor, object.refunded_minor), (1_000, 1_000, 300));
    assert_eq!(object.refunds[0].refund_id, shop.refund_id(1).to_string());
    assert_eq!(shop.objects(&"x".repeat(501)).unwrap_err().code(), tonic::Code::InvalidArgument);
}

fn a_hold_in_the_ledger_is_voided_and_never_captured_after(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    for op in [Do, Do, Close] {
        assert_eq!(shop.take_back(op, 1, &shop.object(), "authorized"), Ok(("voided".into(), AMOUNT)));
    }
    assert_eq!((shop.bank(), shop.ours()), (strings(VOIDED), strings(VOIDED)));
    assert_eq!(shop.events(), ["authorized", "voided"]);
    assert_eq!(shop.capture(Do), Said::refused("CAPTURE_FAILED"));
    assert_eq!(shop.void(), Said::Done);
}

fn a_captured_payment_gives_back_what_refunds_left(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.capture(Do);
    shop.refund(Do, 1, 300);
    let object = shop.object();
    for op in [Do, Close] {
        assert_eq!(shop.take_back(op, 2, &object, "captured"), Ok(("refunded".into(), 700)));
    }
    assert_eq!(shop.take_back(Do, 3, &object, "captured"), Ok(("nothing".into(), 0)));
    assert_eq!((left(&shop), shop.bank()), (strings(&["0"]), shop.ours()));
    assert_eq!(shop.get().unwrap().refunded_minor, AMOUNT);
}

fn an_object_of_no_payment_here_is_taken_back_and_on_record(on: On) {
    for (captured, state, outcome) in [(false, "authorized", "voided"), (true, "captured", "refunded")] {
        let shop = Shop::open(on);
        let object = orphan(&shop, captured);
        for op in [Do, Close] {
            assert_eq!(shop.take_back(op, 1, &object, state), Ok((outcome.into(), 500)));
        }
        assert_eq!((left(&shop), shop.ours()), (strings(&["0"]), vec![]));
        let repairs = shop.rows("payment", "SELECT provider_id, outcome, amount_minor FROM repairs");
        assert_eq!(repairs, [format!("{object}:{outcome}:500")]);
        let attempts = shop.rows("payment", "SELECT verb, result FROM attempts");
        assert_eq!(attempts, [format!("{}:ok", if captured { "refund" } else { "cancel" })]);
    }
}

fn what_is_not_as_it_was_decided_on_is_refused_and_unchanged(on: On) {
    let shop = Shop::open(on);
    let said = |shop: &Shop, number, state| shop.take_back(Do, number, &shop.object(), state).unwrap_err();
    assert!(matches!(shop.authorize(Do, "tok_3ds_never"), Said::Pending(_)));
    assert_eq!(said(&shop, 1, "authorized"), Said::refused("OBJECT_CHANGED"));
    assert_eq!(shop.status(), "waiting");

    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    assert_eq!(said(&shop, 1, "captured"), Said::refused("OBJECT_CHANGED"));
    shop.capture(Do);
    assert_eq!(said(&shop, 2, "authorized"), Said::refused("OBJECT_CHANGED"));
    assert_eq!(shop.bank(), ["authorized:1000", "captured:1000"]);

    let shop = Shop::open(on);
    shop.authorize(Do, "tok_refund_fails");
    shop.capture(Do);
    assert_eq!(said(&shop, 1, "captured"), Said::refused("REFUND_FAILED"));
    assert_eq!((shop.bank(), shop.ours().len()), (strings(&["authorized:1000", "captured:1000"]), 2));
}

fn killed_anywhere_a_repair_takes_back_once(on: On) {
    for captured in [false, true] {
        let (state, outcome) = if captured { ("captured", "refunded") } else { ("authorized", "voided") };
        for known in [true, false] {
            for faults in [
                &[HangBefore][..],
                &[HangAfter],
                &[Pass, HangBefore],
                &[Pass, HangAfter],
                &[Pass, LoseAnswer],
            ] {
                let why = format!("{state}, known {known}, {faults:?}");
                let mut shop = Shop::open(on);
                let object = if known {
                    shop.authorize(Do, "tok_ok");
                    if captured {
                        shop.capture(Do);
                    }
                    shop.object()
                } else {
                    orphan(&shop, captured)
                };
                let amount = if known { AMOUNT } else { 500 };
                shop.faults(faults);
                let said = shop.try_take_back(Do, 1, &object, state);
                assert!(said.is_none() || said == Some(Err(Said::Unknown)), "{why}: {said:?}");
                shop.crash();
                assert_eq!(shop.take_back(Do, 1, &object, state), Ok((outcome.into(), amount)), "{why}");
                assert_eq!(left(&shop), ["0"], "{why}");
                if known {
                    assert_eq!(shop.bank(), shop.ours(), "{why}");
                }
            }
        }
    }
}

fn a_capture_in_doubt_is_settled_before_a_repair_touches_it(on: On) {
    let mut shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.faults(&[HangBefore]);
    assert_eq!(shop.try_capture(Do, gbp(AMOUNT)), None);
    shop.crash();
    let object = shop.object();
    assert_eq!(shop.take_back(Do, 1, &object, "authorized"), Err(Said::Unknown));
    assert_eq!(shop.bank(), ["authorized:1000"], "not touched");
    shop.tick(Duration::from_secs(6));
    shop.settle();
    assert_eq!((shop.bank(), shop.ours()), (strings(VOIDED), strings(VOIDED)));
}

fn a_repair_of_another_saga_touches_nothing(on: On) {
    let shop = Shop::open(on);
    let of_another = |number, object: &str, state| {
        let said = shop.take_back_of(Uuid::now_v7(), number, object, state).unwrap_err();
        assert_eq!(said, Said::refused("OBJECT_OF_ANOTHER_SAGA"), "{object} {state}");
        assert_eq!(shop.fact("saga_id"), shop.saga.to_string());
    };
    shop.authorize(Do, "tok_ok");
    let object = shop.object();
    of_another(1, &object, "authorized");
    assert_eq!(shop.status(), "authorized");
    // What the ledger does not know, but bears the id of what it knows.
    let second = orphan_of(&shop, shop.payment, false);
    of_another(2, &second, "authorized");
    shop.capture(Do);
    of_another(3, &object, "captured");
    assert_eq!((shop.status().as_str(), shop.get().unwrap().refunds.len()), ("captured", 0));
    let mut kept = left(&shop);
    kept.sort();
    assert_eq!(kept, ["1000", "500"]);
    assert!(shop.rows("payment", "SELECT saga_id FROM repairs").is_empty());
    assert_eq!(shop.take_back(Do, 4, &second, "authorized"), Ok(("voided".into(), 500)), "by its own name");
}

fn a_repair_that_cannot_be_read_is_broken(on: On) {
    let shop = Shop::open(on);
    for (number, object, state) in
        [(1, "", "authorized"), (2, "pi", "voided"), (3, "pi\n", "captured"), (4, "nobody_s", "captured")]
    {
        let said = shop.take_back(Do, number, object, state).unwrap_err();
        assert!(said.is_broken(), "{object} {state}: {said:?}");
    }
    assert!(shop.rows("payment", "SELECT saga_id FROM repairs").is_empty());
}

fn a_hold_is_warned_about_once_and_learned_to_have_ended(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    let until = shop.get().unwrap().capture_before_unix_ms;
    let warned =
        || shop.rows("payment", "SELECT warned_at_ms FROM payments").remove(0).parse::<i64>().unwrap();
    let to = |at_ms: i64| {
        let now_ms = participant_kit::Clock::now_ms(&shop.clock);
        shop.tick(Duration::from_millis((at_ms - now_ms).unsigned_abs()));
        at_ms
    };
    to(until - participant_payment::WARNED_BEFORE_MS - 1);
    assert_eq!(warned(), 0);
    let first = to(until - participant_payment::WARNED_BEFORE_MS);
    assert_eq!(warned(), first);
    to(until - 1);
    assert_eq!((warned(), shop.status().as_str()), (first, "authorized"), "once");
    shop.at_the_bank(async |bank, object| bank.cancel("ran out", &object).await).unwrap();
    to(until);
    assert_eq!(shop.status(), "voided", "without a webhook");
    assert_eq!(shop.bank(), shop.ours());
}

fn every_hold_that_is_about_to_end_is_counted_once_and_nothing_else(on: On) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let (shown, _here) = (recorder.handle(), metrics::set_default_local_recorder(&recorder));
    let counted = || {
        let text = shown.render();
        let line = text.lines().find_map(|line| line.strip_prefix("payment_holds_ending_total "));
        line.map_or(0, |count| count.parse().unwrap())
    };
    let mut shop = Shop::open(on);
    for end in ["captured", "voided", "authorized", "authorized"] {
        (shop.saga, shop.payment) = (Uuid::now_v7(), Uuid::now_v7());
        shop.authorize(Do, "tok_ok");
        match end {
            "captured" => assert_eq!(shop.capture(Do), Said::Done),
            "voided" => assert_eq!(shop.void(), Said::Done),
            _ => {}
        }
        assert_eq!(shop.status(), end);
    }
    let until = shop.get().unwrap().capture_before_unix_ms;
    let to = |shop: &Shop, at_ms: i64| {
        let now_ms = participant_kit::Clock::now_ms(&shop.clock);
        shop.tick(Duration::from_millis((at_ms - now_ms).unsigned_abs()));
    };
    to(&shop, until - participant_payment::WARNED_BEFORE_MS - 1);
    assert_eq!(counted(), 0, "too early");
    to(&shop, until - participant_payment::WARNED_BEFORE_MS);
    assert_eq!(counted(), 2, "those that are held");
    shop.crash();
    for at_ms in [until - 60 * 60 * 1_000, until - 1, until, until + 24 * 60 * 60 * 1_000] {
        to(&shop, at_ms);
        assert_eq!(counted(), 2, "each once");
    }
}

fn a_hold_that_has_ended_is_looked_at_until_the_provider_shows_it(on: On) {
    let mut shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    let until = shop.get().unwrap().capture_before_unix_ms;
    let now_ms = participant_kit::Clock::now_ms(&shop.clock);
    shop.tick(Duration::from_millis((until - 1 - now_ms).unsigned_abs()));
    shop.asked();
    let minute = Duration::from_secs(60);
    // The provider lets go of it later than it said.
    shop.tick_only("holds", Duration::from_millis(1));
    assert_eq!((shop.asked(), shop.status().as_str()), (strings(&["read:ok"]), "authorized"));
    shop.tick_only("holds", minute - Duration::from_millis(1));
    assert_eq!(shop.asked(), [""; 0], "not all the time");
    shop.at_the_bank(async |bank, object| bank.cancel("ran out", &object).await).unwrap();
    shop.faults(&[LoseAnswer]);
    shop.tick_only("holds", Duration::from_millis(1));
    assert_eq!((shop.asked(), shop.status().as_str()), (strings(&["read:ok"]), "authorized"), "lost");
    shop.crash();
    shop.asked();
    shop.tick_only("holds", minute);
    assert_eq!(shop.status(), "voided");
    assert_eq!(shop.bank(), shop.ours());
}

fn a_hold_that_its_provider_does_not_let_go_is_looked_at_twice_as_late_each_time_and_daily_in_the_end(
    on: On,
) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    let until = shop.get().unwrap().capture_before_unix_ms;
    let now_ms = || participant_kit::Clock::now_ms(&shop.clock);
    shop.tick(Duration::from_millis((until - 1 - now_ms()).unsigned_abs()));
    shop.asked();
    let (minute, day) = (60_000, 24 * 60 * 60_000);
    // Minutes after its end: 0, 1, 2, 4 … 2048; then it would be more than a day, and is one.
    let doubled =
        std::iter::successors(Some(minute), |after| Some(2 * after)).take_while(|after| *after < 2 * day);
    let last = 2_048 * minute;
    for after in std::iter::once(0).chain(doubled).chain([last + day, last + 2 * day]) {
        let at_ms = until + after;
        shop.tick_only("holds", Duration::from_millis((at_ms - 1 - now_ms()).unsigned_abs()));
        assert_eq!(shop.asked(), [""; 0], "one moment before {after}");
        shop.tick_only("holds", Duration::from_millis(1));
        assert_eq!(shop.asked(), ["read:ok"], "{after}");
    }
    assert_eq!(shop.status(), "authorized");
}

#[test]
fn holds_that_end_are_searched_by_their_time_on_both_sides() {
    let plan = concat!("EXPLAIN QUERY PLAN\n", include_str!("../src/sql/holds_ending.sql"));
    let plan = Shop::open(On::Sqlite).rows("payment", plan).join("\n");
    let bounds = "USING INDEX payments_held (capture_before_ms>? AND capture_before_ms<?)";
    assert!(plan.contains(bounds), "{plan}");
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
