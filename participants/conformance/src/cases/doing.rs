//! While a do is under way, and callers that do not wait for it.

use std::time::Duration;

use backstitch_proto::contract::{Op, Verdict};

use super::race::{close_holds, undo_holds};
use super::{Case, Checked, Need, case, fresh, with};
use crate::Failure;
use crate::bench::Bench;
use crate::profile::Action;
use crate::reply::{Reply, Sent};
use crate::trial::{Plan, Seen, Trial};

/// How long a slow do is under way before somebody else comes.
pub(super) const UNDER_WAY: Duration = Duration::from_millis(300);

pub(super) const CASES: &[Case] = &[
    case(
        "caller-gone",
        "A do whose caller hangs up at once happens whole or not at all, and is done once when it is repeated",
        &[],
        |b, a| Box::pin(caller_gone(b, a)),
    ),
    case(
        "slow-caller-gone",
        "A slow do whose caller hangs up is not cancelled half-way, and is done once when it is repeated",
        &[Need::Slow],
        |b, a| Box::pin(slow_caller_gone(b, a)),
    ),
    case(
        "duplicate-during-do",
        "A duplicate of a do under way has no effect of its own and promises nothing that is not so",
        &[Need::Slow],
        |b, a| Box::pin(duplicate(b, a)),
    ),
    case(
        "close-during-do",
        "A close of a do under way is NotNow until it is settled, then Done or Refused",
        &[Need::Slow],
        |b, a| Box::pin(close(b, a)),
    ),
    case(
        "undo-during-do",
        "An undo of a do under way is NotNow until it is settled, then nothing is left",
        &[Need::Slow, Need::Undo],
        |b, a| Box::pin(undo(b, a)),
    ),
    case("do-during-closing", "A do while its step is being closed is Superseded", &[Need::Slow], |b, a| {
        Box::pin(do_during_closing(b, a))
    }),
];

async fn caller_gone(bench: &Bench, action: &Action) -> Checked {
    for millis in [1, 2, 3, 5, 8, 13] {
        let trial = fresh(bench, action).await?;
        trial.ask(Op::Do).within(Duration::from_millis(millis)).send().await;
        trial.done().await?;
        trial.sees(Seen::Once, "whatever became of the first call, the effect is there once").await?;
    }
    Ok(())
}

async fn slow_caller_gone(bench: &Bench, action: &Action) -> Checked {
    let trial = with(bench, Plan::slow(action)).await?;
    let hung_up = trial.ask(Op::Do).within(UNDER_WAY).send().await;
    let answer = trial.done().await?;
    if let Reply::Done(first) = &hung_up.reply {
        hung_up.done_with(first, "")?;
        return Err(too_quick(&hung_up));
    }
    trial.ask(Op::Do).saying("again").settle().await.done_with(&answer, "a done row")?;
    trial.sees(Seen::Once, "the dropped call and its repetition had one effect").await
}

async fn duplicate(bench: &Bench, action: &Action) -> Checked {
    let trial = with(bench, Plan::slow(action)).await?;
    let call = trial.ask(Op::Do);
    let (first, during) =
        during(&trial, async { call.clone().saying("while the first is under way").send().await }).await;
    if !during.reply.is_open() {
        during.done("in progress, or what is stored by now")?;
        return Err(too_quick(&during));
    }
    if let Reply::Verdict(Verdict::NotNow { .. }, _) = &during.reply {
        return Err(during.breach("Pending or no verdict: NotNow promises no effect, but one is under way"));
    }
    let answer = call.settle().await.done("a doing row is settled in the end")?;
    if let Reply::Done(_) = &first.reply {
        first.done_with(&answer, "both tell the stored answer")?;
    }
    trial.sees(Seen::Once, "one of them had the effect").await
}

async fn close(bench: &Bench, action: &Action) -> Checked {
    let trial = with(bench, Plan::slow(action)).await?;
    let call = trial.ask(Op::Close).saying("while the do is under way");
    let (done, during) = during(&trial, call.send()).await;
    not_now(&during)?;
    if !during.reply.is_open() {
        close_holds(&trial, &during).await?;
    }
    let settled = call.settle().await;
    close_holds(&trial, &settled).await?;
    if let Reply::Done(answer) = &done.reply {
        settled.done_with(answer, "the do was answered Done")?;
    }
    Ok(())
}

async fn undo(bench: &Bench, action: &Action) -> Checked {
    let trial = with(bench, Plan::slow(action)).await?;
    let call = trial.ask(Op::Undo).saying("while the do is under way");
    let (_, during) = during(&trial, call.send()).await;
    if let Reply::Done(_) = &during.reply {
        undo_holds(&trial, &during).await?;
    } else {
        not_now(&during)?;
    }
    undo_holds(&trial, &call.settle().await).await
}

async fn do_during_closing(bench: &Bench, action: &Action) -> Checked {
    let trial = with(bench, Plan::slow(action)).await?;
    let op = if action.undo.is_some() { Op::Undo } else { Op::Close };
    let closing = trial.ask(op).saying("while the do is under way");
    let (_, (first, during)) = during(&trial, async {
        let first = closing.send().await;
        (first, trial.ask(Op::Do).saying("while the step is being closed").send().await)
    })
    .await;
    if op == Op::Close && matches!(first.reply, Reply::Done(_)) {
        return Err(too_quick(&first));
    }
    during.superseded("a closing row: no do begins any more")?;
    let settled = closing.settle().await;
    match op {
        Op::Undo => undo_holds(&trial, &settled).await,
        _ => close_holds(&trial, &settled).await,
    }
}

/// Sends the slow do, and `meanwhile` a while after it; answers both.
async fn during<T>(trial: &Trial<'_>, meanwhile: impl Future<Output = T>) -> (Sent, T) {
    let call = trial.ask(Op::Do).saying("slow");
    let later = async {
        tokio::time::sleep(UNDER_WAY).await;
        meanwhile.await
    };
    futures::join!(call.send(), later)
}

/// NotNow, or settled already.
fn not_now(sent: &Sent) -> Checked {
    match &sent.reply {
        Reply::Verdict(Verdict::NotNow { .. } | Verdict::Refused(_), _) | Reply::Done(_) => Ok(()),
        _ => Err(sent.breach("NotNow until the doubt is settled")),
    }
}

fn too_quick(sent: &Sent) -> Failure {
    Failure::NotRun(format!(
        "the profile's slow request is over within {UNDER_WAY:?}, so nothing was under way ({}: {})",
        sent.what, sent.reply
    ))
}
