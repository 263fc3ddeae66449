//! The story: what goes well, what is refused, what crashes. Each scene insists on its own ending.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use backstitch_proto::ids::derived;
use serde_json::{Value, json};
use uuid::Uuid;

use super::shop::{Answer, Shop, checkout_of};
use super::stage::Stage;
use super::timeline::Timeline;

mod customer;
mod parcel;
mod parked;
mod returned;

/// Plays every scene and answers what happened, for programs.
pub(crate) async fn tell(stage: &mut Stage, timeline: &mut Timeline) -> anyhow::Result<Value> {
    timeline.title("Backstitch: checkout that never half-happens.");
    timeline.note("A fresh shop in a process of its own; every step below is a real call to a real service.");
    let mut shop = stage.shop().await?;
    stock(&mut shop).await?;
    let completed = completes(&mut shop, timeline).await?;
    Ok(json!({
        "shipped": parcel::leaves(stage, timeline, &completed).await?,
        "returned": returned::part_and_rest(&mut shop, timeline, &completed).await?,
        "completed": completed,
        "out_of_stock": out_of_stock(&mut shop, timeline).await?,
        "declined": declined(&mut shop, timeline).await?,
        "doubt": doubt(&mut shop, timeline).await?,
        "customer": customer::waits(&mut shop, timeline).await?,
        "parked": parked::undo(&mut shop, timeline).await?,
        "crashed": crash(stage, timeline).await?,
        "same_key": same_key(&mut stage.shop().await?, timeline).await?,
    }))
}

async fn stock(shop: &mut Shop) -> anyhow::Result<()> {
    for (sku, name, minor, stock) in
        [("MUG", "Stoneware mug", 1250, 40), ("POT", "Teapot", 3400, 12), ("LAMP", "Last lamp", 8900, 1)]
    {
        let price = json!({ "amount_minor": minor, "currency": "GBP" });
        let product = json!({ "name": name, "price": price, "stock": stock, "weight_grams": 400 });
        let answer = shop.put_product(sku, &product, None).await?;
        ensure!(answer.status.is_success(), "putting {sku}: {}", answer.problem());
    }
    Ok(())
}

async fn fill(shop: &mut Shop, cart: &str, items: Value) -> anyhow::Result<()> {
    let answer = shop.put_cart(cart, &json!({ "items": items })).await?;
    ensure!(answer.status.is_success(), "filling {cart}: {}", answer.problem());
    Ok(())
}

fn ada(cart: &str, token: &str) -> Value {
    checkout_of(cart, token, "ada@example.com", "Ada Lovelace", "London", "GB")
}

fn word<'a>(document: &'a Value, key: &str) -> &'a str {
    document[key].as_str().unwrap_or_default()
}

/// Checks out, shows the saga, insists on `status`.
async fn play(
    shop: &mut Shop,
    timeline: &Timeline,
    key: &str,
    body: &Value,
    status: &str,
) -> anyhow::Result<Value> {
    let answer = shop.check_out(key, 20, body).await?;
    ensure!(answer.status.is_success(), "checking out {key}: {}", answer.problem());
    timeline.saga(&shop.records(word(&answer.body, "checkout_id")).await?);
    ensure!(word(&answer.body, "status") == status, "{key} should be {status}: {}", answer.body);
    Ok(answer.body)
}

fn total(document: &Value) -> String {
    let minor = document["total"]["amount_minor"].as_i64().unwrap_or(0);
    format!("{}.{:02} {}", minor / 100, minor % 100, word(&document["total"], "currency"))
}

async fn completes(shop: &mut Shop, timeline: &mut Timeline) -> anyhow::Result<Value> {
    timeline
        .scene("A checkout completes", "Two mugs and a teapot, a good card. Steps that can run together do.");
    fill(shop, "ada", json!([{ "sku": "MUG", "quantity": 2 }, { "sku": "POT", "quantity": 1 }])).await?;
    let document = play(shop, timeline, "ada-1", &ada("ada", "tok_ok"), "completed").await?;
    timeline.good(&format!("order {} over {}", word(&document, "order_number"), total(&document)));
    Ok(document)
}

async fn out_of_stock(shop: &mut Shop, timeline: &mut Timeline) -> anyhow::Result<Value> {
    timeline.scene("Out of stock", "Three lamps, but there is one. The cart, held meanwhile, is given back.");
    fill(shop, "bob", json!([{ "sku": "LAMP", "quantity": 3 }])).await?;
    let document = play(shop, timeline, "bob-1", &ada("bob", "tok_ok"), "compensated").await?;
    refused(&document, "OUT_OF_STOCK")?;
    let cart = shop.cart("bob").await?;
    ensure!(
        cart.body["held_by"].as_str().unwrap_or_default().is_empty(),
        "the cart is still held: {}",
        cart.body
    );
    timeline.good(&format!("refused: {}; nothing was charged", word(&document["refusal"], "detail")));
    Ok(document)
}

async fn declined(shop: &mut Shop, timeline: &mut Timeline) -> anyhow::Result<Value> {
    timeline.scene(
        "A declined card",
        "The last lamp is reserved when the bank says no. It goes back on the shelf.",
    );
    fill(shop, "cyd", json!([{ "sku": "LAMP", "quantity": 1 }])).await?;
    let document = play(shop, timeline, "cyd-1", &ada("cyd", "tok_declined"), "compensated").await?;
    refused(&document, "CARD_DECLINED")?;
    let lamp = shop.product("LAMP").await?;
    ensure!(lamp.body["on_hand"] == 1, "the lamp is not back: {}", lamp.body);
    timeline.good("the lamp is on the shelf again");
    Ok(document)
}

