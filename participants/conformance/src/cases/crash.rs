//! A participant that dies and comes back. The owner's restart command kills it; nothing here knows how.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use backstitch_proto::contract::{Op, Verdict};
use bytes::Bytes;
use futures::future::join_all;

use super::doing::UNDER_WAY;
use super::race::{close_holds, no_effect, undo_holds};
use super::{Case, Checked, Need, case, fresh, with};
use crate::Failure;
use crate::bench::Bench;
use crate::profile::Action;
use crate::reply::{Reply, Sent};
use crate::trial::{Plan, Seen, Trial};

use Need::{Refusal, Restart, Slow, Undo};

/// Callers at the moment of the crash.
const CALLERS: usize = 8;
/// How often a crash is tried that is to hit a call under way, and how often it is to hit one.
const ROUNDS: u64 = 12;
const HITS: usize = 3;

pub(super) const CASES: &[Case] = &[
    case(
        "restart-keeps-done",
        "After a restart a done step answers the same bytes, to do and to close",
        &[Restart],
        |b, a| Box::pin(keeps_done(b, a)),
    ),
    case(
        "restart-keeps-refused",
        "After a restart a refused step answers the same refusal",
        &[Restart, Refusal],
        |b, a| Box::pin(keeps_refused(b, a)),
    ),
    case("restart-keeps-undone", "After a restart an undone step is undone", &[Restart, Undo], |b, a| {
        Box::pin(keeps_undone(b, a))
    }),
    case("restart-keeps-closed", "After a restart a closed step is closed", &[Restart], |b, a| {
        Box::pin(keeps_closed(b, a))
    }),
    case(
        "crash-during-do",
        "A crash between effect and answer leaves a do that is done once when it is repeated",
        &[Restart],
        |b, a| Box::pin(during_do(b, a)),
    ),
    case(
        "crash-during-undo",
        "A crash between taking back and answer leaves an undo that succeeds when it is repeated",
        &[Restart, Undo],
        |b, a| Box::pin(during_undo(b, a)),
    ),
    case(
        "crash-during-close",
        "A crash while do and close are under way leaves both in agreement when they are repeated",
        &[Restart],
        |b, a| Box::pin(during_close(b, a)),
    ),
    case(
        "crash-during-slow-do",
        "A crash while a provider is being asked leaves a do that is settled when it is repeated",
        &[Restart, Slow],
        |b, a| Box::pin(during_slow_do(b, a)),
    ),
    case(
        "crash-while-undoing",
        "A crash while a slow do is being undone leaves an undo that succeeds when it is repeated",
        &[Restart, Slow, Undo],
        |b, a| Box::pin(while_undoing(b, a)),
    ),
];

async fn keeps_done(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let answer = trial.done().await?;
    bench.restart().await?;
    for op in [Op::Do, Op::Close, Op::Do] {
        trial.ask(op).saying("after a restart").settle().await.done_with(&answer, "a done row is durable")?;
    }
    trial.sees(Seen::Once, "an answered effect is durable").await
}

async fn keeps_refused(bench: &Bench, action: &Action) -> Checked {
    let trial = with(bench, Plan::refused(action)).await?;
    let refusal = trial.ask(Op::Do).settle().await.refused("the profile's refused request")?;
    bench.restart().await?;
    trial.relieve().await?;
    for op in [Op::Do, Op::Close] {
        let again = trial.ask(op).saying("after a restart").settle().await;
        again.refused_with(&refusal, "a refused row is durable")?;
    }
    trial.sees(Seen::Refused, "a refused step has no effect").await
}

async fn keeps_undone(bench: &Bench, action: &Action) -> Checked {
    let (taken_back, early) = (fresh(bench, action).await?, fresh(bench, action).await?);
    taken_back.done().await?;
    for trial in [&taken_back, &early] {
        trial.ask(Op::Undo).settle().await.done("done is taken back, absent becomes closed")?;
    }
    bench.restart().await?;
    for trial in [&taken_back, &early] {
        // The do first: an undo would bury a row that was lost.
        trial
            .ask(Op::Do)
            .saying("after a restart")
            .settle()
            .await
            .superseded("undone and closed are durable")?;
        undo_holds(trial, &trial.ask(Op::Undo).saying("after a restart").settle().await).await?;
        trial
            .ask(Op::Close)
            .saying("after a restart")
            .settle()
            .await
            .refused("undone or closed: no effect")?;
    }
    taken_back.sees(Seen::Undone, "what is undone stays undone").await?;
    early.sees(Seen::Nothing, "nothing was ever done").await
}

async fn keeps_closed(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    trial.ask(Op::Close).settle().await.refused("an absent row becomes closed")?;
    bench.restart().await?;
    trial.ask(Op::Do).saying("after a restart").settle().await.superseded("a closed row is durable")?;
    trial.ask(Op::Close).saying("after a restart").settle().await.refused("a closed row is durable")?;
    trial.sees(Seen::Nothing, "the close promised that it never happens").await
}

async fn during_do(bench: &Bench, action: &Action) -> Checked {
    for Wreck { trial, replies, .. } in crash(bench, action, false, &[Op::Do]).await? {
        let again = trial.ask(Op::Do).saying("after a crash").settle().await;
        if let Some(Reply::Done(answer)) = replies.first().map(|sent| &sent.reply) {
            again.done_with(answer, "it was answered Done before the crash")?;
        }
        settled(&trial, &again).await?;
    }
    Ok(())
}

async fn during_undo(bench: &Bench, action: &Action) -> Checked {
    for Wreck { trial, .. } in crash(bench, action, true, &[Op::Undo]).await? {
        undo_holds(&trial, &trial.ask(Op::Undo).saying("after a crash").settle().await).await?;
        trial.sees(Seen::Undone, "the undo succeeded").await?;
    }
    Ok(())
}

