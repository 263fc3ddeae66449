//! A bank that wants its customer to prove who they are: who does, who fails, who never comes back.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::{ada, fill, refused, until_final, word};
use crate::demo::shop::Shop;
use crate::demo::timeline::Timeline;

pub(super) async fn waits(shop: &mut Shop, timeline: &mut Timeline) -> anyhow::Result<Value> {
    timeline.scene(
        "The bank asks its customer",
        "3-D Secure, three times. The saga waits on disk, not in memory; a wake-up is a hint, and the bank has the word.",
    );
    timeline.note("One proves to be the holder:");
    let accepted = challenged(shop, timeline, "gil", "tok_3ds_ok", true).await?;
    ensure!(word(&accepted, "status") == "completed", "should be completed: {accepted}");
    timeline.good(&format!("order {}", word(&accepted, "order_number")));

    timeline.note("One fails:");
    let failed = challenged(shop, timeline, "hal", "tok_3ds_fail", true).await?;
    refused(&failed, "AUTHENTICATION_FAILED")?;
    timeline.good("everything is taken back");

    timeline.note("One never comes back; this demo gives them three seconds:");
    let gone = challenged(shop, timeline, "ivy", "tok_3ds_never", false).await?;
    refused(&gone, "CUSTOMER_DID_NOT_FINISH")?;
    timeline.good("the payment is closed at the bank: finishing later is impossible");
    Ok(json!({ "accepted": accepted, "failed": failed, "never": gone }))
}

/// Checks out with a card that is challenged, and comes back from the bank's page if `returns`.
async fn challenged(
    shop: &mut Shop,
    timeline: &Timeline,
    cart: &str,
    token: &str,
    returns: bool,
) -> anyhow::Result<Value> {
    fill(shop, cart, json!([{ "sku": "MUG", "quantity": 1 }])).await?;
    let started = shop.check_out(&format!("{cart}-1"), 0, &ada(cart, token)).await?;
    ensure!(started.status.is_success(), "starting {cart}: {}", started.problem());
    let id = word(&started.body, "checkout_id").to_owned();
    let waiting = until_waiting(shop, &id).await?;
    let url = word(&waiting["next_action"], "url");
    ensure!(!url.is_empty(), "nothing for the customer to do: {waiting}");
    timeline.note(&format!("             the document says: status waiting, next_action {url}"));
    if returns {
        shop.wake(&id).await?;
    }
    let document = until_final(shop, &id).await?;
    timeline.saga(&shop.records(&id).await?);
    Ok(document)
}

async fn until_waiting(shop: &mut Shop, id: &str) -> anyhow::Result<Value> {
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let body = shop.checkout(id).await?.body;
        if word(&body, "status") == "waiting" {
            return Ok(body);
        }
        ensure!(Instant::now() < patience, "checkout {id} did not wait for its customer within 10 s: {body}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
