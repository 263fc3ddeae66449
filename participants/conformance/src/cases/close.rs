//! Settling a doubt.

use backstitch_proto::contract::Op;
use futures::future::join_all;

use super::{Case, Checked, Need, case, fresh};
use crate::bench::Bench;
use crate::profile::Action;
use crate::trial::Seen;

pub(super) const CASES: &[Case] = &[
    case(
        "close-before-do",
        "A close of what was never asked for is Refused, again and again",
        &[],
        |b, a| Box::pin(before(b, a)),
    ),
    case("do-after-close", "A do that comes after its close is Superseded and has no effect", &[], |b, a| {
        Box::pin(do_after(b, a))
    }),
    case(
        "concurrent-closes",
        "Of the same close many times at once all are Refused in the end",
        &[],
        |b, a| Box::pin(concurrent(b, a)),
    ),
    case(
        "close-after-done",
        "A close after the do answers the stored Done and changes nothing",
        &[],
        |b, a| Box::pin(after_done(b, a)),
    ),
    case("undo-after-close", "An undo after an early close succeeds", &[Need::Undo], |b, a| {
        Box::pin(undo(b, a))
    }),
    case(
        "undo-after-close-of-done",
        "What a close found done can still be taken back",
        &[Need::Undo],
        |b, a| Box::pin(undo_done(b, a)),
    ),
];

async fn before(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    for _ in 0..2 {
        trial
            .ask(Op::Close)
            .saying("no do came before")
            .settle()
            .await
            .refused("an absent row becomes closed")?;
    }
    trial.sees(Seen::Nothing, "a close has no effect of its own").await
}

async fn do_after(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    trial
        .ask(Op::Close)
        .saying("no do came before")
        .settle()
        .await
        .refused("an absent row becomes closed")?;
    trial
        .ask(Op::Do)
        .saying("after its close")
        .settle()
        .await
        .superseded("a closed row: it never happens")?;
    trial.sees(Seen::Nothing, "the close promised that it never happens").await?;
    trial.ask(Op::Close).saying("after the late do").settle().await.refused("a closed row: Refused")?;
    Ok(())
}

async fn concurrent(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let call = trial.ask(Op::Close).saying("8 times at once");
    for sent in join_all((0..8).map(|_| call.send())).await {
        if !sent.reply.is_open() {
            sent.refused("no do came before")?;
        }
    }
    call.settle().await.refused("a closed row: Refused")?;
    trial.ask(Op::Do).saying("after the closes").settle().await.superseded("a closed row")
}

async fn after_done(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let answer = trial.done().await?;
    for _ in 0..2 {
        let close = trial.ask(Op::Close).saying("after the do").settle().await;
        close.done_with(&answer, "a done row answers what is stored")?;
    }
    trial.sees(Seen::Once, "a close changes nothing here").await?;
    trial.ask(Op::Do).saying("after the close").settle().await.done_with(&answer, "it is still done")
}

async fn undo(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    trial
        .ask(Op::Close)
        .saying("no do came before")
        .settle()
        .await
        .refused("an absent row becomes closed")?;
    trial.ask(Op::Undo).saying("after the close").settle().await.done("a closed row: success")?;
    trial.ask(Op::Do).saying("after close and undo").settle().await.superseded("a closed row")?;
    trial.sees(Seen::Nothing, "nothing was ever done").await
}

async fn undo_done(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let answer = trial.done().await?;
    trial.ask(Op::Close).saying("after the do").settle().await.done_with(&answer, "a done row")?;
    trial.ask(Op::Undo).saying("after do and close").settle().await.done("a done row is taken back")?;
    trial.sees(Seen::Undone, "the undo succeeded").await
}
