//! One object.

use serde_json::Value;

use super::Call;
use super::expand::expanded;
use crate::refusal::Refusal;
use crate::show;
use crate::world::World;

pub(super) fn intent(world: &World, call: &Call) -> Result<Value, Refusal> {
    let whole = expanded(&call.form, "latest_charge")?;
    Ok(show::intent(&world.book, world.intent(&call.id)?, whole))
}

pub(super) fn charge(world: &World, call: &Call) -> Result<Value, Refusal> {
    expanded(&call.form, "")?;
    let intent = world.book.intent_of_charge(&call.id);
    let intent = intent.ok_or_else(|| Refusal::missing(404, "charge", &call.id, "id"))?;
    Ok(show::charge(&world.book, intent))
}

pub(super) fn refund(world: &World, call: &Call) -> Result<Value, Refusal> {
    expanded(&call.form, "")?;
    let refund = world.book.refunds.iter().find(|refund| refund.id == call.id);
    let refund = refund.ok_or_else(|| Refusal::missing(404, "refund", &call.id, "id"))?;
    Ok(show::refund(world.intent(&refund.intent)?, refund))
}

pub(super) fn event(world: &World, call: &Call) -> Result<Value, Refusal> {
    let event = world.events.all.iter().find(|event| event.id == call.id);
    event.map(show::event).ok_or_else(|| Refusal::missing(404, "event", &call.id, "id"))
}
