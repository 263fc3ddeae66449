//! Local effects: the barrier row and the effect are one transaction.

use std::sync::Arc;

use backstitch_proto::contract::{CallMeta, Refusal};
use prost::Message as _;

use super::forget::{found, never_was};
use super::row::{self, Row, RowKey};
use super::table::{Decision, Manner, RowState, decide};
use super::{misfit, never_happens, other_request, superseded};
use crate::action::{Action, Undo};
use crate::kit::Kit;
use crate::outcome::{Fault, OpError};
use crate::places::reach;
use crate::tx::Tx;

/// A do or a close. The inner result is decided and committed; the outer one says that nothing is.
type Decided<A> = Result<Result<A, Fault>, OpError>;

/// Handles a do or a close.
pub(crate) async fn act<A: Action>(kit: &Kit, action: A, call: CallMeta) -> Result<A::Answer, Fault> {
    let hash = action.identity().finish();
    let (locks, row) = (row::locks(&call, action.locks(), kit.clock().now_ms()), RowKey::of(&call));
    let shared = Arc::new((action, call));
    let decided = kit.transactor().run(
        locks,
        Some(row),
        Box::new(move |tx| {
            let shared = shared.clone();
            Box::pin(async move { act_in(tx, &shared.0, &shared.1, &hash).await })
        }),
        Some(Box::new(move |refusal| refused(refusal, &hash))),
    );
    decided.await?
}

/// A refusal outlives the effect that it rolled back.
pub(super) fn refused(refusal: &Refusal, hash: &[u8; 32]) -> Row {
    Row::new(RowState::Refused, Some(hash), Some(row::encode_refusal(refusal)))
}

async fn act_in<A: Action>(
    tx: &mut Tx<'_>,
    action: &A,
    call: &CallMeta,
    hash: &[u8; 32],
) -> Decided<A::Answer> {
    let row = found(tx, call)?;
    Ok(match decide(row.state, call.op, Manner::Local, row.is_of(hash)) {
        Decision::Perform => {
            never_was(tx, call).await?;
            let answer = action.perform(tx, call).await?;
            tx.leave(Row::new(RowState::Done, Some(hash), Some(answer.encode_to_vec())));
            reach("participant.before_commit", call);
            Ok(answer)
        }
        Decision::Replay => replay(&row)?,
        Decision::Bury => {
            never_was(tx, call).await?;
            tx.leave(Row::new(RowState::Closed, Some(hash), None));
            Err(Fault::Refused(never_happens()))
        }
        Decision::NeverHappens => Err(Fault::Refused(row.refusal()?.unwrap_or_else(never_happens))),
        Decision::Superseded => Err(superseded(row.state)),
        Decision::OtherRequest => Err(other_request(call)),
        Decision::Misfit => Err(misfit(call)),
        decision @ (Decision::InProgress
        | Decision::TakeBack
        | Decision::Open(_)
        | Decision::Settle(_)
        | Decision::Success) => Err(unfit(call, decision)),
    })
}

/// Handles an undo.
pub(crate) async fn take_back<U: Undo>(kit: &Kit, undo: U, call: CallMeta) -> Result<U::Answer, Fault> {
    let (locks, row) = (row::locks(&call, undo.locks(), kit.clock().now_ms()), RowKey::of(&call));
    let shared = Arc::new((undo, call));
    let decided = kit.transactor().run(
        locks,
        Some(row),
        Box::new(move |tx| {
            let shared = shared.clone();
            Box::pin(async move { take_back_in(tx, &shared.0, &shared.1).await })
        }),
        None,
    );
    decided.await?
}

async fn take_back_in<U: Undo>(tx: &mut Tx<'_>, undo: &U, call: &CallMeta) -> Decided<U::Answer> {
    let row = found(tx, call)?;
    Ok(match decide(row.state, call.op, Manner::Local, true) {
        Decision::TakeBack => {
            undo.take_back(tx, call).await.map_err(undo_error)?;
            tx.leave(row.moved(RowState::Undone));
            reach("participant.before_commit", call);
            Ok(U::Answer::default())
        }
        Decision::Bury => {
            never_was(tx, call).await?;
            tx.leave(Row::new(RowState::Closed, None, None));
            Ok(U::Answer::default())
        }
        Decision::Success => Ok(U::Answer::default()),
        Decision::Misfit => Err(misfit(call)),
        decision @ (Decision::Perform
        | Decision::Replay
        | Decision::InProgress
        | Decision::Open(_)
        | Decision::Settle(_)
        | Decision::NeverHappens
        | Decision::Superseded
        | Decision::OtherRequest) => Err(unfit(call, decision)),
    })
}

/// The answer of a done or refused row.
pub(super) fn replay<A: prost::Message + Default>(row: &Row) -> Decided<A> {
    if row.state == RowState::Refused {
        let refusal = row.refusal()?.unwrap_or_else(never_happens);
        return Ok(Err(Fault::Refused(refusal)));
    }
    Ok(Ok(row.answer()?))
}

/// An undo's error: it cannot refuse, so a refusal in it is a bug, and nothing is stored.
pub(super) fn undo_error(error: OpError) -> OpError {
    match error {
        OpError::Refused(refusal) => {
            OpError::Broken(format!("an undo cannot refuse, but said {}: {}", refusal.reason, refusal.detail))
        }
        error => error,
    }
}

/// The table gave a decision that this RPC cannot be asked for; the ops were checked before.
pub(super) fn unfit(call: &CallMeta, decision: Decision) -> Fault {
    tracing::error!(saga = %call.saga, step = call.step, op = %call.op, ?decision, "a decision for another kind of call");
    Fault::Broken(format!("{decision:?} is no decision for {} here", call.op))
}
