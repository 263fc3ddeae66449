//! localstripe, as a client sees it.

use serde_json::{Value, json};

use crate::cards::Card;
use crate::refusal::Refusal;

/// A client of it.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    http: reqwest::Client,
    url: String,
}

impl Upstream {
    pub(crate) fn new(url: &str) -> Self {
        Self { http: reqwest::Client::new(), url: url.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    /// In JSON, which it takes as well as a form.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.send(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    /// A payment method of its own that does to a charge what `card` does.
    pub(crate) async fn payment_method(&self, card: &Card) -> Result<String, Refusal> {
        let details = json!({
            "number": card.number_at_localstripe(), "exp_month": 12, "exp_year": 2090, "cvc": "123",
        });
        let made = self.post("/v1/payment_methods", &json!({ "type": "card", "card": details })).await?;
        Ok(made["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Its refusals pass, in its words: where they are not Stripe's, they were made before it was asked.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, Refusal> {
        let away = |e: reqwest::Error| Refusal::internal(format!("localstripe does not answer: {e}"));
        let answer = request.bearer_auth(crate::KEY).send().await.map_err(away)?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(away)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status == 200 {
            return Ok(body);
        }
        let error = &body["error"];
        let kind = error["type"].as_str().unwrap_or("api_error");
        let message = error["message"].as_str().unwrap_or("localstripe refuses");
        Err(Refusal::new(status, kind, error["code"].as_str(), message).stored())
    }
}
