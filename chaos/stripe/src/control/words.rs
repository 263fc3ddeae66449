//! The words of control, which go over HTTP as JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::Operation;
use crate::faults::{Fault, Storm};

/// Where webhooks go.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Endpoint {
    /// The whole URL.
    pub url: String,
    /// `whsec_…`; each webhook carries a signature with each of them, as during the exchange of one for another.
    pub secrets: Vec<String>,
    /// Nothing is sent by itself: the test delivers, [`super::Control::deliver`].
    pub held: bool,
}

/// How the next webhooks of a kind are sent, where the endpoint is not held.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Treatment {
    /// The type of event; any, if `None`.
    pub kind: Option<String>,
    /// How many events are treated so.
    pub times: u32,
    /// How often each is sent: 0 loses it, 2 is a duplicate.
    pub copies: u32,
    /// After how many milliseconds; later ones overtake it.
    pub delay_ms: u64,
}

impl Treatment {
    /// The next `times` events of any kind are lost.
    pub fn lost(times: u32) -> Self {
        Self { kind: None, times, copies: 0, delay_ms: 0 }
    }

    /// The next `times` events of any kind are sent twice.
    pub fn twice(times: u32) -> Self {
        Self { copies: 2, ..Self::lost(times) }
    }

    /// This for events of one type only.
    pub fn of(self, kind: &str) -> Self {
        Self { kind: Some(kind.to_owned()), ..self }
    }

    pub(crate) fn is_about(&self, kind: &str) -> bool {
        self.times > 0 && self.kind.as_ref().is_none_or(|told| told == kind)
    }
}

/// An event that there is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Seen {
    /// `evt_…`
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The object that it is about.
    pub object: String,
    /// The intent that this belongs to.
    pub intent: String,
    /// All of it, as a webhook has it.
    pub body: Value,
}

/// One attempt to deliver a webhook.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Delivered {
    /// The event.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// What the endpoint answered; 0 if nothing.
    pub status: u16,
}

/// A call that came.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Done {
    /// What was asked for.
    pub operation: Operation,
    /// Of which object.
    pub id: String,
    /// Under which key.
    pub key: Option<String>,
    /// What was answered; 0 if nothing was, or not yet.
    pub status: u16,
    /// Whether the key gave an answer again.
    pub replayed: bool,
}

/// How far the clock is turned on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Turn {
    /// Never back.
    pub seconds: u32,
}

/// How something that waits goes on.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Settle {
    pub(crate) id: String,
    pub(crate) succeeds: bool,
}

/// Everything that can be told and asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ask {
    Fault(Fault),
    Storm(Storm),
    Calm,
    Customer(Settle),
    Refund(Settle),
    Turn(Turn),
    Lax(bool),
    Webhooks(Option<Endpoint>),
    Treat(Treatment),
    Deliver(Vec<String>),
    Events,
    Delivered,
    Calls,
    Statement,
}
