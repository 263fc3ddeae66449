//! Stripe's lists, page by page.

use participant_payment::gateway::{
    GatewayError, PaymentGateway as _, ProviderId, ProviderState, RefundState,
};
use serde_json::json;
use uuid::Uuid;

use crate::calls::{id, money};
use crate::objects::{CREATED, INTENT, captured, intent, list, refund};
use crate::server::{Reply, Scripted};

#[tokio::test]
async fn refunds_are_read_to_the_last_page_and_shown_oldest_first() {
    let numbered = |n: u128| {
        let metadata = json!({ "backstitch_refund": Uuid::from_u128(n) });
        refund(json!({ "id": format!("re_{n}"), "metadata": metadata }))
    };
    let foreign = refund(json!({ "id": "re_1", "metadata": {} }));
    let scripted = Scripted::open(vec![
        Reply::ok(&list(vec![numbered(4), numbered(3)], true)),
        Reply::ok(&list(vec![numbered(2), foreign], false)),
    ])
    .await;
    let refunds = scripted.stripe.refunds(&id()).await.unwrap();
    let seen: Vec<_> = refunds.iter().map(|r| (r.id.as_str(), r.reference.map(|id| id.as_u128()))).collect();
    assert_eq!(seen, [("re_1", None), ("re_2", Some(2)), ("re_3", Some(3)), ("re_4", Some(4))]);
    let lines: Vec<_> = scripted.asked().into_iter().map(|asked| asked.line).collect();
    let first = format!("GET /v1/refunds?limit=100&payment_intent={INTENT} HTTP/1.1");
    let second = format!("GET /v1/refunds?limit=100&payment_intent={INTENT}&starting_after=re_3 HTTP/1.1");
    assert_eq!(lines, [first, second]);
}

#[tokio::test]
async fn every_intent_is_listed_with_our_ids_and_its_refunds() {
    let working = intent(json!({ "id": "pi_3", "status": "processing", "metadata": {} }));
    let mut disputed = captured(1_000, 300);
    disputed["latest_charge"]["disputed"] = json!(true);
    let scripted = Scripted::open(vec![
        Reply::ok(&list(vec![working, intent(json!({ "id": "pi_2" }))], true)),
        Reply::ok(&list(vec![disputed], false)),
        Reply::ok(&list(vec![refund(json!({}))], false)),
    ])
    .await;
    let from_ms = CREATED * 1_000 + 999;
    let first = scripted.stripe.list(from_ms, None).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("pi_2"));
    let [foreign, ours] = first.objects.as_slice() else { panic!("{first:?}") };
    assert_eq!((foreign.saga, foreign.object.reference, foreign.order_id.as_str()), (None, None, ""));
    assert_eq!(foreign.object.state, ProviderState::Created, "it holds nothing yet");
    assert_eq!((ours.saga, ours.object.reference), (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(7))));
    assert_eq!((ours.order_id.as_str(), ours.created_at_ms), ("BS-1", CREATED * 1_000));

    let second = scripted.stripe.list(from_ms, first.next.as_deref()).await.unwrap();
    assert_eq!(second.next, None);
    let [refunded] = second.objects.as_slice() else { panic!("{second:?}") };
    assert_eq!((refunded.object.captured_minor, refunded.object.refunded_minor), (1_000, 300));
    assert!(refunded.disputed && !ours.disputed && !foreign.disputed);
    let refunds: Vec<_> = refunded.refunds.iter().map(|r| (r.reference, r.amount, r.state)).collect();
    assert_eq!(refunds, [(Some(Uuid::from_u128(9)), money(300, "GBP"), RefundState::Succeeded)]);

    let lines: Vec<_> = scripted.asked().into_iter().map(|asked| asked.line).collect();
    let query = format!("created[gte]={CREATED}&expand[0]=data.latest_charge&limit=100");
    assert_eq!(lines[0], format!("GET /v1/payment_intents?{query} HTTP/1.1"));
    assert_eq!(lines[1], format!("GET /v1/payment_intents?{query}&starting_after=pi_2 HTTP/1.1"));
    assert!(scripted.is_done());
}

