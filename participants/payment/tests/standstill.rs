//! A process that stands still between putting a call on record and making it makes it in time or not at all: another one
//! may hold it to be gone by then, and end what the call is about.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_proto::contract::Op::Do;
use backstitch_services::{On, each_database};
use common::{AMOUNT, GONE_AFTER_MS, Said, Shop, gbp};

each_database!(blocking:
    wherever_a_process_stands_still_what_it_asks_leaves_in_time_and_money_moves_once,
    at_the_last_moment_a_call_still_leaves_and_a_moment_later_it_does_not,
);

/// How long after it was put on record a call may leave.
const LEAVES_WITHIN_MS: i64 = GONE_AFTER_MS / 2;

/// More readings of the clock than a payment takes with its refunds, and than its capture.
const READINGS: u32 = 40;
const OF_A_CAPTURE: u32 = 10;

/// Every call that changes something left in time after a record of its own.
fn left_in_time(shop: &Shop) {
    let rows = shop.rows("payment", "SELECT verb, began_at_ms FROM attempts");
    let records: Vec<(&str, i64)> = rows
        .iter()
        .map(|row| row.split_once(':').unwrap())
        .map(|(verb, began)| (verb, began.parse().unwrap()))
        .collect();
    let changes = ["create", "confirm", "capture", "cancel", "refund"];
    for (verb, at_ms) in shop.left().into_iter().filter(|(verb, _)| changes.contains(verb)) {
        let in_time = records
            .iter()
            .any(|(of, began_ms)| *of == verb && (*began_ms..=began_ms + LEAVES_WITHIN_MS).contains(&at_ms));
        assert!(in_time, "{verb} left at {at_ms}: {records:?}");
    }
}

fn wherever_a_process_stands_still_what_it_asks_leaves_in_time_and_money_moves_once(on: On) {
    let mut late = 0;
    for readings in 0..READINGS {
        let shop = Shop::open(on);
        shop.stands_still_after(readings, LEAVES_WITHIN_MS + 1);
        let repeat = |call: &dyn Fn() -> Said| {
            let said = std::iter::repeat_with(call).take(5).find(|said| *said == Said::Done);
            assert_eq!(said, Some(Said::Done), "after {readings} readings");
        };
        repeat(&|| shop.authorize(Do, "tok_ok"));
        repeat(&|| shop.capture(Do));
        repeat(&|| shop.refund(Do, 1, 400));
        repeat(&|| shop.void());
        let moved = ["authorized:1000", "captured:1000", "refunded:400", "refunded:600"];
        assert_eq!(shop.bank(), moved, "after {readings} readings: the bank");
        assert_eq!(shop.ours(), moved, "after {readings} readings: ours");
        let unsent = "SELECT verb FROM attempts WHERE why LIKE '%not asked: % ms late%'";
        late += shop.rows("payment", unsent).len();
        left_in_time(&shop);
    }
    assert!(
        late >= 5,
        "a create, a confirm, a capture and two refunds that would have been late, not {late}"
    );
}

fn at_the_last_moment_a_call_still_leaves_and_a_moment_later_it_does_not(on: On) {
    let stood = |ms: i64| {
        let sent = (0..OF_A_CAPTURE).map(|readings| {
            let shop = Shop::open(on);
            assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
            shop.stands_still_after(readings, ms);
            shop.try_capture(Do, gbp(AMOUNT)).unwrap() == Said::Done
        });
        sent.collect::<Vec<_>>()
    };
    assert!(stood(LEAVES_WITHIN_MS).iter().all(|sent| *sent), "at the last moment");
    assert_eq!(stood(LEAVES_WITHIN_MS + 1).iter().filter(|sent| !**sent).count(), 1, "a moment later");
}
