//! Two ops of one step at the same instant: whichever comes first, both answers and the effect tell the same story.

use backstitch_proto::contract::{Op, Verdict};

use super::{Case, Checked, Need, case, fresh};
use crate::bench::Bench;
use crate::profile::Action;
use crate::reply::{Reply, Sent};
use crate::trial::{Seen, Trial};

/// So many sagas, because each race is run once.
const RACES: usize = 8;

pub(super) const CASES: &[Case] = &[
    case(
        "do-races-close",
        "A do and a close at once agree: both the Done, or Refused and never any effect",
        &[],
        |b, a| Box::pin(do_close(b, a)),
    ),
    case(
        "do-races-undo",
        "A do and an undo at once leave no effect, and the do is Superseded from then on",
        &[Need::Undo],
        |b, a| Box::pin(do_undo(b, a)),
    ),
    case(
        "undo-races-close",
        "An undo and a close at once leave the effect taken back, and the close is Refused from then on",
        &[Need::Undo],
        |b, a| Box::pin(undo_close(b, a)),
    ),
];

/// What a settled close says holds for the do and for the effect as well.
pub(super) async fn close_holds(trial: &Trial<'_>, closed: &Sent) -> Checked {
    match &closed.reply {
        Reply::Done(answer) => {
            let again = trial.ask(Op::Do).saying("after a close that found it done").settle().await;
            again.done_with(answer, "the close found it done")?;
            trial.sees(Seen::Once, "the close found it done").await
        }
        Reply::Verdict(Verdict::Refused(refusal), _) => {
            let again = trial.ask(Op::Do).saying("after a Refused close").settle().await;
            match &again.reply {
                Reply::Verdict(Verdict::Superseded(_), _) => {}
                // The do itself was refused, and the close told that refusal.
                _ => {
                    again.refused_with(refusal, "or Superseded: the close promised that it never happens")?
                }
            }
            no_effect(trial, closed, "the close promised that there is none").await
        }
        _ => Err(closed.breach("Done or Refused: a close settles the doubt")),
    }
}

/// A settled undo leaves no effect and lets none happen.
pub(super) async fn undo_holds(trial: &Trial<'_>, undone: &Sent) -> Checked {
    undone.done("an undo succeeds, NotNow before that")?;
    let again = trial.ask(Op::Do).saying("after the undo").settle().await;
    match &again.reply {
        // A provider may have refused it before the undo came.
        Reply::Verdict(Verdict::Refused(_), _) if trial.action.outside => {}
        _ => again.superseded("nothing happens after the undo")?,
    }
    no_effect(trial, undone, "the undo succeeded").await
}

/// Insists that the effect is not there, however the participant tells that.
pub(super) async fn no_effect(trial: &Trial<'_>, after: &Sent, why: &str) -> Checked {
    match trial.is_there().await? {
        Some(true) => Err(after.breach(&format!("no effect, but it is there: {why}"))),
        _ => Ok(()),
    }
}

async fn do_close(bench: &Bench, action: &Action) -> Checked {
    for _ in 0..RACES {
        let trial = fresh(bench, action).await?;
        let (act, close) =
            (trial.ask(Op::Do).saying("racing a close"), trial.ask(Op::Close).saying("racing the do"));
        let (done, closed) = futures::join!(act.send(), close.send());
        if !closed.reply.is_open() {
            close_holds(&trial, &closed).await?;
        }
        let settled = close.settle().await;
        close_holds(&trial, &settled).await?;
        if let Reply::Done(answer) = &done.reply {
            settled.done_with(answer, "the do was answered Done")?;
        }
    }
    Ok(())
}

async fn do_undo(bench: &Bench, action: &Action) -> Checked {
    for _ in 0..RACES {
        let trial = fresh(bench, action).await?;
        let (act, undo) =
            (trial.ask(Op::Do).saying("racing an undo"), trial.ask(Op::Undo).saying("racing the do"));
        let (_, undone) = futures::join!(act.send(), undo.send());
        if !undone.reply.is_open() {
            undo_holds(&trial, &undone).await?;
        }
        undo_holds(&trial, &undo.settle().await).await?;
    }
    Ok(())
}

async fn undo_close(bench: &Bench, action: &Action) -> Checked {
    for _ in 0..RACES {
        let trial = fresh(bench, action).await?;
        let answer = trial.done().await?;
        let (undo, close) =
            (trial.ask(Op::Undo).saying("racing a close"), trial.ask(Op::Close).saying("racing the undo"));
        let (_, closed) = futures::join!(undo.send(), close.send());
        if let Reply::Done(_) = &closed.reply {
            closed.done_with(&answer, "the close came first and answers what is stored")?;
        }
        undo.settle().await.done("an undo succeeds, NotNow before that")?;
        close.settle().await.refused("an undone row: no effect")?;
        trial.sees(Seen::Undone, "the undo succeeded").await?;
    }
    Ok(())
}
