//! Returns over HTTP: parses, calls, converts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use backstitch_failpoint::hit;
use backstitch_proto::common::Item;
use backstitch_proto::returns::StartReturnRequest;
use serde::Serialize;
use uuid::Uuid;

use super::parse::{self, JsonBody, Segment};
use super::reply::{self, applied};
use crate::app::App;
use crate::json;
use crate::peers::Asker;
use crate::problem::Problem;
use crate::return_document;
use crate::return_request::ReturnRequest;
use crate::returns::{self, Seen};

/// What a return is right after it was accepted.
#[derive(Serialize)]
struct Receipt {
    return_id: Uuid,
    status: &'static str,
}

/// `POST /api/v1/orders/{order_id}/returns`
pub(super) async fn start(
    State(app): State<Arc<App>>,
    order_id: Segment,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let order = order_id.id("order_id")?;
    let key = parse::key(&headers)?;
    let request = ReturnRequest::check(read(order, &body)?)?;
    let traceparent = parse::traceparent(headers.get("traceparent").map(|v| v.as_bytes()));
    let accepted = returns::start(&app, key, request, traceparent, Asker::Client).await?;
    hit("reply.accepted");

    let id = accepted.id();
    let receipt = |status| reply::json(StatusCode::ACCEPTED, &Receipt { return_id: id, status });
    // It is accepted, whatever keeps us from seeing how it goes on.
    let answer = match parse::wait(&headers) {
        Some(wait) => match returns::settled(&app, accepted, wait).await {
            Ok(seen) => applied(told(&seen), wait),
            Err(_) => receipt("running"),
        },
        None => receipt(returns::get(&app, id).await.map_or("running", |seen| seen.document.status)),
    };
    hit("reply.told");
    Ok(reply::with_header(answer, header::LOCATION, &return_document::path(id)))
}

/// `GET /api/v1/returns/{return_id}`
pub(super) async fn get(
    State(app): State<Arc<App>>,
    return_id: Segment,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = return_id.id("return_id")?;
    match parse::wait(&headers) {
        None => Ok(reply::json(StatusCode::OK, &returns::get(&app, id).await?.document)),
        Some(wait) => {
            let seen = returns::get_final(&app, id, wait).await?;
            Ok(applied(reply::json(StatusCode::OK, &seen.document), wait))
        }
    }
}

/// 200 with the final document, 202 with one that is not.
fn told(seen: &Seen) -> Response {
    reply::json(if seen.is_final { StatusCode::OK } else { StatusCode::ACCEPTED }, &seen.document)
}

fn read(order: Uuid, body: &[u8]) -> Result<StartReturnRequest, Problem> {
    let mut o = json::object(body)?;
    let lines = o.optional_objects("items")?;
    let reason = o.optional_text("reason")?;
    o.finish()?;
    let mut items = Vec::with_capacity(lines.len());
    for mut line in lines {
        items.push(Item { sku: line.text("sku")?, quantity: line.int("quantity")? });
        line.finish()?;
    }
    // The key and the wait travel beside the body.
    let (idempotency_key, wait_seconds) = (String::new(), 0);
    Ok(StartReturnRequest { idempotency_key, order_id: order.to_string(), items, reason, wait_seconds })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_return_is_read_and_its_flaws_are_named() {
        let read = |body: serde_json::Value| read(Uuid::from_u128(7), body.to_string().as_bytes());
        assert!(read(json!({})).unwrap().items.is_empty());
        assert!(read(json!({"items": [], "reason": null})).unwrap().items.is_empty());
        let whole = read(json!({"items": [{"sku": "A", "quantity": 2}], "reason": "chipped"})).unwrap();
        assert_eq!((whole.items[0].quantity, whole.reason.as_str()), (2, "chipped"));
        for (body, slug, field) in [
            (json!({"items": {}}), "wrong-type", "/items"),
            (json!({"items": [7]}), "wrong-type", "/items/0"),
            (json!({"items": [{"sku": "A"}]}), "missing-field", "/items/0/quantity"),
            (json!({"items": [{"sku": "A", "quantity": 1, "price": 1}]}), "unknown-field", "/items/0/price"),
            (json!({"reason": 7}), "wrong-type", "/reason"),
            (json!({"make_good": true}), "unknown-field", "/make_good"),
        ] {
            let problem = read(body).unwrap_err();
            assert_eq!((problem.kind().slug, problem.field()), (slug, Some(field)));
        }
    }
}
