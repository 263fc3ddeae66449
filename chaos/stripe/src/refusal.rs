//! Stripe's errors.

use serde_json::{Value, json};

/// An error as Stripe says it.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    error: Value,
    /// Whether an idempotency key remembers it: only what came of the call's own execution.
    pub(crate) stored: bool,
    pub(crate) retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: u16, kind: &str, code: Option<&str>, message: impl Into<String>) -> Self {
        let mut error = json!({ "type": kind, "message": message.into() });
        if let Some(code) = code {
            error["code"] = code.into();
            error["doc_url"] =
                format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")).into();
        }
        Self { status, error, stored: false, retry_after: None }
    }

    /// A request that is wrong in itself: no key remembers it.
    pub(crate) fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", None, message).about(param)
    }

    /// The same with a code.
    pub(crate) fn parameter(param: &str, code: &str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", Some(code), message).about(param)
    }

    /// Something that is not there: in the path of a request (404) or in a parameter (400).
    pub(crate) fn missing(status: u16, what: &str, id: &str, param: &str) -> Self {
        let message = format!("No such {what}: '{id}'");
        Self::new(status, "invalid_request_error", Some("resource_missing"), message).about(param)
    }

    /// A call that does not fit the state of things.
    pub(crate) fn state(code: &str, message: impl Into<String>) -> Self {
        Self { stored: true, ..Self::new(400, "invalid_request_error", Some(code), message) }
    }

    /// A card that says no.
    pub(crate) fn card(code: &str, decline_code: Option<&str>, message: &str) -> Self {
        let mut refusal = Self { stored: true, ..Self::new(402, "card_error", Some(code), message) };
        if let Some(decline_code) = decline_code {
            refusal.error["decline_code"] = decline_code.into();
        }
        refusal
    }

    /// Stripe's own trouble.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "api_error", None, message)
    }

    pub(crate) fn about(mut self, param: &str) -> Self {
        self.error["param"] = param.into();
        self
    }

    /// With a member of the error object more.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.error[name] = value.into();
        self
    }

    pub(crate) fn stored(mut self) -> Self {
        self.stored = true;
        self
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> Option<&str> {
        self.error["code"].as_str()
    }

    /// The error object, as an intent keeps it in `last_payment_error`.
    pub(crate) fn error(&self) -> &Value {
        &self.error
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "error": self.error })
    }
}
