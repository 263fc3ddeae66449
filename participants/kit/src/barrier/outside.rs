//! Outside effects: intent committed, provider reached outside any transaction, result committed.
//!
//! Of one (saga, step) at most one task of this process is at the provider: it holds the [`Claim`]. The row decides
//! everything else. A call runs in a task of its own, so that a dropped request cancels nothing; a crash leaves a doing
//! or closing row, which the same functions take up again when the resolver calls them.

use std::sync::Arc;
use std::time::Duration;

use backstitch_proto::contract::{CallMeta, Op};
use prost::Message as _;

use super::forget::{found, never_was};
use super::local::{refused, replay, undo_error, unfit};
use super::open::{self, Claim};
use super::row::{self, Row, RowKey};
use super::table::{Aim, Decision, Manner, RowState, decide};
use super::{misfit, never_happens, other_request, superseded};
use crate::action::{OutsideAction, OutsideUndo, Reached, Undone};
use crate::kit::Kit;
use crate::outcome::{Fault, OpError};
use crate::patience::patiently;
use crate::places::reach;
use crate::tx::Tx;

/// What is left to do once the row has been looked at, and its move committed.
enum Next<A> {
    /// Nothing: this is the answer.
    Answer(Result<A, Fault>),
    /// The row is doing since just now: reach the provider.
    Reach,
    /// The row was doing already: ask the provider. The customer may be waited for with this answer.
    Read(Option<A>),
    /// The row is closing: find the effect, make it impossible, or take it back.
    Settle,
}

/// How recording ended.
enum Recorded<A> {
    /// Committed: this is the answer.
    Answer(Result<A, Fault>),
    /// The row is no longer what the provider was reached for.
    Moved,
}

/// Handles a do or a close.
pub(crate) async fn act<O: OutsideAction>(kit: &Kit, action: O, call: CallMeta) -> Result<O::Answer, Fault> {
    let shared = Arc::new((action, call));
    let (action, call) = (&shared.0, &shared.1);
    let claim = kit.claims().claim(call);
    // Only a call that has the claim may begin: nobody else can then be at the provider before the row says so.
    let (reached, from) = match begin(kit, &shared, claim.is_some()).await? {
        Next::Answer(answer) => return answer,
        Next::Reach => {
            reach("participant.before_provider", call);
            let reached = action.reach(call).await;
            reach("participant.after_provider", call);
            (reached, RowState::Doing)
        }
        Next::Read(waiting) if claim.is_none() => {
            return waiting.ok_or_else(|| Fault::unknown("an attempt is under way"));
        }
        Next::Read(_) => (action.read(call).await, RowState::Doing),
        Next::Settle if claim.is_none() => return Err(Fault::soon("an attempt is still under way")),
        Next::Settle => (action.make_impossible(call).await, RowState::Closing(Aim::Close)),
    };
    let answer = match record(kit, &shared, reached, from).await {
        Recorded::Answer(answer) => answer,
        // Somebody closed, undid or settled it meanwhile: the row has the answer.
        Recorded::Moved => match begin(kit, &shared, false).await? {
            Next::Answer(answer) => answer,
            Next::Reach | Next::Read(_) => Err(Fault::unknown("an attempt is under way")),
            Next::Settle => Err(Fault::soon("an attempt is still under way")),
        },
    };
    drop(claim);
    answer
}

/// Looks at the row and moves it, in one transaction.
async fn begin<O: OutsideAction>(
    kit: &Kit,
    shared: &Arc<(O, CallMeta)>,
    may_begin: bool,
) -> Result<Next<O::Answer>, Fault> {
    let hash = shared.0.identity().finish();
    let (locks, row) = (row::locks(&shared.1, shared.0.locks(), kit.clock().now_ms()), RowKey::of(&shared.1));
    let shared = shared.clone();
    let next = kit.transactor().run(
        locks,
        Some(row),
        Box::new(move |tx| {
            let shared = shared.clone();
            Box::pin(async move { begin_in(tx, &shared.0, &shared.1, &hash, may_begin).await })
        }),
        // Only `intend` refuses here: the provider is never reached.
        Some(Box::new(move |refusal| refused(refusal, &hash))),
    );
    Ok(next.await?)
}

