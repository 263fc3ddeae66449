//! What a checkout publishes: rows of the same commit as the record that says it.

use backstitch_core::{Cause, Definition, Direction, Publication, Record, Saga};
use backstitch_proto::events::{CheckoutCompensated, CheckoutCompleted, CheckoutParked, CheckoutStarted};
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
