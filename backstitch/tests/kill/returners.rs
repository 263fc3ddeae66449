//! Customers who want to send back what they have bought, and the ledger of what each was told about that.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use crate::asker::{Asker, Doors, may_follow, rests};
use crate::common::{Answer, item};
use crate::customers::{Kind, Told};

/// One return.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// How many of what was bought; None for whatever there is.
    pub(crate) quantity: Option<i64>,
    /// `completed`, or the reason of a refusal.
    pub(crate) end: &'static str,
}

pub(crate) const SOME: Wish = Wish { quantity: Some(1), end: "completed" };
pub(crate) const WHOLE: Wish = Wish { quantity: None, end: "completed" };

pub(crate) const fn buys(
    token: &'static str,
    sku: &'static str,
    quantity: i64,
    returns: &'static [Wish],
) -> Kind {
    Kind { token, sku, quantity, end: "completed", returns }
}

/// Every step and the undo come by at least twice; one who gets nothing back, one in two parts at once, one whose bank
/// takes its time.
pub(crate) const BUYERS: [Kind; 6] = [
    buys("tok_ok", "A", 2, &[SOME]),
    buys("tok_refund_fails", "B", 1, &[Wish { quantity: None, end: "REFUND_FAILED" }]),
    buys("tok_ok", "B", 1, &[WHOLE]),
    buys("tok_refund_fails", "A", 2, &[Wish { quantity: Some(1), end: "REFUND_FAILED" }]),
    buys("tok_ok", "A", 1, &[Wish { quantity: Some(2), end: "MORE_THAN_BOUGHT" }]),
    buys("tok_refund_pending", "B", 2, &[SOME, SOME]),
];

/// Everything that a customer was told about one return.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) key: String,
    pub(crate) wish: Wish,
    /// Of what, as that was told.
    pub(crate) bought: Told,
    pub(crate) id: Option<String>,
    pub(crate) status: String,
    /// What is paid back.
    refund: Option<Value>,
    credit_note: Option<Value>,
    refusal: Option<Value>,
    /// The bank took it back later, and a person paid in another way.
    pub(crate) is_reversed: bool,
    pub(crate) unanswered: usize,
    pub(crate) violations: Vec<String>,
}

pub(crate) struct Returner {
    asker: Asker,
    pub(crate) told: Returned,
}

impl Returner {
    /// Everybody who wants something back, the first of the doors for every other one.
    pub(crate) fn all(bought: &[Told], doors: &Doors) -> Vec<Self> {
        let wishes = bought.iter().flat_map(|told| told.kind.returns.iter().map(move |wish| (told, *wish)));
        wishes.enumerate().map(|(number, (told, wish))| Self::new(number, told, wish, doors)).collect()
    }

    fn new(number: usize, bought: &Told, wish: Wish, doors: &Doors) -> Self {
        let key = format!("{}-return-{number}", bought.key);
        let asker = Asker::new(&key, doors, number % 2);
        Self { asker, told: Returned::new(key, bought, wish) }
    }

    /// Everything that it was told, at its end.
    pub(crate) fn told(self) -> Returned {
        let Self { mut asker, mut told } = self;
        told.violations.append(&mut asker.violations);
        Returned { unanswered: asker.unanswered, ..told }
    }

    /// Asks for it, asks again with the same key, and looks until it rests; each as often as it takes.
    pub(crate) async fn send_back(&mut self) {
        let begun = Instant::now();
        for _ in 0..2 {
            let patiently = self.asker.is_patient();
            while !self.ask(patiently).await {
                if self.asker.gives_up(begun, "the return is accepted").await {
                    return;
                }
            }
        }
        self.look_until_it_rests().await;
    }

    pub(crate) async fn look_until_it_rests(&mut self) {
        let begun = Instant::now();
        while !self.look().await {
            if self.asker.gives_up(begun, "the return rests").await {
                return;
            }
        }
    }

