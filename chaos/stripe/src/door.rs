//! Who may come in: a secret key, the pinned version, a route that exists, parameters that it knows.

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Method};

use crate::api::{Call, Operation};
use crate::form::Form;
use crate::refusal::Refusal;

/// A call, or why it is none.
pub(crate) fn admit(method: &Method, path: &str, headers: &HeaderMap, form: Form) -> Result<Call, Refusal> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let secret = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let secret = secret.strip_prefix("Bearer ").unwrap_or_default();
    if !secret.starts_with("sk_test_") {
        let message = if secret.is_empty() {
            "You did not provide an API key. You need to provide your API key in the Authorization header, using \
             Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        } else {
            "Invalid API Key provided."
        };
        return Err(Refusal::new(401, "invalid_request_error", None, message));
    }
    match header("stripe-version") {
        Some(crate::VERSION) => {}
        told => {
            let told = told.unwrap_or("none");
            let message = format!("Invalid Stripe API version: {told}. This speaks {} only.", crate::VERSION);
            return Err(Refusal::new(400, "invalid_request_error", None, message));
        }
    }
    let (operation, id) = route(method, path).ok_or_else(|| {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Refusal::new(404, "invalid_request_error", None, message)
    })?;
    let known = parameters(operation);
    if let Some(unknown) = form.names().find(|name| !known.split_whitespace().any(|known| known == *name)) {
        let message = format!("Received unknown parameter: {unknown}");
        return Err(Refusal::parameter(unknown, "parameter_unknown", message));
    }
    let key = (*method == Method::POST).then(|| header("idempotency-key").map(str::to_owned)).flatten();
    Ok(Call { operation, id: id.to_owned(), form, key })
}

fn route<'a>(method: &Method, path: &'a str) -> Option<(Operation, &'a str)> {
    use Operation::*;
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let found = match (method.as_str(), parts.as_slice()) {
        ("POST", ["v1", "payment_intents"]) => (CreateIntent, ""),
        ("GET", ["v1", "payment_intents"]) => (ListIntents, ""),
        ("GET", ["v1", "payment_intents", id]) => (RetrieveIntent, *id),
        ("POST", ["v1", "payment_intents", id, "confirm"]) => (ConfirmIntent, *id),
        ("POST", ["v1", "payment_intents", id, "capture"]) => (CaptureIntent, *id),
        ("POST", ["v1", "payment_intents", id, "cancel"]) => (CancelIntent, *id),
        ("POST", ["v1", "refunds"]) => (CreateRefund, ""),
        ("GET", ["v1", "refunds"]) => (ListRefunds, ""),
        ("GET", ["v1", "refunds", id]) => (RetrieveRefund, *id),
        ("GET", ["v1", "charges"]) => (ListCharges, ""),
        ("GET", ["v1", "charges", id]) => (RetrieveCharge, *id),
        ("GET", ["v1", "events"]) => (ListEvents, ""),
        ("GET", ["v1", "events", id]) => (RetrieveEvent, *id),
        _ => return None,
    };
    Some(found)
}

/// What each takes. A parameter of Stripe's that changes what happens to money, and would not here, is refused as well,
/// so that nobody tests with it in vain.
fn parameters(operation: Operation) -> &'static str {
    match operation {
        Operation::CreateIntent => {
            "amount currency capture_method confirm automatic_payment_methods description expand \
             error_on_requires_action metadata off_session payment_method allowed_payment_method_types payment_method_types \
             receipt_email \
             return_url statement_descriptor statement_descriptor_suffix use_stripe_sdk"
        }
        Operation::ConfirmIntent => {
            "error_on_requires_action expand off_session payment_method receipt_email return_url use_stripe_sdk"
        }
        Operation::CaptureIntent => {
            "amount_to_capture expand statement_descriptor statement_descriptor_suffix"
        }
        Operation::CancelIntent => "cancellation_reason expand",
        Operation::CreateRefund => "amount charge expand metadata payment_intent reason",
        Operation::RetrieveIntent => "client_secret expand",
        Operation::RetrieveRefund | Operation::RetrieveCharge | Operation::RetrieveEvent => "expand",
        Operation::ListIntents => "created ending_before expand limit starting_after",
        Operation::ListRefunds => "charge created ending_before expand limit payment_intent starting_after",
        Operation::ListCharges => "created ending_before expand limit payment_intent starting_after",
        Operation::ListEvents => "created ending_before expand limit starting_after type types",
    }
}
