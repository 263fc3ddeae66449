//! Confirming: a hold, a charge, a question to the customer, or a decline.

use serde_json::{Value, json};

use super::{Call, read};
use crate::book::Charge;
use crate::cards::{Card, Decline, Fate};
use crate::refusal::Refusal;
use crate::statement::Moved;
use crate::world::World;

/// How long a hold lasts: seven days, as with most cards online.
const HOLD: i64 = 7 * 24 * 3600;
const OPEN: [&str; 3] = ["requires_payment_method", "requires_confirmation", "requires_action"];

pub(super) async fn confirm(world: &mut World, call: &Call) -> Result<Value, Refusal> {
    let (id, form) = (&call.id, &call.form);
    let status = world.intent(id)?.status().to_owned();
    if !OPEN.contains(&status.as_str()) {
        let message = format!("You cannot confirm this PaymentIntent because it has a status of {status}.");
        let refusal = Refusal::state("payment_intent_unexpected_state", message);
        world.refuse(refusal.with("payment_intent", world.show(id)?))?;
    }
    let new = match form.text("payment_method").filter(|_| call.operation == super::Operation::ConfirmIntent)
    {
        Some(token) => Some(payment_method(world, token).await?),
        None => None,
    };
    let (off_session, no_action) = (form.flag("off_session")?, form.flag("error_on_requires_action")?);
    let return_url = form.text("return_url").map(str::to_owned);
    let intent = world.intent(id)?;
    if new.is_none() && (intent.card.is_none() || status == "requires_payment_method") {
        let message = "You cannot confirm this PaymentIntent because it's missing a payment method. To confirm the \
                       PaymentIntent, specify a payment method attached to this customer along with its ID.";
        let refusal = Refusal::state("payment_intent_unexpected_state", message);
        return Err(refusal.with("payment_intent", world.show(id)?));
    }
    if intent.may_redirect && return_url.is_none() {
        let message = "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because \
                       some of these payment methods might redirect your customer off of your page, you must provide \
                       a `return_url`. If you don't want to accept redirect-based payment methods, set \
                       `automatic_payment_methods[enabled]` to `true` and \
                       `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and \
                       Payment Intents.";
        return Err(Refusal::invalid("return_url", message));
    }
    // Stripe's documentation does not say that it takes a way back where nobody may be sent away; nobody is to rely on it.
    if !intent.may_redirect && intent.types.is_empty() && return_url.is_some() {
        let message = "You cannot provide a `return_url` for a PaymentIntent that does not allow redirects.";
        return Err(Refusal::invalid("return_url", message));
    }
    if status == "requires_action" && new.is_none() {
        world.intent_mut(id)?.return_url = return_url;
        return read::intent(world, call);
    }
    start_over(world, id, &status, new).await?;
    let intent = world.intent_mut(id)?;
    (intent.return_url, intent.last_error) = (return_url, None);
    let card = intent.card.expect("checked above");
    let challenged = matches!(card.fate, Fate::Challenged | Fate::ChallengedAndDeclined(_));
    if challenged && (off_session == Some(true) || no_action == Some(true)) {
        let message = "This payment required an authentication action to complete.";
        let needed = Refusal::card("authentication_required", Some("authentication_required"), message);
        return Err(declined(world, id, needed, call.key()).await?);
    }
    let path = format!("/v1/payment_intents/{id}/confirm");
    let answered = world.upstream.post(&path, &json!({})).await;
    came_of_it(world, id, answered, call.key()).await?;
    read::intent(world, call)
}

