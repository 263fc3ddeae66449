//! Refund: gives back some of what was captured.
//!
//! What is pending counts as given back: it is checked against what was captured in the transaction that writes the
//! intent. A refund cannot be made impossible and its absence proves nothing, so a doubt about one is settled only by
//! what the provider shows: succeeded or failed.

use async_trait::async_trait;
use backstitch_proto::money::Money;
use backstitch_proto::payment::{RefundRequest, RefundResponse};
use participant_kit::{CallMeta, Identity, LockKey, OpError, OutsideAction, Reached, Refusal, Tx, text};
use prost::Message as _;
use uuid::Uuid;

use crate::desk::{Desk, Trouble, key, other_refund, refusal};
use crate::gateway::{GatewayError, ProviderRefund, RefundState};
use crate::ledger::{self, RefundStatus};

pub(crate) const KIND: &str = "refund";

#[derive(Clone)]
pub(crate) struct Refund {
    desk: Desk,
    refund: Uuid,
    payment: Uuid,
    amount: Money,
}

impl Refund {
    /// Parses a request; the words say which field is wrong.
    pub(crate) fn parse(desk: &Desk, request: &RefundRequest) -> Result<Self, String> {
        let refund = text::uuid(&request.refund_id).map_err(|e| format!("refund_id {e}"))?;
        let payment = text::uuid(&request.payment_id).map_err(|e| format!("payment_id {e}"))?;
        let amount = Money::parse(request.amount.as_ref()).map_err(|e| format!("amount: {e}"))?;
        if amount.minor <= 0 {
            return Err(format!("amount must be positive, not {amount}"));
        }
        Ok(Self { desk: desk.clone(), refund, payment, amount })
    }

    /// Builds the action again from what [`encode`](OutsideAction::encode) stored.
    pub(crate) fn decode(desk: &Desk, bytes: &[u8]) -> Result<Self, String> {
        Self::parse(desk, &RefundRequest::decode(bytes).map_err(|e| e.to_string())?)
    }

    async fn give(&self, call: &CallMeta) -> Result<Reached<RefundResponse>, Trouble> {
        let payment = self.desk.payment(self.payment).await?;
        let Some(id) = &payment.provider_id else {
            return Err(Trouble::Broken("a captured payment without an object of the provider".into()));
        };
        match self.desk.gateway.refund(&key(call, "refund"), id, self.refund, self.amount).await {
            Ok(seen) => self.conclude(&seen),
            Err(GatewayError::Refused(decline)) => Ok(Reached::Refused(refusal(&decline, "REFUND_FAILED"))),
            Err(error) => Err(error.into()),
        }
    }

    async fn look(&self) -> Result<Reached<RefundResponse>, Trouble> {
        let payment = self.desk.payment(self.payment).await?;
        let Some(id) = &payment.provider_id else {
            return Err(Trouble::Broken("a captured payment without an object of the provider".into()));
        };
        let refunds = self.desk.gateway.refunds(id).await?;
        match refunds.iter().find(|r| r.reference == Some(self.refund)) {
            Some(seen) => self.conclude(seen),
            None => Err(Trouble::Later("the provider shows no such refund; that proves nothing".into())),
        }
    }

    fn conclude(&self, seen: &ProviderRefund) -> Result<Reached<RefundResponse>, Trouble> {
        if seen.reference != Some(self.refund) || seen.amount != self.amount {
            return Err(other_refund(seen, self.refund, self.amount));
        }
        match seen.state {
            RefundState::Succeeded => Ok(Reached::Done(RefundResponse {
                refund_id: self.refund.to_string(),
                refunded: Some(self.amount.to_proto()),
            })),
            RefundState::Failed => Ok(Reached::Refused(Refusal::new(
                "REFUND_FAILED",
                "the refund was declined, the money stays taken",
            ))),
            RefundState::Pending => Err(Trouble::Later("the refund is not decided yet".into())),
        }
    }
}

#[async_trait]
impl OutsideAction for Refund {
    type Answer = RefundResponse;

    fn kind(&self) -> &'static str {
        KIND
    }

    fn encode(&self) -> Vec<u8> {
        let request = RefundRequest {
            refund_id: self.refund.to_string(),
            payment_id: self.payment.to_string(),
            amount: Some(self.amount.to_proto()),
        };
        request.encode_to_vec()
    }

    fn identity(&self) -> Identity {
        Identity::new("Refund")
            .text("refund_id", &self.refund.to_string())
            .text("payment_id", &self.payment.to_string())
            .int("amount_minor", self.amount.minor)
            .text("currency", self.amount.currency.as_str())
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![ledger::lock(self.payment)]
    }

    async fn intend(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        let Some(payment) = ledger::load(tx.conn(), self.payment).await? else {
            return Err(Refusal::new("REFUND_EXCEEDS_CAPTURED", "there is no such payment").into());
        };
        if payment.root != call.root {
            return Err(OpError::broken(format!("payment {} is another family's", self.payment)));
        }
        if payment.amount.currency != self.amount.currency {
            let (held, asked) = (payment.amount, self.amount);
            return Err(Refusal::new("AMOUNT_MISMATCH", format!("{held} was paid, {asked} is asked")).into());
        }
        let claimed = ledger::claimed(tx, self.payment).await?;
        let left = payment.captured_minor.saturating_sub(claimed);
        if self.amount.minor > left {
            let left = Money::new(left, payment.amount.currency);
            let detail = format!("{left} is left of what was captured, {} is asked", self.amount);
            return Err(Refusal::new("REFUND_EXCEEDS_CAPTURED", detail).with("left", left).into());
        }
        if ledger::open_refund(tx, call, self.refund, &payment, self.amount.minor).await? {
            return Ok(());
        }
        Err(OpError::broken(format!("refund {} is another step's already", self.refund)))
    }

    async fn reach(&self, call: &CallMeta) -> Reached<RefundResponse> {
        self.give(call).await.unwrap_or_else(Reached::from)
    }

    async fn read(&self, _call: &CallMeta) -> Reached<RefundResponse> {
        self.look().await.unwrap_or_else(Reached::from)
    }

    async fn make_impossible(&self, _call: &CallMeta) -> Reached<RefundResponse> {
        self.look().await.unwrap_or_else(Reached::from)
    }

    async fn record(
        &self,
        tx: &mut Tx<'_>,
        call: &CallMeta,
        reached: &Reached<RefundResponse>,
    ) -> Result<(), OpError> {
        let to = match reached {
            Reached::Done(_) => RefundStatus::Done,
            Reached::Refused(_) => RefundStatus::Failed,
            Reached::Pending(_) | Reached::Unknown(_) | Reached::Broken(_) => return Ok(()),
        };
        ledger::settle_refund(tx, call, self.refund, to).await
    }
}
