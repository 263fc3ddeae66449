//! Restock: what was taken under a reservation is on hand again.

use async_trait::async_trait;
use backstitch_proto::inventory::{RestockRequest, RestockResponse};
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx, text};
use uuid::Uuid;

use super::{reservation_id, sku_locks};
use crate::domain::{Invalid, Line, Lines, Sku, to_items};
use crate::events;
use crate::store;

/// Moves stock from sold, or from reserved where its checkout was made good before it was sold, to on hand. Never more
/// than the reservation has. Never refuses: the money is given back, and an order claims what comes back before; more
/// than is there is somebody's bug.
#[derive(Clone, Debug)]
pub(crate) struct Restock {
    id: Uuid,
    reservation: Uuid,
    lines: Lines,
}

impl TryFrom<RestockRequest> for Restock {
    type Error = Invalid;

    fn try_from(request: RestockRequest) -> Result<Self, Invalid> {
        Ok(Self {
            id: text::uuid(&request.restock_id).map_err(|why| Invalid::new("restock_id", why))?,
            reservation: reservation_id(&request.reservation_id)?,
            lines: Lines::parse(&request.items)?,
        })
    }
}

#[async_trait]
impl Action for Restock {
    type Answer = RestockResponse;

    fn identity(&self) -> Identity {
        let start = Identity::new("Restock")
            .text("restock_id", &self.id.to_string())
            .text("reservation_id", &self.reservation.to_string());
        let line = |id: Identity, l: &Line| id.text("sku", l.sku.as_str()).int("quantity", l.quantity);
        self.lines.as_slice().iter().fold(start, line)
    }

    fn locks(&self) -> Vec<LockKey> {
        let mut locks = sku_locks(self.lines.as_slice());
        locks.push(LockKey::new("reservation", &self.reservation.to_string()));
        locks
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<RestockResponse, OpError> {
        let (id, lines, now_ms) = (self.id, self.lines.as_slice(), tx.now_ms());
        let sold = match store::find_reservation(tx.conn(), self.reservation).await? {
            None => return Err(OpError::broken(format!("there is no reservation {}", self.reservation))),
            Some(r) if r.saga != call.root.to_string() => {
                let why = format!(
                    "reservation {} is of checkout {}, not of {}",
                    self.reservation, r.saga, call.root
                );
                return Err(OpError::broken(why));
            }
            Some(r) => r.sold,
        };
        let held = store::held(tx.conn(), self.reservation).await?;
        let has = |sku: &Sku| held.iter().find(|line| line.sku == *sku).map_or(0, |line| line.quantity);
        if let Some(Line { sku, quantity }) = lines.iter().find(|line| has(&line.sku) < line.quantity) {
            let why = format!(
                "reservation {} has {} of {sku}, so {quantity} cannot come back",
                self.reservation,
                has(sku)
            );
            return Err(OpError::broken(why));
        }
        if !store::insert_restock(tx.conn(), id, self.reservation, call.saga, now_ms).await? {
            return Err(OpError::broken(format!("restock {id} is taken")));
        }
        store::insert_restock_lines(tx.conn(), id, lines).await?;
        store::restock(tx.conn(), id, sold).await?;
        tx.emit(events::restocked(id, self.reservation, to_items(lines), call, now_ms)).await?;
        Ok(RestockResponse { restock_id: id.to_string() })
    }
}