/// localstripe confirms an intent once, and with the payment method that it has.
async fn start_over(
    world: &mut World,
    id: &str,
    status: &str,
    new: Option<(String, &'static Card)>,
) -> Result<(), Refusal> {
    let Some((method, card)) = new else { return Ok(()) };
    let mut change = json!({ "payment_method": method });
    if status != "requires_confirmation" {
        change["latest_charge"] = Value::Null;
        change["next_action"] = Value::Null;
    }
    world.upstream.post(&format!("/v1/payment_intents/{id}"), &change).await?;
    let intent = world.intent_mut(id)?;
    (intent.card, intent.charge) = (Some(card), None);
    Ok(())
}

/// What localstripe made of a confirmation or of the customer's proof.
pub(super) async fn came_of_it(
    world: &mut World,
    id: &str,
    answered: Result<Value, Refusal>,
    key: Option<&str>,
) -> Result<(), Refusal> {
    let failed = match answered {
        Ok(_) => false,
        Err(refusal) if refusal.status == 402 => true,
        Err(refusal) => return Err(refusal),
    };
    world.refresh(id).await?;
    let fate = world.intent(id)?.card.map(|card| card.fate);
    let charge = world.intent(id)?.upstream["latest_charge"]["id"].as_str().map(str::to_owned);
    if let Some(charge) = charge {
        let created = world.clock.now();
        let capture_before = created + HOLD;
        let charge = Charge { id: charge, created, failure: None, captured: 0, capture_before };
        world.intent_mut(id)?.charge = Some(charge);
    }
    match (failed, fate) {
        (true, Some(Fate::Declined(why) | Fate::ChallengedAndDeclined(why))) => {
            Err(declined_by_bank(world, id, why, key)?)
        }
        (true, fate) => Err(Refusal::internal(format!("localstripe declines a card that is {fate:?}"))),
        (false, _) => {
            authorized(world, id, key)?;
            Ok(())
        }
    }
}

fn authorized(world: &mut World, id: &str, key: Option<&str>) -> Result<(), Refusal> {
    let (status, amount) = (world.intent(id)?.status().to_owned(), world.intent(id)?.amount);
    match status.as_str() {
        "requires_action" => world.tell("payment_intent.requires_action", id, key),
        "requires_capture" => {
            world.moved(id, Moved::Held, amount, None, key);
            world.tell("payment_intent.amount_capturable_updated", id, key);
        }
        _ => {
            if let Some(charge) = &mut world.intent_mut(id)?.charge {
                charge.captured = amount;
            }
            world.moved(id, Moved::Held, amount, None, key);
            world.moved(id, Moved::Captured, amount, None, key);
            world.tell("payment_intent.succeeded", id, key);
        }
    }
    Ok(())
}

fn declined_by_bank(
    world: &mut World,
    id: &str,
    why: Decline,
    key: Option<&str>,
) -> Result<Refusal, Refusal> {
    let mut refusal = why.refusal();
    if let Some(charge) = &mut world.intent_mut(id)?.charge {
        charge.failure = Some(refusal.error().clone());
        refusal = refusal.with("charge", charge.id.as_str());
    }
    failed(world, id, refusal, key)
}

/// A decline that localstripe knows nothing of: the intent wants another payment method.
pub(super) async fn declined(
    world: &mut World,
    id: &str,
    refusal: Refusal,
    key: Option<&str>,
) -> Result<Refusal, Refusal> {
    let change = json!({ "payment_method": null, "next_action": null });
    world.upstream.post(&format!("/v1/payment_intents/{id}"), &change).await?;
    world.refresh(id).await?;
    failed(world, id, refusal, key)
}

fn failed(world: &mut World, id: &str, refusal: Refusal, key: Option<&str>) -> Result<Refusal, Refusal> {
    world.intent_mut(id)?.last_error = Some(refusal.error().clone());
    world.tell("payment_intent.payment_failed", id, key);
    Ok(refusal.with("payment_intent", world.show(id)?))
}

/// A payment method of localstripe's for a test card's token, or for one that was made so.
pub(super) async fn payment_method(
    world: &mut World,
    token: &str,
) -> Result<(String, &'static Card), Refusal> {
    if let Some(card) = world.book.methods.get(token) {
        return Ok((token.to_owned(), card));
    }
    let card =
        Card::of(token).ok_or_else(|| Refusal::missing(400, "PaymentMethod", token, "payment_method"))?;
    let id = world.upstream.payment_method(card).await?;
    world.book.methods.insert(id.clone(), card);
    Ok((id, card))
}
