//! The laws of holding, freeing and clearing a cart, through the real handlers on a real file.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_proto::contract::{Op, Verdict};
use backstitch_services::{On, each_database};
use common::{Saga, Shop, lines};
use futures::future::join_all;

each_database!(
    of_checkouts_of_one_cart_at_once_one_holds_it_and_the_others_learn_who,
    a_cart_is_held_only_on_the_version_that_was_loaded,
    a_cart_that_is_gone_is_refused,
    a_repeated_hold_holds_once_and_a_stored_refusal_stays,
    a_free_ends_nobody_elses_hold,
    a_free_before_its_hold_succeeds_and_forbids_the_hold,
    a_hold_after_its_free_is_superseded,
    the_same_key_with_another_body_is_broken,
    a_request_that_cannot_be_is_broken_and_names_the_field,
    clearing_takes_out_what_was_bought_frees_the_cart_and_raises_the_version,
    edits_made_while_the_cart_is_held_survive_the_clearing,
    edits_made_while_the_cart_is_held_survive_the_freeing,
    clearing_never_refuses,
    a_close_answers_the_stored_done_or_makes_sure_that_it_never_happens,
);

async fn of_checkouts_of_one_cart_at_once_one_holds_it_and_the_others_learn_who(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("c", &[("A", 1)]).await;
    let sagas: Vec<_> = (0..20).map(|_| Saga::new()).collect();
    let answers = join_all(sagas.iter().map(|saga| shop.hold(*saga, "c", cart.version))).await;
    let holder = shop.get("c").await.held_by;
    for (saga, answer) in sagas.iter().zip(&answers) {
        if saga.0.to_string() == holder {
            assert!(answer.is_ok());
        } else {
            let refusal = saga.refusal(answer);
            assert_eq!((refusal.reason.as_str(), &refusal.metadata["holder"]), ("CART_IN_CHECKOUT", &holder));
        }
    }
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
}

async fn a_cart_is_held_only_on_the_version_that_was_loaded(on: On) {
    let shop = Shop::open(on).await;
    let old = shop.put("c", &[("A", 1)]).await;
    let new = shop.put("c", &[("A", 2)]).await;
    for version in [old.version, new.version + 1, 0, -1, i64::MAX] {
        let saga = Saga::new();
        let refusal = saga.refusal(&shop.hold(saga, "c", version).await);
        assert_eq!(refusal.reason, "CART_CHANGED");
        assert_eq!(refusal.metadata["version"], new.version.to_string());
    }
    let saga = Saga::new();
    shop.hold(saga, "c", new.version).await.unwrap();
    let held = shop.get("c").await;
    assert_eq!((held.version, held.held_by), (new.version, saga.0.to_string()));
    // The holder is what a second checkout learns, whatever version it has.
    let second = Saga::new();
    assert_eq!(second.refusal(&shop.hold(second, "c", old.version).await).reason, "CART_IN_CHECKOUT");
}

async fn a_cart_that_is_gone_is_refused(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("c", &[("A", 1)]).await;
    shop.delete("c").await.unwrap();
    for id in ["c", "never"] {
        let saga = Saga::new();
        assert_eq!(saga.refusal(&shop.hold(saga, id, cart.version).await).reason, "CART_GONE");
    }
}

async fn a_repeated_hold_holds_once_and_a_stored_refusal_stays(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("c", &[("A", 1)]).await;
    let (first, second) = (Saga::new(), Saga::new());
    for _ in 0..3 {
        shop.hold(first, "c", cart.version).await.unwrap();
    }
    let refused = second.refusal(&shop.hold(second, "c", cart.version).await);
    for _ in 0..2 {
        shop.free(first, "c").await.unwrap();
    }
    assert_eq!(shop.get("c").await.held_by, "");
    let shop = shop.reopen().await;
    assert_eq!(second.refusal(&shop.hold(second, "c", cart.version).await), refused);
    // Another checkout may have it now: nothing in it changed.
    shop.hold(Saga::new(), "c", cart.version).await.unwrap();
}

async fn a_free_ends_nobody_elses_hold(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("c", &[("A", 2)]).await;
    let (first, second) = (Saga::new(), Saga::new());
    shop.hold(first, "c", cart.version).await.unwrap();
    shop.free(second, "c").await.unwrap();
    assert_eq!(shop.get("c").await.held_by, first.0.to_string());

    // Its own hold is over already, and the cart is somebody else's now.
    shop.clear(first, "c", &[("A", 1)]).await.unwrap();
    let third = Saga::new();
    shop.hold(third, "c", cart.version + 1).await.unwrap();
    shop.free(first, "c").await.unwrap();
    assert_eq!(shop.get("c").await.held_by, third.0.to_string());
}

async fn a_free_before_its_hold_succeeds_and_forbids_the_hold(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("c", &[("A", 1)]).await;
    let saga = Saga::new();
    shop.free(saga, "c").await.unwrap();
    let answer = shop.hold(saga, "c", cart.version).await;
    assert!(matches!(saga.verdict("hold_cart", Op::Do, &answer), Verdict::Superseded(_)));
    assert_eq!(shop.get("c").await.held_by, "");
}

async fn a_hold_after_its_free_is_superseded(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("c", &[("A", 1)]).await;
    let saga = Saga::new();
    shop.hold(saga, "c", cart.version).await.unwrap();
    shop.free(saga, "c").await.unwrap();
    let answer = shop.hold(saga, "c", cart.version).await;
    assert!(matches!(saga.verdict("hold_cart", Op::Do, &answer), Verdict::Superseded(_)));
    assert_eq!(shop.get("c").await.held_by, "");
}

