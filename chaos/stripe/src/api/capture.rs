//! Taking what is held.

use serde_json::{Value, json};

use super::{Call, cancel, read};
use crate::cards::Fate;
use crate::refusal::Refusal;
use crate::statement::Moved;
use crate::world::World;

pub(super) async fn capture(world: &mut World, call: &Call) -> Result<Value, Refusal> {
    let (id, key) = (&call.id, call.key());
    let intent = world.intent(id)?;
    let (status, held) = (intent.status().to_owned(), intent.amount);
    let amount = call.form.integer("amount_to_capture")?.unwrap_or(held);
    if amount < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(Refusal::parameter("amount_to_capture", "parameter_invalid_integer", message));
    }
    if status != "requires_capture" {
        let why = match status.as_str() {
            "succeeded" => "because it has already been captured.".to_owned(),
            _ => format!(
                "because it has a status of {status}. Only a PaymentIntent with one of the following statuses may be \
                 captured: requires_capture."
            ),
        };
        let message = format!("This PaymentIntent could not be captured {why}");
        let refusal = Refusal::state("payment_intent_unexpected_state", message);
        world.refuse(refusal.with("payment_intent", world.show(id)?))?;
    }
    if amount > held {
        let message =
            format!("The requested capture amount ({amount}) is greater than the amount held ({held}).");
        return Err(Refusal::state("amount_too_large", message).about("amount_to_capture"));
    }
    if intent.card.is_some_and(|card| card.fate == Fate::CaptureFails) {
        cancel::end(world, id, "automatic", key).await?;
        let message = "Payment for this charge could not be captured: the authorization has ended.";
        let refusal = Refusal::state("capture_charge_authorization_expired", message);
        return Err(refusal.with("payment_intent", world.show(id)?));
    }
    if intent.card.is_some_and(|card| card.fate == Fate::CaptureDeclined) {
        let declined = Refusal::card("card_declined", Some("generic_decline"), "Your card was declined.");
        return Err(declined.with("payment_intent", world.show(id)?));
    }
    take(world, id, amount, key).await?;
    read::intent(world, call)
}

/// Takes what an intent holds, `most` of it at the most, and nothing where it holds nothing.
pub(crate) async fn captured_by_another(world: &mut World, id: &str, most: i64) -> Result<(), Refusal> {
    let intent = world.intent(id)?;
    match (intent.status(), intent.amount) {
        ("requires_capture", held) => take(world, id, held.min(most), None).await,
        _ => Ok(()),
    }
}

async fn take(world: &mut World, id: &str, amount: i64, key: Option<&str>) -> Result<(), Refusal> {
    let held = world.intent(id)?.amount;
    let path = format!("/v1/payment_intents/{id}/capture");
    world.upstream.post(&path, &json!({ "amount_to_capture": amount })).await?;
    world.refresh(id).await?;
    if let Some(charge) = &mut world.intent_mut(id)?.charge {
        charge.captured = amount;
    }
    world.moved(id, Moved::Captured, amount, None, key);
    if amount < held {
        world.moved(id, Moved::Remainder, held - amount, None, key);
    }
    world.tell("payment_intent.succeeded", id, key);
    Ok(())
}
