//! The form of what a participant promises.

use backstitch_proto::contract::{Op, Verdict, keys};
use tonic::Code;

use super::{Case, Checked, case, fresh, with};
use crate::Failure;
use crate::bench::Bench;
use crate::profile::Action;
use crate::reply::{Reply, Sent};
use crate::trial::Plan;

pub(super) const CASES: &[Case] = &[
    case(
        "error-info",
        "Every verdict carries an ErrorInfo with this service's domain and this call's own key",
        &[],
        |b, a| Box::pin(error_info(b, a)),
    ),
    case(
        "verdict-codes",
        "Refused is FAILED_PRECONDITION, NotNow UNAVAILABLE, Broken INTERNAL, Superseded ABORTED",
        &[],
        |b, a| Box::pin(codes(b, a)),
    ),
    case(
        "refusal-says-why",
        "A refusal has a reason in stable words and a sentence for a person",
        &[],
        |b, a| Box::pin(says_why(b, a)),
    ),
];

/// Calls that are answered by each verdict that can be brought about for certain.
async fn verdicts(bench: &Bench, action: &Action) -> Result<Vec<Sent>, Failure> {
    let done = fresh(bench, action).await?;
    done.done().await?;
    let closed = fresh(bench, action).await?;
    let mut sent = vec![
        done.ask(Op::Do).body(&done.other, "another request under the same key").settle().await,
        closed.ask(Op::Do).without(keys::SAGA_ROOT).send().await,
        closed.ask(Op::Close).saying("no do came before").settle().await,
        closed.ask(Op::Close).saying("again").settle().await,
        closed.ask(Op::Do).saying("after its close").settle().await,
    ];
    if action.refused.is_some() {
        let refused = with(bench, Plan::refused(action)).await?;
        for op in [Op::Do, Op::Do, Op::Close] {
            sent.push(refused.ask(op).saying("the profile's refused request").settle().await);
        }
    }
    Ok(sent)
}

async fn error_info(bench: &Bench, action: &Action) -> Checked {
    for sent in verdicts(bench, action).await? {
        if !matches!(sent.reply, Reply::Verdict(..)) {
            return Err(
                sent.breach("a verdict: an ErrorInfo with `key`, `verdict` and this service's domain")
            );
        }
    }
    Ok(())
}

async fn codes(bench: &Bench, action: &Action) -> Checked {
    for sent in verdicts(bench, action).await? {
        let Reply::Verdict(verdict, code) = &sent.reply else {
            return Err(sent.breach("a verdict"));
        };
        let wanted = match verdict {
            Verdict::Refused(_) => Code::FailedPrecondition,
            Verdict::NotNow { .. } => Code::Unavailable,
            Verdict::Broken(_) => Code::Internal,
            Verdict::Superseded(_) => Code::Aborted,
        };
        if *code != wanted {
            return Err(sent.breach(&format!("the code {wanted:?}")));
        }
    }
    Ok(())
}

async fn says_why(bench: &Bench, action: &Action) -> Checked {
    let mut refusals = 0;
    for sent in verdicts(bench, action).await? {
        let Reply::Verdict(Verdict::Refused(refusal), _) = &sent.reply else { continue };
        refusals += 1;
        let stable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if refusal.reason.is_empty() || !refusal.reason.chars().all(stable) {
            return Err(sent.breach("a reason in capitals, digits and underscores, e.g. OUT_OF_STOCK"));
        }
        if refusal.detail.trim().is_empty() {
            return Err(sent.breach("a sentence for a person in the status message"));
        }
    }
    match refusals {
        0 => Err(Failure::Failed("a close of what was never asked for was not Refused".into())),
        _ => Ok(()),
    }
}
