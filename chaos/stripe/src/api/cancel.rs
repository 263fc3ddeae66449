//! Ending an intent, with the hold that it has.

use serde_json::{Value, json};

use super::{Call, read};
use crate::refusal::Refusal;
use crate::statement::Moved;
use crate::world::World;

const MAY_END: [&str; 4] =
    ["requires_payment_method", "requires_capture", "requires_confirmation", "requires_action"];
const REASONS: [&str; 4] = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"];

pub(super) async fn cancel(world: &mut World, call: &Call) -> Result<Value, Refusal> {
    let id = &call.id;
    let reason = call.form.text("cancellation_reason").unwrap_or_default();
    if !reason.is_empty() && !REASONS.contains(&reason) {
        let message = format!("Invalid cancellation_reason: must be one of {}", REASONS.join(", "));
        return Err(Refusal::invalid("cancellation_reason", message));
    }
    let status = world.intent(id)?.status().to_owned();
    if !MAY_END.contains(&status.as_str()) {
        let message = format!(
            "You cannot cancel this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one \
             of the following statuses may be canceled: requires_payment_method, requires_capture, \
             requires_reauthorization, requires_confirmation, requires_action, processing."
        );
        let refusal = Refusal::state("payment_intent_unexpected_state", message);
        world.refuse(refusal.with("payment_intent", world.show(id)?))?;
    }
    end(world, id, reason, call.key()).await?;
    read::intent(world, call)
}

/// Ends it for whatever reason.
pub(super) async fn end(world: &mut World, id: &str, reason: &str, key: Option<&str>) -> Result<(), Refusal> {
    let held = world.intent(id)?.status() == "requires_capture";
    world.upstream.post(&format!("/v1/payment_intents/{id}/cancel"), &json!({})).await?;
    world.refresh(id).await?;
    let at = world.clock.now();
    let intent = world.intent_mut(id)?;
    intent.canceled = Some((reason.to_owned(), at));
    let amount = intent.amount;
    if held {
        world.moved(id, Moved::Voided, amount, None, key);
    }
    world.tell("payment_intent.canceled", id, key);
    Ok(())
}