async fn begin_in<O: OutsideAction>(
    tx: &mut Tx<'_>,
    action: &O,
    call: &CallMeta,
    hash: &[u8; 32],
    may_begin: bool,
) -> Result<Next<O::Answer>, OpError> {
    let row = found(tx, call)?;
    Ok(match decide(row.state, call.op, Manner::Outside, row.is_of(hash)) {
        Decision::Perform if !may_begin => Next::Answer(Err(Fault::soon("another attempt is beginning"))),
        Decision::Perform => {
            never_was(tx, call).await?;
            action.intend(tx, call).await?;
            tx.leave(Row::new(RowState::Doing, Some(hash), None));
            open::open_do(tx, call, action.kind(), action.encode()).await?;
            Next::Reach
        }
        Decision::InProgress => Next::Read(row.answer.is_some().then(|| row.answer()).transpose()?),
        Decision::Replay => Next::Answer(replay(&row)?),
        Decision::Bury => {
            never_was(tx, call).await?;
            tx.leave(Row::new(RowState::Closed, Some(hash), None));
            Next::Answer(Err(Fault::Refused(never_happens())))
        }
        Decision::Open(Aim::Close) => {
            tx.leave(row.moved(RowState::Closing(Aim::Close)));
            Next::Settle
        }
        Decision::Settle(Aim::Close) => Next::Settle,
        Decision::Settle(Aim::Undo) => Next::Answer(Err(Fault::soon("the step is being undone"))),
        Decision::NeverHappens => {
            Next::Answer(Err(Fault::Refused(row.refusal()?.unwrap_or_else(never_happens))))
        }
        Decision::Superseded => Next::Answer(Err(superseded(row.state))),
        Decision::OtherRequest => Next::Answer(Err(other_request(call))),
        Decision::Misfit => Next::Answer(Err(misfit(call))),
        decision @ (Decision::TakeBack | Decision::Open(Aim::Undo) | Decision::Success) => {
            Next::Answer(Err(unfit(call, decision)))
        }
    })
}

/// Settles the row with what was reached, if it still is in `from`.
async fn record<O: OutsideAction>(
    kit: &Kit,
    shared: &Arc<(O, CallMeta)>,
    reached: Reached<O::Answer>,
    from: RowState,
) -> Recorded<O::Answer> {
    let closing = from != RowState::Doing;
    let unsettled = |after, why| match closing {
        // A close has no effect of its own, so asking again is all there is to it.
        true => Fault::not_before(after, why),
        false => Fault::Unknown { after, why },
    };
    match &reached {
        Reached::Unknown { after, why } => {
            return Recorded::Answer(Err(unsettled(*after, why.clone())));
        }
        Reached::Broken(why) => {
            tracing::error!(saga = %shared.1.saga, step = shared.1.step, why, "a provider's reply makes no sense");
            return Recorded::Answer(Err(Fault::Broken(why.clone())));
        }
        Reached::Pending(_) if closing => {
            return Recorded::Answer(Err(Fault::soon("the provider has not settled it yet")));
        }
        Reached::Done(_) | Reached::Refused(_) | Reached::Pending(_) => {}
    }
    let (locks, row) = (row::locks(&shared.1, shared.0.locks(), kit.clock().now_ms()), RowKey::of(&shared.1));
    let (shared, reached) = (shared.clone(), Arc::new(reached));
    let (owner, recorded) = (shared.clone(), reached.clone());
    // Repeated after a commit that nobody answered, it finds the row moved, and the row has the answer.
    let committed = patiently(|| {
        let (owner, recorded) = (owner.clone(), recorded.clone());
        kit.transactor().run(
            locks.clone(),
            Some(row.clone()),
            Box::new(move |tx| {
                let (shared, reached) = (owner.clone(), recorded.clone());
                Box::pin(async move { record_in(tx, &shared.0, &shared.1, &reached, from).await })
            }),
            None,
        )
    });
    match committed.await {
        Ok(false) => Recorded::Moved,
        Ok(true) => Recorded::Answer(match Arc::unwrap_or_clone(reached) {
            Reached::Done(answer) | Reached::Pending(answer) => Ok(answer),
            Reached::Refused(refusal) => Err(Fault::Refused(refusal)),
            Reached::Unknown { why, .. } | Reached::Broken(why) => Err(Fault::unknown(why)),
        }),
        // The provider has it, the row does not know yet: whatever the error promises about this attempt is void.
        Err(error) => {
            let call = &shared.1;
            tracing::error!(saga = %call.saga, step = call.step, %error, "what was reached is not recorded");
            Recorded::Answer(Err(match error {
                OpError::Broken(why) => Fault::Broken(why),
                error => unsettled(Duration::ZERO, format!("not recorded: {error}")),
            }))
        }
    }
}

/// Whether the row still was in `from`, and is settled (or holds the newest Pending answer) now.
async fn record_in<O: OutsideAction>(
    tx: &mut Tx<'_>,
    action: &O,
    call: &CallMeta,
    reached: &Reached<O::Answer>,
    from: RowState,
) -> Result<bool, OpError> {
    let row = found(tx, call)?;
    if row.state != from {
        return Ok(false);
    }
    let (to, answer) = match reached {
        Reached::Done(answer) => (RowState::Done, answer.encode_to_vec()),
        // A closing that found nothing leaves a tombstone; its refusal is what later closes are answered with.
        Reached::Refused(refusal) if from == RowState::Doing => {
            (RowState::Refused, row::encode_refusal(refusal))
        }
        Reached::Refused(refusal) => (RowState::Closed, row::encode_refusal(refusal)),
        Reached::Pending(answer) => (RowState::Doing, answer.encode_to_vec()),
        Reached::Unknown { .. } | Reached::Broken(_) => return Ok(true),
    };
    if to == RowState::Doing && row.answer.as_ref() == Some(&answer) {
        return Ok(true);
    }
    action.record(tx, call, reached).await.map_err(|error| match error {
        OpError::Refused(refusal) => {
            OpError::Broken(format!("recording cannot refuse, but said {}", refusal.reason))
        }
        error => error,
    })?;
    tx.leave(row.settled(to, answer));
    reach("participant.before_commit", call);
    if to != RowState::Doing {
        open::settled(tx, call).await?;
    }
    Ok(true)
}

