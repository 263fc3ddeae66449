//! Where localstripe 1.15.10 is not Stripe: what it does alone, and what the shim makes of it. A test here that fails in
//! its first half says that localstripe has learned it.

use std::process::Command;

use backstitch_services::Localstripe;
use backstitch_stripe_double::KEY;
use serde_json::json;
use stripe::{ClientBuilder, StripeError};
use stripe_core::payment_intent::RetrievePaymentIntent;

use crate::shop::Shop;

#[tokio::test]
async fn it_ignores_idempotency_keys() {
    let shop = Shop::open().await;
    let url = format!("{}/v1/payment_intents", shop.stripe.localstripe().url());
    let body = json!({ "amount": 700, "currency": "eur" });
    let alone = async || {
        let request =
            shop.http.post(&url).json(&body).bearer_auth("sk_test_1").header("idempotency-key", "k");
        request.send().await.unwrap().json::<serde_json::Value>().await.unwrap()["id"].clone()
    };
    assert_ne!(alone().await, alone().await);
    let form = [("amount", "700"), ("currency", "eur")];
    let ours = async || shop.post_as("k", "/v1/payment_intents", &form).await.unwrap();
    assert_eq!(ours().await.id(), ours().await.id());
}

#[tokio::test]
async fn it_has_no_search_and_nobody_needs_one() {
    let shop = Shop::open().await;
    shop.held_alone(700).await;
    let search = "/v1/payment_intents/search?query=amount:700";
    let alone =
        shop.http.get(format!("{}{search}", shop.stripe.localstripe().url())).bearer_auth("sk_test_1");
    assert_ne!(alone.send().await.unwrap().status().as_u16(), 200);
    assert_ne!(shop.get(search).await.status, 200, "what is searched for proves nothing");
}

#[tokio::test]
async fn it_captures_after_a_cancel() {
    let shop = Shop::open().await;
    let alone = shop.held_alone(700).await;
    assert!(shop.alone(&format!("/v1/payment_intents/{alone}/cancel"), json!({})).await.is("canceled"));
    let captured = shop.alone(&format!("/v1/payment_intents/{alone}/capture"), json!({})).await;
    assert_eq!((captured.status, &captured.body["latest_charge"]["captured"]), (200, &json!(true)));
    let ours = shop.held("700", "pm_card_visa").await;
    shop.act(&ours, "cancel", &[]).await;
    assert_eq!(shop.act(&ours, "capture", &[]).await.refused(), (400, "payment_intent_unexpected_state"));
}

#[tokio::test]
async fn it_lets_the_shim_be_as_lax_as_itself() {
    let shop = Shop::open().await;
    let id = shop.held("700", "pm_card_visa").await;
    shop.control().lax(true).await;
    shop.act(&id, "cancel", &[]).await;
    assert_eq!(shop.act(&id, "capture", &[]).await.status, 200);
    // The bank's statement tells on whoever makes use of it.
    assert_eq!(shop.control().statement().await.violations().len(), 2);
}

#[tokio::test]
async fn it_refunds_above_what_was_captured() {
    let shop = Shop::open().await;
    let alone = shop.held_alone(700).await;
    shop.alone(&format!("/v1/payment_intents/{alone}/capture"), json!({})).await;
    let refunded = shop.alone("/v1/refunds", json!({ "payment_intent": alone, "amount": 900 })).await;
    assert!(refunded.is("succeeded"), "{refunded:?}");
    let ours = shop.captured("700", "pm_card_visa").await;
    assert_eq!(shop.refund(&ours, "900").await.refused(), (400, "amount_too_large"));
}

