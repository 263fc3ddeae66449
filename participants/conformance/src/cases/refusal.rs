//! What the business said no to.

use backstitch_proto::contract::{Op, Refusal};
use futures::future::join_all;

use super::{Case, Checked, Need, case, with};
use crate::Failure;
use crate::bench::Bench;
use crate::profile::Action;
use crate::trial::{Plan, Seen, Trial};

pub(super) const CASES: &[Case] = &[
    case("refused", "A refused do says the reason and has no effect at all", &[Need::Refusal], |b, a| {
        Box::pin(refused(b, a))
    }),
    case(
        "refused-again",
        "A refused do again is answered with the stored refusal",
        &[Need::Refusal],
        |b, a| Box::pin(again(b, a)),
    ),
    case(
        "refusal-outlives-its-cause",
        "A refused do stays refused when the same request would be possible by now",
        &[Need::Relief],
        |b, a| Box::pin(outlives(b, a)),
    ),
    case(
        "concurrent-refusals",
        "Of the same refused do many times at once all agree on the refusal",
        &[Need::Refusal],
        |b, a| Box::pin(concurrent(b, a)),
    ),
    case("refused-other-body", "A refused key with another request is Broken", &[Need::Refusal], |b, a| {
        Box::pin(other_body(b, a))
    }),
    case(
        "close-after-refused",
        "A close after a refusal answers the stored refusal",
        &[Need::Refusal],
        |b, a| Box::pin(close(b, a)),
    ),
    case(
        "undo-after-refused",
        "An undo after a refusal succeeds, changes nothing, and the do stays refused",
        &[Need::Refusal, Need::Undo],
        |b, a| Box::pin(undo(b, a)),
    ),
];

const STORED: &str = "a refused row answers what is stored";

/// A saga whose step was refused.
async fn begin<'a>(bench: &'a Bench, action: &'a Action) -> Result<(Trial<'a>, Refusal), Failure> {
    let trial = with(bench, Plan::refused(action)).await?;
    let sent = trial.ask(Op::Do).saying("the profile's refused request").settle().await;
    let refusal = sent.refused("the business says no")?;
    let wanted = action.refused.as_ref().map_or("", |r| r.reason.as_str());
    if refusal.reason != wanted {
        return Err(sent.breach(&format!("the reason {wanted}, as the profile says")));
    }
    Ok((trial, refusal))
}

async fn refused(bench: &Bench, action: &Action) -> Checked {
    let (trial, _) = begin(bench, action).await?;
    trial.sees(Seen::Refused, "a refusal rolls everything back").await
}

async fn again(bench: &Bench, action: &Action) -> Checked {
    let (trial, refusal) = begin(bench, action).await?;
    for _ in 0..3 {
        trial.ask(Op::Do).saying("again").settle().await.refused_with(&refusal, STORED)?;
    }
    trial.sees(Seen::Refused, "a refused step has no effect").await
}

async fn outlives(bench: &Bench, action: &Action) -> Checked {
    let (trial, refusal) = begin(bench, action).await?;
    trial.relieve().await?;
    let again = trial.ask(Op::Do).saying("again, now that it would be possible").settle().await;
    again.refused_with(&refusal, "Refused is a promise: no call with the key will ever have an effect")?;
    trial.sees(Seen::Refused, "a refused step has no effect").await
}

async fn concurrent(bench: &Bench, action: &Action) -> Checked {
    let trial = with(bench, Plan::refused(action)).await?;
    let call = trial.ask(Op::Do).saying("the profile's refused request, 8 times at once");
    let crowd = join_all((0..8).map(|_| call.send())).await;
    let refusal = call.settle().await.refused("the business says no")?;
    for sent in crowd.iter().filter(|sent| !sent.reply.is_open()) {
        sent.refused_with(&refusal, "whoever refuses says what is stored")?;
    }
    trial.sees(Seen::Refused, "a refused step has no effect").await
}

async fn other_body(bench: &Bench, action: &Action) -> Checked {
    let (trial, refusal) = begin(bench, action).await?;
    let other = trial.ask(Op::Do).body(&trial.other, "another request under the refused key");
    other.settle().await.broken("a refused row with another hash")?;
    trial.ask(Op::Do).saying("as at first").settle().await.refused_with(&refusal, STORED)
}

async fn close(bench: &Bench, action: &Action) -> Checked {
    let (trial, refusal) = begin(bench, action).await?;
    trial.ask(Op::Close).saying("after a refused do").settle().await.refused_with(&refusal, STORED)?;
    trial.ask(Op::Do).saying("after the close").settle().await.refused_with(&refusal, STORED)
}

async fn undo(bench: &Bench, action: &Action) -> Checked {
    let (trial, refusal) = begin(bench, action).await?;
    trial.ask(Op::Undo).saying("after a refused do").settle().await.done("there is nothing to undo")?;
    trial.sees(Seen::Refused, "there was nothing to take back").await?;
    trial.ask(Op::Do).saying("after the undo").settle().await.refused_with(&refusal, STORED)
}
