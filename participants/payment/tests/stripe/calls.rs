//! What is sent to Stripe.

use backstitch_proto::money::{Currency, Money};
use participant_payment::gateway::stripe::VERSION;
use participant_payment::gateway::{
    DeclineReason, GatewayError, NewPayment, PaymentGateway as _, PaymentMethod, ProviderId,
};
use uuid::Uuid;

use crate::objects::{INTENT, cancelled, captured, charge, held, intent, refund};
use crate::server::{KEY, Reply, Scripted};

pub(crate) fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, Currency::parse(code).unwrap())
}

pub(crate) fn id() -> ProviderId {
    ProviderId::new(INTENT)
}

pub(crate) fn card() -> PaymentMethod {
    PaymentMethod::new("pm_card_visa")
}

pub(crate) fn new() -> NewPayment {
    NewPayment {
        reference: Uuid::from_u128(7),
        amount: money(1_000, "GBP"),
        saga: Uuid::from_u128(1),
        root: Uuid::from_u128(2),
        order_id: "BS-1".into(),
    }
}

/// The form of a body, decoded and in order of names.
fn form(body: &str) -> Vec<String> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let hex = String::from_utf8(vec![rest.next().unwrap(), rest.next().unwrap()]).unwrap();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
            } else {
                bytes.push(byte);
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let mut pairs: Vec<_> = body.split('&').filter(|pair| !pair.is_empty()).map(decode).collect();
    pairs.sort();
    pairs
}

#[tokio::test]
async fn every_call_bears_the_key_the_version_and_what_makes_it_idempotent() {
    let scripted = Scripted::open(vec![
        Reply::ok(&intent(serde_json::json!({}))),
        Reply::ok(&held()),
        Reply::ok(&captured(1_000, 0)),
        Reply::ok(&cancelled(charge(serde_json::json!({})))),
        Reply::ok(&refund(serde_json::json!({}))),
        Reply::ok(&held()),
    ])
    .await;
    let stripe = &scripted.stripe;
    stripe.create("k/create", &new()).await.unwrap();
    stripe.confirm("k/confirm", &id(), &card()).await.unwrap();
    stripe.capture("k/capture", &id(), money(1_000, "GBP")).await.unwrap();
    stripe.cancel("k/cancel", &id()).await.unwrap();
    stripe.refund("k/refund", &id(), Uuid::from_u128(9), money(300, "GBP")).await.unwrap();
    stripe.read(&id()).await.unwrap();

    let asked = scripted.asked();
    let seen: Vec<_> = asked.iter().map(|a| (a.line.as_str(), a.header("idempotency-key"))).collect();
    let path = format!("/v1/payment_intents/{INTENT}");
    assert_eq!(
        seen,
        [
            ("POST /v1/payment_intents HTTP/1.1", Some("k/create")),
            (&*format!("POST {path}/confirm HTTP/1.1"), Some("k/confirm")),
            (&*format!("POST {path}/capture HTTP/1.1"), Some("k/capture")),
            (&*format!("POST {path}/cancel HTTP/1.1"), Some("k/cancel")),
            ("POST /v1/refunds HTTP/1.1", Some("k/refund")),
            (&*format!("GET {path}?expand[0]=latest_charge HTTP/1.1"), None),
        ]
    );
    for asked in &asked {
        assert_eq!(asked.header("authorization"), Some(&*format!("Bearer {KEY}")));
        assert_eq!(asked.header("stripe-version"), Some(VERSION));
    }
    assert!(!format!("{stripe:?}").contains(KEY), "{stripe:?}");
}

#[tokio::test]
async fn an_intent_is_made_unconfirmed_to_be_captured_by_hand_with_our_ids() {
    let scripted = Scripted::open(vec![Reply::ok(&intent(serde_json::json!({})))]).await;
    scripted.stripe.create("k", &new()).await.unwrap();
    let ids = [("order", "BS-1".to_owned()), ("payment", Uuid::from_u128(7).to_string())];
    let ids = ids
        .into_iter()
        .chain([("root", Uuid::from_u128(2).to_string()), ("saga", Uuid::from_u128(1).to_string())]);
    let mut wanted = vec!["allowed_payment_method_types[0]=card".to_owned(), "amount=1000".to_owned()];
    wanted.extend(["capture_method=manual".into(), "currency=gbp".into(), "expand[0]=latest_charge".into()]);
    wanted.extend(ids.map(|(name, id)| format!("metadata[backstitch_{name}]={id}")));
    assert_eq!(form(&scripted.asked()[0].body), wanted);
}

