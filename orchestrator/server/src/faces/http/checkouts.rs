//! Checkouts over HTTP: parses, calls, converts.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use backstitch_failpoint::hit;
use backstitch_proto::checkout::StartCheckoutRequest;
use backstitch_proto::common::{Address, Money};
use futures::StreamExt as _;
use serde::Serialize;
use uuid::Uuid;

use super::parse::{self, JsonBody, Parameters, Segment};
use super::reply::{self, applied};
use crate::admission;
use crate::app::App;
use crate::checkouts::{self, Seen};
use crate::peers::{Asker, CancelledBy};
use crate::problem::{Problem, kind};
use crate::request::CheckoutRequest;
use crate::{document, fields, json};

/// Between two comments that keep an idle event stream alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a checkout is right after it was accepted.
#[derive(Serialize)]
struct Receipt {
    checkout_id: Uuid,
    status: &'static str,
}

/// `POST /api/v1/checkouts`
pub(super) async fn start(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let key = parse::key(&headers)?;
    let request = CheckoutRequest::check(read(&body)?)?;
    let traceparent = parse::traceparent(headers.get("traceparent").map(|v| v.as_bytes()));
    let accepted = admission::start(&app, key, request, traceparent).await?;
    hit("reply.accepted");

    let (id, fresh) = (accepted.id(), accepted.is_new());
    let answer = match parse::wait(&headers) {
        Some(wait) => match checkouts::settled(&app, accepted, wait).await {
            Ok(seen) => applied(told(&seen), wait),
            Err(problem) if !fresh => return Err(problem),
            // It was accepted, whatever keeps us from seeing how it goes on.
            Err(_) => reply::json(StatusCode::ACCEPTED, &Receipt { checkout_id: id, status: "running" }),
        },
        None => {
            let status = if fresh { "running" } else { checkouts::get(&app, id).await?.document.status };
            reply::json(StatusCode::ACCEPTED, &Receipt { checkout_id: id, status })
        }
    };
    hit("reply.told");
    Ok(located(answer, id))
}

/// `DELETE /api/v1/checkouts?key=…`
pub(super) async fn give_up(State(app): State<Arc<App>>, mut query: Parameters) -> Result<Response, Problem> {
    let key = query.take("key");
    query.finish()?;
    let key = key.ok_or_else(|| {
        Problem::new(&kind::INVALID_PARAMETER, "It must be the idempotency key to give up.").at("key")
    })?;
    fields::key(&kind::INVALID_PARAMETER, "key", &key)?;
    match checkouts::give_up(&app, &key).await? {
        None => Ok(StatusCode::NO_CONTENT.into_response()),
        Some(seen) => Ok(located(told(&seen), seen.document.checkout_id)),
    }
}

/// `GET /api/v1/checkouts/{checkout_id}`
pub(super) async fn get(
    State(app): State<Arc<App>>,
    checkout_id: Segment,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = checkout_id.id("checkout_id")?;
    match parse::wait(&headers) {
        None => Ok(reply::json(StatusCode::OK, &checkouts::get(&app, id).await?.document)),
        Some(wait) => {
            let seen = checkouts::get_final(&app, id, wait).await?;
            Ok(applied(reply::json(StatusCode::OK, &seen.document), wait))
        }
    }
}

/// `POST /api/v1/checkouts/{checkout_id}/cancel`
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    checkout_id: Segment,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = checkout_id.id("checkout_id")?;
    let seen = checkouts::cancel(&app, id, CancelledBy::Customer, Asker::Client).await?;
    match parse::wait(&headers) {
        Some(wait) if !seen.is_final => Ok(applied(told(&checkouts::get_final(&app, id, wait).await?), wait)),
        _ => Ok(told(&seen)),
    }
}

/// `POST /api/v1/checkouts/{checkout_id}/wake`
pub(super) async fn wake(State(app): State<Arc<App>>, checkout_id: Segment) -> Result<Response, Problem> {
    let seen = checkouts::wake(&app, checkout_id.id("checkout_id")?, Asker::Client).await?;
    Ok(told(&seen))
}

