//! The laws of reservations, through the real handlers on a real file.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_proto::contract::{Op, Verdict};
use backstitch_services::{On, each_database};
use common::{Saga, Shop, product, refused};
use futures::future::join_all;

each_database!(
    one_unit_is_never_sold_twice_however_many_want_it_at_once,
    reservations_that_contend_for_crossing_lines_take_exactly_what_there_is,
    all_lines_are_reserved_or_none,
    lines_of_one_product_are_wanted_together,
    a_repeated_call_has_its_effect_once_and_the_same_answer,
    concurrent_repetitions_of_one_call_have_one_effect,
    an_event_tells_what_moved,
    a_refusal_is_kept_even_when_stock_arrives_later,
    an_undo_before_its_do_succeeds_and_forbids_the_do,
    a_do_after_its_undo_is_superseded,
    the_same_key_with_another_body_is_broken_and_moves_nothing,
    a_close_answers_the_stored_done_or_makes_sure_that_it_never_happens,
    only_its_own_saga_commits_a_reservation_that_is_there,
    what_is_sold_is_not_released,
    a_thousand_lines_are_one_reservation_and_one_more_is_too_many,
    a_request_that_cannot_be_is_broken_and_names_the_field,
);

async fn shop(on: On, stock: &[(&str, i64)]) -> Shop {
    let shop = Shop::open(on).await;
    for &(sku, on_hand) in stock {
        shop.put(product(sku, on_hand)).await.unwrap();
    }
    shop
}

async fn one_unit_is_never_sold_twice_however_many_want_it_at_once(on: On) {
    let shop = shop(on, &[("A", 1)]).await;
    let sagas: Vec<_> = (0..40).map(|_| Saga::new()).collect();
    let answers = join_all(sagas.iter().map(|saga| shop.reserve(saga, &[("A", 1)]))).await;
    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(won, 1);
    for (saga, answer) in sagas.iter().zip(&answers).filter(|(_, answer)| answer.is_err()) {
        assert_eq!(refused(saga.reserve_verdict(answer)).0, "OUT_OF_STOCK");
    }
    assert_eq!(shop.stock("A").await, (0, 1, 0));
    shop.audit().await;
}

async fn reservations_that_contend_for_crossing_lines_take_exactly_what_there_is(on: On) {
    let shop = shop(on, &[("A", 10), ("B", 10)]).await;
    let sagas: Vec<_> = (0..30).map(|_| Saga::new()).collect();
    let calls = sagas.iter().enumerate().map(|(i, saga)| {
        let wish = if i % 2 == 0 { [("A", 1), ("B", 2)] } else { [("B", 1), ("A", 2)] };
        let shop = &shop;
        async move { shop.reserve(saga, &wish).await.is_ok() }
    });
    let won = join_all(calls).await.into_iter().filter(|won| *won).count();
    // Three units each, twenty there: six fit; which ones came first decides what is left over.
    assert!((5..=6).contains(&won), "{won}");
    shop.audit().await;
}

async fn all_lines_are_reserved_or_none(on: On) {
    let shop = shop(on, &[("A", 5), ("B", 1)]).await;
    let saga = Saga::new();
    let answer = shop.reserve(&saga, &[("A", 2), ("B", 2)]).await;
    let facts = [("available", "1"), ("sku", "B"), ("wanted", "2")].map(|(k, v)| (k.into(), v.into()));
    assert_eq!(refused(saga.reserve_verdict(&answer)), ("OUT_OF_STOCK".into(), facts.to_vec()));
    assert_eq!(shop.stock("A").await, (5, 0, 0));

    let saga = Saga::new();
    let answer = shop.reserve(&saga, &[("A", 2), ("NONE", 1)]).await;
    assert_eq!(
        refused(saga.reserve_verdict(&answer)),
        ("UNKNOWN_SKU".into(), vec![("sku".into(), "NONE".into())])
    );
    assert_eq!(shop.stock("A").await, (5, 0, 0));
    assert!(shop.events(&saga.0.to_string()).await.is_empty());
    shop.audit().await;
}

async fn lines_of_one_product_are_wanted_together(on: On) {
    let shop = shop(on, &[("A", 3)]).await;
    let saga = Saga::new();
    let answer = shop.reserve(&saga, &[("A", 2), ("A", 2)]).await;
    assert_eq!(refused(saga.reserve_verdict(&answer)).0, "OUT_OF_STOCK");
    shop.reserve(&Saga::new(), &[("A", 2), ("A", 1)]).await.unwrap();
    assert_eq!(shop.stock("A").await, (0, 3, 0));
    shop.audit().await;
}

