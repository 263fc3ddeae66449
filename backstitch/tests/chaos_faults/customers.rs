//! Customers, each with a cart and a key of their own, who ask until they are answered and remember what they were told.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{Answer, Shop, item, order_of, until_within, with};
use crate::{outage, stage};

/// Price of a unit of anything, and of sending it.
pub(crate) const PRICE: i64 = 500;
pub(crate) const PARCEL: i64 = 395;
/// What there is to sell; RARE runs out.
pub(crate) const STOCK: [(&str, i64); 3] = [("A", 10_000), ("B", 10_000), ("RARE", 5)];

/// What checkouts are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) token: &'static str,
    pub(crate) sku: &'static str,
    /// Whether it may end as a sale. Any of them may be taken back, when a step could not be had in its time.
    pub(crate) may_complete: bool,
}

const fn kind(token: &'static str, sku: &'static str, may_complete: bool) -> Kind {
    Kind { token, sku, may_complete }
}

pub(crate) const KINDS: [Kind; 10] = [
    kind("tok_ok", "A", true),
    kind("tok_ok", "B", true),
    kind("tok_declined", "A", false),
    kind("tok_ok", "RARE", true),
    kind("tok_3ds_ok", "A", true),
    kind("tok_void_fails_3", "B", false),
    kind("tok_capture_fails", "A", false),
    kind("tok_slow_capture", "B", true),
    kind("tok_timeout_executed", "A", true),
    kind("tok_3ds_fail", "B", false),
];

/// Someone with a cart and a key.
#[derive(Debug)]
pub(crate) struct Customer {
    pub(crate) key: String,
    pub(crate) kind: Kind,
    filled: bool,
    /// The checkout, from the first answer that said so.
    pub(crate) checkout: Option<String>,
    /// Answers that contradict each other.
    pub(crate) contradictions: Vec<String>,
    /// How often the shop said that it cannot now, by status.
    pub(crate) put_off: BTreeMap<u16, u64>,
}

impl Customer {
    pub(crate) fn new(n: usize) -> Self {
        Self::of(n, KINDS[n % KINDS.len()])
    }

    pub(crate) fn of(n: usize, kind: Kind) -> Self {
        Self {
            key: format!("customer-{n}"),
            kind,
            filled: false,
            checkout: None,
            contradictions: Vec::new(),
            put_off: BTreeMap::new(),
        }
    }

    pub(crate) fn email(&self) -> String {
        format!("{}@example.com", self.key)
    }

    fn body(&self) -> Value {
        with(order_of(&self.key, self.kind.token), "/email", json!(self.email()))
    }

    /// The request that starts the checkout.
    pub(crate) fn request(&self, shop: &Shop) -> reqwest::RequestBuilder {
        shop.checkout_request(&self.key, &self.body())
    }

    /// Puts into the cart what is wanted.
    pub(crate) async fn fill(&self, shop: &Shop) -> reqwest::Result<Answer> {
        let items = json!({"items": [item(self.kind.sku, 1)]});
        let put = shop.request(Method::PUT, &format!("/api/v1/carts/{}", self.key)).json(&items);
        Answer::read(put.send().await?).await
    }

    /// One try, of which any part may be cut off; whether it was answered with a checkout.
    pub(crate) async fn ask(&mut self, shop: &Shop) -> reqwest::Result<bool> {
        if !self.filled {
            let answer = self.fill(shop).await?;
            self.filled = answer.status == 200;
            if !self.filled {
                self.hear(&answer);
                return Ok(false);
            }
        }
        let sent = self.request(shop).send().await?;
        self.hear(&Answer::read(sent).await?);
        Ok(self.checkout.is_some())
    }

    fn hear(&mut self, answer: &Answer) {
        match answer.status {
            200 | 202 => {
                let id = answer.text("/checkout_id").to_owned();
                let known = self.checkout.get_or_insert_with(|| id.clone());
                if *known != id {
                    self.contradictions.push(format!("{} stands for {id} and for {known}", self.key));
                }
            }
            // Busy, or a part is away, or full: to be asked again.
            429 | 502 | 503 | 504 | 507 => *self.put_off.entry(answer.status).or_default() += 1,
            _ => self.contradictions.push(format!("{} is answered {answer:?}", self.key)),
        }
    }
}

/// Everybody asks, so many at a time, until all are answered.
pub(crate) async fn all_are_answered(shop: &Shop, customers: &mut [Customer], at_a_time: usize) {
    let asking = futures::stream::iter(customers);
    asking
        .for_each_concurrent(at_a_time, async |customer| {
            let what = format!("{} is answered", customer.key);
            until_within(stage::PATIENCE + outage::length(), &what, async || {
                matches!(customer.ask(shop).await, Ok(true)).then_some(())
            })
            .await;
        })
        .await;
}

/// Waits until every checkout has ended; what parks is resumed, as a person would when the trouble is over. Answers how
/// many had parked.
pub(crate) async fn all_have_ended(shop: &Shop, customers: &[Customer]) -> u64 {
    let mut resumed = 0;
    for customer in customers {
        let id = customer.checkout.as_deref().unwrap();
        loop {
            let end = shop.rested_within(id, stage::PATIENCE).await;
            if end.text("/status") != "parked" {
                break;
            }
            let seq = shop.saga(id).await.int("/seq");
            let body = json!({"reason": "the trouble is over", "seq": seq});
            let path = format!("/operator/v1/sagas/{id}/resume");
            let answer = shop.send(shop.request(Method::POST, &path).json(&body)).await;
            // 409: it has gone on by itself meanwhile.
            assert!(matches!(answer.status, 200..300 | 409), "{answer:?}");
            resumed += u64::from(answer.status != 409);
        }
    }
    resumed
}
