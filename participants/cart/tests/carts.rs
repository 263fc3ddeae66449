//! The laws of carts outside any checkout: put, get, delete, merge, expiry.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_services::{On, each_database};
use common::{DAY_MS, HOUR_MS, Saga, Shop, field, lines, reason};
use tonic::Code;

each_database!(
    a_cart_is_what_was_put_last_and_every_put_raises_its_version,
    a_cart_keeps_its_customer,
    a_cart_that_cannot_be_is_refused_by_field_and_nothing_is_written,
    a_cart_may_have_a_thousand_lines_and_not_one_more,
    a_deleted_cart_is_gone_and_its_versions_never_come_back,
    a_held_cart_is_not_deleted,
    a_merge_adds_the_guests_items_and_takes_the_guests_cart_away,
    a_repeated_merge_adds_nothing_twice,
    a_merge_is_refused_while_either_cart_is_held,
    a_merge_that_cannot_be_changes_neither_cart,
    a_guests_cart_stays_a_day_and_a_customers_a_week_after_its_last_change,
    a_cart_that_somebody_holds_does_not_expire_and_lives_on_after_it_is_freed,
    a_tick_removes_a_bounded_number_and_says_that_there_are_more,
);

async fn a_cart_is_what_was_put_last_and_every_put_raises_its_version(on: On) {
    let shop = Shop::open(on).await;
    assert_eq!(shop.try_get("c").await, None);
    let first = shop.try_put("c", "zoë", &[("B", 1), ("A", 2), ("B", 3)]).await.unwrap();
    assert_eq!(first.items, lines(&[("B", 4), ("A", 2)]));
    assert_eq!((first.customer_id.as_str(), first.held_by.as_str()), ("zoë", ""));
    assert_eq!(shop.get("c").await, first);
    let second = shop.put("c", &[("A", 1)]).await;
    let third = shop.put("c", &[("A", 1)]).await;
    assert!(first.version < second.version && second.version < third.version);
    assert_eq!(shop.reopen().await.get("c").await, third);
}

async fn a_cart_keeps_its_customer(on: On) {
    let shop = Shop::open(on).await;
    shop.put("c", &[("A", 1)]).await;
    assert_eq!(shop.try_put("c", "ann", &[("A", 1)]).await.unwrap().customer_id, "ann");
    assert_eq!(shop.put("c", &[("A", 2)]).await.customer_id, "ann");
    let stolen = shop.try_put("c", "bob", &[("A", 3)]).await.unwrap_err();
    assert_eq!(reason(&stolen), "CART_OF_ANOTHER_CUSTOMER");
    assert_eq!(shop.get("c").await.items, lines(&[("A", 2)]));
}

async fn a_cart_that_cannot_be_is_refused_by_field_and_nothing_is_written(on: On) {
    let shop = Shop::open(on).await;
    let bad: [(&[(&str, i64)], &str); 7] = [
        (&[], "items"),
        (&[("A", 1), ("A", 1), ("A", 1), ("A", 0)], "items[3].quantity"),
        (&[("A", -1)], "items[0].quantity"),
        (&[("A", 1 << 31)], "items[0].quantity"),
        (&[("A", 1_000_001)], "items[0].quantity"),
        (&[("A", 1_000_000), ("A", 1)], "items[1].quantity"),
        (&[("A\u{0}", 1)], "items[0].sku"),
    ];
    for (items, name) in bad {
        assert_eq!(field(&shop.try_put("c", "", items).await.unwrap_err()), name);
    }
    assert_eq!(field(&shop.try_put("", "", &[("A", 1)]).await.unwrap_err()), "cart_id");
    assert_eq!(field(&shop.try_put(&"x".repeat(65), "", &[("A", 1)]).await.unwrap_err()), "cart_id");
    assert_eq!(field(&shop.try_put("c", "a\nb", &[("A", 1)]).await.unwrap_err()), "customer_id");
    assert_eq!(shop.try_get("c").await, None);
}

async fn a_cart_may_have_a_thousand_lines_and_not_one_more(on: On) {
    let shop = Shop::open(on).await;
    let skus: Vec<_> = (0..1001).map(|i| format!("{i:064}")).collect();
    let all: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 1_000_000)).collect();
    let cart = shop.put("c", &all[..1000]).await;
    assert_eq!(cart.items.len(), 1000);
    assert_eq!(shop.get("c").await, cart);
    assert_eq!(field(&shop.try_put("c", "", &all).await.unwrap_err()), "items");
    let saga = Saga::new();
    shop.hold(saga, "c", cart.version).await.unwrap();
    shop.clear(saga, "c", &all[..1000]).await.unwrap();
    assert_eq!(shop.get("c").await.items, []);
}

async fn a_deleted_cart_is_gone_and_its_versions_never_come_back(on: On) {
    let shop = Shop::open(on).await;
    let mut last = 0;
    for _ in 0..3 {
        shop.put("c", &[("A", 1)]).await;
        let cart = shop.put("c", &[("A", 2)]).await;
        assert!(cart.version > last);
        last = cart.version;
        shop.delete("c").await.unwrap();
        assert_eq!(shop.try_get("c").await, None);
        assert_eq!(shop.delete("c").await.unwrap_err().code(), Code::NotFound);
    }
    let shop = shop.reopen().await;
    assert!(shop.put("c", &[("A", 1)]).await.version > last);
}

async fn a_held_cart_is_not_deleted(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("c", &[("A", 1)]).await;
    let saga = Saga::new();
    shop.hold(saga, "c", cart.version).await.unwrap();
    assert_eq!(reason(&shop.delete("c").await.unwrap_err()), "CART_IN_CHECKOUT");
    assert_eq!(shop.get("c").await.items, cart.items);
    shop.free(saga, "c").await.unwrap();
    shop.delete("c").await.unwrap();
}

