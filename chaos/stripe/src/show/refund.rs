//! A refund.

use serde_json::{Value, json};

use crate::book::{Intent, Progress, Refund};

/// A refund of an intent.
pub(crate) fn refund(intent: &Intent, refund: &Refund) -> Value {
    let failed = refund.progress == Progress::Failed;
    json!({
        "object": "refund",
        "id": refund.id,
        "amount": refund.amount,
        "balance_transaction": null,
        "charge": refund.charge,
        "created": refund.created,
        "currency": intent.currency,
        "destination_details": { "type": "card", "card": { "type": "refund" } },
        "failure_reason": failed.then_some("expired_or_canceled_card"),
        "metadata": refund.metadata,
        "payment_intent": intent.id,
        "reason": refund.reason,
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": refund.progress.word(),
        "transfer_reversal": null,
    })
}
