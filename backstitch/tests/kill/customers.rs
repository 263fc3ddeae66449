//! Customers, and the ledger of what each was told: kept by the driver alone, believed whatever happens inside.

use std::collections::BTreeSet;
use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use crate::asker::{Asker, Doors, may_follow, rests};
use crate::common::{Answer, item, order_of, with};
use crate::returners::Wish;

/// What a customer pays with and buys, how that may end, and what comes back later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) token: &'static str,
    pub(crate) sku: &'static str,
    pub(crate) quantity: i64,
    /// `completed`, or the reason of a refusal.
    pub(crate) end: &'static str,
    pub(crate) returns: &'static [Wish],
}

pub(crate) const fn kind(token: &'static str, sku: &'static str, end: &'static str) -> Kind {
    Kind { token, sku, quantity: 1, end, returns: &[] }
}

/// Every step and every undo comes by at least twice.
pub(crate) const KINDS: [Kind; 6] = [
    kind("tok_ok", "A", "completed"),
    kind("tok_capture_fails", "B", "CAPTURE_FAILED"),
    kind("tok_3ds_ok", "A", "completed"),
    kind("tok_ok", "B", "completed"),
    kind("tok_capture_fails", "A", "CAPTURE_FAILED"),
    kind("tok_declined", "B", "CARD_DECLINED"),
];
/// Still under way when its orchestrator is killed and started again, however quick that is.
pub(crate) const SLOW: Kind = kind("tok_slow_capture", "A", "completed");

/// Everything that a customer was told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) kind: Kind,
    pub(crate) key: String,
    pub(crate) id: Option<String>,
    pub(crate) status: String,
    pub(crate) total: i64,
    order: Option<String>,
    refusal: Option<String>,
    /// The return of all of it, in place of what could not be delivered.
    pub(crate) made_good: Option<String>,
    pub(crate) unanswered: usize,
    pub(crate) violations: Vec<String>,
}

pub(crate) struct Customer {
    asker: Asker,
    pub(crate) told: Told,
}

impl Customer {
    pub(crate) fn new(number: usize, kind: Kind, doors: &Doors, first: usize) -> Self {
        let key = format!("customer-{number}");
        let asker = Asker::new(&key, doors, first);
        let told = Told {
            kind,
            key,
            id: None,
            status: String::new(),
            total: 0,
            order: None,
            refusal: None,
            made_good: None,
            unanswered: 0,
            violations: Vec::new(),
        };
        Self { asker, told }
    }

    /// One who was told that before.
    pub(crate) fn again(told: Told, doors: &Doors) -> Self {
        Self { asker: Asker::new(&told.key, doors, 0), told: Told { unanswered: 0, ..told } }
    }

    /// Everything that it was told, at its end.
    pub(crate) fn told(self) -> Told {
        let Self { mut asker, mut told } = self;
        told.violations.append(&mut asker.violations);
        Told { unanswered: asker.unanswered, ..told }
    }

    pub(crate) fn email(key: &str) -> String {
        format!("{key}@example.com")
    }

    fn body(&self) -> Value {
        let key = &self.told.key;
        with(order_of(key, self.told.kind.token), "/email", json!(Self::email(key)))
    }

    /// Fills a cart, checks out, and looks until the checkout rests; each as often as it takes.
    pub(crate) async fn shop(&mut self) {
        let begun = Instant::now();
        while !self.fill().await {
            if self.asker.gives_up(begun, "the cart is filled").await {
                return;
            }
        }
        let patiently = self.asker.is_patient();
        while !self.check_out(patiently).await {
            if self.asker.gives_up(begun, "the checkout is accepted").await {
                return;
            }
        }
        self.look_until_it_rests().await;
    }

    pub(crate) async fn look_until_it_rests(&mut self) {
        let begun = Instant::now();
        while !self.look().await {
            if self.asker.gives_up(begun, "the checkout rests").await {
                return;
            }
        }
    }

    async fn fill(&mut self) -> bool {
        let items = json!({"items": [item(self.told.kind.sku, self.told.kind.quantity)]});
        let cart = format!("/api/v1/carts/{}", self.told.key);
        self.asker.ask(self.asker.request(Method::PUT, &cart).json(&items)).await.is_some()
    }

    /// Whether it rests.
    pub(crate) async fn look(&mut self) -> bool {
        let path = format!("/api/v1/checkouts/{}", self.told.id.as_deref().unwrap_or_default());
        let Some(answer) = self.asker.ask(self.asker.request(Method::GET, &path)).await else { return false };
        self.hear(&answer);
        rests(answer.text("/status"))
    }

    /// Sends the request under its key, for the first time or again.
    pub(crate) async fn check_out(&mut self, patiently: bool) -> bool {
        let request = self.asker.request(Method::POST, "/api/v1/checkouts");
        let mut request = request.header("Idempotency-Key", &self.told.key).json(&self.body());
        if patiently {
            request = request.header("Prefer", "wait=1");
        }
        let Some(answer) = self.asker.ask(request).await else { return false };
        self.hear(&answer);
        true
    }

    /// Writes down what an answer says of the checkout, and what of it contradicts an earlier one.
    fn hear(&mut self, answer: &Answer) {
        let told = &mut self.told;
        let mut un_happened = Vec::new();
        let id = answer.text("/checkout_id").to_owned();
        let known = told.id.get_or_insert_with(|| id.clone());
        if *known != id {
            un_happened.push(format!("the key stands for {id} and not for {known} any more"));
        }
        let facts = [
            (&mut told.order, "/order_id"),
            (&mut told.refusal, "/refusal/reason"),
            (&mut told.made_good, "/made_good"),
        ];
        for (known, pointer) in facts {
            let now = answer.text(pointer);
            match known {
                None if !now.is_empty() => *known = Some(now.to_owned()),
                // A receipt says only that it was accepted.
                Some(known) if *known != now && answer.body.get("total").is_some() => {
                    un_happened.push(format!("{pointer} is {now:?} and was {known:?}"));
                }
                _ => {}
            }
        }
        if let Some(total) = answer.body.pointer("/total/amount_minor").and_then(Value::as_i64) {
            told.total = total;
        }
        let now = answer.text("/status");
        if !may_follow(&told.status, now) {
            un_happened.push(format!("it is {now} after it was {}", told.status));
        }
        if told.order.is_some() && told.refusal.is_some() {
            un_happened.push("an order that stood was refused".into());
        }
        now.clone_into(&mut told.status);
        let said = un_happened.into_iter().map(|what| format!("I10: {}: {what}: {answer:?}", told.key));
        told.violations.extend(said);
    }
}

/// How they ended, for people.
pub(crate) fn ends(told: &[Told]) -> BTreeSet<String> {
    told.iter().map(|told| format!("{}: {}", told.kind.token, told.end())).collect()
}

impl Told {
    /// `completed`, `parked`, or why it was refused.
    pub(crate) fn end(&self) -> &str {
        match self.status.as_str() {
            "compensated" => self.refusal.as_deref().unwrap_or("compensated without a reason"),
            status => status,
        }
    }

    /// The order that it was told of.
    pub(crate) fn order_id(&self) -> &str {
        self.order.as_deref().unwrap_or("none")
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.status == "completed"
    }
}
