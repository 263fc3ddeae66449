//! A customer gives something back, wants more back than they bought, and then returns the rest.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{refused, word};
use crate::demo::shop::Shop;
use crate::demo::timeline::Timeline;

pub(super) async fn part_and_rest(
    shop: &mut Shop,
    timeline: &mut Timeline,
    done: &Value,
) -> anyhow::Result<Value> {
    timeline.scene(
        "Something comes back",
        "One of the two mugs is chipped. A second saga: claim it, give the money back, then take the goods.",
    );
    let mug = json!({ "items": [{ "sku": "MUG", "quantity": 1 }], "reason": "chipped" });
    let part = given_back(shop, timeline, "ada-r1", done, &mug, "completed").await?;
    timeline.good(&format!("{} back, credit note {}", money(&part), word(&part, "credit_note_number")));

    timeline.note("Two more mugs, although only one is left:");
    let two = json!({ "items": [{ "sku": "MUG", "quantity": 2 }] });
    let greedy = given_back(shop, timeline, "ada-r2", done, &two, "compensated").await?;
    refused(&greedy, "MORE_THAN_BOUGHT")?;
    timeline.good(&format!("refused: {}; nothing was paid back", word(&greedy["refusal"], "detail")));

    timeline.note("And then everything that is left, with what the sending cost:");
    let rest = given_back(shop, timeline, "ada-r3", done, &json!({}), "completed").await?;
    let minor = |document: &Value, of: &str| document[of]["amount_minor"].as_i64().unwrap_or(0);
    let back = minor(&part, "refund") + minor(&rest, "refund");
    ensure!(back == minor(done, "total"), "{back} is not what was paid: {part} {rest}");
    timeline.good(&format!("{} back: all that was paid, to the penny", money(&rest)));
    Ok(json!({ "part": part, "greedy": greedy, "rest": rest }))
}

async fn given_back(
    shop: &mut Shop,
    timeline: &Timeline,
    key: &str,
    done: &Value,
    body: &Value,
    status: &str,
) -> anyhow::Result<Value> {
    let answer = shop.give_back(key, 20, word(done, "order_id"), body).await?;
    ensure!(answer.status.is_success(), "giving back {key}: {}", answer.problem());
    timeline.saga(&shop.records(word(&answer.body, "return_id")).await?);
    ensure!(word(&answer.body, "status") == status, "{key} should be {status}: {}", answer.body);
    Ok(answer.body)
}

fn money(document: &Value) -> String {
    let minor = document["refund"]["amount_minor"].as_i64().unwrap_or(0);
    format!("{}.{:02} {}", minor / 100, minor % 100, word(&document["refund"], "currency"))
}
