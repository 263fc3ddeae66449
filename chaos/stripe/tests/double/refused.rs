//! What Stripe refuses, by its codes.

use crate::shop::Shop;

#[tokio::test]
async fn nobody_comes_in_without_a_key_the_version_and_a_route() {
    let shop = Shop::open().await;
    let url = format!("{}/v1/payment_intents", shop.stripe.url());
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    let version = ("stripe-version", backstitch_stripe_double::VERSION);
    let get = || shop.http.get(&url);
    assert_eq!(status(get().header(version.0, version.1)).await, 401);
    assert_eq!(status(get().header(version.0, version.1).bearer_auth("pk_test_1")).await, 401);
    assert_eq!(status(get().bearer_auth("sk_test_1")).await, 400);
    assert_eq!(status(get().bearer_auth("sk_test_1").header(version.0, "2020-08-27")).await, 400);
    assert_eq!(status(get().bearer_auth("sk_test_1").header(version.0, version.1)).await, 200);
    assert_eq!(shop.get("/v1/payment_intents/pi_1/explode").await.status, 404);
}

#[tokio::test]
async fn a_parameter_that_is_not_known_is_refused_by_name() {
    let shop = Shop::open().await;
    let form = [("amount", "700"), ("currency", "eur"), ("colour", "red")];
    let answer = shop.post("/v1/payment_intents", &form).await;
    assert_eq!(answer.refused(), (400, "parameter_unknown"));
    assert_eq!(answer.body["error"]["param"], "colour");
    assert_eq!(shop.get("/v1/refunds?colour=red").await.refused(), (400, "parameter_unknown"));
}

#[tokio::test]
async fn what_is_not_there_is_missing() {
    let shop = Shop::open().await;
    assert_eq!(shop.get("/v1/payment_intents/pi_none").await.refused(), (404, "resource_missing"));
    assert_eq!(shop.get("/v1/refunds/re_none").await.refused(), (404, "resource_missing"));
    assert_eq!(shop.get("/v1/charges/ch_none").await.refused(), (404, "resource_missing"));
    assert_eq!(shop.act("pi_none", "capture", &[]).await.refused(), (404, "resource_missing"));
    assert_eq!(shop.refund("pi_none", "1").await.refused(), (400, "resource_missing"));
    assert_eq!(
        shop.get("/v1/payment_intents?starting_after=pi_none").await.refused(),
        (400, "resource_missing")
    );
    assert_eq!(shop.get("/v1/payment_intents?limit=101").await.status, 400);
    assert_eq!(shop.get("/v1/payment_intents?limit=100").await.status, 200);
    assert_eq!(shop.get("/v1/payment_intents?expand[]=customer").await.status, 400);
}

#[tokio::test]
async fn money_moves_once_and_one_way() {
    let shop = Shop::open().await;
    let state = (400, "payment_intent_unexpected_state");
    let voided = shop.held("700", "pm_card_visa").await;
    assert!(shop.act(&voided, "cancel", &[]).await.is("canceled"));
    assert_eq!(shop.act(&voided, "capture", &[]).await.refused(), state);
    assert_eq!(shop.act(&voided, "cancel", &[]).await.refused(), state);
    assert_eq!(shop.confirm(&voided, "pm_card_visa").await.refused(), state);
    assert_eq!(shop.refund(&voided, "1").await.refused(), state);
    let captured = shop.captured("700", "pm_card_visa").await;
    assert_eq!(shop.act(&captured, "cancel", &[]).await.refused(), state);
    let again = shop.act(&captured, "capture", &[]).await;
    assert_eq!(again.refused(), state);
    assert_eq!(again.body["error"]["payment_intent"]["status"], "succeeded");
    let open = shop.created("700").await;
    assert_eq!(shop.act(&open, "capture", &[]).await.refused(), state);
    assert_eq!(shop.act(&open, "confirm", &[]).await.refused(), state);
    assert_eq!(shop.control().statement().await.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn amounts_are_bounded_by_what_is_held_and_what_was_captured() {
    let shop = Shop::open().await;
    let id = shop.held("700", "pm_card_visa").await;
    let capture = async |amount| shop.act(&id, "capture", &[("amount_to_capture", amount)]).await;
    assert_eq!(capture("701").await.refused(), (400, "amount_too_large"));
    assert_eq!(capture("0").await.refused(), (400, "parameter_invalid_integer"));
    assert!(capture("600").await.is("succeeded"));
    assert_eq!(shop.refund(&id, "601").await.refused(), (400, "amount_too_large"));
    assert_eq!(shop.refund(&id, "0").await.refused(), (400, "parameter_invalid_integer"));
    assert!(shop.refund(&id, "200").await.is("succeeded"));
    assert_eq!(shop.refund(&id, "401").await.refused(), (400, "amount_too_large"));
    assert!(shop.refund(&id, "400").await.is("succeeded"));
    assert_eq!(shop.refund(&id, "1").await.refused(), (400, "charge_already_refunded"));
    let statement = shop.control().statement().await;
    assert_eq!((statement.accounts[0].kept(), statement.accounts[0].on_hold()), (0, 0));
}

#[tokio::test]
async fn an_intent_that_may_lead_elsewhere_needs_a_way_back() {
    let shop = Shop::open().await;
    let form = [("amount", "700"), ("currency", "eur")];
    let id = shop.post("/v1/payment_intents", &form).await.id().to_owned();
    let answer = shop.confirm(&id, "pm_card_visa").await;
    assert_eq!((answer.status, &answer.body["error"]["param"]), (400, &"return_url".into()));
    let back = [("payment_method", "pm_card_visa"), ("return_url", "https://shop.example/")];
    assert!(shop.act(&id, "confirm", &back).await.is("succeeded"));

    // Where nobody may be sent away, no way back is taken; of cards alone a challenge may do so.
    let never = [
        ("automatic_payment_methods[enabled]", "true"),
        ("automatic_payment_methods[allow_redirects]", "never"),
    ];
    let id = shop.post("/v1/payment_intents", &[&form[..], &never].concat()).await.id().to_owned();
    let answer = shop.act(&id, "confirm", &back).await;
    assert_eq!((answer.status, &answer.body["error"]["param"]), (400, &"return_url".into()));
    assert!(shop.confirm(&id, "pm_card_visa").await.is("succeeded"));
    let cards = [("allowed_payment_method_types[0]", "card")];
    let id = shop.post("/v1/payment_intents", &[&form[..], &cards].concat()).await.id().to_owned();
    assert!(shop.act(&id, "confirm", &back).await.is("succeeded"));
}

#[tokio::test]
async fn an_intent_says_in_one_way_what_it_takes() {
    let shop = Shop::open().await;
    let form = [("amount", "700"), ("currency", "eur"), ("allowed_payment_method_types[0]", "card")];
    let both = [&form[..], &[("automatic_payment_methods[enabled]", "true")]].concat();
    let answer = shop.post("/v1/payment_intents", &both).await;
    assert_eq!(
        (answer.status, &answer.body["error"]["param"]),
        (400, &"allowed_payment_method_types".into())
    );
    let old = [("amount", "700"), ("currency", "eur"), ("payment_method_types[0]", "card")];
    let answer = shop.post("/v1/payment_intents", &old).await;
    assert_eq!(answer.refused(), (400, "payment_method_types_no_longer_supported"));
}
