//! Making good, with the real participants: what a parked checkout cannot deliver is returned, and its customer has money,
//! goods' worth and cart back. Each story ends with the reconciler and the auditor over what it left.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backstitch_proto::cart::LetGoCartRequest;
use backstitch_proto::cart::carts_client::CartsClient;
use backstitch_proto::contract::Verdict;
use bytes::Bytes;
use common::trial::{is_parked, shop_with, step};
use common::{Act, Answer, Asked, Call, Impostor, Shop, gbp, order_of, reconcile, until};
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Status;

/// 2 x 5.00, and a domestic parcel.
const TOTAL: i64 = 1395;
const WHY: &str = "the warehouse has burnt down";

/// A participant that answers nonsense to one method, until it is mended.
struct Stuck {
    shop: Shop,
    impostor: Impostor,
    is_broken: Arc<AtomicBool>,
}

impl Stuck {
    async fn at(participant: &'static str, method: &'static str) -> Self {
        let is_broken = Arc::new(AtomicBool::new(true));
        let broken = is_broken.clone();
        let (shop, impostor) = shop_with(participant, move |call| match call.method.as_str() {
            of if of == method && broken.load(Ordering::SeqCst) => Act::Say(Err(nonsense(participant, call))),
            // The first answers are lost.
            "LetGo" if call.attempt < 3 => Act::PassOnAndSay(Err(Status::unavailable("a proxy is away"))),
            _ => Act::PassOn,
        })
        .await;
        Self { shop, impostor, is_broken }
    }

    fn mend(&self) {
        self.is_broken.store(false, Ordering::SeqCst);
    }
}

fn nonsense(participant: &str, call: &Call) -> Status {
    Verdict::Broken("the ledger does not open".into()).into_status(participant, &call.key)
}

/// A checkout of two A that parks where the shop is stuck.
async fn parked(shop: &Shop, cart: &str, token: &str) -> String {
    shop.fill(cart, &[("A", 2)]).await;
    let started = shop.begin(cart, &order_of(cart, token)).await.ok();
    let id = started.text("/checkout_id").to_owned();
    shop.reaches(&id, &["parked"]).await;
    id
}

/// As docs/operations.md shows it; again where something else of it was still under way.
async fn make_good(shop: &Shop, id: &str) -> Answer {
    let path = format!("/operator/v1/sagas/{id}/make-good");
    until("it is decided", async || {
        let decision = json!({"reason": WHY, "seq": shop.saga(id).await.int("/seq")});
        let decided = shop.send(shop.request(Method::POST, &path).json(&decision)).await;
        (decided.status != 409).then(|| decided.ok())
    })
    .await
}

/// The return, once the checkout has completed by it.
async fn made_good(shop: &Shop, id: &str) -> Answer {
    let done = shop.reaches(id, &["completed"]).await;
    let back = shop.get(&format!("/api/v1/returns/{}", done.text("/made_good"))).await.ok();
    assert_eq!((back.text("/status"), &back.body["refund"]), ("completed", &gbp(TOTAL)), "{back:?}");
    assert_eq!(shop.saga(back.text("/return_id")).await.text("/definition"), "make_good");
    let order = shop.get(&format!("/api/v1/orders/{}", back.text("/order_id"))).await.ok();
    let returns = order.body["returns"].as_array().unwrap();
    assert_eq!((returns.len(), &returns[0]["reason"]), (1, &json!(WHY)), "{order:?}");
    assert_eq!(returns[0]["credit_note_number"], back.body["credit_note_number"]);
    back
}

async fn cart(shop: &Shop, id: &str) -> Answer {
    shop.get(&format!("/api/v1/carts/{id}")).await.ok()
}

/// The mails, once there are so many.
async fn mails(shop: &Shop, count: usize) -> Vec<String> {
    until("the mails are written", async || {
        let files = std::fs::read_dir(shop.data().join("mail")).unwrap();
        let whole = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
        let whole: Vec<_> = whole.filter(|mail| !mail.is_empty()).collect();
        (whole.len() >= count).then_some(whole)
    })
    .await
}

/// Nothing is owed, nothing is left to do, and it was so many mails; answers what money moved.
async fn closed(shop: Shop, expected: usize) -> Value {
    assert_eq!(mails(&shop, expected).await.len(), expected);
    assert_eq!(reconcile(shop.directory(), &Asked::of(&shop), &[]), [] as [Value; 0]);
    shop.close().await["money"]["GBP"].clone()
}

