//! Idempotency keys, as a client meets them.

use std::time::Duration;

use backstitch_stripe_double::{Fault, Kind, Operation};

use crate::shop::Shop;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn a_key_gives_its_answer_again_for_a_day() {
    let shop = Shop::open().await;
    let id = shop.captured("700", "pm_card_visa").await;
    let form = [("payment_intent", id.as_str()), ("amount", "100")];
    let refund = async || shop.post_as("refund-1", "/v1/refunds", &form).await.unwrap();
    let first = refund().await;
    shop.control().turn(DAY - Duration::from_secs(60)).await;
    let again = refund().await;
    assert!(again.replayed && !first.replayed);
    assert_eq!(again.body, first.body);
    shop.control().turn(Duration::from_secs(61)).await;
    assert_ne!(refund().await.id(), first.id());
    assert_eq!(shop.control().statement().await.accounts[0].kept(), 500);
}

#[tokio::test]
async fn a_refusal_of_a_card_is_given_again_and_a_wrong_request_is_not() {
    let shop = Shop::open().await;
    let id = shop.created("700").await;
    let path = format!("/v1/payment_intents/{id}/confirm");
    let form = [("payment_method", "pm_card_chargeDeclined")];
    let first = shop.post_as("confirm-1", &path, &form).await.unwrap();
    let again = shop.post_as("confirm-1", &path, &form).await.unwrap();
    assert!(again.status == 402 && again.replayed && again.body == first.body);
    let wrong = [("payment_intent", id.as_str()), ("amount", "0")];
    assert_eq!(shop.post_as("refund-1", "/v1/refunds", &wrong).await.unwrap().status, 400);
    let right = [("payment_intent", id.as_str())];
    assert!(!shop.post_as("refund-1", "/v1/refunds", &right).await.unwrap().replayed);
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let shop = Shop::open().await;
    let one = [("amount", "700"), ("currency", "eur")];
    shop.post_as("create-1", "/v1/payment_intents", &one).await.unwrap();
    let other = [("amount", "701"), ("currency", "eur")];
    let answer = shop.post_as("create-1", "/v1/payment_intents", &other).await.unwrap();
    assert_eq!((answer.status, answer.kind()), (400, "idempotency_error"));
    // In another order the same parameters are the same.
    let same = [("currency", "eur"), ("amount", "700")];
    assert!(shop.post_as("create-1", "/v1/payment_intents", &same).await.unwrap().replayed);
}

#[tokio::test]
async fn a_key_in_use_is_a_conflict() {
    let shop = Shop::open().await;
    shop.control().fault(Fault::next(Operation::CreateIntent, Kind::Slow(1_500))).await;
    let form = [("amount", "700"), ("currency", "eur")];
    let slow = shop.post_as("create-1", "/v1/payment_intents", &form);
    let meanwhile = async {
        // Until the slow one has come in.
        while shop.control().calls().await.is_empty() {
            tokio::task::yield_now().await;
        }
        shop.post_as("create-1", "/v1/payment_intents", &form).await.unwrap()
    };
    let (slow, meanwhile) = tokio::join!(slow, meanwhile);
    assert_eq!(meanwhile.refused(), (409, "idempotency_key_in_use"));
    assert_eq!(slow.unwrap().status, 200);
    assert!(shop.post_as("create-1", "/v1/payment_intents", &form).await.unwrap().replayed);
}
