//! Lists: newest first, by pages.

use serde_json::{Value, json};

use super::expand::expanded;
use super::{Call, Operation};
use crate::form::Form;
use crate::refusal::Refusal;
use crate::show;
use crate::world::World;

const MOST: i64 = 100;
const USUAL: i64 = 10;

pub(super) fn list(world: &World, call: &Call) -> Result<Value, Refusal> {
    let form = &call.form;
    let (url, rows) = match call.operation {
        Operation::ListRefunds => ("/v1/refunds", refunds(world, form)?),
        Operation::ListCharges => ("/v1/charges", charges(world, form)?),
        Operation::ListEvents => ("/v1/events", events(world, form)),
        _ => ("/v1/payment_intents", intents(world, form)?),
    };
    page(url, rows, form)
}

/// Oldest first, as all of these.
fn intents(world: &World, form: &Form) -> Result<Vec<Value>, Refusal> {
    let whole = expanded(form, "data.latest_charge")?;
    Ok(world.book.intents.iter().map(|intent| show::intent(&world.book, intent, whole)).collect())
}

fn refunds(world: &World, form: &Form) -> Result<Vec<Value>, Refusal> {
    expanded(form, "")?;
    let (of_intent, of_charge) = (form.text("payment_intent"), form.text("charge"));
    if let Some(id) = of_intent.filter(|id| world.book.intent(id).is_none()) {
        return Err(Refusal::missing(400, "payment_intent", id, "payment_intent"));
    }
    let wanted = world.book.refunds.iter().filter(|refund| {
        of_intent.is_none_or(|id| refund.intent == id) && of_charge.is_none_or(|id| refund.charge == id)
    });
    wanted.map(|refund| Ok(show::refund(world.intent(&refund.intent)?, refund))).collect()
}

fn charges(world: &World, form: &Form) -> Result<Vec<Value>, Refusal> {
    expanded(form, "")?;
    let of_intent = form.text("payment_intent");
    let charged = world.book.intents.iter().filter(|intent| intent.charge.is_some());
    let wanted = charged.filter(|intent| of_intent.is_none_or(|id| intent.id == id));
    Ok(wanted.map(|intent| show::charge(&world.book, intent)).collect())
}

fn events(world: &World, form: &Form) -> Vec<Value> {
    let mut kinds = form.list("types");
    kinds.extend(form.text("type").map(str::to_owned));
    let wanted = world.events.all.iter().filter(|event| kinds.is_empty() || kinds.contains(&event.kind));
    wanted.map(show::event).collect()
}

fn page(url: &str, mut rows: Vec<Value>, form: &Form) -> Result<Value, Refusal> {
    let limit = form.integer("limit")?.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        let message = format!("Invalid limit: it has to be from 1 to {MOST}.");
        return Err(Refusal::parameter("limit", "parameter_invalid_integer", message));
    }
    rows.reverse();
    let bound = |word: &str| form.integer(&format!("created[{word}]"));
    let (gt, gte, lt, lte, at) =
        (bound("gt")?, bound("gte")?, bound("lt")?, bound("lte")?, form.integer("created")?);
    rows.retain(|row| {
        let created = row["created"].as_i64().unwrap_or_default();
        gt.is_none_or(|b| created > b)
            && gte.is_none_or(|b| created >= b)
            && lt.is_none_or(|b| created < b)
            && lte.is_none_or(|b| created <= b)
            && at.is_none_or(|b| created == b)
    });
    let place = |name: &str| match form.text(name) {
        None => Ok(None),
        Some(id) => match rows.iter().position(|row| row["id"] == id) {
            Some(place) => Ok(Some(place)),
            None => Err(Refusal::missing(400, "object", id, name)),
        },
    };
    let most = usize::try_from(limit).expect("checked above");
    let (start, end, more) = match (place("starting_after")?, place("ending_before")?) {
        (_, Some(before)) => (before.saturating_sub(most), before, before > most),
        (after, None) => {
            let start = after.map_or(0, |place| place + 1);
            (start, (start + most).min(rows.len()), start + most < rows.len())
        }
    };
    Ok(json!({ "object": "list", "url": url, "has_more": more, "data": &rows[start..end] }))
}