async fn a_repeated_call_has_its_effect_once_and_the_same_answer(on: On) {
    let shop = shop(on, &[("A", 5)]).await;
    let (saga, key) = (Saga::new(), |saga: Saga| saga.0.to_string());
    for _ in 0..3 {
        shop.reserve(&saga, &[("A", 2)]).await.unwrap();
    }
    assert_eq!(shop.stock("A").await, (3, 2, 0));
    let shop = shop.reopen().await;
    shop.reserve(&saga, &[("A", 1), ("A", 1)]).await.unwrap();
    assert_eq!(shop.stock("A").await, (3, 2, 0));

    for _ in 0..3 {
        shop.commit(&saga).await.unwrap();
    }
    assert_eq!(shop.stock("A").await, (3, 0, 2));

    let back = Saga::new();
    shop.reserve(&back, &[("A", 3)]).await.unwrap();
    for _ in 0..3 {
        shop.release(&back).await.unwrap();
    }
    assert_eq!(shop.stock("A").await, (3, 0, 2));

    let kinds = |events: Vec<(String, _)>| events.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    let name = |word: &str| format!("com.backstitch.inventory.{word}.v1");
    assert_eq!(kinds(shop.events(&key(saga)).await), [name("reserved"), name("sold")]);
    assert_eq!(kinds(shop.events(&key(back)).await), [name("reserved"), name("released")]);
    shop.audit().await;
}

async fn concurrent_repetitions_of_one_call_have_one_effect(on: On) {
    let shop = shop(on, &[("A", 50)]).await;
    let saga = Saga::new();
    let answers = join_all((0..20).map(|_| shop.reserve(&saga, &[("A", 2)]))).await;
    assert!(answers.iter().any(Result::is_ok));
    shop.reserve(&saga, &[("A", 2)]).await.unwrap();
    assert_eq!(shop.stock("A").await, (48, 2, 0));
    shop.audit().await;
}

async fn an_event_tells_what_moved(on: On) {
    let shop = shop(on, &[("A", 5), ("B", 5)]).await;
    let saga = Saga::new();
    shop.reserve(&saga, &[("B", 1), ("A", 2)]).await.unwrap();
    shop.release(&saga).await.unwrap();
    let payload = serde_json::json!({
        "reservation_id": saga.reservation(),
        "items": [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}],
    });
    let events = shop.events(&saga.0.to_string()).await;
    assert_eq!(
        events.into_iter().map(|(_, payload)| payload).collect::<Vec<_>>(),
        [payload.clone(), payload]
    );
}

async fn a_refusal_is_kept_even_when_stock_arrives_later(on: On) {
    let shop = shop(on, &[("A", 0)]).await;
    let saga = Saga::new();
    let first = shop.reserve(&saga, &[("A", 1)]).await;
    let seen = shop.get("A").await;
    shop.put(backstitch_proto::inventory::PutProductRequest { if_match: seen.etag, ..product("A", 9) })
        .await
        .unwrap();
    let second = shop.reserve(&saga, &[("A", 1)]).await;
    assert_eq!(saga.reserve_verdict(&first), saga.reserve_verdict(&second));
    assert_eq!(shop.stock("A").await, (9, 0, 0));
}

async fn an_undo_before_its_do_succeeds_and_forbids_the_do(on: On) {
    let shop = shop(on, &[("A", 5)]).await;
    let saga = Saga::new();
    shop.release(&saga).await.unwrap();
    let answer = shop.reserve(&saga, &[("A", 1)]).await;
    assert!(matches!(saga.reserve_verdict(&answer), Verdict::Superseded(_)));
    assert_eq!(shop.stock("A").await, (5, 0, 0));
    shop.release(&saga).await.unwrap();
    shop.audit().await;
}

async fn a_do_after_its_undo_is_superseded(on: On) {
    let shop = shop(on, &[("A", 5)]).await;
    let saga = Saga::new();
    shop.reserve(&saga, &[("A", 1)]).await.unwrap();
    shop.release(&saga).await.unwrap();
    let answer = shop.reserve(&saga, &[("A", 1)]).await;
    assert!(matches!(saga.reserve_verdict(&answer), Verdict::Superseded(_)));
    assert_eq!(shop.stock("A").await, (5, 0, 0));
    shop.audit().await;
}

async fn the_same_key_with_another_body_is_broken_and_moves_nothing(on: On) {
    let shop = shop(on, &[("A", 5), ("B", 5)]).await;
    let saga = Saga::new();
    shop.reserve(&saga, &[("A", 1)]).await.unwrap();
    for other in [&[("A", 2)][..], &[("B", 1)], &[("A", 1), ("B", 1)]] {
        let answer = shop.reserve(&saga, other).await;
        assert!(matches!(saga.reserve_verdict(&answer), Verdict::Broken(_)), "{other:?}");
    }
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((4, 1, 0), (5, 0, 0)));
    shop.audit().await;
}

