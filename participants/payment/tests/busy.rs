//! A provider that is busy and names a time: nobody of the process asks it before, and everybody hears when to come back.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_proto::contract::Op::{Close, Do};
use backstitch_services::{On, each_database};
use common::Fault::{Locked, LoseAnswer, LoseRequest, Pass, RateLimited};
use common::{AMOUNT, Said, Shop, gbp};
use tonic::Code;
use uuid::Uuid;

each_database!(blocking:
    nobody_asks_a_busy_provider_before_the_time_that_it_named_and_everybody_hears_when,
    a_look_that_was_told_to_come_later_is_not_repeated_before_either,
    a_step_that_has_not_begun_does_not_begin_at_a_busy_provider,
    what_is_closed_or_undone_at_a_busy_provider_hears_when_and_goes_on_then,
    a_lock_on_one_object_keeps_nobody_from_the_others,
    what_is_due_at_a_busy_provider_keeps_its_turn,
);

const SEVEN: Duration = Duration::from_secs(7);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn seconds(after: Duration) -> f64 {
    after.as_secs_f64()
}

/// Lets another saga pay from now on.
fn another(shop: &mut Shop) -> (Uuid, Uuid) {
    let before = (shop.saga, shop.payment);
    (shop.saga, shop.payment) = (Uuid::now_v7(), Uuid::now_v7());
    before
}

fn nobody_asks_a_busy_provider_before_the_time_that_it_named_and_everybody_hears_when(on: On) {
    let mut shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    assert_eq!(shop.webhook("evt_1", &shop.object()), 200);
    shop.faults(&[RateLimited(7)]);
    assert_eq!(shop.capture(Do), Said::Unknown);
    assert_eq!(seconds(shop.after()), 7.0, "the row is doing, and the saga hears when to come back");
    shop.asked();
    let mine = (shop.saga, shop.payment);
    for (pause_ms, left) in [(0, 7.0), (2_000, 5.0), (4_999, 0.001)] {
        shop.clock.advance(pause_ms);
        assert_eq!((shop.capture(Do), seconds(shop.after())), (Said::Unknown, left));
        another(&mut shop);
        assert_eq!((shop.authorize(Do, "tok_ok"), seconds(shop.after())), (Said::NotNow, left));
        (shop.saga, shop.payment) = mine;
        // Steps that are open, webhooks, holds, done refunds: whatever the participant does by itself. And the reconciler.
        shop.tick(Duration::ZERO);
        assert_eq!(shop.objects("").unwrap_err().code(), Code::Unavailable);
        assert_eq!(shop.asked(), [""; 0], "{left} seconds are left");
    }
    shop.clock.advance(1);
    assert_eq!(shop.capture(Do), Said::Done);
    another(&mut shop);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    assert_eq!(shop.asked(), ["capture:ok", "create:ok", "confirm:ok"]);
    shop.tick(Duration::from_secs(60));
    assert_eq!(shop.events_kept(), ["evt_1 done"]);
}

fn a_look_that_was_told_to_come_later_is_not_repeated_before_either(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.faults(&[LoseAnswer]);
    assert_eq!(shop.capture(Do), Said::Unknown);
    assert_eq!(seconds(shop.after()), 0.0, "nobody has named a time");
    shop.faults(&[RateLimited(7)]);
    assert_eq!((shop.capture(Do), seconds(shop.after())), (Said::Unknown, 7.0));
    shop.asked();
    shop.clock.advance(6_999);
    assert_eq!((shop.capture(Do), shop.asked()), (Said::Unknown, vec![]));
    shop.clock.advance(1);
    assert_eq!((shop.capture(Do), shop.asked()), (Said::Done, vec!["read:ok".to_owned()]));
}

