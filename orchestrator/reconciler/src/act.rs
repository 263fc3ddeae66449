//! What is done about findings, and never more: notes on sagas that have not ended, and repair sagas for the rest.

use backstitch_failpoint::hit;
use backstitch_proto::operator::{RepairObjectRequest, SagaSummary};
use tonic::Code;

use crate::finding::{Finding, Move};
use crate::report::{Done, Told};
use crate::shop::Shop;

/// Notes and, where that is wanted, repairs, in a run that began at `now_ms`. What cannot be done is told with the finding:
/// it stays one.
pub(crate) async fn act(shop: &Shop, finding: Finding, repair: bool, now_ms: i64) -> Told {
    let done = match &finding.step {
        Move::Note { saga, .. } => match shop.note(saga, finding.record()).await {
            Ok(()) => Done::Noted,
            Err(status) if status.code() == Code::FailedPrecondition => {
                Done::Failed("its saga has ended meanwhile; run this again".to_owned())
            }
            Err(status) => Done::Failed(format!("no note could be left: {}", said(&status))),
        },
        Move::Repair { state } if repair => {
            let request = RepairObjectRequest {
                provider_id: finding.about.object.clone(),
                state: (*state).to_owned(),
                saga_id: finding.about.saga.clone(),
                reason: finding.record(),
            };
            hit("reconcile.before_repair");
            let started = shop.repair(request).await;
            hit("reconcile.after_repair");
            match started {
                Ok(detail) => begun(detail.summary.unwrap_or_default(), now_ms),
                Err(status) => Done::Failed(format!("no repair could be started: {}", said(&status))),
            }
        }
        _ => Done::Nothing,
    };
    Told { finding, done }
}

/// The same object in the same state has one repair. One that ended before this run looked has not helped.
fn begun(repair: SagaSummary, now_ms: i64) -> Done {
    let SagaSummary { saga_id, status, updated_at_unix_ms, .. } = repair;
    let has_ended = matches!(status.as_str(), "completed" | "compensated");
    if has_ended && updated_at_unix_ms < now_ms {
        return Done::Failed(format!("its repair, saga {saga_id}, has {status} and has not helped"));
    }
    Done::Repairing(saga_id)
}

fn said(status: &tonic::Status) -> String {
    format!("{:?} {}", status.code(), status.message()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_that_ended_before_and_has_not_helped_is_told() {
        let repair = |status: &str, updated_at_unix_ms| SagaSummary {
            saga_id: "r".into(),
            status: status.into(),
            updated_at_unix_ms,
            ..SagaSummary::default()
        };
        for under_way in [repair("running", 1), repair("parked", 1), repair("completed", 10)] {
            assert_eq!(begun(under_way, 10), Done::Repairing("r".into()));
        }
        for status in ["completed", "compensated"] {
            let told = format!("its repair, saga r, has {status} and has not helped");
            assert_eq!(begun(repair(status, 9), 10), Done::Failed(told));
        }
    }
}
