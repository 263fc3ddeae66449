//! A person's word about a finding: that it is as it should be, or that this is taken back.

use backstitch_proto::operator::{
    AcknowledgeFindingRequest, Acknowledgement, TakeBackAcknowledgementRequest,
};
use tonic::Status;
use uuid::Uuid;

use crate::finding::Finding;
use crate::report::Report;
use crate::run::{Options, reconcile};
use crate::shop::{Failed, Shop};

/// Whose word it is, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Why a word was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotJudged {
    /// The books could not be compared, so that nobody knows what is found.
    #[error(transparent)]
    Failed(#[from] Failed),
    /// No such finding.
    #[error("there is no finding {0} now; `backstitch reconcile` tells those that there are, with their ids")]
    Unknown(Uuid),
    /// It is settled otherwise.
    #[error("{kind} {finding} cannot be acknowledged: {instead}")]
    SettledOtherwise {
        /// The finding's kind.
        kind: &'static str,
        /// Its id.
        finding: Uuid,
        /// What is to be done instead.
        instead: String,
    },
    /// The orchestrator does not take it.
    #[error("the orchestrator does not take it: {0}")]
    Refused(String),
}

/// Acknowledges a finding that there is, once the books were compared; what it was, and the word that counts.
///
/// # Errors
/// Why not; then nothing was written, unless the orchestrator did not answer.
pub async fn acknowledge(
    shop: &Shop,
    options: &Options,
    now_ms: i64,
    finding: Uuid,
    word: Word,
) -> Result<(Finding, Acknowledgement), NotJudged> {
    // Nothing is taken back by asking.
    let options = Options { repair: false, ..*options };
    let Report { findings, acknowledged, .. } = reconcile(shop, &options, now_ms).await?;
    let told = findings.into_iter().map(|told| told.finding);
    let mut all = told.chain(acknowledged.into_iter().map(|(finding, _)| finding));
    let found = all.find(|found| found.id() == finding).ok_or(NotJudged::Unknown(finding))?;
    found.may_be_acknowledged().map_err(|instead| {
        let kind = found.kind.as_str();
        NotJudged::SettledOtherwise { kind, finding, instead }
    })?;
    let Word { by, reason } = word;
    let what = found.record();
    let request = AcknowledgeFindingRequest { finding_id: finding.to_string(), what, by, reason };
    let taken = shop.acknowledge(request).await.map_err(refused)?;
    Ok((found, taken))
}

/// Takes an acknowledgement back, whether its finding is still found or not.
///
/// # Errors
/// Why not.
pub async fn take_back(shop: &Shop, finding: Uuid, word: Word) -> Result<(), NotJudged> {
    let Word { by, reason } = word;
    let request = TakeBackAcknowledgementRequest { finding_id: finding.to_string(), by, reason };
    shop.take_back(request).await.map_err(refused)
}

fn refused(status: Status) -> NotJudged {
    NotJudged::Refused(format!("{:?}, {}", status.code(), status.message()))
}
