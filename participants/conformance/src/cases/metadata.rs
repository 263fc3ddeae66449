//! What travels beside the message, and what is wrong with it.

use backstitch_proto::contract::{Op, Verdict, keys};
use bytes::Bytes;

use super::{Case, Checked, Need, case, fresh};
use crate::bench::Bench;
use crate::profile::Action;
use crate::reply::Reply;
use crate::trial::{REQUIRED, Seen, Trial};

pub(super) const CASES: &[Case] = &[
    case(
        "metadata-missing",
        "A call without one of the contract's metadata is Broken and has no effect",
        &[],
        |b, a| Box::pin(missing(b, a)),
    ),
    case(
        "metadata-malformed",
        "A call with metadata of another form is Broken and has no effect",
        &[],
        |b, a| Box::pin(malformed(b, a)),
    ),
    case(
        "key-mismatch",
        "A call whose key is not its saga, step and op is Broken and has no effect",
        &[],
        |b, a| Box::pin(mismatch(b, a)),
    ),
    case(
        "undo-op-at-do",
        "An undo that is sent to the method of the do is Broken and changes nothing",
        &[],
        |b, a| Box::pin(undo_at_do(b, a)),
    ),
    case(
        "do-op-at-undo",
        "A do or a close that is sent to the method of the undo is Broken and changes nothing",
        &[Need::Undo],
        |b, a| Box::pin(do_at_undo(b, a)),
    ),
    case(
        "undo-metadata",
        "An undo without the contract's metadata is Broken and takes nothing back",
        &[Need::Undo],
        |b, a| Box::pin(undo_missing(b, a)),
    ),
    case(
        "garbage-request",
        "Bytes that are no request are never Done, Refused or Superseded, and the key stays free",
        &[],
        |b, a| Box::pin(garbage(b, a)),
    ),
];

/// After all that was wrong, the step itself is as it was.
async fn unharmed(trial: &Trial<'_>) -> Checked {
    trial.sees(Seen::Nothing, "a Broken call has no effect").await?;
    trial.done().await?;
    trial.sees(Seen::Once, "a Broken call settles nothing").await
}

async fn missing(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    for key in REQUIRED {
        let sent = trial.ask(Op::Do).without(key).send().await;
        sent.broken(&format!("`{key}` is missing"))?;
    }
    unharmed(&trial).await
}

async fn undo_missing(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let answer = trial.done().await?;
    for key in REQUIRED {
        let sent = trial.ask(Op::Undo).without(key).send().await;
        sent.broken(&format!("`{key}` is missing"))?;
    }
    trial.sees(Seen::Once, "a Broken undo takes nothing back").await?;
    trial.ask(Op::Do).saying("again").settle().await.done_with(&answer, "a done row")
}

async fn malformed(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let wrong = [
        (keys::SAGA_ID, "seven"),
        (keys::SAGA_ROOT, "seven"),
        (keys::SAGA_STEP, ""),
        (keys::SAGA_OP, "redo"),
        (keys::SAGA_OP, ""),
        (keys::SAGA_ATTEMPT, "often"),
        (keys::SAGA_ATTEMPT, "-1"),
    ];
    for (key, value) in wrong {
        let sent = trial.ask(Op::Do).with(key, value).send().await;
        sent.broken(&format!("`{key}` cannot be `{value}`"))?;
    }
    unharmed(&trial).await
}

async fn mismatch(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let (saga, step) = (trial.saga, &trial.step);
    let other = uuid::Uuid::now_v7();
    let keys_of_others = [
        format!("{other}/{step}/do"),
        format!("{saga}/another/do"),
        format!("{saga}/{step}/undo"),
        "x".to_owned(),
    ];
    for key in &keys_of_others {
        let sent = trial.ask(Op::Do).with(keys::IDEMPOTENCY_KEY, key).send().await;
        sent.broken("the key is (saga, step, op) as text: calls were mixed up")?;
    }
    unharmed(&trial).await
}

async fn undo_at_do(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let call = trial.ask(Op::Do).with(keys::SAGA_OP, "undo");
    let call = call.with(keys::IDEMPOTENCY_KEY, &format!("{}/{}/undo", trial.saga, trial.step));
    call.send().await.broken("this method is not for op undo")?;
    unharmed(&trial).await
}

async fn do_at_undo(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let answer = trial.done().await?;
    for op in ["do", "close"] {
        let call = trial.ask(Op::Undo).with(keys::SAGA_OP, op);
        let call = call.with(keys::IDEMPOTENCY_KEY, &format!("{}/{}/{op}", trial.saga, trial.step));
        call.send().await.broken(&format!("this method is not for op {op}"))?;
    }
    trial.sees(Seen::Once, "a Broken call takes nothing back").await?;
    trial.ask(Op::Do).saying("again").settle().await.done_with(&answer, "a done row")
}

async fn garbage(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let bytes = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff]);
    let sent = trial.ask(Op::Do).body(&bytes, "four bytes that are no message").send().await;
    match &sent.reply {
        Reply::Verdict(Verdict::Broken(_), _) | Reply::Unknown(..) => {}
        _ => return Err(sent.breach("Broken, or a status without a verdict")),
    }
    unharmed(&trial).await
}
