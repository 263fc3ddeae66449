//! The reconciler beside the orchestrator: a gauge, a line of the log, and repairs.

use std::os::unix::process::ExitStatusExt as _;

use serde_json::Value;

use crate::common::{Shop, until};
use crate::rows::{Bank, TOTAL, checkout};

const EVERY: [&str; 4] = ["--reconcile-every", "1s", "--reconcile-grace", "0s"];
const REPAIR: [&str; 5] = ["--reconcile-every", "1s", "--reconcile-grace", "0s", "--reconcile-repair"];

async fn metric(shop: &Shop, name: &str) -> Option<f64> {
    let text = reqwest::get(shop.url("/metrics")).await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

const SUCCESS: &str = "reconcile_last_success_timestamp_seconds";

/// What the gauge of a kind shows.
async fn at_risk(shop: &Shop, kind: &str) -> Option<f64> {
    metric(shop, &format!("backstitch_money_at_risk_minor{{currency=\"GBP\",kind=\"{kind}\"}}")).await
}

fn total() -> f64 {
    f64::from(i32::try_from(TOTAL).unwrap())
}

/// Waits until the gauge of a kind shows this.
async fn shows(shop: &Shop, kind: &str, minor: f64) {
    let what = format!("the gauge of {kind} is {minor}");
    until(&what, async || (at_risk(shop, kind).await == Some(minor)).then_some(())).await;
}

/// Waits until it has run twice from now on.
async fn two_more_runs(shop: &Shop) {
    let mut last = until("a run", async || metric(shop, SUCCESS).await).await;
    for _ in 0..2 {
        last = until("one more run", async || metric(shop, SUCCESS).await.filter(|at| *at > last)).await;
    }
}

/// Every repair saga that there is: id and status.
async fn repairs(shop: &Shop) -> Vec<(String, String)> {
    let listed = shop.get("/operator/v1/sagas?page_size=500").await.ok();
    let text = |saga: &Value, key: &str| saga[key].as_str().unwrap().to_owned();
    let sagas = listed.body["sagas"].as_array().unwrap().iter();
    let repairs = sagas.filter(|saga| saga["definition"] == "repair");
    repairs.map(|saga| (text(saga, "saga_id"), text(saga, "status"))).collect()
}

/// Another object of a sold checkout, which nobody asked for.
async fn plant(shop: &Shop, sold: &str, id: &str, is_captured: bool) {
    let mut bank = Bank::open(&shop.data()).await;
    bank.second_object(sold, id, is_captured).await;
    bank.close().await;
}

#[tokio::test]
async fn what_lasts_is_a_gauge_and_one_line_of_the_log() {
    let mut shop = Shop::stocked().await;
    let sold = checkout(&shop, "sold", "tok_ok").await;
    shop.stop().await;
    plant(&shop, &sold, "orphan", false).await;
    // By the usual grace what has just been made is no risk yet; the gauge tells without any.
    shop.start_with(&EVERY[..2]).await;
    two_more_runs(&shop).await;
    assert_eq!(at_risk(&shop, "orphan_hold").await, None);
    shop.stop().await;
    shop.start_with(&EVERY).await;
    shows(&shop, "orphan_hold", total()).await;
    two_more_runs(&shop).await;
    let log = shop.up().said();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("money at risk")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("ERROR") && lines[0].contains("orphan_hold"), "{log}");
    assert_eq!(repairs(&shop).await, [], "it was not told to repair");
}

/// Told to repair, it takes back what is nobody's, once, although it dies between the provider and the record of it.
#[tokio::test]
async fn told_to_repair_it_does_so_once_whenever_it_dies() {
    let mut shop = Shop::stocked().await;
    let sold = checkout(&shop, "sold", "tok_ok").await;
    for (nth, (kind, is_captured, place)) in
        [("orphan_hold", false, "payment.after_cancel"), ("captured_twice", true, "payment.after_refund")]
            .into_iter()
            .enumerate()
    {
        shop.stop().await;
        plant(&shop, &sold, kind, is_captured).await;
        // Found, run after run, and only that.
        shop.start_with(&EVERY).await;
        shows(&shop, kind, total()).await;
        two_more_runs(&shop).await;
        assert_eq!((at_risk(&shop, kind).await, repairs(&shop).await.len()), (Some(total()), nth));
        shop.stop().await;

        let mut dies = shop.spawn_with(&REPAIR, &[("BACKSTITCH_FAILPOINTS", &format!("{place}=abort"))]);
        assert_eq!(dies.ended().await.signal(), Some(9), "{}", dies.said());
        shop.start_with(&REPAIR).await;
        let ended = async || {
            let all = repairs(&shop).await;
            all.iter().all(|(_, status)| status == "completed").then_some(all.len())
        };
        assert_eq!(until("the repair has ended", ended).await, nth + 1);
        two_more_runs(&shop).await;
        assert_eq!(repairs(&shop).await.len(), nth + 1, "{kind} was repaired again");
    }
    let mut bank = Bank::open(&shop.data()).await;
    let held = format!("created 0, authorized {TOTAL}");
    assert_eq!(bank.statement("orphan_hold").await, format!("{held}, voided {TOTAL}"));
    assert_eq!(bank.statement("captured_twice").await, format!("{held}, captured {TOTAL}, refunded {TOTAL}"));
    let own = bank.own_object(&sold).await;
    let sale = format!("created {TOTAL}, authorized {TOTAL}, captured {TOTAL}");
    assert_eq!(bank.statement(&own).await, sale, "the sale itself was touched");

    // And while it runs: the gauge rises, and falls by itself.
    bank.second_object(&sold, "another", false).await;
    shows(&shop, "orphan_hold", total()).await;
    shows(&shop, "orphan_hold", 0.0).await;
    assert_eq!(bank.statement("another").await, format!("{held}, voided {TOTAL}"));
    bank.close().await;
    assert_eq!(shop.differences().await, Vec::<Value>::new());
}
