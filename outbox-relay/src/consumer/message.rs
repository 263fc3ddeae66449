//! A message as a handler gets it, and what a handler says when it could not act on it.

use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Headers as _};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// One message, with the CloudEvents in its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Where it was.
    pub topic: String,
    /// Where it was.
    pub partition: i32,
    /// Where it was.
    pub offset: i64,
    /// What order is promised along.
    pub key: Vec<u8>,
    /// The body.
    pub payload: Vec<u8>,
    /// As they came.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Why a message was not acted on; everything that was done for it was rolled back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Something else is in trouble (the consumer's own database): it is tried until that is over.
    #[error("not now: {0}")]
    Later(String),
    /// It went wrong, and perhaps the message is why: it is tried a few times, then it is a dead letter.
    #[error("{0}")]
    Failed(String),
    /// These bytes can never be acted on: it is a dead letter at once.
    #[error("it cannot be understood: {0}")]
    Poison(String),
}

impl Incoming {
    pub(super) fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map(|headers| {
            let headers = headers.iter();
            headers.map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec())).collect()
        });
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().unwrap_or_default().to_vec(),
            payload: message.payload().unwrap_or_default().to_vec(),
            headers: headers.unwrap_or_default(),
        }
    }

    /// A header's text; empty if there is none or it is no text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default()
    }

    /// `ce_type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.header("ce_type")
    }

    /// `ce_id`, which is the same in every repetition.
    ///
    /// # Errors
    /// That it has none: nobody could tell whether it was acted on before.
    pub fn event_id(&self) -> Result<Uuid, Failure> {
        let id = self.header("ce_id");
        Uuid::try_parse(id).map_err(|error| Failure::Poison(format!("its ce_id `{id}`: {error}")))
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// That it is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.payload).map_err(|error| Failure::Poison(format!("its body: {error}")))
    }
}
