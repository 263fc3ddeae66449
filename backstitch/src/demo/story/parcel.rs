//! A parcel leaves: no saga's business any more, told from one participant to the next by events.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::word;
use crate::demo::stage::Stage;
use crate::demo::timeline::Timeline;

pub(super) async fn leaves(stage: &Stage, timeline: &mut Timeline, done: &Value) -> anyhow::Result<Value> {
    timeline.scene(
        "The parcel leaves",
        "The carrier scans it, twice. Kafka carries that to the orders, and from there to whoever writes mails.",
    );
    for _ in 0..2 {
        let status = stage.scan(word(done, "checkout_id")).await?;
        ensure!(status == "shipped", "the parcel should be shipped, not {status}");
    }
    let order = word(done, "order_number");
    let subject = format!("Subject: Your order {order} has been sent");
    let patience = Instant::now() + Duration::from_secs(30);
    while stage.mails(&subject)?.is_empty() {
        ensure!(Instant::now() < patience, "no mail says within 30 s that order {order} has been sent");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mails = stage.mails(&subject)?.len();
    ensure!(mails == 1, "{mails} mails say that order {order} has been sent");
    timeline.good(&format!("one mail: {}", &subject["Subject: ".len()..]));
    Ok(json!({ "order_number": order, "mails": mails }))
}
