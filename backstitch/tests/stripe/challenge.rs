//! 3-D Secure: the customer finishes, and return, webhook and polling may each tell, in any order and number.

use std::time::{SystemTime, UNIX_EPOCH};

use backstitch_core::Timestamp;

use crate::common::until;
use crate::scene::{Scene, Word, is_refused};

const HELD: &str = "payment_intent.amount_capturable_updated";

#[tokio::test]
async fn asking_alone_is_enough() {
    let mut scene = Scene::open(Word::None).await;
    let (id, intent) = scene.challenged("asks").await;
    let waiting = scene.shop.reaches(&id, &["waiting"]).await;
    assert_eq!(waiting.text("/next_action/kind"), "redirect");
    assert!(waiting.text("/next_action/url").contains(&intent), "{waiting:?}");
    scene.control().customer(&intent, true).await.unwrap();
    let done = scene.shop.rested(&id).await;
    assert_eq!((done.text("/status"), done.body.get("next_action")), ("completed", None));
    scene.close().await;
}

#[tokio::test]
async fn a_webhook_alone_wakes_before_it_is_asked_again() {
    let mut scene = Scene::open(Word::Held).await;
    // A machine that stands still may have it asked before it is told; once is enough.
    for nth in 0..5 {
        let (id, intent) = scene.challenged(&format!("told-{nth}")).await;
        let again = until("it is asked so rarely that the next time is seconds away", async || {
            let saga = scene.shop.saga(&id).await.body.to_string();
            let soon = time(unix_ms(SystemTime::now()) + 2_500);
            let (_, again) = saga.split_once("called again at ")?;
            (again[..soon.len()] > soon[..]).then(|| again[..soon.len()].to_owned())
        })
        .await;
        scene.control().customer(&intent, true).await.unwrap();
        let held = scene.event(&intent, HELD).await;
        scene.deliver(&[&held]).await;
        assert_eq!(scene.shop.rested(&id).await.text("/status"), "completed");
        let saga = scene.shop.saga(&id).await;
        let steps = saga.body["steps"].as_array().unwrap();
        let authorized = steps.iter().find(|step| step["name"] == "authorize_payment").unwrap();
        if time(authorized["settled_at_unix_ms"].as_i64().unwrap()) < again {
            scene.close().await;
            return;
        }
    }
    panic!("nobody was woken by a webhook");
}

/// As the operator's view writes it.
fn time(unix_ms: i64) -> String {
    Timestamp(unix_ms).to_string()
}

fn unix_ms(at: SystemTime) -> i64 {
    i64::try_from(at.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[tokio::test]
async fn the_page_of_the_bank_leads_back_and_the_return_wakes() {
    let mut scene = Scene::open(Word::None).await;
    let (id, _) = scene.challenged("returns").await;
    let page = scene.shop.reaches(&id, &["waiting"]).await.text("/next_action/url").to_owned();
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let sent = browser.get(format!("{page}?outcome=succeed")).send().await.unwrap();
    assert!(sent.headers()["location"].to_str().unwrap().starts_with("http://127.0.0.1:9/paid?"));
    scene.shop.post(&format!("/api/v1/checkouts/{id}/wake")).await.ok();
    assert_eq!(scene.shop.rested(&id).await.text("/status"), "completed");
    scene.close().await;
}

#[tokio::test]
async fn return_and_webhook_may_come_in_any_order_and_number() {
    let mut scene = Scene::open(Word::Held).await;
    for order in ["webhook first", "return first", "both twice"] {
        let (id, intent) = scene.challenged(&order.replace(' ', "-")).await;
        let asked = scene.event(&intent, "payment_intent.requires_action").await;
        scene.control().customer(&intent, true).await.unwrap();
        let held = scene.event(&intent, HELD).await;
        let wake = format!("/api/v1/checkouts/{id}/wake");
        match order {
            "webhook first" => {
                scene.deliver(&[&held]).await;
                scene.shop.post(&wake).await;
            }
            "return first" => {
                scene.shop.post(&wake).await.ok();
                scene.deliver(&[&asked, &held]).await;
            }
            _ => {
                scene.shop.post(&wake).await.ok();
                scene.deliver(&[&held, &asked, &held]).await;
                scene.shop.post(&wake).await;
                scene.deliver(&[&held]).await;
            }
        }
        let done = scene.shop.rested(&id).await;
        assert_eq!(done.text("/status"), "completed", "{order}: {done:?}");
        // All of it again, long after.
        let captured = scene.event(&intent, "payment_intent.succeeded").await;
        scene.deliver(&[&captured, &held, &asked, &captured]).await;
    }
    scene.close().await;
}

#[tokio::test]
async fn who_fails_to_prove_it_is_refused_and_nothing_is_held() {
    let mut scene = Scene::open(Word::Held).await;
    let (id, intent) = scene.challenged("fails").await;
    scene.control().customer(&intent, false).await.unwrap();
    let failed = scene.event(&intent, "payment_intent.payment_failed").await;
    scene.deliver(&[&failed, &failed]).await;
    is_refused(&scene.shop.rested(&id).await, "AUTHENTICATION_FAILED");
    assert_eq!(scene.account(&id).await.movements, []);
    // Nor can it be tried again.
    assert!(scene.control().customer(&intent, true).await.is_err());
    scene.close().await;
}

#[tokio::test]
async fn who_is_given_up_cannot_finish_later_and_sees_why() {
    let mut scene = Scene::open_with(Word::Held, &["--customer-wait", "2s"]).await;
    let (id, intent) = scene.challenged("late").await;
    let why = "CUSTOMER_DID_NOT_FINISH";
    is_refused(&scene.shop.rested(&id).await, why);
    assert!(scene.control().customer(&intent, true).await.is_err());
    // Its return wakes nobody and shows the same.
    let woken = scene.shop.post(&format!("/api/v1/checkouts/{id}/wake")).await;
    assert!(woken.status < 500, "{woken:?}");
    is_refused(&scene.shop.get(&format!("/api/v1/checkouts/{id}")).await, why);
    // Whatever Stripe still has to tell changes nothing.
    let asked = scene.event(&intent, "payment_intent.requires_action").await;
    let canceled = scene.event(&intent, "payment_intent.canceled").await;
    scene.deliver(&[&canceled, &asked]).await;
    scene.close().await;
}
