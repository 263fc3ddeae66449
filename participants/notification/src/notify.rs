//! Notify: writes the letter into the log, from which it is sent. Done when the row is committed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use backstitch_proto::address::EmailAddress;
use backstitch_proto::notification::{NotifyRequest, NotifyResponse};
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx, text};
use uuid::Uuid;

use crate::store;
use crate::template;

/// So many parameters, of so many characters each, are plenty for a letter.
const MAX_PARAMETERS: usize = 50;
const MAX_PARAMETER_CHARS: usize = 2000;

/// Why a request cannot be understood; a bug of its builder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub(crate) struct Invalid {
    field: String,
    why: String,
}

fn invalid(field: impl Into<String>, why: impl ToString) -> Invalid {
    Invalid { field: field.into(), why: why.to_string() }
}

/// A letter to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notify {
    id: Uuid,
    template: String,
    to: EmailAddress,
    parameters: BTreeMap<String, String>,
}

impl Notify {
    pub(crate) fn parse(request: NotifyRequest) -> Result<Self, Invalid> {
        if request.parameters.len() > MAX_PARAMETERS {
            let why = format!("must be at most {MAX_PARAMETERS}, not {}", request.parameters.len());
            return Err(invalid("parameters", why));
        }
        for (name, value) in &request.parameters {
            text::required(name, 100).map_err(|e| invalid("parameters", e))?;
            // Values may have any characters: the template makes them harmless.
            if value.chars().count() > MAX_PARAMETER_CHARS {
                let why = format!("must have at most {MAX_PARAMETER_CHARS} characters");
                return Err(invalid(format!("parameters[{name}]"), why));
            }
        }
        let id = text::uuid(&request.notification_id).map_err(|e| invalid("notification_id", e))?;
        text::required(&request.template, 100).map_err(|e| invalid("template", e))?;
        Ok(Self {
            id,
            template: request.template,
            to: EmailAddress::parse(&request.to).map_err(|e| invalid("to", e.why))?,
            parameters: request.parameters,
        })
    }
}

#[async_trait]
impl Action for Notify {
    type Answer = NotifyResponse;

    fn identity(&self) -> Identity {
        let head = Identity::new("Notify")
            .text("notification_id", &self.id.to_string())
            .text("template", &self.template)
            .text("to", self.to.as_str());
        self.parameters.iter().fold(head, |identity, (name, value)| identity.text(name, value))
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![LockKey::new("notification", &self.id.to_string())]
    }

    /// Cannot refuse. Renders here, not at the door, so that a repetition is answered from what was done even if the
    /// template has changed since.
    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<Self::Answer, OpError> {
        let letter = template::render(&self.template, &self.parameters);
        let letter = letter.map_err(|e| OpError::broken(e.to_string()))?;
        let now_ms = tx.now_ms();
        let queued = store::Queued { id: self.id, template: &self.template, to: &self.to, letter: &letter };
        if !store::queue(tx.conn(), &queued, call.saga, now_ms).await? {
            return Err(OpError::broken(format!("notification {} exists already", self.id)));
        }
        Ok(NotifyResponse { notification_id: self.id.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> NotifyRequest {
        NotifyRequest {
            notification_id: Uuid::from_u128(1).to_string(),
            template: "order_confirmed".into(),
            to: "ada@example.com".into(),
            parameters: BTreeMap::from([("name".into(), "Ada".into())]),
        }
    }

    #[test]
    fn a_malformed_request_names_its_field() {
        type Edit = fn(&mut NotifyRequest);
        let bad: [(&str, Edit); 7] = [
            ("notification_id", |r| r.notification_id = "1".into()),
            ("template", |r| r.template.clear()),
            ("to", |r| r.to = "ada".into()),
            ("to", |r| r.to = "ada@example.com\r\nBcc: all@example.com".into()),
            ("to", |r| r.to = "ada@example.com,bob@example.com".into()),
            ("parameters", |r| {
                r.parameters = (0..=MAX_PARAMETERS).map(|n| (n.to_string(), String::new())).collect();
            }),
            ("parameters[name]", |r| {
                r.parameters.insert("name".into(), "x".repeat(MAX_PARAMETER_CHARS + 1));
            }),
        ];
        for (field, edit) in bad {
            let mut request = request();
            edit(&mut request);
            assert_eq!(Notify::parse(request).unwrap_err().field, field);
        }
        let mut edge = request();
        edge.parameters.insert("name".into(), "x".repeat(MAX_PARAMETER_CHARS));
        assert!(Notify::parse(edge).is_ok());
    }
}
