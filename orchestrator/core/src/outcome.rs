//! What one call to a participant came to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::hidden::Instructions;

/// What is asked of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// Have the effect.
    Do,
    /// Take it back, or make sure that it never happens.
    Undo,
    /// Settle a doubt: answer the stored Done, or make sure that the effect never happens.
    Close,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Op::Do => "do",
            Op::Undo => "undo",
            Op::Close => "close",
        })
    }
}

/// Why the business said no.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// A stable word in capitals, e.g. `OUT_OF_STOCK`.
    pub reason: String,
    /// A sentence for a person.
    pub detail: String,
    /// Facts a program may use.
    pub metadata: BTreeMap<String, String>,
}

impl Refusal {
    /// A refusal without facts.
    pub fn new(reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { reason: reason.into(), detail: detail.into(), metadata: BTreeMap::new() }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }
}

/// The outcome of one call. The variants differ in what may be concluded from them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It happened; the encoded answer.
    Done(Bytes),
    /// A promise about the key: no call with it had or will have an effect.
    Refused(Refusal),
    /// A promise about this attempt only: it had no effect.
    NotNow {
        /// When it makes sense to ask again.
        after: Duration,
        /// For a person.
        why: String,
    },
    /// Accepted; the participant waits for the customer. Ask again.
    Pending {
        /// Encoded instructions for the customer.
        next_action: Instructions,
    },
    /// May have happened, may happen yet.
    Unknown {
        /// When it makes sense to ask again.
        after: Duration,
        /// For a person.
        why: String,
    },
    /// A bug or a misconfiguration, or a reply that cannot be believed. May have happened.
    Broken(String),
    /// The key is already settled against this op: somebody else owns the saga, or did.
    Superseded(String),
}

impl Outcome {
    /// [`Unknown`](Self::Unknown) by somebody who does not say when to ask again.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { after: Duration::ZERO, why: why.into() }
    }
}
