//! Release: the undo of Reserve.

use async_trait::async_trait;
use backstitch_proto::inventory::{ReleaseRequest, ReleaseResponse};
use participant_kit::{CallMeta, LockKey, OpError, Tx, Undo};
use uuid::Uuid;

use super::{reservation_id, sku_locks};
use crate::domain::{Invalid, Line, to_items};
use crate::events::{self, Moved};
use crate::store;

/// Puts a reservation's stock back on hand and forgets the reservation; one of which something came back before, because
/// its checkout was made good, is kept as the record of that and of no more.
///
/// Which SKUs it holds is known only inside, so it locks them then: movements of several SKUs at once must not wait for
/// each other crosswise.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    reservation: Uuid,
}

impl TryFrom<ReleaseRequest> for Release {
    type Error = Invalid;

    fn try_from(request: ReleaseRequest) -> Result<Self, Invalid> {
        Ok(Self { reservation: reservation_id(&request.reservation_id)? })
    }
}

#[async_trait]
impl Undo for Release {
    type Answer = ReleaseResponse;

    fn locks(&self) -> Vec<LockKey> {
        vec![LockKey::new("reservation", &self.reservation.to_string())]
    }

    async fn take_back(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        let id = self.reservation;
        let held = store::held(tx.conn(), id).await?;
        tx.lock(sku_locks(&held))?;
        // The barrier says that this saga's Reserve is done and was not undone. A reservation that is not there, not
        // this saga's, or sold already means that the caller names another one or that undo follows commit: putting
        // stock back then would invent some.
        match store::find_reservation(tx.conn(), id).await? {
            None => return Err(OpError::broken(format!("there is no reservation {id} to release"))),
            Some(r) if r.saga != call.saga.to_string() => {
                return Err(OpError::broken(format!("reservation {id} is saga {}'s", r.saga)));
            }
            Some(r) if r.sold => return Err(OpError::broken(format!("reservation {id} is sold already"))),
            Some(_) => {}
        }
        store::release_stock(tx.conn(), id).await?;
        store::forget(tx.conn(), id).await?;
        let lines: Vec<Line> = held.into_iter().filter(|line| line.quantity > 0).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let now_ms = tx.now_ms();
        tx.emit(events::moved(Moved::Released, id, to_items(&lines), call, now_ms)).await
    }
}
