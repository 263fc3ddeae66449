//! Amounts: exact in currencies of any unit, and what cannot be moved is refused where it is asked for, by the action itself.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_proto::contract::Op::Do;
use backstitch_proto::money::{Currency, Money};
use backstitch_services::{On, each_database};
use common::Fault::{LoseAnswer, Pass};
use common::{AMOUNT, Said, Shop, gbp};

each_database!(blocking:
    a_part_of_a_hold_is_taken_and_given_back_in_parts_exactly_and_once_in_any_unit,
    nothing_and_less_than_nothing_is_moved_by_no_action,
    more_than_there_is_is_moved_by_no_action,
    another_currency_is_moved_by_no_action,
    a_refund_that_the_provider_shows_otherwise_is_broken_and_booked_as_nothing,
);

const UNITS: [&str; 3] = ["JPY", "KWD", "GBP"];

fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, Currency::parse(code).unwrap())
}

fn authorize(shop: &Shop, amount: Money) -> Said {
    shop.try_authorize_as("authorize_payment", shop.payment, Do, "tok_ok", amount).unwrap()
}

fn capture(shop: &Shop, step: &str, amount: Money) -> Said {
    shop.try_capture_as(step, Do, amount).unwrap()
}

fn refund(shop: &Shop, number: u8, amount: Money) -> Said {
    shop.try_refund(Do, number, amount).unwrap()
}

/// A payment of 1 000 in this currency.
fn captured(on: On, code: &str) -> Shop {
    let shop = Shop::open(on);
    assert_eq!(authorize(&shop, money(AMOUNT, code)), Said::Done);
    assert_eq!(capture(&shop, "capture_payment", money(AMOUNT, code)), Said::Done);
    shop.asked();
    shop
}

/// What the provider was asked to change.
fn changes(shop: &Shop) -> usize {
    shop.asked().iter().filter(|asked| !asked.starts_with("read") && !asked.starts_with("refunds")).count()
}

/// Everything that is on record of money.
fn books(shop: &Shop) -> Vec<Vec<String>> {
    let counts = [
        "SELECT COUNT(*) FROM attempts",
        "SELECT COUNT(*) FROM refunds",
        "SELECT COUNT(*) FROM outbox",
        "SELECT status, authorized_minor, captured_minor, refunded_minor FROM payments",
    ];
    let mut books: Vec<_> = counts.into_iter().map(|sql| shop.rows("payment", sql)).collect();
    books.extend([shop.ours(), shop.bank()]);
    books
}

fn a_part_of_a_hold_is_taken_and_given_back_in_parts_exactly_and_once_in_any_unit(on: On) {
    for code in UNITS {
        let shop = Shop::open(on);
        let of = |minor| money(minor, code);
        // The first answer of each is lost: what is asked again is not made again.
        shop.faults(&[Pass, LoseAnswer]);
        assert_eq!(authorize(&shop, of(5_120)), Said::Unknown, "{code}");
        for _ in 0..2 {
            assert_eq!(authorize(&shop, of(5_120)), Said::Done, "{code}");
        }
        shop.faults(&[LoseAnswer]);
        assert_eq!(capture(&shop, "capture_payment", of(3_070)), Said::Unknown, "{code}");
        for _ in 0..2 {
            assert_eq!(capture(&shop, "capture_payment", of(3_070)), Said::Done, "{code}");
        }
        for (number, minor) in [(1, 1_000), (2, 2_070)] {
            shop.faults(&[LoseAnswer]);
            assert_eq!(refund(&shop, number, of(minor)), Said::Unknown, "{code}");
            for _ in 0..2 {
                assert_eq!(refund(&shop, number, of(minor)), Said::Done, "{code}");
            }
        }
        assert_eq!(refund(&shop, 3, of(10)), Said::refused("REFUND_EXCEEDS_CAPTURED"), "{code}");
        let ours = ["authorized:5120", "captured:3070", "released:2050", "refunded:1000", "refunded:2070"];
        assert_eq!(shop.ours(), ours, "{code}");
        let mut bank = shop.bank();
        // Not every provider has a word for what it let go of.
        bank.retain(|moved| !moved.starts_with("remainder"));
        assert_eq!(bank, ["authorized:5120", "captured:3070", "refunded:1000", "refunded:2070"], "{code}");
        assert_eq!(shop.events(), ["authorized", "captured", "released", "refunded", "refunded"], "{code}");
    }
}