fn a_step_that_has_not_begun_does_not_begin_at_a_busy_provider(on: On) {
    let mut shop = Shop::open(on);
    shop.faults(&[RateLimited(7)]);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown);
    let first = another(&mut shop);
    assert_eq!((shop.authorize(Do, "tok_ok"), seconds(shop.after())), (Said::NotNow, 7.0));
    assert_eq!(shop.status(), "NotFound", "nothing of it is there");
    assert_eq!(shop.rows("payment", "SELECT saga_id FROM barrier"), [first.0.to_string()]);
    assert_eq!(shop.void(), Said::Done, "so there is nothing to take back");
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Superseded);
    // A hold is captured, and what was captured given back, by steps that wait likewise.
    (shop.saga, shop.payment) = first;
    shop.clock.advance(7_000);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    let busy = |shop: &mut Shop| {
        let before = another(shop);
        shop.faults(&[RateLimited(7)]);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown);
        (shop.saga, shop.payment) = before;
    };
    busy(&mut shop);
    assert_eq!((shop.capture(Do), shop.status()), (Said::NotNow, "authorized".to_owned()));
    shop.clock.advance(7_000);
    assert_eq!(shop.capture(Do), Said::Done);
    busy(&mut shop);
    assert_eq!(shop.refund(Do, 1, AMOUNT), Said::NotNow);
    assert_eq!(shop.rows("payment", "SELECT refund_id FROM refunds"), [""; 0]);
    assert_eq!(
        shop.refund(Do, 1, AMOUNT + 1),
        Said::refused("REFUND_EXCEEDS_CAPTURED"),
        "which needs nobody"
    );
}

fn what_is_closed_or_undone_at_a_busy_provider_hears_when_and_goes_on_then(on: On) {
    for ends in [Close, Do] {
        let shop = Shop::open(on);
        shop.faults(&[Pass, LoseRequest]);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown);
        shop.faults(&[RateLimited(7)]);
        let end = || if ends == Close { shop.authorize(Close, "tok_ok") } else { shop.void() };
        assert_eq!((end(), seconds(shop.after())), (Said::NotNow, 7.0));
        shop.asked();
        shop.clock.advance(6_999);
        assert_eq!((end(), seconds(shop.after())), (Said::NotNow, 0.2), "soon");
        assert_eq!(shop.asked(), [""; 0]);
        shop.clock.advance(1);
        let ended = if ends == Close { Said::refused("PAYMENT_INTERRUPTED") } else { Said::Done };
        assert_eq!(end(), ended);
        assert_eq!(shop.asked(), ["read:ok", "cancel:ok"]);
    }
}

fn a_lock_on_one_object_keeps_nobody_from_the_others(on: On) {
    let mut shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.faults(&[Locked(7)]);
    assert_eq!((shop.capture(Do), seconds(shop.after())), (Said::Unknown, 7.0));
    shop.asked();
    let mine = another(&mut shop);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    assert_eq!(shop.asked(), ["create:ok", "confirm:ok"]);
    (shop.saga, shop.payment) = mine;
    shop.clock.advance(6_999);
    assert_eq!((shop.capture(Do), shop.asked()), (Said::Unknown, vec![]));
    shop.clock.advance(1);
    assert_eq!((shop.capture(Do), shop.asked()), (Said::Done, vec!["capture:ok".to_owned()]));
}

fn what_is_due_at_a_busy_provider_keeps_its_turn(on: On) {
    let mut shop = Shop::open(on);
    for _ in 0..3 {
        another(&mut shop);
        assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
        assert_eq!(shop.capture(Do), Said::Done);
        assert_eq!(shop.try_refund(Do, 1, gbp(AMOUNT)), Some(Said::Done));
    }
    shop.asked();
    shop.faults(&[RateLimited(7)]);
    shop.tick_only("done refunds", HOUR);
    shop.tick_only("done refunds", SEVEN - Duration::from_millis(1));
    assert_eq!(shop.asked(), [""; 0]);
    shop.tick_only("done refunds", Duration::from_millis(1));
    assert_eq!(shop.asked(), ["refunds:ok"; 2], "but the one that was told so");
}
