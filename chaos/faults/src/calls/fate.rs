//! What may become of a call.

use std::fmt;

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is passed on, and so is its answer.
    Pass,
    /// It is never delivered.
    LoseRequest(Excuse),
    /// It is delivered, and its answer is lost.
    LoseReply(Excuse),
    /// It is delivered twice, one after the other.
    Twice(Which),
    /// It is passed on, and delivered again after so many later calls have been answered.
    Echo(u32),
    /// The caller is told at once that nobody is there, and it is delivered all the same, later.
    Late(Until),
}

/// What the caller is told in place of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// Nothing, until it gives up.
    Silence,
    /// The stream ends with an error.
    Reset,
    /// As a mesh says it: UNAVAILABLE.
    Unavailable,
    /// As a gateway says it: HTTP 403, and no gRPC at all.
    Forbidden,
    /// As a limiter says it: RESOURCE_EXHAUSTED.
    Exhausted,
    /// A whole answer of so many zeros.
    Oversized(usize),
}

/// Whose answer is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The first delivery's.
    First,
    /// The second delivery's.
    Second,
}

/// What is waited for before a late call is delivered. Whatever never comes is waited for until
/// [`Interceptor::deliver_all`](crate::Interceptor::deliver_all).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Another call of the same saga and step was answered.
    Next,
    /// An undo or a close of the same saga and step was answered.
    Undone,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fate::Pass => f.write_str("passed"),
            Fate::LoseRequest(excuse) => write!(f, "requests lost ({excuse})"),
            Fate::LoseReply(excuse) => write!(f, "replies lost ({excuse})"),
            Fate::Twice(Which::First) => f.write_str("sent twice (first answer)"),
            Fate::Twice(Which::Second) => f.write_str("sent twice (second answer)"),
            Fate::Echo(_) => f.write_str("repeated many calls later"),
            Fate::Late(Until::Next) => f.write_str("held until the next attempt"),
            Fate::Late(Until::Undone) => f.write_str("held until the undo"),
        }
    }
}

impl fmt::Display for Excuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Excuse::Silence => "silence",
            Excuse::Reset => "reset",
            Excuse::Unavailable => "UNAVAILABLE",
            Excuse::Forbidden => "403",
            Excuse::Exhausted => "RESOURCE_EXHAUSTED",
            Excuse::Oversized(_) => "oversized",
        })
    }
}
