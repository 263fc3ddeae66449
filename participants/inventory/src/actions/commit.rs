//! Commit: after the pivot, what was reserved is sold.

use async_trait::async_trait;
use backstitch_proto::inventory::{CommitRequest, CommitResponse};
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx};
use uuid::Uuid;

use super::{reservation_id, sku_locks};
use crate::domain::{Invalid, Line, to_items};
use crate::events::{self, Moved};
use crate::store;

/// Moves a reservation's stock from reserved to sold and keeps the reservation as the record of it. Never refuses: a
/// reservation that is not there to commit is Broken, because goods were paid for.
///
/// What a return has freed before is not sold any more: a call that was on its way while a person made the checkout good
/// is done without it, and where nothing is left, without any effect.
///
/// Locks the SKUs once it has seen which they are, as a release does.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    reservation: Uuid,
}

impl TryFrom<CommitRequest> for Commit {
    type Error = Invalid;

    fn try_from(request: CommitRequest) -> Result<Self, Invalid> {
        Ok(Self { reservation: reservation_id(&request.reservation_id)? })
    }
}

#[async_trait]
impl Action for Commit {
    type Answer = CommitResponse;

    fn identity(&self) -> Identity {
        Identity::new("Commit").text("reservation_id", &self.reservation.to_string())
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![LockKey::new("reservation", &self.reservation.to_string())]
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<CommitResponse, OpError> {
        let (id, now_ms) = (self.reservation, tx.now_ms());
        let held = store::held(tx.conn(), id).await?;
        tx.lock(sku_locks(&held))?;
        let lines: Vec<Line> = held.iter().filter(|line| line.quantity > 0).cloned().collect();
        if lines.is_empty() && store::is_reserved_by(tx.conn(), id, call.saga).await? {
            return Ok(CommitResponse {});
        }
        if !store::mark_sold(tx.conn(), id, call.saga, now_ms).await? {
            return Err(OpError::broken(match store::find_reservation(tx.conn(), id).await? {
                None => format!("there is no reservation {id} to commit"),
                Some(r) if r.sold => format!("reservation {id} is sold already"),
                Some(r) => format!("reservation {id} is saga {}'s", r.saga),
            }));
        }
        store::commit_stock(tx.conn(), id).await?;
        tx.emit(events::moved(Moved::Sold, id, to_items(&lines), call, now_ms)).await?;
        Ok(CommitResponse {})
    }
}
