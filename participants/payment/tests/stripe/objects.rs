//! Stripe's objects as it writes them, with what matters to a test put over.

use serde_json::{Value, json};

pub(crate) const INTENT: &str = "pi_3Abc";
pub(crate) const CREATED: i64 = 1_700_000_000;

/// An intent of ten pounds of payment 7 of saga 1, unconfirmed.
pub(crate) fn intent(over: Value) -> Value {
    let mut intent = json!({
        "id": INTENT,
        "object": "payment_intent",
        "amount": 1000,
        "amount_capturable": 0,
        "amount_details": { "tip": {} },
        "amount_received": 0,
        "application": null,
        "automatic_payment_methods": null,
        "canceled_at": null,
        "cancellation_reason": null,
        "capture_method": "manual",
        "client_secret": format!("{INTENT}_secret_Xyz"),
        "confirmation_method": "automatic",
        "created": CREATED,
        "currency": "gbp",
        "customer": null,
        "last_payment_error": null,
        "latest_charge": null,
        "livemode": false,
        "metadata": metadata(),
        "next_action": null,
        "payment_method": null,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
        "a_field_of_tomorrow": { "of": ["any", "shape"] },
    });
    put(&mut intent, over);
    intent
}

pub(crate) fn metadata() -> Value {
    json!({
        "backstitch_payment": uuid::Uuid::from_u128(7),
        "backstitch_saga": uuid::Uuid::from_u128(1),
        "backstitch_root": uuid::Uuid::from_u128(2),
        "backstitch_order": "BS-1",
    })
}

/// Its charge, held.
pub(crate) fn charge(over: Value) -> Value {
    let mut charge = json!({
        "id": "ch_3Abc",
        "object": "charge",
        "amount": 1000,
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": { "address": null, "email": null, "name": null, "phone": null },
        "captured": false,
        "created": CREATED,
        "currency": "gbp",
        "disputed": false,
        "failure_code": null,
        "livemode": false,
        "metadata": {},
        "paid": true,
        "payment_method_details": { "type": "card", "card": { "capture_before": CREATED + 600, "brand": "visa", "exp_month": 12, "exp_year": 2090 } },
        "refunded": false,
        "status": "succeeded",
    });
    put(&mut charge, over);
    charge
}

/// The intent with its hold.
pub(crate) fn held() -> Value {
    intent(
        json!({ "status": "requires_capture", "amount_capturable": 1000, "latest_charge": charge(json!({})) }),
    )
}

/// The intent of which so much was taken, and for Stripe so much given back.
pub(crate) fn captured(taken: i64, refunded: i64) -> Value {
    let charge = charge(json!({
        "captured": true, "amount_captured": taken, "amount_refunded": refunded, "refunded": refunded == 1000,
    }));
    intent(json!({ "status": "succeeded", "amount_received": taken, "latest_charge": charge }))
}

/// The intent, ended; `charge` is its last one.
pub(crate) fn cancelled(charge: Value) -> Value {
    intent(json!({ "status": "canceled", "canceled_at": CREATED + 1, "latest_charge": charge }))
}

/// What Stripe keeps of a card's no.
pub(crate) fn no(code: &str, decline_code: &str) -> Value {
    json!({ "type": "card_error", "code": code, "decline_code": decline_code, "message": "Your card was declined." })
}

/// A refund of three pounds, ours and done.
pub(crate) fn refund(over: Value) -> Value {
    let mut refund = json!({
        "id": "re_3Abc",
        "object": "refund",
        "amount": 300,
        "charge": "ch_3Abc",
        "created": CREATED,
        "currency": "gbp",
        "metadata": { "backstitch_refund": uuid::Uuid::from_u128(9) },
        "payment_intent": INTENT,
        "reason": null,
        "status": "succeeded",
    });
    put(&mut refund, over);
    refund
}

/// A page of a list.
pub(crate) fn list(data: Vec<Value>, has_more: bool) -> Value {
    json!({ "object": "list", "url": "/v1/things", "has_more": has_more, "data": data })
}

fn put(object: &mut Value, over: Value) {
    let Value::Object(over) = over else { panic!("no object") };
    object.as_object_mut().unwrap().extend(over);
}
