//! What people have judged of findings of the reconciler.

use uuid::Uuid;

/// A person's word about a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The finding's id, which is derived from all that it says.
    pub finding: Uuid,
    /// It is as it should be; false: that is taken back.
    pub is_acknowledged: bool,
    /// What the finding says: 1 to 500 characters, none a control character.
    pub what: String,
    /// Whose word it is: 1 to 255 characters, none a control character.
    pub who: String,
    /// The reason on record: 1 to 500 characters, none a control character.
    pub why: String,
    /// When, Unix milliseconds.
    pub at_ms: i64,
}

/// What became of a judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// It is durable.
    Written,
    /// The finding is acknowledged already, by this; nothing was written.
    Already(Judgement),
    /// The finding, whose acknowledgement was to be taken back, has none; nothing was written.
    NotAcknowledged,
}
