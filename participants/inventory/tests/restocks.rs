//! The laws of restocks, through the real handlers on a real file.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_proto::contract::{Op, Verdict};
use backstitch_proto::inventory::RestockRequest;
use backstitch_services::{On, each_database};
use common::{Back, Saga, Shop, product};
use futures::future::join_all;

each_database!(
    what_was_sold_is_on_hand_again,
    no_more_comes_back_than_a_reservation_has,
    however_many_want_the_same_units_back_they_come_back_once,
    what_was_only_reserved_is_freed_and_a_late_commit_sells_nothing,
    a_late_commit_sells_what_was_not_freed,
    a_late_release_frees_only_what_was_not_freed_before,
    a_repeated_restock_has_its_effect_once,
    an_event_tells_what_came_back,
    only_the_family_of_a_reservation_restocks_it,
    a_request_that_cannot_be_is_broken_and_names_the_field,
);

async fn shop(on: On, stock: &[(&str, i64)]) -> Shop {
    let shop = Shop::open(on).await;
    for &(sku, on_hand) in stock {
        shop.put(product(sku, on_hand)).await.unwrap();
    }
    shop
}

/// A saga that has sold these.
async fn sold(shop: &Shop, items: &[(&str, i64)]) -> Saga {
    let saga = Saga::new();
    shop.reserve(&saga, items).await.unwrap();
    shop.commit(&saga).await.unwrap();
    saga
}

async fn what_was_sold_is_on_hand_again(on: On) {
    let shop = shop(on, &[("A", 5), ("B", 5)]).await;
    let saga = sold(&shop, &[("A", 3), ("B", 1)]).await;
    let etag = shop.get("A").await.etag;
    shop.restock(&Back::of(saga), &[("A", 2)]).await.unwrap();
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((4, 0, 1), (4, 0, 1)));
    assert_ne!(shop.get("A").await.etag, etag, "whoever counts has to see it");
    shop.restock(&Back::of(saga), &[("B", 1), ("A", 1)]).await.unwrap();
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((5, 0, 0), (5, 0, 0)));
    // It can be sold again, and come back again.
    let again = sold(&shop, &[("A", 5)]).await;
    shop.restock(&Back::of(again), &[("A", 5)]).await.unwrap();
    assert_eq!(shop.stock("A").await, (5, 0, 0));
    shop.audit().await;
}

async fn no_more_comes_back_than_a_reservation_has(on: On) {
    let shop = shop(on, &[("A", 9), ("B", 9), ("C", 9)]).await;
    let saga = sold(&shop, &[("A", 3), ("B", 1)]).await;
    // Others have sold more of it, which is nobody else's to give back.
    sold(&shop, &[("A", 5), ("C", 1)]).await;
    for (items, why) in [
        (&[("A", 4)][..], "has 3 of A, so 4 cannot"),
        (&[("B", 1), ("A", 4)], "has 3 of A"),
        (&[("A", 2), ("A", 2)], "has 3 of A"),
        (&[("C", 1)], "has 0 of C"),
        (&[("NONE", 1)], "has 0 of NONE"),
    ] {
        let back = Back::of(saga);
        let said = back.broken(&shop.restock(&back, items).await);
        assert!(said.contains(why), "{said}");
    }
    shop.restock(&Back::of(saga), &[("A", 3)]).await.unwrap();
    let back = Back::of(saga);
    let said = back.broken(&shop.restock(&back, &[("A", 1)]).await);
    assert!(said.contains("has 0 of A"), "{said}");
    let nobody = Back::of(Saga::new());
    let said = nobody.broken(&shop.restock(&nobody, &[("A", 1)]).await);
    assert!(said.contains("there is no reservation"), "{said}");
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((4, 0, 5), (8, 0, 1)));
    shop.audit().await;
}