/// An account may have other users than this shop.
#[tokio::test]
async fn what_somebody_else_made_and_we_cannot_read_hides_nothing_else_and_what_is_ours_is_an_error() {
    let strange = |over: serde_json::Value| {
        let mut strange = intent(json!({ "id": "pi_9" }));
        strange.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        strange
    };
    // A shape of its own, a currency that we do not know, a charge that is not shown, a status of tomorrow, refunds that
    // cannot be read.
    let of_five = [
        (json!({ "amount": "a lot" }), "no payment intent"),
        (json!({ "currency": "xts" }), "xts"),
        (json!({ "status": "succeeded", "latest_charge": "ch_9" }), "ch_9"),
        (json!({ "status": "melted" }), "melted"),
        (captured(1_000, 300), "vapour"),
    ];
    for (over, word) in of_five {
        for is_ours in [false, true] {
            let mut row = strange(over.clone());
            row["id"] = json!("pi_9");
            if !is_ours {
                row["metadata"] = json!({ "shop": "another" });
            }
            let mut replies = vec![Reply::ok(&list(vec![intent(json!({ "id": "pi_2" })), row], true))];
            if word == "vapour" {
                replies.push(Reply::ok(&list(vec![refund(json!({ "status": "vapour" }))], false)));
            }
            let page = Scripted::open(replies).await.stripe.list(0, None).await;
            let why = match (is_ours, page) {
                (false, Ok(page)) => {
                    let seen: Vec<_> = page.objects.iter().map(|listed| listed.object.id.as_str()).collect();
                    assert_eq!((seen, page.next.as_deref()), (vec!["pi_2"], Some("pi_9")), "{word}");
                    let [one] = page.unreadable.as_slice() else { panic!("{word}: {:?}", page.unreadable) };
                    assert_eq!(one.id, "pi_9");
                    one.why.clone()
                }
                (true, Err(GatewayError::Broken(why))) => why,
                (_, other) => panic!("{word}, ours {is_ours}: {other:?}"),
            };
            assert!(why.to_lowercase().contains(word), "{why}");
        }
    }
}

/// That the refunds of a foreign object could not be had is no reason to say that they cannot be read.
#[tokio::test]
async fn a_list_that_was_not_answered_whole_is_none() {
    let mut foreign = captured(1_000, 300);
    foreign["metadata"] = json!({});
    let replies = vec![Reply::ok(&list(vec![foreign], false)), Reply::Close];
    let error = Scripted::open(replies).await.stripe.list(0, None).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unknown(_)), "{error}");
    let nameless = Reply::ok(&list(vec![json!({ "object": "payment_intent", "metadata": {} })], false));
    let error = Scripted::open(vec![nameless]).await.stripe.list(0, None).await.unwrap_err();
    assert!(matches!(error, GatewayError::Broken(_)), "{error}");
}

#[tokio::test]
async fn a_page_that_is_none_is_not_asked_for() {
    let scripted = Scripted::open(vec![]).await;
    let error = scripted.stripe.list(0, Some("tomorrow")).await.unwrap_err();
    assert!(matches!(error, GatewayError::Broken(_)), "{error}");
}

/// By its id an intent is shown as the list shows it, and only Stripe's own word says that there is none.
#[tokio::test]
async fn an_intent_is_found_by_its_id_as_it_is_listed() {
    let scripted = Scripted::open(vec![
        Reply::ok(&captured(1_000, 300)),
        Reply::ok(&list(vec![refund(json!({}))], false)),
        Reply::ok(&intent(json!({ "status": "processing" }))),
        Reply::error(404, json!({ "type": "invalid_request_error", "code": "resource_missing" })),
        Reply::error(404, json!({ "type": "invalid_request_error" })),
        Reply::said(404, &json!("a proxy's")),
        Reply::error(400, json!({ "type": "invalid_request_error", "code": "resource_missing" })),
        Reply::Close,
    ])
    .await;
    let refunded = scripted.stripe.find(&id()).await.unwrap().unwrap();
    assert_eq!((refunded.object.refunded_minor, refunded.refunds.len()), (300, 1));
    assert_eq!((refunded.saga, refunded.created_at_ms), (Some(Uuid::from_u128(1)), CREATED * 1_000));
    let working = scripted.stripe.find(&id()).await.unwrap().unwrap();
    assert_eq!(working.object.state, ProviderState::Created, "it holds nothing yet");
    assert_eq!(scripted.stripe.find(&id()).await, Ok(None));
    for what in ["no code", "a proxy", "another status", "silence"] {
        assert!(scripted.stripe.find(&id()).await.is_err(), "{what}");
    }
    assert!(scripted.is_done());
    assert_eq!(scripted.stripe.find(&ProviderId::new("sbx_1")).await, Ok(None), "which is not asked");
    assert!(scripted.asked()[0].line.starts_with(&format!("GET /v1/payment_intents/{INTENT}?")));
}
