//! What is concluded when a call goes wrong on its way.

use std::time::Duration;

use participant_payment::gateway::stripe::{BaseUrl, Limits, Settings, Stripe};
use participant_payment::gateway::{Busy, GatewayError, PaymentGateway as _, ProviderState};
use serde_json::json;
use tokio::net::TcpListener;

use crate::calls::{card, id, money, new};
use crate::objects::{cancelled, held};
use crate::server::{KEY, Reply, Scripted};

/// What a capture comes to that meets this, and how often it was sent.
async fn meets(reply: Reply) -> (GatewayError, usize) {
    let scripted = Scripted::open(vec![reply]).await;
    let error = scripted.stripe.capture("k", &id(), money(1_000, "GBP")).await.unwrap_err();
    (error, scripted.asked().len())
}

#[tokio::test]
async fn nobody_at_the_address_is_not_now() {
    let scripted = Scripted::open(vec![]).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = BaseUrl::parse(&format!("http://{free}")).unwrap();
    let stripe = Stripe::new(Settings { url, ..scripted.settings });
    let error = stripe.confirm("k", &id(), &card()).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_up_before_tls_was_sent_nothing() {
    let scripted = Scripted::open(vec![]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = BaseUrl::parse(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
    let hangs_up = tokio::spawn(async move { drop(listener.accept().await) });
    let stripe = Stripe::new(Settings { url, ..scripted.settings });
    let error = stripe.confirm("k", &id(), &card()).await.unwrap_err();
    hangs_up.await.unwrap();
    assert!(matches!(error, GatewayError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_connection_that_ends_after_the_request_says_nothing_and_is_not_tried_again() {
    for reply in [Reply::Close, Reply::BreakOff] {
        let (error, sent) = meets(reply.clone()).await;
        assert!(matches!(error, GatewayError::Unknown(_)), "{reply:?}: {error}");
        assert_eq!(sent, 1, "{reply:?}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_says_nothing_and_is_not_waited_for_for_ever() {
    let scripted = Scripted::open(vec![Reply::Hang]).await;
    let limits = Limits { total: Duration::from_millis(50), ..scripted.settings.limits };
    let stripe = Stripe::new(Settings { limits, ..scripted.settings.clone() });
    let error = stripe.capture("k", &id(), money(1_000, "GBP")).await.unwrap_err();
    assert!(matches!(&error, GatewayError::Unknown(why) if why.contains("50ms")), "{error}");
}

#[tokio::test]
async fn a_rate_limit_tells_when_to_come_back() {
    let limited = Reply::error(429, json!({ "type": "invalid_request_error", "code": "rate_limit" }));
    for (reply, wanted) in [
        (limited.clone().with("Retry-After", "7"), Some(7)),
        (limited.clone().with("Retry-After", "999999999"), Some(3_600)),
        (limited.clone().with("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"), None),
        (limited, None),
    ] {
        let (error, sent) = meets(reply).await;
        let GatewayError::Unavailable { busy, .. } = error else { panic!("{error}") };
        assert_eq!((busy, sent), (wanted.map(Duration::from_secs).map(Busy::Account), 1));
    }
}

#[tokio::test]
async fn a_stored_error_says_nothing() {
    let stored = Reply::error(500, json!({ "type": "api_error" })).with("Idempotent-Replayed", "true");
    let (error, sent) = meets(stored).await;
    assert!(matches!(error, GatewayError::Unknown(_)), "{error}");
    assert_eq!(sent, 1);
}

#[tokio::test]
async fn an_end_whose_key_is_used_up_by_a_stored_error_is_asked_for_under_the_next_one() {
    let trouble = || Reply::error(500, json!({ "type": "api_error" }));
    let stored = || trouble().with("Idempotent-Replayed", "true");
    let ended = Reply::ok(&cancelled(serde_json::Value::Null));
    let scripted = Scripted::open(vec![stored(), stored(), ended]).await;
    let seen = scripted.stripe.cancel("k", &id()).await.unwrap();
    assert_eq!(seen.state, ProviderState::Cancelled);
    let keys: Vec<_> =
        scripted.asked().iter().map(|a| a.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(keys, ["k", "k/2", "k/3"]);

    // The first time it may have been executed; and not every key is tried.
    for (replies, sent) in [(vec![trouble()], 1), (vec![stored(), trouble()], 2), (vec![stored(); 4], 4)] {
        let scripted = Scripted::open(replies).await;
        let error = scripted.stripe.cancel("k", &id()).await.unwrap_err();
        assert!(matches!(error, GatewayError::Unknown(_)), "{error}");
        assert_eq!(scripted.asked().len(), sent);
    }
}

#[tokio::test]
async fn what_a_proxy_says_says_nothing() {
    for status in [403, 404, 429, 502] {
        let body = "<html>Forbidden</html>".to_owned();
        let (error, _) = meets(Reply::Answer { status, headers: vec![], body }).await;
        assert!(matches!(error, GatewayError::Unknown(_)), "{status}: {error}");
    }
}

#[tokio::test]
async fn an_answer_is_read_up_to_the_limit_and_not_one_byte_more() {
    const MOST: usize = 8 << 20;
    let long = |bytes: usize| {
        let mut body = held().to_string();
        body.push_str(&" ".repeat(bytes - body.len()));
        Reply::Answer { status: 200, headers: vec![], body }
    };
    let scripted = Scripted::open(vec![long(MOST)]).await;
    assert!(scripted.stripe.capture("k", &id(), money(1_000, "GBP")).await.is_ok());
    let (error, sent) = meets(long(MOST + 1)).await;
    assert!(matches!(&error, GatewayError::Unknown(why) if why.contains("length limit")), "{error}");
    assert_eq!(sent, 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let to = Reply::Answer {
        status: 307,
        headers: vec![("Location", "http://127.0.0.1:1/".into())],
        body: String::new(),
    };
    let (error, sent) = meets(to).await;
    assert!(matches!(&error, GatewayError::Broken(why) if why.contains("--stripe-url")), "{error}");
    assert_eq!(sent, 1);
}

#[tokio::test]
async fn an_answer_of_another_version_calls_a_person() {
    let (error, _) = meets(Reply::ok(&held()).with("Stripe-Version", "2019-01-01")).await;
    assert!(matches!(&error, GatewayError::Broken(why) if why.contains("2019-01-01")), "{error}");
}

#[tokio::test]
async fn a_success_that_is_no_object_calls_a_person() {
    for body in ["", "null", "<html>Welcome</html>", "{\"id\": \"pi_1\"}", "\u{fffd}"] {
        let (error, sent) = meets(Reply::Answer { status: 200, headers: vec![], body: body.into() }).await;
        assert!(matches!(error, GatewayError::Broken(_)), "{body}: {error}");
        assert_eq!(sent, 1);
    }
}

#[tokio::test]
async fn nothing_that_was_sent_comes_back_in_an_error() {
    let number = "4242424242424242";
    let told = json!({
        "type": "invalid_request_error", "code": "resource_missing", "param": "payment_method",
        "message": format!("No such PaymentMethod: '{number}'; the key was {KEY}"),
    });
    for status in [400, 401, 402, 403, 404, 409, 500] {
        let read = Reply::ok(&held());
        let scripted = Scripted::open(vec![Reply::error(status, told.clone()), read]).await;
        let method = participant_payment::gateway::PaymentMethod::new(number);
        let error = scripted.stripe.confirm("k", &id(), &method).await;
        let printed = format!("{error:?}");
        assert!(!printed.contains(number) && !printed.contains(KEY), "{printed}");
    }
    let scripted = Scripted::open(vec![Reply::error(401, told)]).await;
    let error = scripted.stripe.create("k", &new()).await.unwrap_err().to_string();
    assert!(
        error.contains("--stripe-key-file") && error.contains("req_7") && !error.contains(KEY),
        "{error}"
    );
}