async fn however_many_want_the_same_units_back_they_come_back_once(on: On) {
    let shop = shop(on, &[("A", 10), ("B", 10)]).await;
    let saga = sold(&shop, &[("A", 5), ("B", 5)]).await;
    let backs: Vec<_> = (0..20).map(|_| Back::of(saga)).collect();
    let calls = backs.iter().enumerate().map(|(i, back)| {
        let wish = if i % 2 == 0 { [("A", 1), ("B", 2)] } else { [("B", 1), ("A", 2)] };
        let shop = &shop;
        async move { shop.restock(back, &wish).await.is_ok() }
    });
    let won = join_all(calls).await.into_iter().filter(|won| *won).count();
    // Three units each of ten.
    assert!((2..=3).contains(&won), "{won}");
    let (_, _, a) = shop.stock("A").await;
    let (_, _, b) = shop.stock("B").await;
    assert_eq!(a + b, 10 - 3 * i64::try_from(won).unwrap());
    shop.audit().await;
}

async fn what_was_only_reserved_is_freed_and_a_late_commit_sells_nothing(on: On) {
    let shop = shop(on, &[("A", 5), ("B", 5)]).await;
    let saga = Saga::new();
    shop.reserve(&saga, &[("A", 3), ("B", 1)]).await.unwrap();
    shop.restock(&Back::of(saga), &[("A", 3), ("B", 1)]).await.unwrap();
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((5, 0, 0), (5, 0, 0)));
    // Somebody else's by now.
    shop.reserve(&Saga::new(), &[("A", 5)]).await.unwrap();
    for _ in 0..3 {
        shop.commit(&saga).await.unwrap();
    }
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((0, 5, 0), (5, 0, 0)));
    let kinds = shop.events(&saga.0.to_string()).await.into_iter().map(|(kind, _)| kind);
    let name = |word: &str| format!("com.backstitch.inventory.{word}.v1");
    assert_eq!(kinds.collect::<Vec<_>>(), [name("reserved"), name("restocked")]);
    shop.audit().await;
}

async fn a_late_commit_sells_what_was_not_freed(on: On) {
    let shop = shop(on, &[("A", 5), ("B", 5)]).await;
    let saga = Saga::new();
    shop.reserve(&saga, &[("A", 3), ("B", 1)]).await.unwrap();
    shop.restock(&Back::of(saga), &[("A", 2), ("B", 1)]).await.unwrap();
    shop.commit(&saga).await.unwrap();
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((4, 0, 1), (5, 0, 0)));
    let events = shop.events(&saga.0.to_string()).await;
    let (kind, sold) = events.last().unwrap();
    assert_eq!(kind, "com.backstitch.inventory.sold.v1");
    assert_eq!(sold["items"], serde_json::json!([{"sku": "A", "quantity": 1}]));
    shop.restock(&Back::of(saga), &[("A", 1)]).await.unwrap();
    assert_eq!(shop.stock("A").await, (5, 0, 0));
    shop.audit().await;
}

async fn a_late_release_frees_only_what_was_not_freed_before(on: On) {
    let shop = shop(on, &[("A", 5), ("B", 5)]).await;
    let (whole, part) = (Saga::new(), Saga::new());
    for saga in [whole, part] {
        shop.reserve(&saga, &[("A", 2), ("B", 1)]).await.unwrap();
    }
    shop.restock(&Back::of(whole), &[("A", 2), ("B", 1)]).await.unwrap();
    shop.restock(&Back::of(part), &[("A", 1)]).await.unwrap();
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((4, 1, 0), (4, 1, 0)));
    for _ in 0..2 {
        shop.release(&whole).await.unwrap();
        shop.release(&part).await.unwrap();
    }
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((5, 0, 0), (5, 0, 0)));
    shop.audit().await;
    // Nothing is left of either to come back, or to be sold.
    for saga in [whole, part] {
        let back = Back::of(saga);
        back.broken(&shop.restock(&back, &[("A", 1)]).await);
        shop.commit(&saga).await.unwrap();
    }
    let released = shop.events(&part.0.to_string()).await.pop().unwrap();
    assert_eq!(released.0, "com.backstitch.inventory.released.v1");
    let rest = serde_json::json!([{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1}]);
    assert_eq!(released.1["items"], rest);
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((5, 0, 0), (5, 0, 0)));
    shop.audit().await;
}

