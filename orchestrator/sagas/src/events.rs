//! What a checkout and a return publish: rows of the same commit as the record that says it.
//!
//! A return's events are its checkout's family's: they have the checkout's key.

use backstitch_core::{Cause, Definition, Direction, Publication, Record, Saga};
use backstitch_proto::events::{
    CheckoutCompensated, CheckoutCompleted, CheckoutParked, CheckoutStarted, ReturnChanged,
};
use backstitch_proto::returns::ReturnInput;
use prost::Message as _;
use serde::Serialize;

const TOPIC: &str = "checkout.events";

pub(crate) fn of_checkout(d: &Definition, saga: &Saga, record: &Record) -> Option<Publication> {
    let (checkout_id, definition) = (saga.id.to_string(), saga.start.definition.clone());
    match record {
        Record::Started(_) => publication("started", &CheckoutStarted { checkout_id, definition }),
        Record::Completed => publication("completed", &CheckoutCompleted { checkout_id, definition }),
        Record::Compensated => {
            let (step, reason) = cause(d, saga);
            publication("compensated", &CheckoutCompensated { checkout_id, definition, step, reason })
        }
        Record::Poisoned { why } => {
            let (step, why) = (String::new(), why.clone());
            publication("parked", &CheckoutParked { checkout_id, definition, step, why })
        }
        Record::StepParked { step, why, .. } | Record::UndoParked { step, why, .. } => {
            let (step, why) = (d.step(*step).name.to_owned(), why.clone());
            publication("parked", &CheckoutParked { checkout_id, definition, step, why })
        }
        _ => None,
    }
}

pub(crate) fn of_return(d: &Definition, saga: &Saga, record: &Record) -> Option<Publication> {
    let (kind, step, reason) = match record {
        Record::Started(_) => ("started", String::new(), String::new()),
        Record::Completed => ("completed", String::new(), String::new()),
        Record::Compensated => {
            let (step, reason) = cause(d, saga);
            ("compensated", step, reason)
        }
        Record::Poisoned { why } => ("parked", String::new(), why.clone()),
        Record::StepParked { step, why, .. } | Record::UndoParked { step, why, .. } => {
            ("parked", d.step(*step).name.to_owned(), why.clone())
        }
        _ => return None,
    };
    // A saga that started has an input that decoded.
    let input = ReturnInput::decode(saga.start.input.clone()).unwrap_or_default();
    let payload = ReturnChanged {
        return_id: saga.id.to_string(),
        order_id: input.order_id,
        definition: saga.start.definition.clone(),
        step,
        reason,
    };
    let payload = serde_json::to_vec(&payload).ok()?.into();
    Some(Publication { topic: TOPIC, kind: format!("com.backstitch.return.{kind}.v1"), payload })
}

fn cause(d: &Definition, saga: &Saga) -> (String, String) {
    match &saga.direction {
        Direction::Back(Cause::Refused(step)) => {
            let reason = saga.refusal().map(|(_, r)| r.reason.clone()).unwrap_or_default();
            (d.step(*step).name.to_owned(), reason)
        }
        Direction::Back(Cause::GaveUp { step, .. }) => (d.step(*step).name.to_owned(), "NO_ANSWER".into()),
        Direction::Back(Cause::Deadline) => (String::new(), "DEADLINE".into()),
        Direction::Back(Cause::Expired(step)) => (d.step(*step).name.to_owned(), "EXPIRED".into()),
        Direction::Back(Cause::Unfinished(step)) => {
            (d.step(*step).name.to_owned(), "CUSTOMER_DID_NOT_FINISH".into())
        }
        Direction::Back(Cause::Cancelled(_)) => (String::new(), "CANCELLED".into()),
        Direction::Forward => (String::new(), String::new()),
    }
}

fn publication(kind: &str, payload: &impl Serialize) -> Option<Publication> {
    // These payloads are plain structs of strings; serializing them cannot fail.
    let payload = serde_json::to_vec(payload).ok()?.into();
    Some(Publication { topic: TOPIC, kind: format!("com.backstitch.checkout.{kind}.v1"), payload })
}
