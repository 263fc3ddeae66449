//! The customer proves who it is, or fails to.

use serde_json::json;

use super::confirm;
use crate::refusal::Refusal;
use crate::world::World;

/// The customer of an intent does what its bank asks for, well or not. A decline after that is no failure of this.
pub(crate) async fn customer(world: &mut World, id: &str, succeeds: bool) -> Result<(), Refusal> {
    let intent = world.intent(id)?;
    if intent.status() != "requires_action" {
        let message = format!("This PaymentIntent waits for nobody: it has a status of {}.", intent.status());
        return Err(Refusal::state("payment_intent_unexpected_state", message));
    }
    let proof = json!({ "client_secret": intent.upstream["client_secret"], "success": succeeds });
    let answered = world.upstream.post(&format!("/v1/payment_intents/{id}/_authenticate"), &proof).await;
    let done = if succeeds {
        confirm::came_of_it(world, id, answered, None).await
    } else {
        answered?;
        let message = "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a \
                       new PaymentMethod to attempt to fulfill this PaymentIntent again.";
        let failed = Refusal::card("payment_intent_authentication_failure", None, message);
        confirm::declined(world, id, failed, None).await.map(drop)
    };
    match done {
        Err(refusal) if refusal.status == 402 => Ok(()),
        other => other,
    }
}
