//! A return as its customer sees it: a reading of the saga's durable facts.

use backstitch_core::{Cause, Class, Definition, Direction, Entry, ParkedBy, Saga, Settled, Status};
use backstitch_proto::common;
use backstitch_proto::order::{CompleteReturnResponse, CreateReturnResponse};
use backstitch_proto::returns::ReturnInput;
use backstitch_sagas::return_step;
use prost::Message;
use serde::Serialize;
use uuid::Uuid;

use crate::document::{ParkedStep, Refusal};
use crate::parked;
use crate::salvage::Salvage;

/// Where a return is on the HTTP face.
pub(crate) fn path(id: Uuid) -> String {
    format!("/api/v1/returns/{id}")
}

/// The document. Members that do not apply yet, or ever, are absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ReturnDocument {
    pub(crate) return_id: Uuid,
    pub(crate) order_id: String,
    /// `running | completed | compensating | compensated | parked`
    pub(crate) status: &'static str,
    /// What comes back, with the prices that were paid, once the order has said so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) items: Vec<common::PricedItem>,
    /// What is paid back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refund: Option<common::Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credit_note_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<Refusal>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parked: Vec<ParkedStep>,
    /// What it waits for, where no node here can run it: it goes on by itself when one can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits_for: Option<String>,
}

/// Reads the document off a saga's facts. `journal` is only looked into for what is parked.
pub(crate) fn of(definition: &Definition, saga: &Saga, journal: &[Entry]) -> ReturnDocument {
    let input = ReturnInput::decode(saga.start.input.clone()).unwrap_or_default();
    let created: Option<CreateReturnResponse> = output(definition, saga, return_step::CREATE_RETURN);
    let credited: Option<CompleteReturnResponse> = output(definition, saga, return_step::CREDIT_NOTE);
    let (items, refund) = created.map_or_else(Default::default, |created| (created.items, created.refund));
    let told = |parked: parked::Parked<'_>| ParkedStep {
        step: parked.step.map(|id| definition.step(id).name),
        why: told_to_customers(definition, saga, parked.by),
        since_unix_ms: parked.since.0,
    };
    ReturnDocument {
        return_id: saga.id,
        order_id: input.order_id,
        status: saga.status().as_str(),
        items,
        refund,
        credit_note_number: credited.map(|credited| credited.credit_note_number),
        refusal: refusal(definition, saga),
        parked: parked::of(definition, saga, journal).into_iter().map(told).collect(),
        waits_for: None,
    }
}

/// Tells what there is of a return that this node cannot read whole.
pub(crate) fn salvaged(salvage: &Salvage) -> ReturnDocument {
    let status = salvage.status();
    let parked = ParkedStep {
        step: None,
        why: "This return cannot go on without a person, who is looking at it. Nothing of it is lost."
            .to_owned(),
        since_unix_ms: salvage.row.updated_at_ms,
    };
    let known = salvage.start.as_ref().map(|start| of(&start.definition, &start.state, &start.journal));
    let (order_id, items, refund, credit_note_number, refusal) = known
        .map_or_else(Default::default, |known| {
            (known.order_id, known.items, known.refund, known.credit_note_number, known.refusal)
        });
    ReturnDocument {
        return_id: salvage.row.id,
        order_id,
        status: status.as_str(),
        items,
        refund,
        credit_note_number,
        refusal,
        parked: if status == Status::Parked { vec![parked] } else { Vec::new() },
        waits_for: salvage.waits_for(),
    }
}

fn output<T: Message + Default>(definition: &Definition, saga: &Saga, step: &str) -> Option<T> {
    T::decode(saga.output(definition.find(step)?)?.clone()).ok()
}

fn refusal(definition: &Definition, saga: &Saga) -> Option<Refusal> {
    let told = |step: Option<&'static str>, reason: &str, detail: String| Refusal {
        step,
        reason: reason.to_owned(),
        detail,
        metadata: Default::default(),
    };
    let Direction::Back(cause) = &saga.direction else { return None };
    Some(match (cause, saga.refusal()) {
        (_, Some((id, refusal))) => Refusal {
            metadata: refusal.metadata.clone(),
            ..told(Some(definition.step(id).name), &refusal.reason, refusal.detail.clone())
        },
        (Cause::GaveUp { step, last }, _) => told(
            Some(definition.step(*step).name),
            "NO_ANSWER",
            format!("No answer in time; last heard: {last}"),
        ),
        (Cause::Cancelled(why), _) => told(None, "CANCELLED", why.clone()),
        _ => told(
            None,
            "DEADLINE",
            "The order did not take the return in time; nothing was paid back.".to_owned(),
        ),
    })
}

/// What a parked step means to the customer, who is told of their money, of who has to come, and of nobody's insides.
fn told_to_customers(definition: &Definition, saga: &Saga, by: ParkedBy) -> String {
    let refunded = definition.step_ids().any(|id| {
        definition.step(id).class == Class::Pivot && matches!(saga.step(id).settled, Settled::Done { .. })
    });
    let money = match (&saga.direction, saga.pivot_intent) {
        (Direction::Back(_), _) => {
            "Nothing was paid back, and what you wanted to return is not free to be returned again yet."
        }
        (Direction::Forward, None) if saga.is_settling(definition) => {
            "It is not certain yet whether this was accepted and paid back."
        }
        (Direction::Forward, None) => "This is not accepted yet, and nothing was paid back.",
        (Direction::Forward, Some(_)) if refunded => {
            "Your money is on its way back, and this is still to be done."
        }
        (Direction::Forward, Some(_)) => {
            "Your money is on its way back; your bank has not confirmed it yet, which can take days."
        }
    };
    let next = match by {
        ParkedBy::Silence => "It is asked for again by itself.",
        ParkedBy::Fault => "A person is seeing to it.",
    };
    format!("{money} {next}")
}
