//! The shop as a gateway sees it: the few calls of the HTTP API that the demo makes.

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Connection;

/// One connection to the API.
pub(crate) struct Shop {
    connection: Connection,
}

/// An answer with its status: a document, or a problem.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    /// What a problem says, in one line.
    pub(crate) fn problem(&self) -> String {
        let word = |key: &str| self.body[key].as_str().unwrap_or_default();
        let field = match word("field") {
            "" => String::new(),
            field => format!(" (at {field})"),
        };
        format!("{} {}: {}{field}", self.status.as_u16(), word("title").trim_end_matches('.'), word("detail"))
    }

    /// The last part of a problem's type: a stable word.
    pub(crate) fn problem_kind(&self) -> String {
        let kind = self.body["type"].as_str().unwrap_or("unknown");
        kind.rsplit('/').next().unwrap_or(kind).to_owned()
    }
}

/// What is in stock of a product.
pub(crate) struct Shelf {
    pub(crate) etag: String,
    /// What the last put said.
    pub(crate) stated: i64,
    pub(crate) on_hand: i64,
}

/// A record of a saga, as operators see it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RecordLine {
    pub(crate) at_unix_ms: i64,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) step: String,
    #[serde(default)]
    pub(crate) detail: String,
}

impl Shop {
    pub(crate) async fn open(address: &str) -> anyhow::Result<Self> {
        Ok(Self { connection: Connection::open(address).await? })
    }

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<Answer> {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let (status, answer) = self.connection.send(method, path, headers, body).await?;
        let body = serde_json::from_slice(&answer)
            .with_context(|| format!("{path} answered {status} without JSON"))?;
        Ok(Answer { status, body })
    }

    /// Puts a product; `if_match` is needed to correct the stock of one that exists.
    pub(crate) async fn put_product(
        &mut self,
        sku: &str,
        product: &Value,
        if_match: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let headers: Vec<(&str, &str)> = if_match.map(|etag| ("if-match", etag)).into_iter().collect();
        self.call(Method::PUT, &format!("/api/v1/products/{}", escape(sku)), &headers, product).await
    }

    pub(crate) async fn product(&mut self, sku: &str) -> anyhow::Result<Answer> {
        self.call(Method::GET, &format!("/api/v1/products/{}", escape(sku)), &[], &Value::Null).await
    }

    /// The stock of a product that is there.
    pub(crate) async fn shelf(&mut self, sku: &str) -> anyhow::Result<Option<Shelf>> {
        let path = format!("/api/v1/products/{}", escape(sku));
        let (status, headers, body) = self.connection.send_for_headers(Method::GET, &path).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let etag = headers.get("etag").and_then(|v| v.to_str().ok()).context("a product without an ETag")?;
        let product: Value = serde_json::from_slice(&body)?;
        let number = |name: &str| product[name].as_i64().with_context(|| format!("a product without {name}"));
        Ok(Some(Shelf { etag: etag.to_owned(), stated: number("stock")?, on_hand: number("on_hand")? }))
    }

    pub(crate) async fn put_cart(&mut self, cart: &str, body: &Value) -> anyhow::Result<Answer> {
        self.call(Method::PUT, &format!("/api/v1/carts/{}", escape(cart)), &[], body).await
    }

    pub(crate) async fn cart(&mut self, cart: &str) -> anyhow::Result<Answer> {
        self.call(Method::GET, &format!("/api/v1/carts/{}", escape(cart)), &[], &Value::Null).await
    }

    /// Starts a checkout and waits up to `wait` seconds for its end, or for what the customer has to do.
    pub(crate) async fn check_out(&mut self, key: &str, wait: u32, body: &Value) -> anyhow::Result<Answer> {
        let wait = format!("wait={wait}");
        self.call(Method::POST, "/api/v1/checkouts", &[("idempotency-key", key), ("prefer", &wait)], body)
            .await
    }

    pub(crate) async fn checkout(&mut self, id: &str) -> anyhow::Result<Answer> {
        self.call(Method::GET, &format!("/api/v1/checkouts/{id}"), &[], &Value::Null).await
    }

    /// Gives back lines of an order, or everything that is left of it, and waits up to `wait` seconds for the end of that.
    pub(crate) async fn give_back(
        &mut self,
        key: &str,
        wait: u32,
        order: &str,
        body: &Value,
    ) -> anyhow::Result<Answer> {
        let (path, wait) = (format!("/api/v1/orders/{order}/returns"), format!("wait={wait}"));
        self.call(Method::POST, &path, &[("idempotency-key", key), ("prefer", &wait)], body).await
    }

    /// Tells a checkout that what it waits for may have happened.
    pub(crate) async fn wake(&mut self, id: &str) -> anyhow::Result<Answer> {
        self.call(Method::POST, &format!("/api/v1/checkouts/{id}/wake"), &[], &Value::Null).await
    }

    /// What operators see of a saga.
    pub(crate) async fn saga(&mut self, id: &str) -> anyhow::Result<Answer> {
        self.call(Method::GET, &format!("/operator/v1/sagas/{id}"), &[], &Value::Null).await
    }

    /// Sets what is parked of a saga going again, decided on record number `seq`.
    pub(crate) async fn resume(&mut self, id: &str, seq: u64, reason: &str) -> anyhow::Result<Answer> {
        let body = json!({ "reason": reason, "seq": seq });
        self.call(Method::POST, &format!("/operator/v1/sagas/{id}/resume"), &[], &body).await
    }

    /// Every record of a saga.
    pub(crate) async fn records(&mut self, saga: &str) -> anyhow::Result<Vec<RecordLine>> {
        let answer = self.saga(saga).await?;
        Ok(serde_json::from_value(answer.body["records"].clone())?)
    }
}

/// A checkout of `cart` with this payment token, sent to an address in `country`.
pub(crate) fn checkout_of(
    cart: &str,
    token: &str,
    email: &str,
    name: &str,
    city: &str,
    country: &str,
) -> Value {
    json!({
        "cart_id": cart,
        "email": email,
        "shipping_address": {
            "name": name, "line1": "1 Loop Road", "city": city, "postal_code": "N1 1AA", "country": country,
        },
        "shipping_method": "standard",
        "payment_method": token,
    })
}

/// Percent-encodes what may not stand in a path segment.
fn escape(segment: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    segment.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
