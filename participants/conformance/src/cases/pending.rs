//! While the customer is waited for.

use backstitch_proto::contract::Op;

use super::race::{close_holds, undo_holds};
use super::{Case, Checked, Need, case, with};
use crate::Failure;
use crate::bench::Bench;
use crate::profile::Action;
use crate::reply::Reply;
use crate::trial::{Plan, Trial};

pub(super) const CASES: &[Case] = &[
    case(
        "pending-again",
        "A do that waits for the customer is Pending whenever it is asked",
        &[Need::Pending],
        |b, a| Box::pin(again(b, a)),
    ),
    case(
        "pending-undo",
        "What waits for the customer can be undone, and nothing happens afterwards",
        &[Need::Pending, Need::Undo],
        |b, a| Box::pin(undo(b, a)),
    ),
    case(
        "pending-close",
        "A close of what waits for the customer settles it for good",
        &[Need::Pending],
        |b, a| Box::pin(close(b, a)),
    ),
    case("pending-other-body", "A Pending key with another request is Broken", &[Need::Pending], |b, a| {
        Box::pin(other_body(b, a))
    }),
];

async fn begin<'a>(bench: &'a Bench, action: &'a Action) -> Result<Trial<'a>, Failure> {
    let trial = with(bench, Plan::pending(action)).await?;
    let sent = trial.ask(Op::Do).saying("the profile's pending request").send().await;
    match &sent.reply {
        Reply::Pending(_) => Ok(trial),
        _ => Err(sent.breach("OK with the profile's pending field set")),
    }
}

async fn again(bench: &Bench, action: &Action) -> Checked {
    let trial = begin(bench, action).await?;
    for _ in 0..3 {
        let sent = trial.ask(Op::Do).saying("again").send().await;
        if !matches!(sent.reply, Reply::Pending(_)) {
            return Err(sent.breach("Pending: the customer has done nothing yet"));
        }
    }
    Ok(())
}

async fn undo(bench: &Bench, action: &Action) -> Checked {
    let trial = begin(bench, action).await?;
    let undone = trial.ask(Op::Undo).saying("while the customer is waited for").settle().await;
    undo_holds(&trial, &undone).await
}

async fn close(bench: &Bench, action: &Action) -> Checked {
    let trial = begin(bench, action).await?;
    let closed = trial.ask(Op::Close).saying("while the customer is waited for").settle().await;
    close_holds(&trial, &closed).await
}

async fn other_body(bench: &Bench, action: &Action) -> Checked {
    let trial = begin(bench, action).await?;
    let other = trial.ask(Op::Do).body(&trial.other, "another request under the same key");
    other.settle().await.broken("a doing row with another hash")
}