#[tokio::test]
async fn it_refunds_what_a_partial_capture_left_where_stripe_releases_it() {
    let shop = Shop::open().await;
    let alone = shop.held_alone(700).await;
    let part = json!({ "amount_to_capture": 600 });
    let captured = shop.alone(&format!("/v1/payment_intents/{alone}/capture"), part).await;
    assert_eq!(captured.body["latest_charge"]["amount_refunded"], 100);
    let ours = shop.held("700", "pm_card_visa").await;
    let captured = shop.act(&ours, "capture", &[("amount_to_capture", "600")]).await;
    assert_eq!(captured.body["amount_received"], 600);
    let refunds = shop.get(&format!("/v1/refunds?payment_intent={ours}")).await;
    assert_eq!(refunds.body["data"], json!([]));
}

#[tokio::test]
async fn it_says_bad_request_to_all_that_it_refuses() {
    let shop = Shop::open().await;
    let alone = shop.held_alone(700).await;
    shop.alone(&format!("/v1/payment_intents/{alone}/capture"), json!({})).await;
    let refused = shop.alone(&format!("/v1/payment_intents/{alone}/cancel"), json!({})).await;
    assert_eq!(refused.refused(), (400, ""));
    assert_eq!(refused.body["error"]["message"], "Bad request");
}

#[tokio::test]
async fn it_lacks_what_the_client_needs() {
    let shop = Shop::open().await;
    let alone = shop.held_alone(700).await;
    let url = format!("{}/v1/payment_intents/{alone}", shop.stripe.localstripe().url());
    let alone: serde_json::Value =
        shop.http.get(url).bearer_auth("sk_test_1").send().await.unwrap().json().await.unwrap();
    let ours = shop.intent(&shop.held("700", "pm_card_visa").await).await;
    for field in ["amount_capturable", "amount_received", "confirmation_method", "payment_method_types"] {
        assert!(alone[field].is_null() && !ours[field].is_null(), "{field}");
    }
    // The charge is an id unless it is asked for whole, and the list of charges is long gone.
    assert!(alone["latest_charge"].is_object() && ours["latest_charge"].is_string());
    assert!(alone["charges"].is_object() && ours["charges"].is_null());
}

#[tokio::test]
async fn its_payment_intent_cannot_be_read_by_the_client() {
    let shop = Shop::open().await;
    let alone = shop.held_alone(700).await;
    let ours = shop.held("700", "pm_card_visa").await;
    let read = async |url: &str, id: &str| {
        let client = ClientBuilder::new(KEY).url(url).build().unwrap();
        RetrievePaymentIntent::new(id).send(&client).await.map(|intent| intent.id.to_string())
    };
    let failed = read(&shop.stripe.localstripe().url(), &alone).await;
    assert!(matches!(&failed, Err(StripeError::JSONDeserialize(_))), "{failed:?}");
    assert_eq!(read(shop.stripe.url(), &ours).await.unwrap(), ours);
}

