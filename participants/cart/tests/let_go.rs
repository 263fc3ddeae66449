//! The laws of letting a cart go when its checkout was made good, through the real handlers on a real file.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_proto::contract::{Op, Verdict};
use backstitch_services::{On, each_database};
use common::{DAY_MS, HOUR_MS, Saga, Shop, lines};
use participant_kit::Clock as _;
use tonic::Status;

each_database!(
    the_cart_is_its_customers_again_with_what_is_in_it_under_a_version_that_nobody_bought,
    whatever_is_not_held_by_the_checkout_is_left_as_it_is,
    a_clear_that_comes_late_takes_nothing_out_and_tells_nobody,
    the_life_of_a_cart_that_is_let_go_of_counts_from_then_on,
    a_request_that_cannot_be_or_is_another_one_is_broken,
    a_close_makes_sure_that_it_never_happens,
    it_is_known_for_as_long_as_calls_of_the_checkout_are_served_and_no_longer,
);

/// A checkout that holds the cart `c`, and a saga that makes it good.
async fn held(shop: &Shop, items: &[(&str, i64)]) -> (Saga, Saga, i64) {
    let (checkout, good) = (Saga::new(), Saga::new());
    let version = shop.put("c", items).await.version;
    shop.hold(checkout, "c", version).await.unwrap();
    (checkout, good, version)
}

async fn the_cart_is_its_customers_again_with_what_is_in_it_under_a_version_that_nobody_bought(on: On) {
    let shop = Shop::open(on).await;
    let (checkout, good, version) = held(&shop, &[("A", 2)]).await;
    let edited = shop.put("c", &[("A", 2), ("D", 7)]).await;
    assert_eq!((edited.version, edited.held_by), (version + 1, checkout.0.to_string()));
    for _ in 0..3 {
        shop.let_go(good, checkout, "c").await.unwrap();
    }
    let after = shop.get("c").await;
    assert_eq!((after.items, after.held_by.as_str()), (lines(&[("A", 2), ("D", 7)]), ""));
    assert_eq!(after.version, version + 2, "once, however often it is asked");
    assert_eq!(shop.events(&checkout.0.to_string()).await, [], "nothing left the cart");

    let (late, next) = (Saga::new(), Saga::new());
    assert_eq!(late.refusal(&shop.hold(late, "c", edited.version).await).reason, "CART_CHANGED");
    shop.hold(next, "c", after.version).await.unwrap();
    // A repetition, also after a restart, ends nobody else's hold.
    let shop = shop.reopen().await;
    shop.let_go(good, checkout, "c").await.unwrap();
    assert_eq!(shop.get("c").await.held_by, next.0.to_string());
}

async fn whatever_is_not_held_by_the_checkout_is_left_as_it_is(on: On) {
    let shop = Shop::open(on).await;
    let unchanged = async |what: &str, checkout: Saga| {
        let before = shop.try_get("c").await;
        shop.let_go(Saga::new(), checkout, "c").await.unwrap();
        assert_eq!(shop.try_get("c").await, before, "{what}");
    };
    unchanged("unknown", Saga::new()).await;
    shop.put("c", &[("A", 1)]).await;
    unchanged("held by nobody", Saga::new()).await;
    let (checkout, ..) = held(&shop, &[("A", 1)]).await;
    unchanged("another checkout's", Saga::new()).await;
    shop.clear(checkout, "c", &[("A", 1)]).await.unwrap();
    shop.put("c", &[("B", 1)]).await;
    unchanged("cleared", checkout).await;
    shop.delete("c").await.unwrap();
    unchanged("deleted", checkout).await;
    // Nor is one that is of the same name by now.
    shop.put("c", &[("C", 1)]).await;
    unchanged("another cart", checkout).await;
}

async fn a_clear_that_comes_late_takes_nothing_out_and_tells_nobody(on: On) {
    let shop = Shop::open(on).await;
    let (checkout, good, _) = held(&shop, &[("A", 2)]).await;
    shop.let_go(good, checkout, "c").await.unwrap();
    let (next, now) = (Saga::new(), shop.get("c").await);
    shop.hold(next, "c", now.version).await.unwrap();
    let shop = shop.reopen().await;
    for _ in 0..2 {
        shop.clear(checkout, "c", &[("A", 2)]).await.unwrap();
    }
    let after = shop.get("c").await;
    assert_eq!((after.items, after.version), (lines(&[("A", 2)]), now.version));
    assert_eq!(after.held_by, next.0.to_string());
    assert_eq!(shop.events(&checkout.0.to_string()).await, []);

    // Whoever bought it still clears it, and so does a checkout whose cart was not held when it was made good.
    shop.clear(next, "c", &[("A", 2)]).await.unwrap();
    assert_eq!(shop.get("c").await.items, vec![]);
    let gone = Saga::new();
    shop.let_go(Saga::new(), gone, "d").await.unwrap();
    shop.put("d", &[("A", 2)]).await;
    shop.clear(gone, "d", &[("A", 2)]).await.unwrap();
    assert_eq!(shop.get("d").await.items, lines(&[("A", 2)]));
}