async fn a_repeated_restock_has_its_effect_once(on: On) {
    let shop = shop(on, &[("A", 5)]).await;
    let saga = sold(&shop, &[("A", 4)]).await;
    let back = Back::of(saga);
    for _ in 0..3 {
        shop.restock(&back, &[("A", 2)]).await.unwrap();
    }
    let shop = shop.reopen().await;
    // The same wish in other words.
    shop.restock(&back, &[("A", 1), ("A", 1)]).await.unwrap();
    assert_eq!(shop.stock("A").await, (3, 0, 2));
    for other in [&[("A", 1)][..], &[("A", 3)]] {
        back.broken(&shop.restock(&back, other).await);
    }
    let closed = shop.client.clone().restock(back.call(Op::Close, back.wish(&[("A", 2)]))).await.unwrap();
    assert_eq!(closed.into_inner().restock_id, back.id());
    let taken = RestockRequest { restock_id: back.id(), ..Back::of(saga).wish(&[("A", 1)]) };
    let other = Back::of(saga);
    let answer = shop.client.clone().restock(other.call(Op::Do, taken)).await.map(|_| ());
    assert!(other.broken(&answer).contains("is taken"));
    assert_eq!(shop.stock("A").await, (3, 0, 2));
    shop.audit().await;
}

async fn an_event_tells_what_came_back(on: On) {
    let shop = shop(on, &[("A", 5), ("B", 5)]).await;
    let saga = sold(&shop, &[("A", 4), ("B", 1)]).await;
    let back = Back::of(saga);
    shop.restock(&back, &[("B", 1), ("A", 2)]).await.unwrap();
    let rows = shop.participant.outbox.pending(100).await.unwrap();
    let event = &rows.iter().find(|row| row.event.kind.contains("restocked")).unwrap().event;
    assert_eq!(event.kind, "com.backstitch.inventory.restocked.v1");
    assert_eq!((&event.key, &event.subject), (&saga.0.to_string(), &back.id()));
    let payload: serde_json::Value = serde_json::from_slice(&event.payload).unwrap();
    let expected = serde_json::json!({
        "reservation_id": saga.reservation(),
        "items": [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}],
    });
    assert_eq!(payload, expected);
}

async fn only_the_family_of_a_reservation_restocks_it(on: On) {
    let shop = shop(on, &[("A", 5)]).await;
    let (saga, stranger) = (sold(&shop, &[("A", 4)]).await, Back::of(Saga::new()));
    let stolen = RestockRequest { reservation_id: saga.reservation(), ..stranger.wish(&[("A", 1)]) };
    let answer = shop.client.clone().restock(stranger.call(Op::Do, stolen)).await.map(|_| ());
    let why = stranger.broken(&answer);
    assert!(why.contains(&saga.0.to_string()), "{why}");
    assert_eq!(shop.stock("A").await, (1, 0, 4));
}

async fn a_request_that_cannot_be_is_broken_and_names_the_field(on: On) {
    let shop = shop(on, &[("A", 5)]).await;
    let saga = sold(&shop, &[("A", 4)]).await;
    type Edit = fn(&mut RestockRequest);
    let bad: [(&str, Edit); 5] = [
        ("restock_id", |r| r.restock_id = "mine".into()),
        ("reservation_id", |r| r.reservation_id.clear()),
        ("items", |r| r.items.clear()),
        ("items[0].quantity", |r| r.items[0].quantity = 0),
        ("items[0].sku", |r| r.items[0].sku.clear()),
    ];
    for (field, edit) in bad {
        let back = Back::of(saga);
        let mut request = back.wish(&[("A", 1)]);
        edit(&mut request);
        let answer = shop.client.clone().restock(back.call(Op::Do, request)).await.map(|_| ());
        assert!(matches!(back.verdict(&answer), Verdict::Broken(why) if why.contains(field)), "{field}");
    }
    assert_eq!(shop.stock("A").await, (1, 0, 4));
}
