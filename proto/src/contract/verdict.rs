//! What a status promises, and the only form in which it may promise it.
//!
//! A status is Refused, NotNow, Broken or Superseded *only* when it carries this contract's `ErrorInfo` with the
//! called service's domain and the call's own key echoed. Every other status is no verdict: a mesh's 403, an h2
//! `RESOURCE_EXHAUSTED` after the effect, a downstream's refusal that was passed on.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, ErrorInfo, StatusExt as _};

use super::domain_of;

const KEY: &str = "key";
const VERDICT: &str = "verdict";
const AFTER_MS: &str = "after_ms";
/// What stands for a verdict where nothing is promised, and it is only said when to ask again. Whoever does not know the
/// word finds no verdict, which is right.
const UNKNOWN: &str = "unknown";
/// Keys of a refusal's own metadata carry this prefix on the wire, so that they cannot shadow the contract's.
const OWN: &str = "x-";

/// Why the business said no, in words that are stable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// A stable word in capitals, e.g. `OUT_OF_STOCK`; each action's .proto lists its own. `CLOSED`, which any action may
    /// have: a close came before any effect, and made sure that there will be none.
    pub reason: String,
    /// A sentence for a person.
    pub detail: String,
    /// Facts a program may use, e.g. `sku`.
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

/// A status that keeps the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A promise about the key: no call with it had or will have an effect.
    Refused(Refusal),
    /// A promise about this attempt only: it had no effect; try again after so long.
    NotNow {
        /// When to try again.
        after: Duration,
        /// For the log.
        why: String,
    },
    /// A bug or a misconfiguration; a person has to look.
    Broken(String),
    /// The key is already settled against this op.
    Superseded(String),
}

impl Verdict {
    /// The status that `service` answers the call with `key` with.
    pub fn into_status(self, service: &str, key: &str) -> Status {
        let (code, word, reason, message, mut metadata) = match self {
            Verdict::Refused(r) => {
                let own = r.metadata.into_iter().map(|(k, v)| (format!("{OWN}{k}"), v)).collect();
                (Code::FailedPrecondition, "refused", r.reason, r.detail, own)
            }
            Verdict::NotNow { after, why } => {
                let after = HashMap::from([(AFTER_MS.to_owned(), after.as_millis().to_string())]);
                (Code::Unavailable, "not_now", "NOT_NOW".into(), why, after)
            }
            Verdict::Broken(why) => (Code::Internal, "broken", "BROKEN".into(), why, HashMap::new()),
            Verdict::Superseded(why) => {
                (Code::Aborted, "superseded", "SUPERSEDED".into(), why, HashMap::new())
            }
        };
        metadata.insert(KEY.to_owned(), key.to_owned());
        metadata.insert(VERDICT.to_owned(), word.to_owned());
        let details = ErrorDetails::with_error_info(reason, domain_of(service), metadata);
        Status::with_error_details(code, message, details)
    }

    /// The verdict that `status` carries for the call with `key` to `service`, if it carries one.
    pub fn from_status(status: &Status, service: &str, key: &str) -> Option<Self> {
        let info = addressed(status, service, key)?;
        let message = status.message().to_owned();
        match info.metadata.get(VERDICT)?.as_str() {
            "refused" => {
                let own = info.metadata.iter();
                let own = own.filter_map(|(k, v)| Some((k.strip_prefix(OWN)?.to_owned(), v.clone())));
                Some(Verdict::Refused(Refusal {
                    reason: info.reason,
                    detail: message,
                    metadata: own.collect(),
                }))
            }
            "not_now" => Some(Verdict::NotNow { after: after(&info), why: message }),
            "broken" => Some(Verdict::Broken(message)),
            "superseded" => Some(Verdict::Superseded(message)),
            _ => None,
        }
    }
}

/// The status that `service` answers the call with `key` with when it may have happened, and makes no sense to ask again
/// before `after` has passed: somebody whom it asks wants to be left alone so long. It promises nothing, and is no verdict.
///
/// Not *not now*: that would tell a caller whose first attempt it answers that there is nothing to take back.
pub fn unknown(service: &str, key: &str, why: &str, after: Duration) -> Status {
    if after.is_zero() {
        return Status::unknown(why);
    }
    let metadata = HashMap::from([
        (KEY.to_owned(), key.to_owned()),
        (VERDICT.to_owned(), UNKNOWN.to_owned()),
        (AFTER_MS.to_owned(), after.as_millis().to_string()),
    ]);
    let details = ErrorDetails::with_error_info("UNKNOWN", domain_of(service), metadata);
    Status::with_error_details(Code::Unknown, why, details)
}

/// After how long the participant wants to be asked again, by a status that is no verdict; zero: whenever.
pub fn unknown_for(status: &Status, service: &str, key: &str) -> Duration {
    let info = addressed(status, service, key)
        .filter(|info| info.metadata.get(VERDICT).map(String::as_str) == Some(UNKNOWN));
    info.map_or(Duration::ZERO, |info| after(&info))
}

/// The contract's `ErrorInfo` of a status to this very call.
fn addressed(status: &Status, service: &str, key: &str) -> Option<ErrorInfo> {
    if status.details().is_empty() {
        return None;
    }
    let info = status.get_details_error_info()?;
    let ours = info.domain == domain_of(service) && info.metadata.get(KEY).map(String::as_str) == Some(key);
    ours.then_some(info)
}

fn after(info: &ErrorInfo) -> Duration {
    Duration::from_millis(info.metadata.get(AFTER_MS).and_then(|after| after.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts() -> Vec<Verdict> {
        vec![
            Verdict::Refused(
                Refusal::new("OUT_OF_STOCK", "only 2 left").with("sku", "A").with("key", "mine"),
            ),
            Verdict::NotNow { after: Duration::from_millis(250), why: "busy".into() },
            Verdict::Broken("another body under this key".into()),
            Verdict::Superseded("already undone".into()),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        for verdict in verdicts() {
            let status = verdict.clone().into_status("inventory", "k");
            assert_eq!(Verdict::from_status(&status, "inventory", "k"), Some(verdict));
        }
    }

    #[test]
    fn another_service_s_or_call_s_verdict_is_none() {
        for verdict in verdicts() {
            let status = verdict.into_status("inventory", "k");
            assert_eq!(Verdict::from_status(&status, "payment", "k"), None);
            assert_eq!(Verdict::from_status(&status, "inventory", "another"), None);
        }
    }

    #[test]
    fn an_unknown_says_when_to_ask_again_and_promises_nothing() {
        let after = Duration::from_secs(7);
        let status = unknown("payment", "k", "busy", after);
        assert_eq!(Verdict::from_status(&status, "payment", "k"), None);
        assert_eq!(unknown_for(&status, "payment", "k"), after);
        for (service, key) in [("payment", "another"), ("cart", "k")] {
            assert_eq!(unknown_for(&status, service, key), Duration::ZERO);
        }
        assert!(unknown("payment", "k", "lost", Duration::ZERO).details().is_empty());
        // A verdict's own time is its own business.
        let not_now = Verdict::NotNow { after, why: "busy".into() }.into_status("payment", "k");
        assert_eq!(unknown_for(&not_now, "payment", "k"), Duration::ZERO);
        assert_eq!(unknown_for(&Status::unknown("lost"), "payment", "k"), Duration::ZERO);
    }

    #[test]
    fn a_bare_code_is_no_verdict() {
        for code in 1..=16 {
            let status = Status::new(Code::from(code), "something");
            assert_eq!(Verdict::from_status(&status, "inventory", "k"), None);
        }
    }
}
