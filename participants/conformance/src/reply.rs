//! What came back, read exactly as the orchestrator reads it, and the words that a failure tells it with.

use std::fmt;
use std::time::Duration;

use backstitch_proto::contract::{Refusal, Verdict, domain_of};
use bytes::Bytes;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::Failure;

/// What a call came to.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// OK, with this message.
    Done(Bytes),
    /// OK, and the message says that the customer is waited for.
    Pending(Bytes),
    /// A verdict of the contract.
    Verdict(Verdict, Code),
    /// Any other status: it may have happened.
    Unknown(Status, String),
    /// The connection was never made, or a reply that no client can read.
    Lost(String),
}

impl Reply {
    /// Reads a status as an answer of `participant` to the call with `key`.
    pub(crate) fn of(status: Status, participant: &str, key: &str) -> Self {
        match Verdict::from_status(&status, participant, key) {
            Some(verdict) => Reply::Verdict(verdict, status.code()),
            None => {
                let why = why_no_verdict(&status, participant, key);
                Reply::Unknown(status, why)
            }
        }
    }

    /// Whether asking again may answer something else.
    pub(crate) fn is_open(&self) -> bool {
        matches!(
            self,
            Reply::Pending(_)
                | Reply::Unknown(..)
                | Reply::Lost(_)
                | Reply::Verdict(Verdict::NotNow { .. }, _)
        )
    }

    /// How long to wait before asking again.
    pub(crate) fn pause(&self) -> Duration {
        match self {
            Reply::Verdict(Verdict::NotNow { after, .. }, _) => {
                (*after).clamp(Duration::from_millis(20), Duration::from_secs(2))
            }
            _ => Duration::from_millis(50),
        }
    }
}

/// What keeps an ErrorInfo from being this contract's.
fn why_no_verdict(status: &Status, participant: &str, key: &str) -> String {
    let Some(info) = (!status.details().is_empty()).then(|| status.get_details_error_info()).flatten() else {
        return "without an ErrorInfo, so it promises nothing".into();
    };
    let domain = domain_of(participant);
    if info.domain != domain {
        return format!("its ErrorInfo has the domain `{}` where `{domain}` is due", info.domain);
    }
    match (info.metadata.get("key"), info.metadata.get("verdict")) {
        (None, _) => "its ErrorInfo echoes no `key`".into(),
        (Some(echoed), _) if echoed != key => {
            format!("its ErrorInfo echoes the key `{echoed}`, the call's is `{key}`")
        }
        (_, verdict) => format!("its ErrorInfo says `verdict` = {verdict:?}, which is no verdict"),
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Done(bytes) => write!(f, "OK, Done with {}", hex(bytes)),
            Reply::Pending(bytes) => write!(f, "OK, Pending with {}", hex(bytes)),
            Reply::Verdict(Verdict::Refused(r), code) => {
                write!(f, "{code:?}, Refused: {} ({}) {:?}", r.reason, r.detail, r.metadata)
            }
            Reply::Verdict(Verdict::NotNow { after, why }, code) => {
                write!(f, "{code:?}, NotNow for {after:?}: {why}")
            }
            Reply::Verdict(Verdict::Broken(why), code) => write!(f, "{code:?}, Broken: {why}"),
            Reply::Verdict(Verdict::Superseded(why), code) => write!(f, "{code:?}, Superseded: {why}"),
            Reply::Unknown(status, why) => {
                write!(f, "{:?} `{}`, {why}", status.code(), status.message())
            }
            Reply::Lost(why) => write!(f, "no answer: {why}"),
        }
    }
}

/// Bytes for a person: enough to tell two answers apart.
fn hex(bytes: &Bytes) -> String {
    const SHOWN: usize = 24;
    let shown: String = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!("{} bytes {shown}{more}", bytes.len())
}

/// A call and its reply, to be held against the contract.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// What was sent, for a person.
    pub(crate) what: String,
    pub(crate) reply: Reply,
}

impl Sent {
    /// The contract wanted something else.
    pub(crate) fn breach(&self, want: &str) -> Failure {
        Failure::breach(&self.what, &self.reply, want)
    }

    /// Done; its message.
    pub(crate) fn done(&self, why: &str) -> Result<Bytes, Failure> {
        match &self.reply {
            Reply::Done(bytes) => Ok(bytes.clone()),
            _ => Err(self.breach(&format!("Done: {why}"))),
        }
    }

    /// Done with exactly these bytes.
    pub(crate) fn done_with(&self, bytes: &Bytes, why: &str) -> Result<(), Failure> {
        match &self.reply {
            Reply::Done(answer) if answer == bytes => Ok(()),
            _ => Err(self.breach(&format!("Done with {}: {why}", hex(bytes)))),
        }
    }

    /// Refused; the refusal.
    pub(crate) fn refused(&self, why: &str) -> Result<Refusal, Failure> {
        match &self.reply {
            Reply::Verdict(Verdict::Refused(refusal), _) => Ok(refusal.clone()),
            _ => Err(self.breach(&format!("Refused: {why}"))),
        }
    }

    /// Refused with exactly this refusal.
    pub(crate) fn refused_with(&self, stored: &Refusal, why: &str) -> Result<(), Failure> {
        match &self.reply {
            Reply::Verdict(Verdict::Refused(refusal), _) if refusal == stored => Ok(()),
            _ => Err(self.breach(&format!("Refused {} {:?}: {why}", stored.reason, stored.metadata))),
        }
    }

    /// Superseded.
    pub(crate) fn superseded(&self, why: &str) -> Result<(), Failure> {
        match &self.reply {
            Reply::Verdict(Verdict::Superseded(_), _) => Ok(()),
            _ => Err(self.breach(&format!("Superseded: {why}"))),
        }
    }

    /// Broken.
    pub(crate) fn broken(&self, why: &str) -> Result<(), Failure> {
        match &self.reply {
            Reply::Verdict(Verdict::Broken(_), _) => Ok(()),
            _ => Err(self.breach(&format!("Broken: {why}"))),
        }
    }
}