fn moved(captured: i64, refunded: i64) -> Value {
    json!({"captured_minor": captured, "refunded_minor": refunded, "held_minor": 0})
}

/// The checkout parks before its cart is cleared; it is made good, and the customer buys the same again with that cart.
async fn the_same_is_bought_again(stuck: Stuck, at: &str) {
    let shop = &stuck.shop;
    let id = parked(shop, "cart", "tok_ok").await;
    is_parked(shop, &id, at, "the ledger does not open").await;
    assert_eq!(cart(shop, "cart").await.text("/held_by"), id);
    // What its customer puts in meanwhile.
    let edited = shop.fill("cart", &[("A", 2), ("B", 1)]).await;

    let decided = make_good(shop, &id).await;
    assert_eq!(decided.text("/status"), "parked", "{decided:?}");
    let back = made_good(shop, &id).await;
    assert_eq!(shop.stock("A").await, (100, 0, 0));
    let free = cart(shop, "cart").await;
    assert_eq!((free.body.get("held_by"), &free.body["items"]), (None, &edited.body["items"]));
    assert!(free.int("/version") > edited.int("/version"), "{free:?}");
    let [mail] = &mails(shop, 1).await[..] else { panic!("one mail") };
    let number = back.text("/credit_note_number");
    assert!(mail.contains(number) && mail.contains("To: ada@example.com"), "{number} in {mail}");
    assert!(mail.contains("could not complete your order"), "{mail}");

    stuck.mend();
    let again = shop.check_out("again", &order_of("cart", "tok_ok")).await;
    assert_eq!(again.text("/status"), "completed", "{again:?}");
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((98, 0, 2), (99, 0, 1)));
    assert_eq!(cart(shop, "cart").await.body["items"], json!([]));
    let told = mails(shop, 2).await;
    let confirmed = told.iter().filter(|mail| mail.contains(again.text("/order_number"))).count();
    assert_eq!(confirmed, 1, "{told:?}");
    assert_eq!(closed(stuck.shop, 2).await, moved(2 * TOTAL + 1250, TOTAL));
}

#[tokio::test]
async fn an_order_that_cannot_be_confirmed_is_made_good_and_its_cart_is_the_customers_again() {
    the_same_is_bought_again(Stuck::at("order", "Confirm").await, "confirm_order").await;
}

#[tokio::test]
async fn a_cart_that_cannot_be_cleared_is_let_go_of_once_however_often_that_is_asked() {
    let stuck = Stuck::at("cart", "Clear").await;
    let impostor = stuck.impostor.clone();
    the_same_is_bought_again(stuck, "clear_cart").await;
    let asked = impostor.all_of("LetGo");
    assert_eq!(asked.len(), 3, "{asked:?}");
}

#[tokio::test]
async fn a_cart_that_was_cleared_before_stays_as_it_is() {
    let stuck = Stuck::at("shipping", "CreateShipment").await;
    let shop = &stuck.shop;
    let id = parked(shop, "cart", "tok_ok").await;
    until("the cart is cleared", async || {
        (step(&shop.saga(&id).await, "clear_cart")["forward"] == "done").then_some(())
    })
    .await;
    let refilled = shop.fill("cart", &[("B", 3)]).await;
    make_good(shop, &id).await;
    made_good(shop, &id).await;
    assert_eq!(cart(shop, "cart").await.body, refilled.body);
    assert_eq!(shop.stock("A").await, (100, 0, 0));
    assert_eq!(closed(stuck.shop, 1).await, moved(TOTAL, TOTAL));
}

