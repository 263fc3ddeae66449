//! What is forgotten of calls and webhooks, and what an open step keeps.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_proto::contract::Op::Do;
use backstitch_services::{On, each_database};
use common::Fault::Unavailable;
use common::{Said, Shop};
use participant_kit::Clock as _;
use uuid::{NoContext, Timestamp, Uuid};

each_database!(blocking:
    an_open_step_is_decided_by_its_calls_however_old_they_are_and_keeps_no_other_saga_s,
    a_webhook_s_body_is_kept_for_as_long_as_somebody_may_want_to_look,
);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A saga that begins now, by the shop's clock.
fn begin(shop: &mut Shop) {
    let now_ms = u64::try_from(shop.clock.now_ms()).unwrap();
    let nanos = u32::try_from(now_ms % 1_000).unwrap() * 1_000_000;
    shop.saga = Uuid::new_v7(Timestamp::from_unix(NoContext, now_ms / 1_000, nanos));
    shop.payment = Uuid::now_v7();
}

fn calls(shop: &Shop) -> Vec<String> {
    shop.rows("payment", "SELECT verb, result FROM attempts ORDER BY began_at_ms, saga_id, number")
}

fn an_open_step_is_decided_by_its_calls_however_old_they_are_and_keeps_no_other_saga_s(on: On) {
    let mut shop = Shop::open(on);
    begin(&mut shop);
    shop.faults(&[Unavailable]);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown);
    let open = (shop.saga, shop.payment);
    assert_eq!(shop.webhook("evt_1", ""), 200);
    shop.tick_only("webhooks", Duration::ZERO);
    assert_eq!(shop.events_kept(), ["evt_1 done"]);
    shop.clock.advance(1_000);
    begin(&mut shop);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    assert_eq!(calls(&shop).len(), 3);
    let settled = (shop.saga, shop.payment);

    shop.clock.advance(i64::try_from((45 * DAY).as_millis()).unwrap());
    shop.forget(45 * DAY);
    assert_eq!(calls(&shop).len(), 3, "to its last millisecond");
    shop.clock.advance(1);
    shop.forget(45 * DAY);
    assert_eq!(calls(&shop), ["create:unavailable"]);
    assert_eq!(shop.events_kept(), [""; 0], "no open step keeps a webhook");
    (shop.saga, shop.payment) = settled;
    assert!(shop.authorize(Do, "tok_ok").is_broken(), "expired");

    // The provider surely did not execute it, which is known from nothing else: it is asked again.
    (shop.saga, shop.payment) = open;
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.forget(45 * DAY);
    assert_eq!(calls(&shop).len(), 2, "those of now are kept for as long");
    assert!(shop.authorize(Do, "tok_ok").is_broken(), "expired");
    shop.clock.advance(i64::try_from((45 * DAY).as_millis()).unwrap());
    shop.forget(45 * DAY);
    assert_eq!(calls(&shop), [""; 0]);
}

fn a_webhook_s_body_is_kept_for_as_long_as_somebody_may_want_to_look(on: On) {
    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    let bodies = || {
        let sql = "SELECT event_id, status, CASE WHEN length(body) > 0 THEN 'body' ELSE '' END
                   FROM webhooks ORDER BY event_id";
        shop.rows("payment", sql)
    };
    for (event, object) in [("evt_1", ""), ("evt_2", &*shop.object()), ("evt_3", "pi_of_somebody_else")] {
        assert_eq!(shop.webhook(event, object), 200);
    }
    assert_eq!(bodies(), ["evt_1:waiting:body", "evt_2:waiting:body", "evt_3:waiting:body"]);
    shop.tick_only("webhooks", Duration::ZERO);
    assert_eq!(bodies(), ["evt_1:done:", "evt_2:done:", "evt_3:parked:body"]);
    // The last time it is tried by itself is when it is 30 days old.
    for _ in 0..29 {
        shop.tick_only("webhooks", DAY);
    }
    assert_eq!(bodies()[2], "evt_3:parked:body");
    for _ in 0..2 {
        shop.tick_only("webhooks", DAY);
    }
    assert_eq!(bodies()[2], "evt_3:parked:");
    assert_eq!(shop.webhooks().len(), 1, "the event itself stays");
}
