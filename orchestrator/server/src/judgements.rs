//! What people have judged of findings of the reconciler: kept here for it, which decides what may be acknowledged.

use backstitch_proto::operator::{AcknowledgeFindingRequest, TakeBackAcknowledgementRequest};
use backstitch_store::{Judged, Judgement};
use uuid::Uuid;

use crate::app::{App, now_ms};
use crate::problem::{Problem, kind};
use crate::sagas::MAX_REASON;
use crate::{failures, fields};

/// The most characters of whose word it is.
const MAX_NAME: usize = 255;
/// The most findings that are asked for at once.
const MOST: usize = 1_000;

/// Writes down that a finding is as it should be. The same reason again is answered by the first.
pub(crate) async fn acknowledge(app: &App, asked: AcknowledgeFindingRequest) -> Result<Judgement, Problem> {
    let AcknowledgeFindingRequest { finding_id, what, by, reason } = asked;
    fields::words("/what", &what, MAX_REASON)?;
    let word = word(&finding_id, true, what, by, &reason)?;
    match app.engine.store().judge(&word).await.map_err(failures::store)? {
        Judged::Already(first) if first.why == word.why => Ok(first),
        Judged::Already(Judgement { who, why, .. }) => {
            let detail = format!("It is acknowledged already, by {who}: {why}");
            Err(Problem::new(&kind::ALREADY_ACKNOWLEDGED, detail).at("reason"))
        }
        Judged::Written | Judged::NotAcknowledged => Ok(word),
    }
}

/// Takes an acknowledgement back.
pub(crate) async fn take_back(app: &App, asked: TakeBackAcknowledgementRequest) -> Result<(), Problem> {
    let TakeBackAcknowledgementRequest { finding_id, by, reason } = asked;
    let word = word(&finding_id, false, "taken back".to_owned(), by, &reason)?;
    match app.engine.store().judge(&word).await.map_err(failures::store)? {
        Judged::Written => Ok(()),
        Judged::NotAcknowledged | Judged::Already(_) => {
            let detail = format!("Finding {} is not acknowledged.", word.finding);
            Err(Problem::new(&kind::NOT_ACKNOWLEDGED, detail).at("finding_id"))
        }
    }
}

/// Those of these findings that are acknowledged.
pub(crate) async fn find(app: &App, ids: &[String]) -> Result<Vec<Judgement>, Problem> {
    if ids.len() > MOST {
        let detail = format!("At most {MOST} findings are asked for at once, not {}.", ids.len());
        return Err(Problem::new(&kind::INVALID_FIELD, detail).at("finding_ids"));
    }
    let id = |(nth, id): (usize, &String)| fields::id(format!("finding_ids[{nth}]"), id);
    let ids = ids.iter().enumerate().map(id).collect::<Result<Vec<Uuid>, _>>()?;
    app.engine.store().acknowledged(&ids).await.map_err(failures::store)
}

fn word(
    finding: &str,
    is_acknowledged: bool,
    what: String,
    who: String,
    reason: &str,
) -> Result<Judgement, Problem> {
    let finding = fields::id("finding_id", finding)?;
    fields::words("/by", &who, MAX_NAME)?;
    let why = reason.trim().to_owned();
    fields::words("/reason", &why, MAX_REASON)?;
    Ok(Judgement { finding, is_acknowledged, what, who, why, at_ms: now_ms() })
}