async fn the_life_of_a_cart_that_is_let_go_of_counts_from_then_on(on: On) {
    for (customer, lifetime_ms) in [("", DAY_MS), ("ada", 7 * DAY_MS)] {
        let shop = Shop::open(on).await;
        let (checkout, good) = (Saga::new(), Saga::new());
        let cart = shop.try_put("c", customer, &[("A", 1)]).await.unwrap();
        shop.hold(checkout, "c", cart.version).await.unwrap();
        // Held for long: a person had to come.
        shop.clock.advance(30 * DAY_MS);
        shop.let_go(good, checkout, "c").await.unwrap();
        shop.clock.advance(lifetime_ms - HOUR_MS);
        shop.tick().await;
        shop.get("c").await;
        shop.clock.advance(2 * HOUR_MS);
        shop.tick().await;
        assert_eq!(shop.try_get("c").await, None);
    }
}

async fn a_request_that_cannot_be_or_is_another_one_is_broken(on: On) {
    let shop = Shop::open(on).await;
    let (checkout, good, _) = held(&shop, &[("A", 1)]).await;
    let answer = shop.let_go(good, checkout, "").await;
    let verdict = good.verdict("let_go_cart", Op::Do, &answer);
    assert!(matches!(verdict, Verdict::Broken(why) if why.contains("cart_id")));
    shop.let_go(good, checkout, "c").await.unwrap();
    let answer = shop.let_go(good, checkout, "d").await;
    assert!(matches!(good.verdict("let_go_cart", Op::Do, &answer), Verdict::Broken(_)));
}

async fn a_close_makes_sure_that_it_never_happens(on: On) {
    let shop = Shop::open(on).await;
    let (checkout, good, version) = held(&shop, &[("A", 1)]).await;
    let closed = shop.ask_to_let_go(good, checkout, Op::Close, "c").await;
    assert!(matches!(good.verdict("let_go_cart", Op::Close, &closed), Verdict::Refused(_)));
    let late = shop.let_go(good, checkout, "c").await;
    assert!(matches!(good.verdict("let_go_cart", Op::Do, &late), Verdict::Superseded(_)));
    let after = shop.get("c").await;
    assert_eq!((after.version, after.held_by), (version, checkout.0.to_string()));
}

async fn it_is_known_for_as_long_as_calls_of_the_checkout_are_served_and_no_longer(on: On) {
    let shop = Shop::open(on).await;
    let born_ms = shop.clock.now_ms();
    let (older, old) = (Saga::born(born_ms - 1), Saga::born(born_ms));
    // The barrier has no row of one that never held its cart.
    let unheld = Saga::born(born_ms + 1);
    shop.put("e", &[("A", 2)]).await;
    for (checkout, id) in [(older, "c"), (old, "d")] {
        let version = shop.put(id, &[("A", 2)]).await.version;
        shop.hold(checkout, id, version).await.unwrap();
    }
    shop.clock.advance(2 * DAY_MS);
    for (checkout, id) in [(older, "c"), (old, "d"), (unheld, "e")] {
        shop.let_go(Saga::born(shop.clock.now_ms()), checkout, id).await.unwrap();
    }
    let late = async |checkout, id| shop.clear(checkout, id, &[("A", 2)]).await;
    let too_old = |checkout: Saga, answer: &Result<(), Status>| matches!(checkout.verdict("clear_cart", Op::Do, answer), Verdict::Broken(why) if why.contains("expired"));

    // Not older than the mark is served, a millisecond more is not.
    shop.forget(born_ms - 1, 1_000).await;
    assert_eq!(shop.known_to_have_let_go().await, [older, old, unheld]);
    shop.forget(born_ms, 1_000).await;
    assert_eq!(shop.known_to_have_let_go().await, [old, unheld]);
    assert!(too_old(older, &late(older, "c").await));
    late(old, "d").await.unwrap();
    // Older than the mark, and served for as long as the barrier has a row of it.
    shop.forget(born_ms + 1, 0).await;
    assert_eq!(shop.known_to_have_let_go().await, [old, unheld]);
    late(old, "d").await.unwrap();
    shop.forget(born_ms + 1, 1_000).await;
    assert_eq!(shop.known_to_have_let_go().await, [unheld]);
    shop.forget(born_ms + 2, 1_000).await;
    assert_eq!(shop.known_to_have_let_go().await, []);
    for (checkout, id) in [(old, "d"), (unheld, "e")] {
        assert!(too_old(checkout, &late(checkout, id).await));
    }
    for id in ["c", "d", "e"] {
        assert_eq!(shop.get(id).await.items, lines(&[("A", 2)]), "{id}");
    }
}
