//! A charge.

use serde_json::{Value, json};

use crate::book::{Book, Intent};
use crate::cards::Fate;

/// The charge of an intent that has one.
pub(crate) fn charge(book: &Book, intent: &Intent) -> Value {
    let charge = intent.charge.as_ref().expect("asked for intents with a charge");
    let mut shown = intent.upstream["latest_charge"].clone();
    if !shown.is_object() {
        shown = json!({});
    }
    let object = shown.as_object_mut().expect("made above");
    object.remove("refunds");
    object.remove("invoice");
    let failed = charge.failure.as_ref();
    // What a partial capture left, and what a cancel let go, counts as refunded, though no refund is made of it.
    let let_go = match (intent.status(), failed) {
        ("succeeded", _) => intent.amount - charge.captured,
        ("canceled", None) => intent.amount,
        _ => 0,
    };
    let refunded = book.refunded(&intent.id) + let_go;
    let over = json!({
        "object": "charge",
        "id": charge.id,
        "amount": intent.amount,
        "amount_captured": charge.captured,
        "amount_refunded": refunded,
        "billing_details": { "address": null, "email": null, "name": null, "phone": null, "tax_id": null },
        "calculated_statement_descriptor": null,
        "captured": charge.captured > 0,
        "created": charge.created,
        "currency": intent.currency,
        "customer": null,
        // Of that card it is, as soon as money was taken.
        "disputed": charge.captured > 0 && intent.card.is_some_and(|card| matches!(card.fate, Fate::Disputed)),
        "failure_balance_transaction": null,
        "failure_code": failed.map(|failure| &failure["code"]),
        "failure_message": failed.map(|failure| &failure["message"]),
        "fraud_details": {},
        "livemode": false,
        "metadata": intent.metadata,
        "outcome": outcome(failed),
        "paid": failed.is_none(),
        "payment_intent": intent.id,
        "payment_method_details": details(intent),
        "refunded": refunded == intent.amount,
        "status": if failed.is_some() { "failed" } else { "succeeded" },
    });
    object.extend(over.as_object().expect("written above").clone());
    shown
}

fn outcome(failed: Option<&Value>) -> Value {
    match failed {
        Some(failure) => json!({
            "network_status": "declined_by_network", "reason": failure["decline_code"], "risk_level": "normal",
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        }),
        None => json!({
            "network_status": "approved_by_network", "reason": null, "risk_level": "normal",
            "seller_message": "Payment complete.", "type": "authorized",
        }),
    }
}

fn details(intent: &Intent) -> Value {
    let (Some(card), Some(charge)) = (intent.card, &intent.charge) else { return Value::Null };
    let challenged = matches!(card.fate, Fate::Challenged | Fate::ChallengedAndDeclined(_));
    let three_d_secure =
        json!({ "authentication_flow": "challenge", "result": "authenticated", "version": "2.2.0" });
    let capture_before = (intent.status() == "requires_capture").then_some(charge.capture_before);
    json!({
        "type": "card",
        "card": {
            "amount_authorized": intent.amount,
            "brand": card.brand,
            "capture_before": capture_before,
            "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
            "country": "US",
            "exp_month": 12,
            "exp_year": 2090,
            "funding": "credit",
            "installments": null,
            "last4": card.last4,
            "mandate": null,
            "network": card.brand,
            "three_d_secure": if challenged { three_d_secure } else { Value::Null },
            "wallet": null,
        },
    })
}
