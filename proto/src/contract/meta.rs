//! Metadata of a call.

use std::fmt;

use tonic::metadata::{MetadataMap, MetadataValue};
use uuid::Uuid;

use super::keys;

/// What a call asks of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// Have the effect.
    Do,
    /// Take the effect back, or make sure that it never happens.
    Undo,
    /// Settle a doubt: answer the stored Done, or make sure that the effect never happens.
    Close,
}

impl Op {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Do => "do",
            Op::Undo => "undo",
            Op::Close => "close",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who calls, for which step, how often already. Identity is (saga, step, op); the rest is for logs and traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallMeta {
    /// The saga.
    pub saga: Uuid,
    /// The root of its family; the saga itself for a checkout.
    pub root: Uuid,
    /// The definition's name.
    pub name: String,
    /// The step's name; for an undo, of the step that is taken back.
    pub step: String,
    /// What is asked.
    pub op: Op,
    /// From 1.
    pub attempt: u32,
    /// W3C trace context, empty if there is none.
    pub traceparent: String,
}

/// Why a call's metadata cannot be read; such a call is Broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// A key is absent.
    #[error("metadata `{0}` is missing")]
    Missing(&'static str),
    /// A value has another form than the contract's.
    #[error("metadata `{0}` is malformed")]
    Malformed(&'static str),
}

impl CallMeta {
    /// (saga, step, op) as text: the idempotency key that a provider may be given.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.saga, self.step, self.op)
    }

    /// Writes the metadata of an outgoing call. Step and definition names are ASCII by construction.
    pub fn write(&self, to: &mut MetadataMap) {
        let mut put = |key: &'static str, value: &str| {
            if let Ok(value) = MetadataValue::try_from(value) {
                to.insert(key, value);
            }
        };
        let mut buffer = Uuid::encode_buffer();
        put(keys::SAGA_ID, self.saga.hyphenated().encode_lower(&mut buffer));
        put(keys::SAGA_ROOT, self.root.hyphenated().encode_lower(&mut buffer));
        put(keys::SAGA_NAME, &self.name);
        put(keys::SAGA_STEP, &self.step);
        put(keys::SAGA_OP, self.op.as_str());
        put(keys::SAGA_ATTEMPT, &self.attempt.to_string());
        put(keys::IDEMPOTENCY_KEY, &self.key());
        if !self.traceparent.is_empty() {
            put(keys::TRACEPARENT, &self.traceparent);
        }
    }

    /// Reads the metadata of an incoming call.
    pub fn read(from: &MetadataMap) -> Result<Self, MetaError> {
        let saga = uuid(from, keys::SAGA_ID)?;
        let step = text(from, keys::SAGA_STEP)?;
        if step.is_empty() || step.len() > 100 {
            return Err(MetaError::Malformed(keys::SAGA_STEP));
        }
        let op = match text(from, keys::SAGA_OP)? {
            "do" => Op::Do,
            "undo" => Op::Undo,
            "close" => Op::Close,
            _ => return Err(MetaError::Malformed(keys::SAGA_OP)),
        };
        let attempt =
            text(from, keys::SAGA_ATTEMPT)?.parse().map_err(|_| MetaError::Malformed(keys::SAGA_ATTEMPT))?;
        let meta = Self {
            saga,
            root: uuid(from, keys::SAGA_ROOT)?,
            name: text(from, keys::SAGA_NAME)?.to_owned(),
            step: step.to_owned(),
            op,
            attempt,
            traceparent: from.get(keys::TRACEPARENT).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned(),
        };
        // The key is redundant on purpose: a proxy that mixes up calls is caught here.
        if text(from, keys::IDEMPOTENCY_KEY)? != meta.key() {
            return Err(MetaError::Malformed(keys::IDEMPOTENCY_KEY));
        }
        Ok(meta)
    }
}

fn text<'a>(from: &'a MetadataMap, key: &'static str) -> Result<&'a str, MetaError> {
    from.get(key).ok_or(MetaError::Missing(key))?.to_str().map_err(|_| MetaError::Malformed(key))
}

fn uuid(from: &MetadataMap, key: &'static str) -> Result<Uuid, MetaError> {
    text(from, key)?.parse().map_err(|_| MetaError::Malformed(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> CallMeta {
        CallMeta {
            saga: Uuid::from_u128(1),
            root: Uuid::from_u128(2),
            name: "checkout".into(),
            step: "reserve_stock".into(),
            op: Op::Undo,
            attempt: 3,
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut map = MetadataMap::new();
        meta().write(&mut map);
        assert_eq!(CallMeta::read(&map), Ok(meta()));
    }

    #[test]
    fn a_missing_or_crossed_key_is_named() {
        let mut map = MetadataMap::new();
        assert_eq!(CallMeta::read(&map), Err(MetaError::Missing(keys::SAGA_ID)));
        meta().write(&mut map);
        map.insert(keys::IDEMPOTENCY_KEY, MetadataValue::from_static("another"));
        assert_eq!(CallMeta::read(&map), Err(MetaError::Malformed(keys::IDEMPOTENCY_KEY)));
    }
}
