//! Returns, whose money goes back through Stripe: at once, later, not at all, or so it seemed.

use std::time::{Duration, Instant};

use backstitch_stripe_double::Moved;
use serde_json::{Value, json};

use crate::common::{Answer, until};
use crate::reconcile::{said, told};
use crate::scene::{Scene, Word, is_refused};

/// Two `A` and their shipping.
const TOTAL: i64 = 1_395;

async fn bought(scene: &mut Scene, cart: &str, card: &str) -> Answer {
    let done = scene.check_out(cart, card).await;
    assert_eq!((done.text("/status"), done.int("/total/amount_minor")), ("completed", TOTAL), "{done:?}");
    done
}

fn one() -> Value {
    json!({"items": [{"sku": "A", "quantity": 1}]})
}

/// What Stripe has kept of a checkout.
async fn kept(scene: &Scene, checkout: &Answer) -> i64 {
    scene.account(checkout.text("/checkout_id")).await.kept()
}

#[tokio::test]
async fn a_whole_order_comes_back_and_its_money_goes_back_once() {
    let mut scene = Scene::open(Word::Sent).await;
    let order = bought(&mut scene, "whole", "pm_card_visa").await;
    let back = scene.give_back(&order, "r", &json!({})).await;
    assert_eq!((back.text("/status"), back.int("/refund/amount_minor")), ("completed", TOTAL), "{back:?}");
    assert_eq!(kept(&scene, &order).await, 0);
    assert_eq!(scene.shop.stock("A").await, (100, 0, 0));
    scene.refunds(&order, 1).await;
    // The same key again is the same return, another one finds nothing left.
    let again = scene.begin_return(&order, "r", &json!({})).await;
    assert_eq!(again.text("/return_id"), back.text("/return_id"));
    is_refused(&scene.give_back(&order, "r2", &one()).await, "NOTHING_LEFT");
    scene.close().await;
}

#[tokio::test]
async fn two_parts_add_up_to_the_whole() {
    let mut scene = Scene::open(Word::None).await;
    let order = bought(&mut scene, "parts", "pm_card_visa").await;
    let first = scene.give_back(&order, "r1", &one()).await;
    assert_eq!((first.text("/status"), first.int("/refund/amount_minor")), ("completed", 500), "{first:?}");
    assert_eq!(kept(&scene, &order).await, TOTAL - 500);
    let rest = scene.give_back(&order, "r2", &json!({})).await;
    assert_eq!((rest.text("/status"), rest.int("/refund/amount_minor")), ("completed", 895), "{rest:?}");
    let account = scene.account(order.text("/checkout_id")).await;
    let given: Vec<_> =
        account.movements.iter().filter(|m| m.what == Moved::Refunded).map(|m| m.amount).collect();
    assert_eq!((given, account.kept()), (vec![500, 895], 0));
    scene.close().await;
}

