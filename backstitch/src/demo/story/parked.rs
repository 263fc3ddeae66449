//! An undo that cannot be done for now: it parks, the others go on, a person resumes it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{ada, fill, until_final, word};
use crate::demo::shop::Shop;
use crate::demo::timeline::Timeline;

pub(super) async fn undo(shop: &mut Shop, timeline: &mut Timeline) -> anyhow::Result<Value> {
    timeline.scene(
        "An undo that fails three times",
        "The capture is declined, and the bank is down when its hold is to be let go. The demo parks after three tries.",
    );
    fill(shop, "joe", json!([{ "sku": "POT", "quantity": 1 }])).await?;
    let started = shop.check_out("joe-1", 20, &ada("joe", "tok_void_fails_3")).await?;
    ensure!(started.status.is_success(), "starting: {}", started.problem());
    let id = word(&started.body, "checkout_id").to_owned();
    let parked = until_final(shop, &id).await?;
    let saga = until_alone(shop, &id).await?;
    let before = shop.records(&id).await?;
    timeline.saga(&before);
    ensure!(word(&parked, "status") == "parked", "should be parked: {parked}");
    let cart = shop.cart("joe").await?;
    ensure!(word(&cart.body, "held_by").is_empty(), "one parked undo keeps the cart: {}", cart.body);
    timeline.note(&format!("             the operator reads: {}", word(&saga, "explanation")));
    timeline.good("cart and goods are back, one hold is left, and nothing is dropped or silent");

    let seq = saga["seq"].as_u64().context("a saga without its last record")?;
    let resumed = shop.resume(&id, seq, "the bank says it is back").await?;
    ensure!(resumed.status.is_success(), "resuming: {}", resumed.problem());
    timeline.note("             POST …/resume, reason: the bank says it is back");
    let document = until_final(shop, &id).await?;
    let after = shop.records(&id).await?;
    let told: Vec<_> = after.into_iter().skip(before.len()).collect();
    timeline.saga_from(&told, before.first().map_or(0, |record| record.at_unix_ms));
    ensure!(word(&document, "status") == "compensated", "should be compensated: {document}");
    timeline.good("the hold is gone; the journal keeps that it was resumed, and why");
    Ok(json!({ "parked": parked, "resumed": document }))
}

/// Waits until the other undos, which a parked one does not hold up, are through; answers what the operator sees then.
async fn until_alone(shop: &mut Shop, id: &str) -> anyhow::Result<Value> {
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let saga = shop.saga(id).await?.body;
        let steps = saga["steps"].as_array().context("a saga without steps")?;
        if steps.iter().all(|step| matches!(word(step, "undo"), "-" | "done" | "parked")) {
            return Ok(saga);
        }
        ensure!(Instant::now() < patience, "the other undos were not done within 10 s: {saga}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
