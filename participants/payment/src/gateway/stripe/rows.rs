//! A list of intents read row by row: an account may have other users than this shop, and what one of them has made and we
//! cannot read must not hide everything else.

use miniserde::json::{self, Value};
use stripe_client_core::{RequestBuilder, StripeRequest};
use stripe_core::payment_intent::ListPaymentIntent;
use stripe_shared::PaymentIntent;

use super::VERSION;
use super::show::is_ours;
use crate::gateway::GatewayError;

/// The same request, whose answer is read row by row.
pub(super) struct OneByOne(pub(super) ListPaymentIntent);

impl StripeRequest for OneByOne {
    type Output = Rows;

    fn build(&self) -> RequestBuilder {
        self.0.build()
    }
}

/// A page as it came.
#[derive(miniserde::Deserialize)]
pub(super) struct Rows {
    pub(super) data: Vec<Value>,
    pub(super) has_more: bool,
}

/// A row of a page.
pub(super) struct Row {
    pub(super) id: String,
    /// It bears ids of ours.
    pub(super) is_ours: bool,
    /// Or why it cannot be read.
    pub(super) intent: Result<PaymentIntent, String>,
}

impl Row {
    /// One without an id is no row: the list could not be gone on with.
    pub(super) fn parse(row: Value) -> Result<Self, GatewayError> {
        let field = |name: &str| match &row {
            Value::Object(object) => object.get(name),
            _ => None,
        };
        let Some(Value::String(id)) = field("id") else {
            return Err(GatewayError::Broken("Stripe's list has a row without an id".into()));
        };
        let is_ours = match field("metadata") {
            Some(Value::Object(metadata)) => metadata.keys().any(|name| is_ours(name)),
            _ => false,
        };
        let intent = json::from_str(&json::to_string(&row))
            .map_err(|_| format!("it is no payment intent as version {VERSION} of Stripe's API has them"));
        Ok(Self { id: id.clone(), is_ours, intent })
    }
}
