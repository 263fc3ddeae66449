//! What is done about findings, and never more: notes on sagas that have not ended, and repair sagas for the rest.

use backstitch_failpoint::hit;
use backstitch_proto::operator::{RepairObjectRequest, SagaSummary};
use tonic::Code;

use crate::finding::{Finding, Move};
use crate::report::{Done, Told};
use crate::shop::Shop;

/// The longest note or reason that the orchestrator takes, in characters.
const TEXT: usize = 500;

/// Notes and, where that is wanted, repairs, in a run that began at `now_ms`. What cannot be done is told with the finding:
/// it stays one.
pub(crate) async fn act(shop: &Shop, finding: Finding, repair: bool, now_ms: i64) -> Told {
    let done = match &finding.step {
        Move::Note { saga, .. } => match shop.note(saga, text(&finding)).await {
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
                reason: text(&finding),
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

/// The same for the same finding, so that a note is written once.
fn text(finding: &Finding) -> String {
    let whole = format!("reconcile found {}: {}", finding.kind.as_str(), finding.what);
    whole.chars().filter(|c| !c.is_control()).take(TEXT).collect()
}

#[cfg(test)]
mod tests {
    use backstitch_proto::money::{Currency, Money};

    use super::*;
    use crate::finding::About;
    use crate::kind::Kind;

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

    #[test]
    fn a_note_is_what_the_orchestrator_takes() {
        let of = |what: String| Finding {
            kind: Kind::OpenCase,
            amount: Money::new(1, Currency::parse("GBP").unwrap()),
            about: About::default(),
            step: Move::Wait,
            what,
        };
        let empty = text(&of(String::new())).len();
        assert_eq!(text(&of("é".repeat(TEXT - empty))).chars().count(), TEXT);
        assert_eq!(text(&of("é".repeat(TEXT - empty + 1))).chars().count(), TEXT);
        assert_eq!(text(&of("a\nb\u{7f}".to_owned())), "reconcile found open_case: ab");
    }
}
