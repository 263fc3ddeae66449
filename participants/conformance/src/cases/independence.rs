//! Sagas and steps that have nothing to do with each other, and the age of a saga.

use std::time::{Duration, Instant, SystemTime};

use backstitch_proto::contract::{Op, Verdict, keys};
use backstitch_proto::ids::born_ms;
use futures::future::try_join_all;
use uuid::{NoContext, Timestamp, Uuid};

use super::race::no_effect;
use super::{Case, Checked, Need, case, fresh};
use crate::bench::Bench;
use crate::profile::Action;
use crate::reply::Reply;
use crate::trial::{Plan, Seen, Trial};

pub(super) const CASES: &[Case] = &[
    case("two-sagas", "The same step of two sagas is two steps", &[], |b, a| Box::pin(two_sagas(b, a))),
    case("two-steps", "Two steps of one saga by the same action are two steps", &[], |b, a| {
        Box::pin(two_steps(b, a))
    }),
    case("undo-is-of-one-saga", "An undo takes back nothing of another saga", &[Need::Undo], |b, a| {
        Box::pin(undo_one_saga(b, a))
    }),
    case(
        "undo-is-of-one-step",
        "An undo takes back nothing of another step of its saga",
        &[Need::Undo],
        |b, a| Box::pin(undo_one_step(b, a)),
    ),
    case("many-sagas", "Many sagas at once are each done once", &[], |b, a| Box::pin(many(b, a))),
    case(
        "after-pivot-never-refuses",
        "After the pivot a do that cannot be done is never Refused, be it out of turn",
        &[Need::AfterPivot],
        |b, a| Box::pin(never_refuses(b, a)),
    ),
    case(
        "expired-saga",
        "A saga older than what is kept is Broken for every op, because its rows may be gone",
        &[Need::Expiry],
        |b, a| Box::pin(expired(b, a)),
    ),
    case(
        "old-saga",
        "Where rows are kept for good a saga of any age is answered by the table",
        &[Need::NoExpiry],
        |b, a| Box::pin(old(b, a)),
    ),
];

async fn two_sagas(bench: &Bench, action: &Action) -> Checked {
    let (one, other) = (fresh(bench, action).await?, fresh(bench, action).await?);
    both(&one, &other).await
}

async fn two_steps(bench: &Bench, action: &Action) -> Checked {
    let one = fresh(bench, action).await?;
    let other = one.beside(&Plan::sample(action)).await?;
    both(&one, &other).await
}

/// Closing one keeps nothing from the other.
async fn both(one: &Trial<'_>, other: &Trial<'_>) -> Checked {
    one.ask(Op::Close).saying("no do came before").settle().await.refused("an absent row becomes closed")?;
    let answer = other.done().await?;
    one.ask(Op::Do).saying("after its close").settle().await.superseded("a closed row")?;
    other.ask(Op::Do).saying("again").settle().await.done_with(&answer, "a done row")?;
    one.sees(Seen::Nothing, "this one was closed").await?;
    other.sees(Seen::Once, "this one was done").await
}

async fn undo_one_saga(bench: &Bench, action: &Action) -> Checked {
    let (one, other) = (fresh(bench, action).await?, fresh(bench, action).await?);
    undo_of(&one, &other).await
}

async fn undo_one_step(bench: &Bench, action: &Action) -> Checked {
    let one = fresh(bench, action).await?;
    let other = one.beside(&Plan::sample(action)).await?;
    undo_of(&one, &other).await
}

async fn undo_of(one: &Trial<'_>, other: &Trial<'_>) -> Checked {
    one.done().await?;
    let answer = other.done().await?;
    one.ask(Op::Undo).settle().await.done("a done row is taken back")?;
    one.sees(Seen::Undone, "this one was undone").await?;
    other.ask(Op::Do).saying("again").settle().await.done_with(&answer, "a done row")?;
    other.sees(Seen::Once, "nobody undid this one").await
}

async fn many(bench: &Bench, action: &Action) -> Checked {
    let sagas = (0..24).map(|_| async {
        let trial = fresh(bench, action).await?;
        let answer = trial.done().await?;
        trial.ask(Op::Do).saying("again").settle().await.done_with(&answer, "a done row")?;
        trial.sees(Seen::Once, "others at the same time change nothing").await
    });
    try_join_all(sagas).await.map(drop)
}

async fn never_refuses(bench: &Bench, action: &Action) -> Checked {
    let trial = Trial::begin(bench, &Plan::alone(action)).await?;
    let sent = trial.ask(Op::Do).saying("with nothing done before it").send().await;
    match &sent.reply {
        Reply::Verdict(Verdict::Refused(_), _) => {
            Err(sent.breach("Done, NotNow or Broken: what was paid for cannot be refused"))
        }
        _ => Ok(()),
    }
}

async fn expired(bench: &Bench, action: &Action) -> Checked {
    let kept = u64::from(bench.profile.expires_after_days.unwrap_or_default());
    let days = kept + 1;
    until_expired(bench, action, kept).await?;
    let trial = Trial::begin_in(bench, &Plan::alone(action), born(days), "").await?;
    let ops = [Op::Do, Op::Undo, Op::Close].into_iter();
    for op in ops.filter(|op| *op != Op::Undo || action.undo.is_some()) {
        let sent = trial.ask(op).saying(&format!("of a saga {days} days old")).settle().await;
        sent.broken("Expired: the rows of a saga this old may be gone")?;
        no_effect(&trial, &sent, "an expired saga has no effect any more").await?;
    }
    Ok(())
}

/// Waits until a saga born more than `kept` days ago is Expired: the participant may keep its rows until it is told that
/// nothing older is unfinished, and look for what to forget only now and then.
async fn until_expired(bench: &Bench, action: &Action, kept: u64) -> Checked {
    let begun = Instant::now();
    // One of today, against which that one is old.
    Trial::begin(bench, &Plan::alone(action)).await?.ask(Op::Close).settle().await;
    let told = born_ms(born(kept)).unwrap_or_default().to_string();
    loop {
        let trial = Trial::begin_in(bench, &Plan::alone(action), born(kept + 1), "").await?;
        let sent = trial.ask(Op::Close).with(keys::OLDEST_UNFINISHED_MS, &told).settle().await;
        let is_expired = sent.broken("Expired: nothing of it is unfinished, and its rows may be gone");
        if is_expired.is_ok() || begun.elapsed() > bench.patience {
            return is_expired;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn old(bench: &Bench, action: &Action) -> Checked {
    let trial = Trial::begin_in(bench, &Plan::sample(action), born(3650), "").await?;
    let answer = trial.done().await?;
    trial
        .ask(Op::Do)
        .saying("again, of a saga ten years old")
        .settle()
        .await
        .done_with(&answer, "a done row")?;
    trial.sees(Seen::Once, "it is a saga like any other").await
}

/// An id of a saga that began so many days ago.
fn born(days: u64) -> Uuid {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let then = now.saturating_sub(Duration::from_secs(days * 24 * 3600));
    Uuid::new_v7(Timestamp::from_unix(NoContext, then.as_secs(), then.subsec_nanos()))
}
