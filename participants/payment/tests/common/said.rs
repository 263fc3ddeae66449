//! What a call came to, by the contract.

use std::collections::BTreeMap;
use std::time::Duration;

use backstitch_proto::contract::{Verdict, unknown_for};
use tonic::Status;

/// What a call came to, by the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Done,
    Pending(String),
    Refused(String),
    NotNow,
    Unknown,
    Broken(String),
    Superseded,
}

impl Said {
    pub fn refused(reason: &str) -> Self {
        Said::Refused(reason.to_owned())
    }

    pub fn is_broken(&self) -> bool {
        matches!(self, Said::Broken(_))
    }
}

/// When the call is to be made again; zero: whenever.
pub(super) fn after(status: &Status, key: &str) -> Duration {
    match Verdict::from_status(status, "payment", key) {
        Some(Verdict::NotNow { after, .. }) => after,
        _ => unknown_for(status, "payment", key),
    }
}

/// What a refusal says beside its reason; nothing of any other answer.
pub(super) fn facts(status: &Status, key: &str) -> BTreeMap<String, String> {
    match Verdict::from_status(status, "payment", key) {
        Some(Verdict::Refused(refusal)) => refusal.metadata,
        _ => BTreeMap::new(),
    }
}

pub(super) fn said(status: &Status, key: &str) -> Said {
    match Verdict::from_status(status, "payment", key) {
        Some(Verdict::Refused(refusal)) => Said::Refused(refusal.reason),
        Some(Verdict::NotNow { .. }) => Said::NotNow,
        Some(Verdict::Broken(why)) => Said::Broken(why),
        Some(Verdict::Superseded(_)) => Said::Superseded,
        None => Said::Unknown,
    }
}