#[tokio::test]
async fn it_keeps_one_file_for_all_of_a_machine_and_ours_keep_one_each() {
    let keeps = "import inspect; from localstripe import resources; print(inspect.getsource(resources.Store.dump_to_disk))";
    let kept = Command::new(Localstripe::python()).args(["-c", keeps]).output().unwrap();
    let kept = String::from_utf8(kept.stdout).unwrap();
    assert!(kept.contains("open('/tmp/localstripe.pickle', 'wb')"), "{kept}");
    let (one, other) = (Shop::open().await, Shop::open_apart().await);
    let id = one.held_alone(700).await;
    for (shop, status) in [(&one, 200), (&other, 404)] {
        let url = format!("{}/v1/payment_intents/{id}", shop.stripe.localstripe().url());
        let answer = shop.http.get(url).bearer_auth(KEY).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
}

#[tokio::test]
async fn it_confirms_without_a_payment_method_only_and_declines_cards_too_late() {
    let shop = Shop::open().await;
    let made = shop.alone("/v1/payment_intents", json!({ "amount": 700, "currency": "eur" })).await;
    let path = format!("/v1/payment_intents/{}/confirm", made.id());
    assert_eq!(shop.alone(&path, json!({ "payment_method": "pm_card_visa" })).await.status, 500);
    let of = json!({ "amount": 700, "currency": "eur", "payment_method": "pm_card_visa_chargeDeclined" });
    let made = shop.alone("/v1/payment_intents", of).await;
    // It made a payment method of the token when it looked whether there is one, and forgot it.
    assert_eq!(made.body["payment_method"], "pm_card_visa_chargeDeclined");
    assert_eq!(
        shop.alone(&format!("/v1/payment_intents/{}/confirm", made.id()), json!({})).await.status,
        200
    );
    let id = shop.created("700").await;
    assert_eq!(shop.confirm(&id, "pm_card_visa_chargeDeclined").await.refused(), (402, "card_declined"));
}

#[tokio::test]
async fn it_leads_no_customer_elsewhere() {
    let shop = Shop::open().await;
    let card = json!({ "number": "4000002760003184", "exp_month": 1, "exp_year": 2090, "cvc": "123" });
    let card = shop.alone("/v1/payment_methods", json!({ "type": "card", "card": card })).await;
    let of = json!({ "amount": 700, "currency": "eur", "payment_method": card.id() });
    let made = shop.alone("/v1/payment_intents", of).await;
    let back = json!({ "return_url": "https://shop.example/" });
    assert_eq!(shop.alone(&format!("/v1/payment_intents/{}/confirm", made.id()), back).await.status, 400);
    let id = shop.created("700").await;
    let form = [("payment_method", "pm_card_threeDSecure2Required"), ("return_url", "https://shop.example/")];
    let asked = shop.act(&id, "confirm", &form).await;
    assert_eq!(asked.body["next_action"]["type"], "redirect_to_url");
}

#[tokio::test]
async fn it_lists_oldest_first_and_knows_no_bounds_in_time() {
    let shop = Shop::open_apart().await;
    let (one, two) = (shop.held_alone(700).await, shop.held_alone(701).await);
    let url = format!("{}/v1/payment_intents", shop.stripe.localstripe().url());
    let get = async |query: &str| {
        let answer = shop.http.get(format!("{url}{query}")).bearer_auth("sk_test_1").send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap())
    };
    let (_, all) = get("").await;
    assert_eq!((&all["data"][0]["id"], &all["data"][1]["id"]), (&json!(one), &json!(two)));
    assert_eq!(get("?created[gte]=1").await.0, 400);
    let (one, two) = (shop.created("700").await, shop.created("701").await);
    let all = shop.get("/v1/payment_intents?created[gte]=1").await;
    assert_eq!((&all.body["data"][0]["id"], &all.body["data"][1]["id"]), (&json!(two), &json!(one)));
    let none = shop.get("/v1/payment_intents?created[lt]=1").await;
    assert_eq!(none.body["data"], json!([]));
}

#[tokio::test]
async fn it_takes_any_version_and_any_amount() {
    let shop = Shop::open().await;
    let much = json!({ "amount": 100_000_000, "currency": "nothing" });
    assert_eq!(shop.alone("/v1/payment_intents", much).await.status, 200);
    let form = [("amount", "100000000"), ("currency", "eur")];
    assert_eq!(shop.post("/v1/payment_intents", &form).await.refused(), (400, "amount_too_large"));
    let form = [("amount", "700"), ("currency", "nothing")];
    assert_eq!(shop.post("/v1/payment_intents", &form).await.status, 400);
}

#[tokio::test]
async fn its_refunds_succeed_at_once_and_for_ever() {
    let shop = Shop::open().await;
    let alone = shop.held_alone(700).await;
    shop.alone(&format!("/v1/payment_intents/{alone}/capture"), json!({})).await;
    assert!(shop.alone("/v1/refunds", json!({ "payment_intent": alone })).await.is("succeeded"));
    let ours = shop.captured("700", "pm_card_pendingRefund").await;
    assert!(shop.refund(&ours, "100").await.is("pending"));
}