async fn a_merge_adds_the_guests_items_and_takes_the_guests_cart_away(on: On) {
    let shop = Shop::open(on).await;
    let guest = shop.put("g", &[("A", 1), ("B", 2)]).await;
    let customers = shop.try_put("c", "ann", &[("C", 1), ("A", 4)]).await.unwrap();
    let merged = shop.merge("g", "c", "ann").await.unwrap();
    assert_eq!(merged.items, lines(&[("C", 1), ("A", 5), ("B", 2)]));
    assert!(merged.version > customers.version);
    assert_eq!(shop.get("c").await, merged);
    assert_eq!(shop.try_get("g").await, None);
    assert!(shop.put("g", &[("A", 1)]).await.version > guest.version);
}

async fn a_repeated_merge_adds_nothing_twice(on: On) {
    let shop = Shop::open(on).await;
    shop.put("g", &[("A", 1)]).await;
    let merged = shop.merge("g", "c", "ann").await.unwrap();
    assert_eq!((merged.customer_id.as_str(), merged.items.clone()), ("ann", lines(&[("A", 1)])));
    assert_eq!(shop.merge("g", "c", "ann").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(shop.get("c").await, merged);
}

async fn a_merge_is_refused_while_either_cart_is_held(on: On) {
    let shop = Shop::open(on).await;
    let guest = shop.put("g", &[("A", 1)]).await;
    let customers = shop.try_put("c", "ann", &[("A", 1)]).await.unwrap();
    for (id, version) in [("g", guest.version), ("c", customers.version)] {
        let saga = Saga::new();
        shop.hold(saga, id, version).await.unwrap();
        assert_eq!(reason(&shop.merge("g", "c", "ann").await.unwrap_err()), "CART_IN_CHECKOUT");
        shop.free(saga, id).await.unwrap();
    }
    assert_eq!((shop.get("g").await, shop.get("c").await), (guest, customers));
    shop.merge("g", "c", "ann").await.unwrap();
}

async fn a_merge_that_cannot_be_changes_neither_cart(on: On) {
    let shop = Shop::open(on).await;
    let guest = shop.put("g", &[("A", 1_000_000)]).await;
    let ann = shop.try_put("ann", "ann", &[("A", 1)]).await.unwrap();
    let bob = shop.try_put("bob", "bob", &[("A", 1)]).await.unwrap();
    for (from, into, customer, why) in [
        ("g", "ann", "ann", "CART_TOO_LARGE"),
        ("bob", "ann", "ann", "NOT_A_GUEST_CART"),
        ("g", "bob", "ann", "CART_OF_ANOTHER_CUSTOMER"),
    ] {
        assert_eq!(reason(&shop.merge(from, into, customer).await.unwrap_err()), why);
    }
    assert_eq!(field(&shop.merge("g", "g", "ann").await.unwrap_err()), "customer_cart_id");
    assert_eq!(field(&shop.merge("g", "ann", "").await.unwrap_err()), "customer_id");
    assert_eq!(field(&shop.merge("", "ann", "ann").await.unwrap_err()), "guest_cart_id");
    assert_eq!((shop.get("g").await, shop.get("ann").await, shop.get("bob").await), (guest, ann, bob));
}

async fn a_guests_cart_stays_a_day_and_a_customers_a_week_after_its_last_change(on: On) {
    let shop = Shop::open(on).await;
    let guest = shop.put("g", &[("A", 1)]).await;
    shop.try_put("c", "ann", &[("A", 1)]).await.unwrap();
    shop.clock.advance(DAY_MS - 1);
    assert_eq!(shop.tick().await.done, 0);
    // A change begins its life anew.
    shop.put("c", &[("A", 2)]).await;
    shop.clock.advance(1);
    assert_eq!(shop.tick().await.done, 1);
    assert_eq!(shop.try_get("g").await, None);
    assert!(shop.put("g", &[("A", 1)]).await.version > guest.version);
    shop.delete("g").await.unwrap();

    shop.clock.advance(7 * DAY_MS - 2);
    assert_eq!(shop.tick().await.done, 0);
    shop.clock.advance(1);
    assert_eq!(shop.tick().await.done, 1);
    assert_eq!(shop.try_get("c").await, None);
}

async fn a_cart_that_somebody_holds_does_not_expire_and_lives_on_after_it_is_freed(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("g", &[("A", 1)]).await;
    let saga = Saga::new();
    shop.hold(saga, "g", cart.version).await.unwrap();
    shop.clock.advance(30 * DAY_MS);
    assert_eq!(shop.tick().await.done, 0);
    shop.free(saga, "g").await.unwrap();
    assert_eq!(shop.tick().await.done, 0);
    shop.clock.advance(23 * HOUR_MS);
    assert_eq!(shop.tick().await.done, 0);
    shop.clock.advance(HOUR_MS);
    assert_eq!(shop.tick().await.done, 1);
}

async fn a_tick_removes_a_bounded_number_and_says_that_there_are_more(on: On) {
    let shop = Shop::open(on).await;
    let ids: Vec<_> = (0..501).map(|i| format!("cart {i}")).collect();
    for batch in ids.chunks(100) {
        futures::future::join_all(batch.iter().map(|id| shop.put(id, &[("A", 1)]))).await;
    }
    shop.clock.advance(DAY_MS);
    let first = shop.tick().await;
    assert_eq!((first.done, first.more), (500, true));
    let second = shop.tick().await;
    assert_eq!((second.done, second.more), (1, false));
    assert_eq!(shop.tick().await.done, 0);
}