/// Handles an undo.
pub(crate) async fn take_back<U: OutsideUndo>(
    kit: &Kit,
    undo: U,
    call: CallMeta,
) -> Result<U::Answer, Fault> {
    let shared = Arc::new((undo, call));
    let (undo, call) = (&shared.0, &shared.1);
    match in_transaction(kit, &shared, Phase::Begin).await? {
        Next::Answer(answer) => return answer,
        Next::Reach | Next::Read(_) | Next::Settle => {}
    }
    // The row says closing, so no do begins; one that is at the provider is waited for.
    let Some(_claim): Option<Claim> = kit.claims().claim(call) else {
        return Err(Fault::soon("an attempt is still under way"));
    };
    reach("participant.before_provider", call);
    let reached = undo.reach(call).await;
    reach("participant.after_provider", call);
    match reached {
        Undone::Done => {}
        Undone::NotYet { after, why } => return Err(Fault::not_before(after, why)),
        Undone::Broken(why) => return Err(Fault::Broken(why)),
    }
    match in_transaction(kit, &shared, Phase::Record).await? {
        Next::Answer(answer) => answer,
        Next::Reach | Next::Read(_) | Next::Settle => Err(Fault::soon("the step is being undone")),
    }
}

/// The two transactions of an undo.
#[derive(Clone, Copy)]
enum Phase {
    Begin,
    Record,
}

async fn in_transaction<U: OutsideUndo>(
    kit: &Kit,
    shared: &Arc<(U, CallMeta)>,
    phase: Phase,
) -> Result<Next<U::Answer>, OpError> {
    let (locks, row) = (row::locks(&shared.1, shared.0.locks(), kit.clock().now_ms()), RowKey::of(&shared.1));
    let shared = shared.clone();
    let body: crate::transactor::Body<_> = Box::new(move |tx| {
        let shared = shared.clone();
        Box::pin(async move {
            match phase {
                Phase::Begin => begin_undo_in(tx, &shared.0, &shared.1).await,
                Phase::Record => record_undo_in(tx, &shared.0, &shared.1).await,
            }
        })
    });
    kit.transactor().run(locks, Some(row), body, None).await
}

async fn begin_undo_in<U: OutsideUndo>(
    tx: &mut Tx<'_>,
    undo: &U,
    call: &CallMeta,
) -> Result<Next<U::Answer>, OpError> {
    let row = found(tx, call)?;
    Ok(match decide(row.state, Op::Undo, Manner::Outside, true) {
        Decision::Open(Aim::Undo) => {
            undo.intend(tx, call).await.map_err(undo_error)?;
            tx.leave(row.moved(RowState::Closing(Aim::Undo)));
            open::open_undo(tx, call, undo.kind(), undo.encode()).await?;
            Next::Settle
        }
        Decision::Settle(Aim::Undo) => Next::Settle,
        Decision::Bury => {
            never_was(tx, call).await?;
            tx.leave(Row::new(RowState::Closed, None, None));
            Next::Answer(Ok(U::Answer::default()))
        }
        Decision::Success => Next::Answer(Ok(U::Answer::default())),
        decision @ (Decision::Perform
        | Decision::Replay
        | Decision::InProgress
        | Decision::TakeBack
        | Decision::Open(Aim::Close)
        | Decision::Settle(Aim::Close)
        | Decision::NeverHappens
        | Decision::Superseded
        | Decision::OtherRequest
        | Decision::Misfit) => Next::Answer(Err(unfit(call, decision))),
    })
}

async fn record_undo_in<U: OutsideUndo>(
    tx: &mut Tx<'_>,
    undo: &U,
    call: &CallMeta,
) -> Result<Next<U::Answer>, OpError> {
    let row = found(tx, call)?;
    if row.state == RowState::Closing(Aim::Undo) {
        undo.record(tx, call).await.map_err(undo_error)?;
        tx.leave(row.moved(RowState::Undone));
        reach("participant.before_commit", call);
        open::settled(tx, call).await?;
    } else if decide(row.state, Op::Undo, Manner::Outside, true) != Decision::Success {
        return Ok(Next::Settle);
    }
    Ok(Next::Answer(Ok(U::Answer::default())))
}