fn nothing_and_less_than_nothing_is_moved_by_no_action(on: On) {
    for code in UNITS {
        for minor in [0, -1, i64::MIN] {
            let none = money(minor, code);
            let shop = Shop::open(on);
            assert!(authorize(&shop, none).is_broken(), "{none}");
            assert_eq!((books(&shop).concat(), changes(&shop)), (strings(&["0", "0", "0"]), 0), "{none}");

            assert_eq!(authorize(&shop, money(AMOUNT, code)), Said::Done);
            let (before, _) = (books(&shop), shop.asked());
            assert_eq!(capture(&shop, "capture_none", none), Said::refused("AMOUNT_MISMATCH"), "{none}");
            assert_eq!((books(&shop), changes(&shop)), (before, 0), "{none}");

            assert_eq!(capture(&shop, "capture_payment", money(AMOUNT, code)), Said::Done);
            let (before, _) = (books(&shop), shop.asked());
            assert!(refund(&shop, 1, none).is_broken(), "{none}");
            assert_eq!((books(&shop), changes(&shop)), (before, 0), "{none}");
        }
    }
}

fn more_than_there_is_is_moved_by_no_action(on: On) {
    for code in UNITS {
        let of = |minor| money(minor, code);
        let shop = Shop::open(on);
        assert_eq!(authorize(&shop, of(AMOUNT)), Said::Done);
        let (before, _) = (books(&shop), shop.asked());
        for (step, minor) in [("one_more", AMOUNT + 1), ("most", i64::MAX)] {
            assert_eq!(capture(&shop, step, of(minor)), Said::refused("AMOUNT_MISMATCH"), "{code} {minor}");
        }
        assert_eq!((books(&shop), changes(&shop)), (before, 0), "{code}");

        assert_eq!(capture(&shop, "capture_payment", of(AMOUNT)), Said::Done);
        assert_eq!(refund(&shop, 1, of(600)), Said::Done);
        let (before, _) = (books(&shop), shop.asked());
        for (number, minor) in [(2, 401), (3, AMOUNT + 1), (4, i64::MAX)] {
            let said = refund(&shop, number, of(minor));
            assert_eq!(said, Said::refused("REFUND_EXCEEDS_CAPTURED"), "{code} {minor}");
        }
        assert_eq!((books(&shop), changes(&shop)), (before, 0), "{code}");
        assert_eq!(refund(&shop, 5, of(400)), Said::Done, "{code}: what is left");
    }
}

fn another_currency_is_moved_by_no_action(on: On) {
    for (paid, asked) in [("JPY", "KWD"), ("KWD", "JPY"), ("GBP", "JPY")] {
        let shop = Shop::open(on);
        assert_eq!(authorize(&shop, money(AMOUNT, paid)), Said::Done);
        let (before, _) = (books(&shop), shop.asked());
        let other = money(AMOUNT, asked);
        assert_eq!(capture(&shop, "capture_other", other), Said::refused("AMOUNT_MISMATCH"), "{other}");
        assert!(authorize(&shop, other).is_broken(), "{other}: the same key");
        assert_eq!((books(&shop), changes(&shop)), (before, 0), "{other}");

        let shop = captured(on, paid);
        let before = books(&shop);
        assert_eq!(refund(&shop, 1, money(1, asked)), Said::refused("AMOUNT_MISMATCH"), "{other}");
        assert_eq!((books(&shop), changes(&shop)), (before, 0), "{other}");
    }
}

fn a_refund_that_the_provider_shows_otherwise_is_broken_and_booked_as_nothing(on: On) {
    type Lie = fn(&mut participant_payment::gateway::ProviderRefund);
    let lies: [(&str, Lie); 3] = [
        ("another amount", |refund| refund.amount = gbp(refund.amount.minor + 1)),
        ("another currency", |refund| refund.amount = money(refund.amount.minor, "JPY")),
        ("another refund", |refund| refund.reference = Some(uuid::Uuid::nil())),
    ];
    for (why, lie) in lies {
        let shop = captured(on, "GBP");
        shop.lie_of_refunds(Some(lie));
        assert!(refund(&shop, 1, gbp(600)).is_broken(), "{why}");
        assert_eq!(shop.ours(), ["authorized:1000", "captured:1000"], "{why}");
        assert_eq!(refund(&shop, 2, gbp(401)), Said::refused("REFUND_EXCEEDS_CAPTURED"), "{why}: claimed");
        shop.lie_of_refunds(None);
        assert_eq!(refund(&shop, 1, gbp(600)), Said::Done, "{why}");
        let entries = ["authorized:1000", "captured:1000", "refunded:600"];
        assert_eq!((shop.ours(), shop.bank()), (strings(&entries), strings(&entries)), "{why}: once");
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