#[tokio::test]
async fn a_customer_is_sent_back_to_the_shop_or_stays_on_its_page() {
    for (return_url, wanted) in [
        (None, "use_stripe_sdk=true"),
        (Some("https://shop.example/paid?a=b"), "return_url=https://shop.example/paid?a=b"),
    ] {
        let scripted = Scripted::returning(vec![Reply::ok(&held())], return_url).await;
        scripted.stripe.confirm("k", &id(), &card()).await.unwrap();
        let sent = form(&scripted.asked()[0].body);
        let mut all = vec!["expand[0]=latest_charge", "payment_method=pm_card_visa", wanted];
        all.sort_unstable();
        assert_eq!(sent, all);
    }
}

#[tokio::test]
async fn a_part_is_captured_and_given_back_in_stripe_s_units() {
    let yen = |object: serde_json::Value| {
        let mut object = object;
        object["currency"] = "jpy".into();
        object
    };
    let scripted = Scripted::open(vec![
        Reply::ok(&captured(400, 600)),
        Reply::ok(&yen(captured(400, 600))),
        Reply::ok(&refund(serde_json::json!({ "amount": 30_000, "currency": "isk" }))),
    ])
    .await;
    scripted.stripe.capture("a", &id(), money(400, "GBP")).await.unwrap();
    scripted.stripe.capture("b", &id(), money(400, "JPY")).await.unwrap();
    let refunded = scripted.stripe.refund("c", &id(), Uuid::from_u128(9), money(300, "ISK")).await.unwrap();
    assert_eq!(refunded.amount, money(300, "ISK"));
    let sent: Vec<_> = scripted.asked().iter().map(|asked| form(&asked.body)).collect();
    assert!(sent[0].contains(&"amount_to_capture=400".to_owned()), "{:?}", sent[0]);
    assert!(sent[1].contains(&"amount_to_capture=400".to_owned()), "{:?}", sent[1]);
    assert!(sent[2].contains(&"amount=30000".to_owned()), "{:?}", sent[2]);
    assert!(
        sent[2].contains(&format!("metadata[backstitch_refund]={}", Uuid::from_u128(9))),
        "{:?}",
        sent[2]
    );
}

#[tokio::test]
async fn an_amount_that_stripe_cannot_be_told_exactly_is_refused_and_not_sent() {
    let scripted = Scripted::open(vec![]).await;
    for amount in [money(5_124, "KWD"), money(101, "MGA"), money(1_000, "IQD"), money(i64::MAX, "UGX")] {
        let error = scripted.stripe.create("k", &NewPayment { amount, ..new() }).await.unwrap_err();
        let GatewayError::Refused(decline) = error else { panic!("{amount}: {error}") };
        assert_eq!(decline.reason, DeclineReason::AmountNotAllowed, "{amount}");
    }
    for minor in [0, -1, i64::MIN] {
        let amount = money(minor, "GBP");
        let stripe = &scripted.stripe;
        for error in [
            stripe.create("k", &NewPayment { amount, ..new() }).await.unwrap_err(),
            stripe.capture("k", &id(), amount).await.unwrap_err(),
            stripe.refund("k", &id(), Uuid::from_u128(9), amount).await.unwrap_err(),
        ] {
            assert!(matches!(error, GatewayError::Broken(_)), "{amount}: {error}");
        }
    }
    assert_eq!(scripted.asked().len(), 0);
}

#[tokio::test]
async fn a_key_of_255_characters_is_sent_and_one_of_256_is_not() {
    let scripted = Scripted::open(vec![Reply::ok(&held())]).await;
    let longest = "k".repeat(255);
    scripted.stripe.confirm(&longest, &id(), &card()).await.unwrap();
    assert_eq!(scripted.asked()[0].header("idempotency-key"), Some(&*longest));
    for wrong in ["k".repeat(256), String::new(), "a key".into(), "k\r\nX: y".into(), "schlüssel".into()] {
        let error = scripted.stripe.confirm(&wrong, &id(), &card()).await.unwrap_err();
        assert!(matches!(&error, GatewayError::Broken(why) if why.contains("255")), "{error}");
    }
    assert_eq!(scripted.asked().len(), 1);
}

#[tokio::test]
async fn an_id_that_could_name_another_call_is_not_sent() {
    let scripted = Scripted::open(vec![]).await;
    for wrong in
        ["", "pi_", "ch_3Abc", "pi_1/capture", "pi_1?a=b", "pi_1/../pi_2", "pi_1%2Fcancel", "pi_1\r\n"]
    {
        let id = ProviderId::new(wrong);
        for error in [
            scripted.stripe.read(&id).await.unwrap_err(),
            scripted.stripe.cancel("k", &id).await.unwrap_err(),
            scripted.stripe.refunds(&id).await.unwrap_err(),
        ] {
            assert!(matches!(error, GatewayError::Broken(_)), "{wrong}: {error}");
        }
    }
    assert_eq!(scripted.asked().len(), 0);
}
