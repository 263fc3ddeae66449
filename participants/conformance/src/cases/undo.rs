//! Taking back, in every order.

use backstitch_proto::contract::Op;
use futures::future::join_all;

use super::{Case, Checked, Need, case, fresh};
use crate::bench::Bench;
use crate::profile::Action;
use crate::trial::Seen;

pub(super) const CASES: &[Case] = &[
    case("undo-takes-back", "An undo takes back what was done", &[Need::Undo], |b, a| Box::pin(back(b, a))),
    case("undo-again", "An undo again succeeds and takes nothing back twice", &[Need::Undo], |b, a| {
        Box::pin(again(b, a))
    }),
    case(
        "concurrent-undos",
        "Of the same undo many times at once the effect is taken back once, and all succeed in the end",
        &[Need::Undo],
        |b, a| Box::pin(concurrent(b, a)),
    ),
    case(
        "undo-without-do",
        "An undo of what was never asked for succeeds, again and again",
        &[Need::Undo],
        |b, a| Box::pin(without_do(b, a)),
    ),
    case(
        "do-after-undo",
        "A do that comes after its undo is Superseded and has no effect",
        &[Need::Undo],
        |b, a| Box::pin(do_after(b, a)),
    ),
    case(
        "do-again-after-undo",
        "A do again after do and undo is Superseded, not the stored answer",
        &[Need::Undo],
        |b, a| Box::pin(do_again(b, a)),
    ),
    case("close-after-undo", "A close after the undo is Refused", &[Need::Undo], |b, a| {
        Box::pin(close(b, a))
    }),
    case("close-after-early-undo", "A close after an undo without do is Refused", &[Need::Undo], |b, a| {
        Box::pin(close_early(b, a))
    }),
];

const LATE: &str = "an undone or closed row lets nothing happen any more";

async fn back(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    trial.done().await?;
    trial.ask(Op::Undo).settle().await.done("a done row: the effect is taken back")?;
    trial.sees(Seen::Undone, "the undo succeeded").await
}

async fn again(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    trial.done().await?;
    trial.ask(Op::Undo).settle().await.done("a done row: the effect is taken back")?;
    for _ in 0..2 {
        trial.ask(Op::Undo).saying("again").settle().await.done("an undone row: success")?;
    }
    trial.sees(Seen::Undone, "a repetition takes nothing back").await
}

async fn concurrent(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    trial.done().await?;
    let call = trial.ask(Op::Undo).saying("8 times at once");
    for sent in join_all((0..8).map(|_| call.send())).await {
        if !sent.reply.is_open() {
            sent.done("done, closing or undone: success, or NotNow until it is")?;
        }
    }
    call.settle().await.done("an undone row: success")?;
    trial.sees(Seen::Undone, "it is taken back once").await
}

async fn without_do(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    for _ in 0..2 {
        trial
            .ask(Op::Undo)
            .saying("no do came before")
            .settle()
            .await
            .done("an absent row becomes closed")?;
    }
    trial.sees(Seen::Nothing, "nothing was ever done").await
}

async fn do_after(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    trial.ask(Op::Undo).saying("no do came before").settle().await.done("an absent row becomes closed")?;
    trial.ask(Op::Do).saying("after its undo").settle().await.superseded(LATE)?;
    let other = trial.ask(Op::Do).body(&trial.other, "another request after the undo");
    other.settle().await.superseded("a closed row knows no request to compare with")?;
    trial.sees(Seen::Nothing, "the undo came first").await?;
    trial.ask(Op::Undo).saying("after the late do").settle().await.done("a closed row: success")?;
    trial.sees(Seen::Nothing, "nothing was ever done").await
}

async fn do_again(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    trial.done().await?;
    trial.ask(Op::Undo).settle().await.done("a done row: the effect is taken back")?;
    trial.ask(Op::Do).saying("after do and undo").settle().await.superseded(LATE)?;
    trial.sees(Seen::Undone, "what is undone stays undone").await
}

async fn close(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    trial.done().await?;
    trial.ask(Op::Undo).settle().await.done("a done row: the effect is taken back")?;
    trial.ask(Op::Close).saying("after do and undo").settle().await.refused("an undone row: no effect")?;
    trial.sees(Seen::Undone, "a close changes nothing here").await
}

async fn close_early(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    trial.ask(Op::Undo).saying("no do came before").settle().await.done("an absent row becomes closed")?;
    trial.ask(Op::Close).saying("after the undo").settle().await.refused("a closed row: no effect")?;
    trial.sees(Seen::Nothing, "nothing was ever done").await
}
