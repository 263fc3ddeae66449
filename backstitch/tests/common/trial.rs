//! A shop with an impostor in it, and what is asked of it.

use std::collections::BTreeMap;

use backstitch_proto::common::Money;
use backstitch_proto::contract::{Refusal, Verdict};
use prost::Message;
use serde_json::{Value, json};
use tonic::Status;

use super::{Act, Answer, Call, Impostor, Reply, Shop, order_of};

/// A shop whose orchestrator calls an impostor in place of participant `name`.
pub(crate) async fn shop_with(
    name: &str,
    script: impl Fn(&Call) -> Act + Send + Sync + 'static,
) -> (Shop, Impostor) {
    let mut shop = Shop::closed();
    let at = shop.start_beside(&[("participants", &["--listen", "127.0.0.1:0"])]).await;
    let impostor = Impostor::before(&at[name], script).await;
    let mut uris: BTreeMap<_, _> =
        at.iter().map(|(name, at)| (name.clone(), format!("http://{at}"))).collect();
    uris.insert(name.to_owned(), impostor.uri().to_owned());
    shop.start_orchestrator(&uris).await;
    shop.put_a_and_b().await;
    (shop, impostor)
}

/// Begins a checkout of so many A; the number is what a script knows it by.
pub(crate) async fn begin(shop: &Shop, quantity: i64) -> String {
    let cart = format!("{quantity}-of-A");
    shop.fill(&cart, &[("A", quantity)]).await;
    let started = shop.begin(&cart, &order_of(&cart, "tok_ok")).await.ok();
    started.text("/checkout_id").to_owned()
}

/// What so many A cost with a domestic parcel.
pub(crate) fn total_of(quantity: i64) -> Money {
    money(500 * quantity + 395, "GBP")
}

pub(crate) fn quantity_of(amount: Option<&Money>) -> i64 {
    (amount.unwrap().amount_minor - 395) / 500
}

pub(crate) fn money(amount_minor: i64, currency: &str) -> Money {
    Money { amount_minor, currency: currency.into() }
}

pub(crate) fn encoded(message: &impl Message) -> Reply {
    Ok(message.encode_to_vec().into())
}

pub(crate) fn step(saga: &Answer, name: &str) -> Value {
    let steps = saga.body["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap().clone()
}

/// The saga waits for a person at `name`, who is told why, and it is no refusal.
pub(crate) async fn is_parked(shop: &Shop, id: &str, name: &str, why: &str) {
    let document = shop.rested(id).await;
    assert_eq!((document.text("/status"), document.body.get("refusal")), ("parked", None), "{document:?}");
    let saga = shop.saga(id).await;
    let step = step(&saga, name);
    assert_eq!((&step["forward"], &step["maybe_run"]), (&json!("parked"), &json!(true)), "{step}");
    assert!(step["detail"].as_str().unwrap().contains(why), "{why:?} in {step}");
    assert!(saga.text("/explanation").contains(why), "{saga:?}");
}

pub(crate) async fn cancelled(shop: &Shop, id: &str) {
    shop.post(&format!("/api/v1/checkouts/{id}/cancel")).await.ok();
    let back = shop.reaches(id, &["compensated"]).await;
    assert_eq!(back.text("/refusal/reason"), "CANCELLED");
}

/// A refusal as the contract has it, for the call with `key` to `service`.
pub(crate) fn refusal_of(service: &str, key: &str) -> Status {
    Verdict::Refused(Refusal::new("CARD_DECLINED", "no")).into_status(service, key)
}