    /// Sends the request under its key, for the first time or again.
    pub(crate) async fn ask(&mut self, patiently: bool) -> bool {
        let bought = &self.told.bought;
        let request =
            self.asker.request(Method::POST, &format!("/api/v1/orders/{}/returns", bought.order_id()));
        let items = self.told.wish.quantity.map(|quantity| json!([item(bought.kind.sku, quantity)]));
        let body = json!({"items": items.unwrap_or_else(|| json!([])), "reason": "it does not fit"});
        let mut request = request.header("Idempotency-Key", &self.told.key).json(&body);
        if patiently {
            request = request.header("Prefer", "wait=1");
        }
        let Some(answer) = self.asker.ask(request).await else { return false };
        self.told.hear(&answer);
        true
    }

    async fn look(&mut self) -> bool {
        let path = format!("/api/v1/returns/{}", self.told.id.as_deref().unwrap_or_default());
        let Some(answer) = self.asker.ask(self.asker.request(Method::GET, &path)).await else { return false };
        self.told.hear(&answer);
        rests(answer.text("/status"))
    }
}

impl Returned {
    /// Nothing was told yet.
    pub(crate) fn new(key: String, bought: &Told, wish: Wish) -> Self {
        Self {
            key,
            wish,
            bought: bought.clone(),
            id: None,
            status: String::new(),
            refund: None,
            credit_note: None,
            refusal: None,
            is_reversed: false,
            unanswered: 0,
            violations: Vec::new(),
        }
    }

    /// Writes down what an answer says of the return, and what of it contradicts an earlier one.
    pub(crate) fn hear(&mut self, answer: &Answer) {
        let mut un_happened = Vec::new();
        let id = answer.text("/return_id").to_owned();
        let known = self.id.get_or_insert_with(|| id.clone());
        if *known != id {
            un_happened.push(format!("the key stands for {id} and not for {known} any more"));
        }
        // A receipt says only that it was accepted.
        let is_document = answer.body.get("order_id").is_some();
        let facts = [
            (&mut self.refund, "/refund"),
            (&mut self.credit_note, "/credit_note_number"),
            (&mut self.refusal, "/refusal/reason"),
        ];
        for (known, pointer) in facts.into_iter().filter(|_| is_document) {
            let now = answer.body.pointer(pointer);
            match known {
                None => *known = now.cloned(),
                Some(known) if Some(&*known) != now => {
                    un_happened.push(format!("{pointer} is {now:?} and was {known}"));
                }
                Some(_) => {}
            }
        }
        let now = answer.text("/status");
        if !may_follow(&self.status, now) {
            un_happened.push(format!("it is {now} after it was {}", self.status));
        }
        if self.refusal.is_some() && self.credit_note.is_some() {
            un_happened.push("it has a credit note and was refused".into());
        }
        now.clone_into(&mut self.status);
        let said = un_happened.into_iter().map(|what| format!("I10: {}: {what}: {answer:?}", self.key));
        self.violations.extend(said);
    }

    /// `completed`, `parked`, or why it was refused.
    pub(crate) fn end(&self) -> &str {
        match (self.status.as_str(), self.refusal.as_ref().and_then(Value::as_str)) {
            ("compensated", why) => why.unwrap_or("compensated without a reason"),
            (status, _) => status,
        }
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.status == "completed"
    }

    /// What was paid back, in minor units; nothing unless it completed.
    pub(crate) fn refunded(&self) -> i64 {
        let refund = self.refund.as_ref().filter(|_| self.is_completed());
        refund.and_then(|refund| refund["amount_minor"].as_i64()).unwrap_or(0)
    }

    /// What of that went back by the bank, for good.
    pub(crate) fn paid_back(&self) -> i64 {
        if self.is_reversed { 0 } else { self.refunded() }
    }

    /// How many came back.
    pub(crate) fn restocked(&self) -> i64 {
        let quantity = self.wish.quantity.unwrap_or(self.bought.kind.quantity);
        if self.is_completed() { quantity } else { 0 }
    }

    /// The credit note that it was told of.
    pub(crate) fn credit_note(&self) -> &str {
        self.credit_note.as_ref().and_then(Value::as_str).unwrap_or_default()
    }
}
