//! The reconciler beside the orchestrator: a gauge and a line of the log.

use crate::common::{Shop, until};
use crate::rows::{Rows, TOTAL, checkout};

const EVERY: [&str; 2] = ["--reconcile-every", "1s"];

async fn metric(shop: &Shop, name: &str) -> Option<f64> {
    let text = reqwest::get(shop.url("/metrics")).await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

const AT_RISK: &str = "backstitch_money_at_risk_minor{currency=\"GBP\",kind=\"orphan_hold\"}";
const SUCCESS: &str = "reconcile_last_success_timestamp_seconds";

async fn shop_with_an_orphan() -> Shop {
    let mut shop = Shop::stocked().await;
    let sold = checkout(&shop, "sold", "tok_ok").await;
    shop.stop().await;
    let mut rows = Rows::open(&shop.data()).await;
    rows.second_object(&sold, "orphan", false).await;
    rows.close().await;
    shop
}

#[tokio::test]
async fn what_lasts_is_a_gauge_and_one_line_of_the_log() {
    let mut shop = shop_with_an_orphan().await;
    shop.start_with(&EVERY).await;
    let total = f64::from(i32::try_from(TOTAL).unwrap());
    until("the gauge tells it", async || (metric(&shop, AT_RISK).await == Some(total)).then_some(())).await;
    let first = metric(&shop, SUCCESS).await.unwrap();
    until("two more runs", async || (metric(&shop, SUCCESS).await? > first + 2.0).then_some(())).await;
    let log = shop.up().said();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("money at risk")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("ERROR") && lines[0].contains("orphan_hold"), "{log}");
}
