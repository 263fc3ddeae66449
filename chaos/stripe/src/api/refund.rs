//! Giving back what was captured.

use serde_json::{Value, json};

use super::{Call, create::metadata, read};
use crate::book::{Progress, Refund};
use crate::cards::Fate;
use crate::refusal::Refusal;
use crate::statement::Moved;
use crate::world::World;

/// When a test card's refund goes on by itself.
const LATER: i64 = 24 * 3600;
const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];

pub(super) async fn create(world: &mut World, call: &Call) -> Result<Value, Refusal> {
    let (form, key) = (&call.form, call.key());
    let metadata = metadata(form)?;
    let reason = form.text("reason").map(str::to_owned);
    if reason.as_ref().is_some_and(|reason| !REASONS.contains(&reason.as_str())) {
        return Err(Refusal::invalid(
            "reason",
            format!("Invalid reason: must be one of {}", REASONS.join(", ")),
        ));
    }
    let intent = match (form.text("payment_intent"), form.text("charge")) {
        (Some(id), None) => world
            .book
            .intent(id)
            .ok_or_else(|| Refusal::missing(400, "payment_intent", id, "payment_intent"))?,
        (None, Some(id)) => {
            world.book.intent_of_charge(id).ok_or_else(|| Refusal::missing(400, "charge", id, "charge"))?
        }
        _ => {
            let message =
                "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(Refusal::new(400, "invalid_request_error", Some("parameter_missing"), message));
        }
    };
    let (id, captured) = (intent.id.clone(), intent.captured());
    let rest = captured - world.book.refunded(&id);
    let charge = intent.charge.as_ref().filter(|_| captured > 0).map(|charge| charge.id.clone());
    let Some(charge) = charge else {
        let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
        return Err(Refusal::state("payment_intent_unexpected_state", message));
    };
    let fate = intent.card.map(|card| card.fate);
    if fate == Some(Fate::Disputed) {
        let message = format!("Charge {charge} is disputed, and cannot be refunded.");
        return Err(Refusal::state("charge_disputed", message));
    }
    let amount = form.integer("amount")?.unwrap_or(rest);
    if rest == 0 {
        let message = format!("Charge {charge} has already been refunded.");
        world.refuse(Refusal::state("charge_already_refunded", message))?;
    }
    if amount < 1 {
        return Err(Refusal::parameter("amount", "parameter_invalid_integer", "Invalid positive integer"));
    }
    if amount > rest {
        let message =
            format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({rest})");
        world.refuse(Refusal::state("amount_too_large", message).about("amount"))?;
    }
    let body = json!({ "payment_intent": id, "amount": amount, "metadata": metadata });
    let made = world.upstream.post("/v1/refunds", &body).await?;
    let refund = made["id"].as_str().unwrap_or_default().to_owned();
    let now = world.clock.now();
    let (progress, later) = match fate {
        Some(Fate::RefundPends) => (Progress::Pending, Some((now + LATER, Progress::Succeeded))),
        Some(Fate::RefundFails) => (Progress::Succeeded, Some((now + LATER, Progress::Failed))),
        Some(Fate::RefundDeclined) => (Progress::Failed, None),
        _ => (Progress::Succeeded, None),
    };
    let (intent, id) = (id.clone(), refund.clone());
    world.book.refunds.push(Refund {
        id,
        created: now,
        intent,
        charge,
        amount,
        reason,
        metadata,
        progress,
        later,
    });
    let intent = world.book.refunds.last().map(|refund| refund.intent.clone()).unwrap_or_default();
    world.tell_of_refund("refund.created", &refund, key);
    if progress == Progress::Failed {
        world.tell_of_refund("refund.failed", &refund, key);
    } else {
        world.moved(&intent, Moved::Refunded, amount, Some(&refund), key);
        world.tell_of_charge("charge.refunded", &intent, key);
    }
    let of_it = Call { id: refund, form: form.clone(), key: call.key.clone(), operation: call.operation };
    read::refund(world, &of_it)
}

/// A refund goes on: one that is pending succeeds or fails, one that succeeded fails after all.
pub(crate) fn settle(world: &mut World, id: &str, succeeds: bool) -> Result<(), Refusal> {
    let refund = world.book.refund_mut(id).ok_or_else(|| Refusal::missing(404, "refund", id, "id"))?;
    let to = if succeeds { Progress::Succeeded } else { Progress::Failed };
    if refund.progress == Progress::Failed || refund.progress == to {
        let message = format!("The refund cannot become {}: it is {}.", to.word(), refund.progress.word());
        return Err(Refusal::state("refund_unexpected_state", message));
    }
    (refund.progress, refund.later) = (to, None);
    let (intent, amount) = (refund.intent.clone(), refund.amount);
    if !succeeds {
        world.moved(&intent, Moved::RefundFailed, amount, Some(id), None);
        world.tell_of_refund("refund.failed", id, None);
    }
    world.tell_of_refund("refund.updated", id, None);
    Ok(())
}
