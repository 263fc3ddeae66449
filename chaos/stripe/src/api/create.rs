//! A new intent.

use serde_json::{Value, json};

use super::{Call, confirm, read};
use crate::book::Intent;
use crate::currencies;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::World;

/// How much may be written on an object.
const MOST_METADATA: (usize, usize, usize) = (50, 40, 500);

pub(super) async fn create(world: &mut World, call: &Call) -> Result<Value, Refusal> {
    let form = &call.form;
    let needed =
        |name| Refusal::parameter(name, "parameter_missing", format!("Missing required param: {name}."));
    let amount = form.integer("amount")?.ok_or_else(|| needed("amount"))?;
    let currency = form.text("currency").ok_or_else(|| needed("currency"))?.to_lowercase();
    currencies::check(amount, &currency)?;
    let confirmed = form.flag("confirm")?.unwrap_or(false);
    if form.text("return_url").is_some() && !confirmed {
        let message =
            "You provided `return_url`, but that can only be set if you are also confirming the payment.";
        return Err(Refusal::invalid("return_url", message));
    }
    if !form.list("payment_method_types").is_empty() {
        let message =
            "payment_method_types can no longer be specified. Use allowed_payment_method_types instead.";
        let code = "payment_method_types_no_longer_supported";
        return Err(Refusal::parameter("payment_method_types", code, message));
    }
    let metadata = metadata(form)?;
    let method = form.text("capture_method").unwrap_or("automatic_async");
    if !["automatic", "automatic_async", "manual"].contains(&method) {
        return Err(Refusal::invalid("capture_method", format!("Invalid capture_method: {method}")));
    }
    let types = form.list("allowed_payment_method_types");
    if let Some(other) = types.iter().find(|t| *t != "card") {
        let message =
            format!("The payment method type provided: {other} is invalid. Here there are cards only.");
        return Err(Refusal::invalid("allowed_payment_method_types", message));
    }
    let automatic = form.map("automatic_payment_methods");
    if !types.is_empty() && !automatic.is_empty() {
        let message = "You may only specify one of these parameters: allowed_payment_method_types, \
                       automatic_payment_methods.";
        return Err(Refusal::invalid("allowed_payment_method_types", message));
    }
    let card = match form.text("payment_method") {
        Some(token) => Some(confirm::payment_method(world, token).await?),
        None => None,
    };
    let mut body =
        json!({ "amount": amount, "currency": currency, "capture_method": method, "metadata": metadata });
    if let Some((id, _)) = &card {
        body["payment_method"] = id.as_str().into();
    }
    let made = world.upstream.post("/v1/payment_intents", &body).await?;
    let id = made["id"].as_str().unwrap_or_default().to_owned();
    world.statement.open(&id, amount, &currency, metadata.clone());
    world.book.intents.push(Intent {
        upstream: made,
        page: format!("{}/3ds/{id}", world.url),
        id: id.clone(),
        created: world.clock.now(),
        amount,
        currency,
        metadata,
        description: form.text("description").map(str::to_owned),
        may_redirect: types.is_empty()
            && automatic.get("enabled").is_none_or(|enabled| enabled == "true")
            && automatic.get("allow_redirects").is_none_or(|allowed| allowed == "always"),
        types,
        return_url: None,
        card: card.map(|(_, card)| card),
        charge: None,
        last_error: None,
        canceled: None,
    });
    let of_it = Call { id, form: form.clone(), key: call.key.clone(), operation: call.operation };
    if confirmed { confirm::confirm(world, &of_it).await } else { read::intent(world, &of_it) }
}

pub(super) fn metadata(form: &Form) -> Result<std::collections::BTreeMap<String, String>, Refusal> {
    let metadata = form.map("metadata");
    let (most, longest_key, longest_value) = MOST_METADATA;
    if metadata.len() > most {
        return Err(Refusal::invalid("metadata", format!("You can have up to {most} metadata keys")));
    }
    for (key, value) in &metadata {
        if key.len() > longest_key || value.chars().count() > longest_value {
            let message = format!(
                "Metadata keys have up to {longest_key} characters and values up to {longest_value}: {key} does not"
            );
            return Err(Refusal::invalid("metadata", message));
        }
    }
    Ok(metadata)
}