/// `GET /api/v1/checkouts/{checkout_id}/events`
pub(super) async fn events(
    State(app): State<Arc<App>>,
    checkout_id: Segment,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = checkout_id.id("checkout_id")?;
    if let Some(last) = headers.get("last-event-id").and_then(|v| v.to_str().ok()) {
        let seen = checkouts::get(&app, id).await?;
        // Tells a browser that has seen the end not to come back.
        if seen.is_final && last == seen.seq.to_string() {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    let documents = checkouts::watch(app, id).await?;
    // A problem in the middle ends the stream; the client comes back and is told.
    let events =
        documents.filter_map(async |seen| seen.ok().and_then(|seen| event(&seen)).map(Ok::<_, Infallible>));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn event(seen: &Seen) -> Option<Event> {
    Event::default().id(seen.seq.to_string()).event("checkout").json_data(&seen.document).ok()
}

/// 200 with the final document, 202 with one that is not.
fn told(seen: &Seen) -> Response {
    reply::json(if seen.is_final { StatusCode::OK } else { StatusCode::ACCEPTED }, &seen.document)
}

fn located(response: Response, id: Uuid) -> Response {
    reply::with_header(response, header::LOCATION, &document::path(id))
}

fn read(body: &[u8]) -> Result<StartCheckoutRequest, Problem> {
    let mut o = json::object(body)?;
    let cart_id = o.text("cart_id")?;
    let customer_id = o.optional_text("customer_id")?;
    let email = o.text("email")?;
    let mut a = o.object("shipping_address")?;
    let shipping_address = Address {
        name: a.text("name")?,
        line1: a.text("line1")?,
        line2: a.optional_text("line2")?,
        city: a.text("city")?,
        region: a.optional_text("region")?,
        postal_code: a.text("postal_code")?,
        country: a.text("country")?,
    };
    a.finish()?;
    let shipping_method = o.text("shipping_method")?;
    let payment_method = o.text("payment_method")?;
    let expected_total = match o.optional_object("expected_total")? {
        None => None,
        Some(mut total) => {
            let money = Money { amount_minor: total.int("amount_minor")?, currency: total.text("currency")? };
            total.finish()?;
            Some(money)
        }
    };
    o.finish()?;
    Ok(StartCheckoutRequest {
        // The key and the wait travel beside the body.
        idempotency_key: String::new(),
        wait_seconds: 0,
        cart_id,
        customer_id,
        email,
        shipping_address: Some(shipping_address),
        shipping_method,
        payment_method,
        expected_total,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn body() -> Value {
        json!({
            "cart_id": "cart-1",
            "customer_id": "17850",
            "email": "ada@example.com",
            "shipping_address": {
                "name": "Ada Lovelace", "line1": "12 St James's Square", "line2": "Flat 2", "city": "London",
                "region": "Greater London", "postal_code": "SW1Y 4JH", "country": "GB",
            },
            "shipping_method": "standard",
            "payment_method": "tok_ok",
            "expected_total": {"amount_minor": 1295, "currency": "GBP"},
        })
    }

    fn hash(body: &str) -> [u8; 32] {
        CheckoutRequest::check(read(body.as_bytes()).unwrap()).ok().unwrap().hash()
    }

    #[test]
    fn wrong_shapes_are_named() {
        let edit = |pointer: &str, value: Value| {
            let mut body = body();
            *body.pointer_mut(pointer).unwrap() = value;
            body
        };
        let mut extra = body();
        extra["coupon"] = json!("X");
        let mut inner = body();
        inner["shipping_address"]["zip"] = json!("X");
        let mut none = body();
        none.as_object_mut().unwrap().remove("email");
        let cases = [
            (edit("/cart_id", json!(7)), "wrong-type", "/cart_id"),
            (edit("/cart_id", Value::Null), "missing-field", "/cart_id"),
            (edit("/email", json!(["a"])), "wrong-type", "/email"),
            (edit("/shipping_address", json!("London")), "wrong-type", "/shipping_address"),
            (edit("/shipping_address/country", json!(44)), "wrong-type", "/shipping_address/country"),
            (edit("/expected_total", json!(1295)), "wrong-type", "/expected_total"),
            (
                edit("/expected_total/amount_minor", json!("1295")),
                "wrong-type",
                "/expected_total/amount_minor",
            ),
            (
                edit("/expected_total/amount_minor", json!(12.95)),
                "wrong-type",
                "/expected_total/amount_minor",
            ),
            (extra, "unknown-field", "/coupon"),
            (inner, "unknown-field", "/shipping_address/zip"),
            (none, "missing-field", "/email"),
        ];
        for (body, slug, field) in cases {
            let problem = read(body.to_string().as_bytes()).unwrap_err();
            assert_eq!(
                (problem.kind().slug, problem.kind().status, problem.field()),
                (slug, 400, Some(field)),
                "{body}"
            );
        }
    }

    #[test]
    fn absent_null_and_empty_are_one_request() {
        let without = |value: Option<Value>| {
            let mut body = body();
            for pointer in ["", "/shipping_address"] {
                let object = body.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
                for name in ["customer_id", "line2", "region"] {
                    if object.remove(name).is_some()
                        && let Some(value) = &value
                    {
                        object.insert(name.to_owned(), value.clone());
                    }
                }
            }
            hash(&body.to_string())
        };
        assert_eq!(without(None), without(Some(Value::Null)));
        assert_eq!(without(None), without(Some(json!(""))));
        assert_ne!(without(None), hash(&body().to_string()));

        let total = |value: Option<Value>| {
            let mut body = body();
            body.as_object_mut().unwrap().remove("expected_total");
            if let Some(value) = value {
                body["expected_total"] = value;
            }
            hash(&body.to_string())
        };
        assert_eq!(total(None), total(Some(Value::Null)));
        assert_ne!(total(None), total(Some(json!({"amount_minor": 0, "currency": "GBP"}))));
    }

    /// Writes the same value with its members in another order and other white space.
    fn spell(value: &Value, seed: u64) -> String {
        let gap = if seed.is_multiple_of(2) { "" } else { " \n" };
        match value {
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                let turn = usize::try_from(seed).unwrap() % members.len();
                members.rotate_left(turn);
                let written =
                    members.iter().map(|(k, v)| format!("{gap}\"{k}\"{gap}:{}", spell(v, seed / 3)));
                format!("{{{}{gap}}}", written.collect::<Vec<_>>().join(","))
            }
            Value::String(text) if seed.is_multiple_of(3) => {
                let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
                format!("\"{escaped}\"")
            }
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn a_request_is_the_same_however_it_is_spelt(seed in 0_u64..100_000) {
            prop_assert_eq!(hash(&spell(&body(), seed)), hash(&body().to_string()));
        }
    }
}
