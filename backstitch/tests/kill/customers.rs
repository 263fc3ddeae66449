//! Customers, and the ledger of what each was told: kept by the driver alone, believed whatever happens inside.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Answer, PATIENCE, item, order_of, with};

/// What a customer pays with and buys, and how that may end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) token: &'static str,
    pub(crate) sku: &'static str,
    /// `completed`, or the reason of a refusal.
    pub(crate) end: &'static str,
}

const fn kind(token: &'static str, sku: &'static str, end: &'static str) -> Kind {
    Kind { token, sku, end }
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

/// Where the API is, the preferred one first; asked one after the other.
pub(crate) type Doors = Arc<Vec<String>>;

/// Everything that a customer was told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) kind: Kind,
    pub(crate) key: String,
    pub(crate) id: Option<String>,
    pub(crate) status: String,
    pub(crate) total: i64,
    order: Option<String>,
    refusal: Option<String>,
    /// Questions that had no answer, or none that promises anything.
    pub(crate) unanswered: usize,
    /// What must not be told.
    pub(crate) violations: Vec<String>,
}

pub(crate) struct Customer {
    http: reqwest::Client,
    doors: Doors,
    door: usize,
    /// Was told something after which nothing is left to ask.
    lost: bool,
    pub(crate) told: Told,
}

impl Customer {
    pub(crate) fn new(number: usize, kind: Kind, doors: &Doors, first: usize) -> Self {
        // A frozen node answers nobody; whoever waits for it in vain asks the next.
        let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().unwrap();
        let told = Told {
            kind,
            key: format!("customer-{number}"),
            id: None,
            status: String::new(),
            total: 0,
            order: None,
            refusal: None,
            unanswered: 0,
            violations: Vec::new(),
        };
        Self { http, doors: doors.clone(), door: first, lost: false, told }
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
            if self.gives_up(begun, "the cart is filled").await {
                return;
            }
        }
        // Some want to hear at once that it is accepted, some how it ended.
        let patiently = self.door % 2 == 1;
        while !self.check_out(patiently).await {
            if self.gives_up(begun, "the checkout is accepted").await {
                return;
            }
        }
        self.look_until_it_rests().await;
    }

    pub(crate) async fn look_until_it_rests(&mut self) {
        let begun = Instant::now();
        while !self.look().await {
            if self.gives_up(begun, "the checkout rests").await {
                return;
            }
        }
    }

    async fn fill(&mut self) -> bool {
        let items = json!({"items": [item(self.told.kind.sku, 1)]});
        let cart = format!("/api/v1/carts/{}", self.told.key);
        self.ask(self.http.put(self.url(&cart)).json(&items)).await.is_some()
    }

    async fn look(&mut self) -> bool {
        let path = format!("/api/v1/checkouts/{}", self.told.id.as_deref().unwrap_or_default());
        let Some(answer) = self.ask(self.http.get(self.url(&path))).await else { return false };
        self.hear(&answer);
        ["completed", "compensated", "parked"].contains(&answer.text("/status"))
    }

    /// Whether it has taken too long; waits a moment otherwise.
    async fn gives_up(&mut self, begun: Instant, what: &str) -> bool {
        if self.lost {
            return true;
        }
        if begun.elapsed() > PATIENCE {
            self.told.violations.push(format!("{}: {what}: not within {PATIENCE:?}", self.told.key));
            return true;
        }
        tokio::time::sleep(Duration::from_millis(15)).await;
        false
    }

    /// Sends the request under its key, for the first time or again.
    pub(crate) async fn check_out(&mut self, patiently: bool) -> bool {
        let request = self.http.post(self.url("/api/v1/checkouts"));
        let mut request = request.header("Idempotency-Key", &self.told.key).json(&self.body());
        if patiently {
            request = request.header("Prefer", "wait=1");
        }
        let Some(answer) = self.ask(request).await else { return false };
        self.hear(&answer);
        true
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.doors[self.door % self.doors.len()])
    }

    /// One try. Anything but an answer that can be relied on is none.
    async fn ask(&mut self, request: reqwest::RequestBuilder) -> Option<Answer> {
        let answer = match request.send().await {
            Ok(response) => Answer::read(response).await.ok(),
            Err(_) => None,
        };
        match answer {
            Some(answer) if answer.status < 300 => Some(answer),
            // Stopping, not all there, or not the owner yet.
            Some(answer) if answer.status == 503 => self.unanswered(),
            Some(answer) => {
                self.told.violations.push(format!("{} was told {answer:?}", self.told.key));
                self.lost = true;
                None
            }
            None => self.unanswered(),
        }
    }

    fn unanswered(&mut self) -> Option<Answer> {
        self.told.unanswered += 1;
        self.door += 1;
        None
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
        let facts = [(&mut told.order, "/order_id"), (&mut told.refusal, "/refusal/reason")];
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

/// Whether somebody who saw `before` may see `now`.
fn may_follow(before: &str, now: &str) -> bool {
    let back = ["compensating", "compensated", "parked"];
    match before {
        "completed" | "compensated" => now == before,
        "compensating" => back.contains(&now),
        _ => true,
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
