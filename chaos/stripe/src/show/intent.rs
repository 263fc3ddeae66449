//! A payment intent.

use serde_json::{Value, json};

use crate::book::{Book, Intent};

/// `expanded` shows its charge whole.
pub(crate) fn intent(book: &Book, intent: &Intent, expanded: bool) -> Value {
    let mut shown = intent.upstream.clone();
    let object = shown.as_object_mut().expect("localstripe answers with objects");
    // Of API versions long past.
    object.remove("charges");
    object.remove("invoice");
    let latest_charge = match &intent.charge {
        Some(_) if expanded => super::charge(book, intent),
        Some(charge) => charge.id.clone().into(),
        None => Value::Null,
    };
    let holds = intent.status() == "requires_capture";
    let types = if intent.types.is_empty() { vec!["card".to_owned()] } else { intent.types.clone() };
    let redirects = if intent.may_redirect { "always" } else { "never" };
    let automatic = json!({ "enabled": true, "allow_redirects": redirects });
    let canceled = intent.canceled.as_ref();
    let allowed = (!intent.types.is_empty()).then_some(&intent.types);
    let over = json!({
        "allowed_payment_method_types": allowed,
        "amount_capturable": if holds { intent.amount } else { 0 },
        "amount_details": { "tip": {} },
        "amount_received": intent.captured(),
        "application": null,
        "automatic_payment_methods": if intent.types.is_empty() { automatic } else { Value::Null },
        "canceled_at": canceled.map(|(_, at)| at),
        "cancellation_reason": canceled.map(|(reason, _)| reason).filter(|reason| !reason.is_empty()),
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "description": intent.description,
        "last_payment_error": intent.last_error,
        "latest_charge": latest_charge,
        "next_action": next_action(intent),
        "on_behalf_of": null,
        "payment_method_options": { "card": { "request_three_d_secure": "automatic" } },
        "payment_method_types": types,
        "processing": null,
        "receipt_email": null,
        "review": null,
        "setup_future_usage": null,
        "shipping": null,
        "source": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": null,
        "transfer_data": null,
        "transfer_group": null,
    });
    let over = over.as_object().expect("written above").clone();
    object.extend(over);
    // A card that was declined is not kept.
    if intent.status() == "requires_payment_method" {
        object.insert("payment_method".to_owned(), Value::Null);
    }
    shown
}

/// localstripe knows one way to prove who one is; where the customer can be sent back, Stripe leads elsewhere.
fn next_action(intent: &Intent) -> Value {
    let theirs = &intent.upstream["next_action"];
    match &intent.return_url {
        Some(return_url) if !theirs.is_null() => {
            let to = json!({ "return_url": return_url, "url": intent.page });
            json!({ "type": "redirect_to_url", "redirect_to_url": to })
        }
        _ => theirs.clone(),
    }
}
