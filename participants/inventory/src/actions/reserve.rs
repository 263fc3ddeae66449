//! Reserve: every line or none.

use async_trait::async_trait;
use backstitch_proto::inventory::{ReserveRequest, ReserveResponse};
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Refusal, Tx};
use uuid::Uuid;

use super::{reservation_id, sku_locks};
use crate::domain::{Invalid, Line, Lines, to_items};
use crate::events::{self, Moved};
use crate::store;

/// Moves stock from on hand to reserved. Refused: `OUT_OF_STOCK`, `UNKNOWN_SKU`, for the first such SKU.
#[derive(Clone, Debug)]
pub(crate) struct Reserve {
    reservation: Uuid,
    lines: Lines,
}

impl TryFrom<ReserveRequest> for Reserve {
    type Error = Invalid;

    fn try_from(request: ReserveRequest) -> Result<Self, Invalid> {
        Ok(Self {
            reservation: reservation_id(&request.reservation_id)?,
            lines: Lines::parse(&request.items)?,
        })
    }
}

#[async_trait]
impl Action for Reserve {
    type Answer = ReserveResponse;

    fn identity(&self) -> Identity {
        let start = Identity::new("Reserve").text("reservation_id", &self.reservation.to_string());
        let line = |id: Identity, l: &Line| id.text("sku", l.sku.as_str()).int("quantity", l.quantity);
        self.lines.as_slice().iter().fold(start, line)
    }

    fn locks(&self) -> Vec<LockKey> {
        sku_locks(self.lines.as_slice())
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<ReserveResponse, OpError> {
        let lines = self.lines.as_slice();
        let enough = store::reserve_stock(tx.conn(), lines).await?;
        if let Some(short) = lines.iter().find(|line| !enough.contains(line.sku.as_str())) {
            // What the other lines took is rolled back with the refusal.
            return Err(refusal(short, store::on_hand(tx.conn(), &short.sku).await?).into());
        }
        let now_ms = tx.now_ms();
        if !store::insert_reservation(tx.conn(), self.reservation, call.saga, now_ms).await? {
            return Err(OpError::broken(format!("reservation {} is taken", self.reservation)));
        }
        store::insert_lines(tx.conn(), self.reservation, lines).await?;
        tx.emit(events::moved(Moved::Reserved, self.reservation, to_items(lines), call, now_ms)).await?;
        Ok(ReserveResponse { reservation_id: self.reservation.to_string() })
    }
}

fn refusal(line: &Line, available: Option<i64>) -> Refusal {
    let Line { sku, quantity } = line;
    match available {
        Some(available) => {
            Refusal::new("OUT_OF_STOCK", format!("{quantity} of {sku} wanted, {available} left"))
                .with("sku", sku)
                .with("wanted", quantity)
                .with("available", available)
        }
        None => Refusal::new("UNKNOWN_SKU", format!("there is no product {sku}")).with("sku", sku),
    }
}
