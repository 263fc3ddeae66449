//! A shop that speaks HTTP with Stripe, by hand.

use std::sync::atomic::{AtomicU32, Ordering};

use backstitch_stripe_double::{Control, KEY, Stripe, VERSION};
use serde_json::{Value, json};

/// Parameters.
pub(crate) type Form<'a> = [(&'a str, &'a str)];

static COUNT: AtomicU32 = AtomicU32::new(0);

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) replayed: bool,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    /// Status and code of an error.
    pub(crate) fn refused(&self) -> (u16, &str) {
        (self.status, self.body["error"]["code"].as_str().unwrap_or_default())
    }

    pub(crate) fn kind(&self) -> &str {
        self.body["error"]["type"].as_str().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no object: {self:?}"))
    }

    pub(crate) fn is(&self, status: &str) -> bool {
        self.body["status"] == status
    }
}

/// A shop and its Stripe.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) stripe: Stripe,
    pub(crate) http: reqwest::Client,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self { stripe: Stripe::start().await, http: reqwest::Client::new() }
    }

    /// Before a localstripe that nobody else uses.
    pub(crate) async fn open_apart() -> Self {
        Self { stripe: Stripe::start_apart(0).await, http: reqwest::Client::new() }
    }

    pub(crate) fn control(&self) -> &Control {
        self.stripe.control()
    }

    /// With a key of its own each time.
    pub(crate) async fn post(&self, path: &str, form: &Form<'_>) -> Answer {
        let key = format!("key-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.post_as(&key, path, form).await.expect("an answer")
    }

    /// `None`: the connection broke.
    pub(crate) async fn post_as(&self, key: &str, path: &str, form: &Form<'_>) -> Option<Answer> {
        let body = form.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let request = self.http.post(format!("{}{path}", self.stripe.url())).body(body);
        self.send(request.header("idempotency-key", key)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.stripe.url()))).await.expect("an answer")
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Option<Answer> {
        answer(request.bearer_auth(KEY).header("stripe-version", VERSION)).await
    }

    /// localstripe alone, which takes JSON too.
    pub(crate) async fn alone(&self, path: &str, body: Value) -> Answer {
        let request = self.http.post(format!("{}{path}", self.stripe.localstripe().url()));
        answer(request.json(&body).bearer_auth(KEY)).await.expect("an answer")
    }

    /// An intent with manual capture, not yet confirmed.
    pub(crate) async fn created(&self, amount: &str) -> String {
        let form = [("amount", amount), ("currency", "eur"), ("capture_method", "manual")];
        let form =
            [&form[..], &[("allowed_payment_method_types[]", "card"), ("metadata[saga]", "s1")]].concat();
        self.post("/v1/payment_intents", &form).await.id().to_owned()
    }

    pub(crate) async fn confirm(&self, intent: &str, card: &str) -> Answer {
        self.act(intent, "confirm", &[("payment_method", card)]).await
    }

    pub(crate) async fn act(&self, intent: &str, verb: &str, form: &Form<'_>) -> Answer {
        self.post(&format!("/v1/payment_intents/{intent}/{verb}"), form).await
    }

    /// An intent with a hold.
    pub(crate) async fn held(&self, amount: &str, card: &str) -> String {
        let id = self.created(amount).await;
        let confirmed = self.confirm(&id, card).await;
        assert!(confirmed.is("requires_capture"), "{confirmed:?}");
        id
    }

    /// An intent that was captured whole.
    pub(crate) async fn captured(&self, amount: &str, card: &str) -> String {
        let id = self.held(amount, card).await;
        assert!(self.act(&id, "capture", &[]).await.is("succeeded"));
        id
    }

    pub(crate) async fn refund(&self, intent: &str, amount: &str) -> Answer {
        self.post("/v1/refunds", &[("payment_intent", intent), ("amount", amount)]).await
    }

    pub(crate) async fn intent(&self, id: &str) -> Value {
        self.get(&format!("/v1/payment_intents/{id}")).await.body
    }

    /// An intent with a hold, made at localstripe alone.
    pub(crate) async fn held_alone(&self, amount: i64) -> String {
        let card = json!({ "number": "4242424242424242", "exp_month": 1, "exp_year": 2090, "cvc": "123" });
        let card = self.alone("/v1/payment_methods", json!({ "type": "card", "card": card })).await;
        let of = json!({ "amount": amount, "currency": "eur", "capture_method": "manual", "payment_method": card.id() });
        let made = self.alone("/v1/payment_intents", of).await;
        let confirmed = self.alone(&format!("/v1/payment_intents/{}/confirm", made.id()), json!({})).await;
        assert!(confirmed.is("requires_capture"), "{confirmed:?}");
        made.id().to_owned()
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Option<Answer> {
    let answer = request.send().await.ok()?;
    let status = answer.status().as_u16();
    let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (replayed, retry_after) = (header("idempotent-replayed").is_some(), header("retry-after"));
    let body = answer.json().await.unwrap_or_default();
    Some(Answer { status, replayed, retry_after, body })
}