async fn doubt(shop: &mut Shop, timeline: &mut Timeline) -> anyhow::Result<Value> {
    timeline.scene(
        "An answer that never comes",
        "The bank holds the money, and its answer is lost. No timeout is read as a no: the same key is asked again.",
    );
    fill(shop, "fay", json!([{ "sku": "POT", "quantity": 1 }])).await?;
    timeline.note("(the first call is given five seconds)");
    let document = play(shop, timeline, "fay-1", &ada("fay", "tok_timeout_executed"), "completed").await?;
    let saga = shop.saga(word(&document, "checkout_id")).await?.body;
    let steps = saga["steps"].as_array().context("a saga without steps")?;
    let authorize = steps.iter().find(|step| step["name"] == backstitch_sagas::step::AUTHORIZE_PAYMENT);
    let calls = authorize.and_then(|step| step["attempts"].as_u64()).unwrap_or(0);
    ensure!(calls > 1, "the authorization should have been asked for again: {saga}");
    timeline.good(&format!("asked {calls} times, held once, order {}", word(&document, "order_number")));
    Ok(document)
}

fn refused(document: &Value, reason: &str) -> anyhow::Result<()> {
    ensure!(word(&document["refusal"], "reason") == reason, "should be refused with {reason}: {document}");
    Ok(())
}

async fn crash(stage: &mut Stage, timeline: &mut Timeline) -> anyhow::Result<Value> {
    timeline.scene(
        "kill -9 at the worst moment",
        "The bank has taken the money, and its answer is still on the way. Then the whole process dies.",
    );
    let mut shop = stage.shop().await?;
    fill(&mut shop, "dee", json!([{ "sku": "POT", "quantity": 2 }])).await?;
    let started = shop.check_out("dee-1", 0, &ada("dee", "tok_slow_capture")).await?;
    ensure!(started.status.is_success(), "starting: {}", started.problem());
    let id: Uuid = word(&started.body, "checkout_id").parse().context("the checkout's id")?;

    let payment = derived(id, backstitch_sagas::thing::PAYMENT).to_string();
    until(|status| status == Some("capturing"), stage, &payment).await?;
    stage.wait_for_capture(&payment).await?;
    let before = shop.records(&id.to_string()).await?;
    timeline.saga(&before);
    let pid = stage.kill()?;
    timeline.note(&format!("             kill -9 {pid}: the money is taken and nobody here knows it"));

    let died = Instant::now();
    stage.start().await?;
    let mut shop = stage.shop().await?;
    timeline.note("             started again on what the disk has");
    let document = until_final(&mut shop, &id.to_string()).await?;
    let after = shop.records(&id.to_string()).await?;
    let start = before.first().map(|r| r.at_unix_ms);
    let told: Vec<_> = after.into_iter().skip(before.len()).collect();
    timeline.saga_from(&told, start.unwrap_or(0));
    ensure!(word(&document, "status") == "completed", "should have completed: {document}");
    let captures = stage.captures_at_the_bank(&payment).await?;
    ensure!(captures == 1, "the bank's statement shows {captures} captures");
    timeline.good(&format!(
        "order {} over {}, finished {} ms after the crash; the bank's statement shows one capture",
        word(&document, "order_number"),
        total(&document),
        died.elapsed().as_millis()
    ));
    Ok(document)
}

async fn until(wanted: impl Fn(Option<&str>) -> bool, stage: &Stage, payment: &str) -> anyhow::Result<()> {
    let patience = Instant::now() + Duration::from_secs(10);
    while !wanted(stage.payment_status(payment).await?.as_deref()) {
        ensure!(Instant::now() < patience, "payment {payment} did not get there within 10 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn until_final(shop: &mut Shop, id: &str) -> anyhow::Result<Value> {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let Answer { body, .. } = shop.checkout(id).await?;
        if matches!(word(&body, "status"), "completed" | "compensated" | "parked") {
            return Ok(body);
        }
        ensure!(Instant::now() < patience, "checkout {id} did not end within 30 s: {body}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn same_key(shop: &mut Shop, timeline: &mut Timeline) -> anyhow::Result<Value> {
    timeline.scene("The same key, twice", "A client that is not sure sends its request again.");
    fill(shop, "eve", json!([{ "sku": "MUG", "quantity": 1 }])).await?;
    let body = ada("eve", "tok_ok");
    let first = play(shop, timeline, "eve-1", &body, "completed").await?;
    let again = shop.check_out("eve-1", 20, &body).await?;
    ensure!(again.body["checkout_id"] == first["checkout_id"], "another checkout: {}", again.body);
    timeline.good(&format!(
        "again with the same body: the same checkout, order {}",
        word(&again.body, "order_number")
    ));
    let other = shop.check_out("eve-1", 0, &ada("eve", "tok_declined")).await?;
    ensure!(other.status.as_u16() == 422, "another body should be refused: {}", other.body);
    timeline.good(&format!("again with another body: {}", other.problem()));
    Ok(json!({ "first": first, "again": again.body, "other_body": other.body }))
}
