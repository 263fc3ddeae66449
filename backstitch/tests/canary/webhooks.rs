//! The door for webhooks, which describes itself nowhere: every text that is read there, wrongly typed or not, signed or not.

use std::time::{SystemTime, UNIX_EPOCH};

use backstitch_stripe_double::signature;
use serde_json::json;

use crate::common::Shop;
use crate::http::{Tried, answered};

/// What signs them.
pub(crate) const SECRET: &str = "whsec_of_the_canary";

/// Sends the canary in each place; insists that it is refused.
pub(crate) async fn tries(shop: &Shop, canary: &str) -> Vec<Tried> {
    let intent = |id: &str| json!({"object": {"object": "payment_intent", "id": id}});
    let digits: u64 = canary.replace([' ', '-'], "").parse().unwrap();
    let mut bodies: Vec<String> = [
        json!(canary),
        json!(digits),
        json!([canary]),
        json!({"id": canary, "type": "x.y"}),
        json!({"id": digits, "type": "x.y"}),
        json!({"id": [canary], "type": "x.y"}),
        json!({"id": "evt_1", "type": canary}),
        json!({"id": "evt_1", "type": {canary: canary}}),
        json!({"id": "evt_1", "type": "x.y", "data": intent(canary)}),
        json!({"id": "evt_1", "type": "x.y", "data": {"object": {"payment_intent": {"id": canary}}}}),
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    bodies.extend([
        canary.to_owned(),
        format!("{{\"id\": {canary}"),
        format!("{{\"id\": \"evt_1\", \"id\": \"{canary}\", \"type\": \"x.y\"}}"),
    ]);
    let at = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let mut tried = Vec::new();
    for body in &bodies {
        let good = signature(body, at, &[SECRET.to_owned()]);
        for (header, status) in
            [(good.as_str(), " 400 "), ("t=1,v1=00", " 401 "), (&format!("t={canary},v1={canary}"), " 401 ")]
        {
            tried.push(knock(shop, "/webhooks/stripe", header, body, status).await);
        }
    }
    let elsewhere = format!("/webhooks/{}", canary.replace(' ', "%20"));
    tried.push(knock(shop, &elsewhere, canary, canary, " 404 ").await);
    tried
}

async fn knock(shop: &Shop, path: &str, header: &str, body: &str, status: &str) -> Tried {
    let url = format!("http://{}{path}", shop.up().address("webhooks"));
    let request = reqwest::Client::new().post(url).header("Stripe-Signature", header).body(body.to_owned());
    let tried = answered(request).await;
    assert!(tried.said.lines().next().unwrap().contains(status), "{body}: {}", tried.said);
    tried
}