async fn a_close_answers_the_stored_done_or_makes_sure_that_it_never_happens(on: On) {
    let shop = shop(on, &[("A", 5)]).await;
    let done = Saga::new();
    shop.reserve(&done, &[("A", 1)]).await.unwrap();
    shop.close_reserve(&done, &[("A", 1)]).await.unwrap();

    let never = Saga::new();
    let closed = shop.close_reserve(&never, &[("A", 1)]).await;
    assert!(matches!(never.verdict("reserve_stock", Op::Close, &closed), Verdict::Refused(_)));
    let late = shop.reserve(&never, &[("A", 1)]).await;
    assert!(matches!(never.reserve_verdict(&late), Verdict::Superseded(_)));
    assert_eq!(shop.stock("A").await, (4, 1, 0));
    shop.audit().await;
}

async fn only_its_own_saga_commits_a_reservation_that_is_there(on: On) {
    let shop = shop(on, &[("A", 5)]).await;
    let (owner, thief) = (Saga::new(), Saga::new());
    shop.reserve(&owner, &[("A", 1)]).await.unwrap();
    let answer = shop.commit_reservation(&thief, owner.reservation()).await;
    assert!(matches!(thief.verdict("commit_stock", Op::Do, &answer), Verdict::Broken(_)));
    let answer = shop.commit(&thief).await;
    assert!(matches!(thief.verdict("commit_stock", Op::Do, &answer), Verdict::Broken(_)));
    assert_eq!(shop.stock("A").await, (4, 1, 0));
    shop.commit(&owner).await.unwrap();
    assert_eq!(shop.stock("A").await, (4, 0, 1));
    shop.audit().await;
}

async fn what_is_sold_is_not_released(on: On) {
    let shop = shop(on, &[("A", 5)]).await;
    let saga = Saga::new();
    shop.reserve(&saga, &[("A", 1)]).await.unwrap();
    shop.commit(&saga).await.unwrap();
    // Another one's reservation could be given back by mistake.
    shop.reserve(&Saga::new(), &[("A", 2)]).await.unwrap();
    let answer = shop.release(&saga).await;
    assert!(matches!(saga.verdict("reserve_stock", Op::Undo, &answer), Verdict::Broken(_)));
    assert_eq!(shop.stock("A").await, (2, 2, 1));
    shop.audit().await;
}

async fn a_thousand_lines_are_one_reservation_and_one_more_is_too_many(on: On) {
    let shop = Shop::open(on).await;
    let skus: Vec<_> = (0..1001).map(|i| format!("SKU-{i:04}")).collect();
    for batch in skus.chunks(100) {
        let puts = join_all(batch.iter().map(|sku| shop.put(product(sku, 3)))).await;
        assert!(puts.iter().all(Result::is_ok));
    }
    let wish: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 2)).collect();

    let saga = Saga::new();
    let answer = shop.reserve(&saga, &wish).await;
    let Verdict::Broken(why) = saga.reserve_verdict(&answer) else { panic!("{answer:?}") };
    assert!(why.contains("items"), "{why}");

    let saga = Saga::new();
    shop.reserve(&saga, &wish[..1000]).await.unwrap();
    assert_eq!(shop.stock("SKU-0999").await, (1, 2, 0));
    // One line of a thousand is short: all are left alone.
    let short = Saga::new();
    let mut rest: Vec<_> = wish[..1000].iter().map(|&(sku, _)| (sku, 1)).collect();
    rest[500].1 = 2;
    let answer = shop.reserve(&short, &rest).await;
    assert_eq!(refused(short.reserve_verdict(&answer)).1[1].1, "SKU-0500");
    shop.audit().await;

    shop.commit(&saga).await.unwrap();
    assert_eq!(shop.stock("SKU-0000").await, (1, 0, 2));
    let back = Saga::new();
    shop.reserve(&back, &rest.iter().map(|&(sku, _)| (sku, 1)).collect::<Vec<_>>()).await.unwrap();
    shop.release(&back).await.unwrap();
    assert_eq!(shop.stock("SKU-0500").await, (1, 0, 2));
    shop.audit().await;
}

async fn a_request_that_cannot_be_is_broken_and_names_the_field(on: On) {
    let shop = shop(on, &[("A", 5)]).await;
    let cases: [(&[(&str, i64)], &str); 5] = [
        (&[], "items"),
        (&[("A", 1), ("A", 0)], "items[1].quantity"),
        (&[("A", -1)], "items[0].quantity"),
        (&[("A", 1_000_001)], "items[0].quantity"),
        (&[("", 1)], "items[0].sku"),
    ];
    for (items, field) in cases {
        let saga = Saga::new();
        let answer = shop.reserve(&saga, items).await;
        let Verdict::Broken(why) = saga.reserve_verdict(&answer) else { panic!("{answer:?}") };
        assert!(why.contains(field), "{why}");
    }
    let saga = Saga::new();
    let mut request = saga.wish(&[("A", 1)]);
    request.reservation_id = "mine".into();
    let answer = shop.client.clone().reserve(saga.call("reserve_stock", Op::Do, request)).await;
    let answer = answer.map(|_| ());
    assert!(matches!(saga.reserve_verdict(&answer), Verdict::Broken(why) if why.contains("reservation_id")));
    assert_eq!(shop.stock("A").await, (5, 0, 0));
}