/// A return whose bank takes its time, once it is asked so rarely that the next time is ten seconds away.
async fn waited_for(scene: &mut Scene, order: &Answer, key: &str) -> Answer {
    let begun = scene.begin_return(order, key, &json!({})).await;
    until("the refund has been asked for eight times", async || {
        let saga = scene.shop.saga(begun.text("/return_id")).await;
        let steps = saga.body["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["name"] == "refund_payment").unwrap();
        (step["attempts"].as_u64().unwrap() >= 8 && step["forward"] == "backing off").then_some(())
    })
    .await;
    begun
}

#[tokio::test]
async fn a_refund_that_its_bank_decides_later_ends_its_return_when_the_webhook_says_so() {
    let mut scene = Scene::open(Word::Held).await;
    for (cart, succeeds) in [("later", true), ("never", false)] {
        let order = bought(&mut scene, cart, "pm_card_pendingRefund").await;
        let begun = waited_for(&mut scene, &order, cart).await;
        // What it has claimed is nobody else's meanwhile.
        let meanwhile = scene.give_back(&order, &format!("{cart}-meanwhile"), &one()).await;
        is_refused(&meanwhile, "NOTHING_LEFT");
        let report = said(&scene, &["--grace", "0s"]).await;
        assert_eq!(told(&report), Vec::<String>::new(), "it is no trouble: {report:#}");
        let refund = scene.refunds(&order, 1).await.remove(0);
        scene.control().refund(&refund, succeeds).await.unwrap();
        let intent = scene.account(order.text("/checkout_id")).await.intent;
        let told = scene.event(&intent, "refund.updated").await;
        let at = Instant::now();
        scene.deliver(&[&told]).await;
        let ended = scene.returned(&order, &begun, &["completed", "compensated", "parked"]).await;
        assert!(at.elapsed() < Duration::from_secs(10), "it was not woken: {:?}", at.elapsed());
        if succeeds {
            assert_eq!(ended.text("/status"), "completed", "{ended:?}");
            assert_eq!(kept(&scene, &order).await, 0);
            continue;
        }
        is_refused(&ended, "REFUND_FAILED");
        assert_eq!(kept(&scene, &order).await, TOTAL);
        // What it had claimed is free again.
        let next = scene.begin_return(&order, "again", &json!({})).await;
        let refund = scene.refunds(&order, 2).await.remove(1);
        scene.control().refund(&refund, true).await.unwrap();
        let ended = scene.returned(&order, &next, &["completed", "compensated", "parked"]).await;
        assert_eq!(ended.text("/status"), "completed", "{ended:?}");
    }
    scene.close().await;
}

#[tokio::test]
async fn a_refund_that_stripe_refuses_at_once_takes_its_return_back() {
    let mut scene = Scene::open(Word::None).await;
    let order = bought(&mut scene, "disputed", "pm_card_createDispute").await;
    for key in ["r1", "r2"] {
        let back = scene.give_back(&order, key, &json!({})).await;
        is_refused(&back, "REFUND_FAILED");
        assert_eq!(back.text("/refusal/step"), "refund_payment", "{back:?}");
    }
    assert_eq!((kept(&scene, &order).await, scene.shop.stock("A").await), (TOTAL, (98, 0, 2)));
    // Not closed as the others are: the dispute itself is a finding.
    let (report, intent) =
        (said(&scene, &["--grace", "0s"]).await, scene.account(order.text("/checkout_id")).await.intent);
    assert_eq!(told(&report), [format!("disputed {TOTAL} {intent} person")], "{report:#}");
    assert_eq!(scene.control().statement().await.violations(), Vec::<String>::new());
    scene.shop.stop().await;
    let (audit, report) = scene.shop.audit();
    assert_eq!((audit.code, &report["violations"]), (Some(0), &json!([])), "{report:#}");
}

#[tokio::test]
async fn a_refund_that_fails_after_all_is_a_case_until_a_person_has_settled_it() {
    let mut scene = Scene::open(Word::Held).await;
    let order = bought(&mut scene, "fails", "pm_card_refundFail").await;
    let back = scene.give_back(&order, "r", &json!({})).await;
    assert_eq!(back.text("/status"), "completed", "{back:?}");
    let page = format!("/api/v1/orders/{}", order.text("/order_id"));
    assert_eq!(scene.shop.get(&page).await.text("/returns/0/refund_status"), "done");

    let refund = scene.refunds(&order, 1).await.remove(0);
    scene.control().refund(&refund, false).await.unwrap();
    let intent = scene.account(order.text("/checkout_id")).await.intent;
    let told = scene.event(&intent, "refund.failed").await;
    scene.deliver(&[&told, &told]).await;
    let open = until("a case is open", async || {
        let open = scene.shop.get("/operator/v1/cases?open=true").await.ok();
        (open.body["cases"].as_array().unwrap().len() == 1).then_some(open)
    })
    .await;
    assert_eq!(open.int("/cases/0/amount/amount_minor"), TOTAL, "{open:?}");
    let shown = scene.shop.get(&page).await.ok();
    let returned = (shown.text("/returns/0/status"), shown.text("/returns/0/refund_status"));
    assert_eq!(returned, ("completed", "failed"), "{shown:?}");

    let sagas = async |status: &str| {
        let path = format!("/operator/v1/sagas?definition=refund_case&status={status}");
        scene.shop.get(&path).await.ok().body["sagas"].as_array().unwrap().len()
    };
    until("the case is parked", async || (sagas("parked").await == 1).then_some(())).await;
    let path = format!("/operator/v1/cases/{}/resolution", open.text("/cases/0/case_id"));
    let resolution = json!({"resolution": "paid by bank transfer 4711"});
    scene.shop.send(scene.shop.request(reqwest::Method::POST, &path).json(&resolution)).await.ok();
    until("the case has ended", async || (sagas("completed").await == 1).then_some(())).await;
    assert_eq!(scene.shop.get("/operator/v1/cases?open=true").await.body, json!({"cases": []}));
    assert_eq!(kept(&scene, &order).await, TOTAL, "what the person did is not Stripe's to know");
}
