//! Stripe's operations, as far as payments with cards need them.

mod cancel;
mod capture;
mod challenge;
mod confirm;
mod create;
mod expand;
mod list;
mod read;
mod refund;
mod time;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use capture::captured_by_another;
pub(crate) use challenge::customer;
pub(crate) use refund::settle;
pub(crate) use time::turn;

use crate::form::Form;
use crate::refusal::Refusal;
use crate::world::World;

/// What can be asked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /v1/payment_intents`
    CreateIntent,
    /// `GET /v1/payment_intents/{id}`
    RetrieveIntent,
    /// `GET /v1/payment_intents`
    ListIntents,
    /// `POST /v1/payment_intents/{id}/confirm`
    ConfirmIntent,
    /// `POST /v1/payment_intents/{id}/capture`
    CaptureIntent,
    /// `POST /v1/payment_intents/{id}/cancel`
    CancelIntent,
    /// `POST /v1/refunds`
    CreateRefund,
    /// `GET /v1/refunds/{id}`
    RetrieveRefund,
    /// `GET /v1/refunds`
    ListRefunds,
    /// `GET /v1/charges/{id}`
    RetrieveCharge,
    /// `GET /v1/charges`
    ListCharges,
    /// `GET /v1/events/{id}`
    RetrieveEvent,
    /// `GET /v1/events`
    ListEvents,
}

/// A call that has passed the door.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    /// Of the path; empty where the operation is about no one object.
    pub(crate) id: String,
    pub(crate) form: Form,
    pub(crate) key: Option<String>,
}

impl Call {
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

/// Does it.
pub(crate) async fn run(world: &mut World, call: &Call) -> Result<Value, Refusal> {
    match call.operation {
        Operation::CreateIntent => create::create(world, call).await,
        Operation::ConfirmIntent => confirm::confirm(world, call).await,
        Operation::CaptureIntent => capture::capture(world, call).await,
        Operation::CancelIntent => cancel::cancel(world, call).await,
        Operation::CreateRefund => refund::create(world, call).await,
        Operation::RetrieveIntent => {
            world.intent(&call.id)?;
            world.refresh(&call.id).await?;
            read::intent(world, call)
        }
        Operation::RetrieveRefund => read::refund(world, call),
        Operation::RetrieveCharge => read::charge(world, call),
        Operation::RetrieveEvent => read::event(world, call),
        Operation::ListIntents | Operation::ListRefunds | Operation::ListCharges | Operation::ListEvents => {
            list::list(world, call)
        }
    }
}