async fn during_close(bench: &Bench, action: &Action) -> Checked {
    for Wreck { trial, replies } in crash(bench, action, false, &[Op::Do, Op::Close]).await? {
        let closed = trial.ask(Op::Close).saying("after a crash").settle().await;
        close_holds(&trial, &closed).await?;
        for sent in &replies {
            match &sent.reply {
                Reply::Done(answer) => closed.done_with(answer, "it was answered Done before the crash")?,
                Reply::Verdict(Verdict::Refused(_), _) => {
                    closed.refused("it was answered Refused before the crash")?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

async fn during_slow_do(bench: &Bench, action: &Action) -> Checked {
    let trial = with(bench, Plan::slow(action)).await?;
    let call = trial.ask(Op::Do).saying("slow");
    let (first, restarted) = futures::join!(call.send(), async {
        tokio::time::sleep(UNDER_WAY).await;
        bench.restart().await
    });
    restarted?;
    if !first.reply.is_open() {
        return Err(not_hit());
    }
    settled(&trial, &call.clone().saying("after a crash").settle().await).await
}

async fn while_undoing(bench: &Bench, action: &Action) -> Checked {
    let trial = with(bench, Plan::slow(action)).await?;
    let (act, undo) =
        (trial.ask(Op::Do).saying("slow"), trial.ask(Op::Undo).saying("while the do is under way"));
    let (_, restarted) = futures::join!(act.send(), async {
        tokio::time::sleep(UNDER_WAY).await;
        undo.send().await;
        bench.restart().await
    });
    restarted?;
    undo_holds(&trial, &undo.clone().saying("after a crash").settle().await).await
}

/// A do that was repeated after a crash: done once, or, where a provider's object had to be ended, refused for good.
async fn settled(trial: &Trial<'_>, again: &Sent) -> Checked {
    match &again.reply {
        Reply::Verdict(Verdict::Refused(refusal), _) if trial.action.outside => {
            let once_more = trial.ask(Op::Do).saying("once more").settle().await;
            once_more.refused_with(refusal, "a refused row answers what is stored")?;
            no_effect(trial, again, "it was refused").await
        }
        _ => {
            let answer = again.done("the stored answer, or a fresh run")?;
            let once_more = trial.ask(Op::Do).saying("once more").settle().await;
            once_more.done_with(&answer, "a done row answers what is stored")?;
            trial.sees(Seen::Once, "before and after the crash together it happened once").await
        }
    }
}

/// A saga that was being served when the participant died.
struct Wreck<'a> {
    trial: Trial<'a>,
    /// What each op was answered.
    replies: Vec<Sent>,
}

/// Sagas one after the other, by several callers, until the participant dies under them. Answers those whose calls were
/// cut off, and some that were answered just before, of several crashes; insists that there is one of the former.
async fn crash<'a>(
    bench: &'a Bench,
    action: &'a Action,
    done_first: bool,
    ops: &[Op],
) -> Result<Vec<Wreck<'a>>, Failure> {
    let (mut all, mut hits) = (Vec::new(), 0);
    for round in 0..ROUNDS {
        let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
        let strike = async {
            // Callers that have just begun are all at their set-up; later each is somewhere else.
            while served.load(Ordering::Relaxed) < 2 * CALLERS {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Callers that share commits stay in step, so that another round strikes at another of their calls.
            tokio::time::sleep(Duration::from_millis(3 * round)).await;
            let restarted = bench.restart().await;
            over.store(true, Ordering::Relaxed);
            restarted
        };
        let callers =
            join_all((0..CALLERS).map(|_| caller(bench, action, done_first, ops, (&over, &served))));
        let (restarted, wrecks) = futures::join!(strike, callers);
        restarted?;
        let before = all.len();
        all.extend(wrecks.into_iter().flatten());
        hits += usize::from(all[before..].iter().any(Wreck::is_cut));
        if hits == HITS {
            break;
        }
    }
    if hits == 0 { Err(not_hit()) } else { Ok(all) }
}

impl Wreck<'_> {
    fn is_cut(&self) -> bool {
        self.replies.iter().any(|sent| matches!(sent.reply, Reply::Unknown(..) | Reply::Lost(_)))
    }
}

/// The last two sagas of a caller that goes on until it is cut off.
async fn caller<'a>(
    bench: &'a Bench,
    action: &'a Action,
    done_first: bool,
    ops: &[Op],
    (over, served): (&AtomicBool, &AtomicUsize),
) -> Vec<Wreck<'a>> {
    let mut last = Vec::new();
    while !over.load(Ordering::Relaxed) {
        // A set-up that the crash cuts off says nothing about the contract.
        let Ok(trial) = fresh(bench, action).await else { break };
        if done_first {
            let done: Result<Bytes, Failure> = trial.ask(Op::Do).send().await.done("");
            if done.is_err() {
                break;
            }
        }
        let calls: Vec<_> = ops.iter().map(|op| trial.ask(*op).saying("when the participant died")).collect();
        let replies = join_all(calls.iter().map(|call| call.send())).await;
        drop(calls);
        let wreck = Wreck { trial, replies };
        let cut = wreck.is_cut();
        served.fetch_add(1, Ordering::Relaxed);
        last.push(wreck);
        if last.len() > 2 {
            last.remove(0);
        }
        if cut {
            break;
        }
    }
    // Nobody waits for a caller that has ended.
    served.fetch_add(2 * CALLERS, Ordering::Relaxed);
    last
}

fn not_hit() -> Failure {
    Failure::NotRun(format!("no call was under way when the participant died, {ROUNDS} times"))
}