async fn the_same_key_with_another_body_is_broken(on: On) {
    let shop = Shop::open(on).await;
    let (cart, other) = (shop.put("c", &[("A", 1)]).await, shop.put("d", &[("A", 1)]).await);
    let saga = Saga::new();
    shop.hold(saga, "c", cart.version).await.unwrap();
    for (id, version) in [("c", cart.version + 1), ("d", other.version)] {
        let answer = shop.hold(saga, id, version).await;
        assert!(matches!(saga.verdict("hold_cart", Op::Do, &answer), Verdict::Broken(_)));
    }
    assert_eq!(shop.get("d").await.held_by, "");

    shop.clear(saga, "c", &[("A", 1)]).await.unwrap();
    let answer = shop.clear(saga, "c", &[("A", 2)]).await;
    assert!(matches!(saga.verdict("clear_cart", Op::Do, &answer), Verdict::Broken(_)));
}

async fn a_request_that_cannot_be_is_broken_and_names_the_field(on: On) {
    let shop = Shop::open(on).await;
    let saga = Saga::new();
    let answer = shop.hold(saga, "", 1).await;
    let verdict = saga.verdict("hold_cart", Op::Do, &answer);
    assert!(matches!(verdict, Verdict::Broken(why) if why.contains("cart_id")));
    let answer = shop.clear(saga, "c", &[("A", 0)]).await;
    let verdict = saga.verdict("clear_cart", Op::Do, &answer);
    assert!(matches!(verdict, Verdict::Broken(why) if why.contains("items[0].quantity")));
}

async fn clearing_takes_out_what_was_bought_frees_the_cart_and_raises_the_version(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("c", &[("A", 2), ("B", 1)]).await;
    let saga = Saga::new();
    shop.hold(saga, "c", cart.version).await.unwrap();
    for _ in 0..3 {
        shop.clear(saga, "c", &[("B", 1), ("A", 2)]).await.unwrap();
    }
    let after = shop.get("c").await;
    assert_eq!((after.items, after.held_by.as_str()), (vec![], ""));
    assert_eq!(after.version, cart.version + 1);
    let payload = serde_json::json!({"cart_id": "c", "version": after.version});
    let events = shop.events(&saga.0.to_string()).await;
    assert_eq!(events, [("com.backstitch.cart.cleared.v1".to_owned(), payload)]);
}

async fn edits_made_while_the_cart_is_held_survive_the_clearing(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("c", &[("A", 2), ("B", 1), ("C", 5)]).await;
    let saga = Saga::new();
    shop.hold(saga, "c", cart.version).await.unwrap();
    // One more A, no B any more, C as it was, a D.
    let edited = shop.put("c", &[("A", 3), ("C", 5), ("D", 7)]).await;
    assert_eq!(edited.held_by, saga.0.to_string());
    assert!(edited.version > cart.version);
    shop.clear(saga, "c", &[("A", 2), ("B", 1), ("C", 5)]).await.unwrap();
    let after = shop.get("c").await;
    assert_eq!(after.items, lines(&[("A", 1), ("D", 7)]));
    assert!(after.version > edited.version);
    // And the next checkout can buy them.
    shop.hold(Saga::new(), "c", after.version).await.unwrap();
}

async fn edits_made_while_the_cart_is_held_survive_the_freeing(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("c", &[("A", 2)]).await;
    let saga = Saga::new();
    shop.hold(saga, "c", cart.version).await.unwrap();
    let edited = shop.put("c", &[("D", 7)]).await;
    shop.free(saga, "c").await.unwrap();
    let after = shop.get("c").await;
    assert_eq!(
        (after.items, after.version, after.held_by.as_str()),
        (lines(&[("D", 7)]), edited.version, "")
    );
}

async fn clearing_never_refuses(on: On) {
    let shop = Shop::open(on).await;
    // The cart is gone, as after its database was lost.
    shop.clear(Saga::new(), "gone", &[("A", 1)]).await.unwrap();
    assert_eq!(shop.try_get("gone").await, None);
    // Another checkout holds it: what was bought leaves it, the hold stays.
    let cart = shop.put("c", &[("A", 3)]).await;
    let holder = Saga::new();
    shop.hold(holder, "c", cart.version).await.unwrap();
    shop.clear(Saga::new(), "c", &[("A", 1)]).await.unwrap();
    let after = shop.get("c").await;
    assert_eq!((after.items, after.held_by), (lines(&[("A", 2)]), holder.0.to_string()));
}

async fn a_close_answers_the_stored_done_or_makes_sure_that_it_never_happens(on: On) {
    let shop = Shop::open(on).await;
    let cart = shop.put("c", &[("A", 1)]).await;
    let close = async |saga: Saga| {
        let message = backstitch_proto::cart::HoldCartRequest { cart_id: "c".into(), version: cart.version };
        shop.client.clone().hold(saga.call("hold_cart", Op::Close, message)).await.map(|_| ())
    };
    let (never, done) = (Saga::new(), Saga::new());
    let closed = close(never).await;
    assert!(matches!(never.verdict("hold_cart", Op::Close, &closed), Verdict::Refused(_)));
    let late = shop.hold(never, "c", cart.version).await;
    assert!(matches!(never.verdict("hold_cart", Op::Do, &late), Verdict::Superseded(_)));
    shop.hold(done, "c", cart.version).await.unwrap();
    close(done).await.unwrap();
}