/// A return of a build from before there was `make_good` has let no cart go. As docs/operations.md shows it.
#[tokio::test]
async fn a_cart_that_no_return_has_let_go_of_is_let_go_of_by_hand() {
    let is_by_hand = Arc::new(AtomicBool::new(false));
    let by_hand = is_by_hand.clone();
    let (shop, impostor) = shop_with("cart", move |call| match call.method.as_str() {
        "Clear" => Act::Say(Err(nonsense("cart", call))),
        "LetGo" if !by_hand.load(Ordering::SeqCst) => Act::Say(Ok(Bytes::new())),
        _ => Act::PassOn,
    })
    .await;
    let id = parked(&shop, "cart", "tok_ok").await;
    make_good(&shop, &id).await;
    let back = made_good(&shop, &id).await;
    let held = cart(&shop, "cart").await;
    assert_eq!(held.text("/held_by"), id);

    is_by_hand.store(true, Ordering::SeqCst);
    let by = back.text("/return_id");
    let key = format!("{by}/let_go_cart/do");
    let mut carts = CartsClient::connect(impostor.uri().to_owned()).await.unwrap();
    for _ in 0..2 {
        let mut call = tonic::Request::new(LetGoCartRequest { cart_id: "cart".into() });
        for (name, value) in [
            ("saga-root", id.as_str()),
            ("saga-id", by),
            ("saga-name", "return"),
            ("saga-step", "let_go_cart"),
            ("saga-op", "do"),
            ("saga-attempt", "1"),
            ("idempotency-key", &key),
        ] {
            call.metadata_mut().insert(name, value.parse().unwrap());
        }
        carts.let_go(call).await.unwrap();
    }
    let free = cart(&shop, "cart").await;
    assert_eq!((free.body.get("held_by"), &free.body["items"]), (None, &held.body["items"]));
    assert_eq!(free.int("/version"), held.int("/version") + 1);
    assert_eq!(closed(shop, 1).await, moved(TOTAL, TOTAL));
}

#[tokio::test]
async fn a_return_that_is_refused_parks_it_again_with_its_cart_and_it_can_still_be_delivered() {
    let stuck = Stuck::at("order", "Confirm").await;
    let shop = &stuck.shop;
    let id = parked(shop, "cart", "tok_refund_fails").await;
    make_good(shop, &id).await;
    let again = until("it is its person's again", async || {
        let saga = shop.saga(&id).await;
        saga.text("/explanation").contains("was taken back").then_some(saga)
    })
    .await;
    assert!(again.text("/explanation").contains("refund_payment refused"), "{again:?}");
    assert_eq!(shop.reaches(&id, &["parked"]).await.body.get("made_good"), None);
    assert_eq!(cart(shop, "cart").await.text("/held_by"), id, "what may still be bought is still held");
    assert_eq!(shop.stock("A").await, (98, 2, 0));

    stuck.mend();
    let decision = json!({"reason": "another warehouse has them", "seq": again.int("/seq")});
    let resume = shop.request(Method::POST, &format!("/operator/v1/sagas/{id}/resume")).json(&decision);
    shop.send(resume).await.ok();
    let done = shop.reaches(&id, &["completed"]).await;
    assert_eq!(done.body.get("made_good"), None);
    assert_eq!((shop.stock("A").await, &cart(shop, "cart").await.body["items"]), ((98, 0, 2), &json!([])));
    let [mail] = &mails(shop, 1).await[..] else { panic!("one mail") };
    assert!(mail.contains(done.text("/order_number")), "{mail}");
    assert_eq!(closed(stuck.shop, 1).await, moved(TOTAL, 0));
}

/// kill -9 of everything as soon as each decision is answered: the others are anywhere in their returns by then.
#[tokio::test]
async fn a_kill_anywhere_in_the_middle_is_made_up_for() {
    const TOKENS: [&str; 5] = ["tok_ok", "tok_refund_pending", "tok_ok", "tok_refund_pending", "tok_ok"];
    let stuck = Stuck::at("order", "Confirm").await;
    let mut shop = stuck.shop;
    let mut ids = Vec::new();
    for (n, token) in TOKENS.into_iter().enumerate() {
        ids.push(parked(&shop, &format!("cart-{n}"), token).await);
    }
    // The same shop in one process, with nobody in between.
    shop.stop().await;
    shop.start().await;
    for id in &ids {
        make_good(&shop, id).await;
        shop.kill();
        shop.start().await;
    }
    for (n, id) in ids.iter().enumerate() {
        made_good(&shop, id).await;
        let free = cart(&shop, &format!("cart-{n}")).await;
        assert_eq!((free.body.get("held_by"), free.int("/items/0/quantity")), (None, 2), "{free:?}");
    }
    assert_eq!(shop.stock("A").await, (100, 0, 0));
    let count = i64::try_from(TOKENS.len()).unwrap();
    assert_eq!(closed(shop, TOKENS.len()).await, moved(count * TOTAL, count * TOTAL));
}
