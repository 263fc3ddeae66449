//! Void, the undo of Authorize: by money state a cancel, a refund, or nothing.
//!
//! The payment is voiding by compare-and-swap before anything is asked, and never from capturing: a capture that is
//! under way is settled first, by its own step. Done only when the provider's object has ended, or everything that was
//! taken is given back; or at once where no object was ever stored, for then nothing can be confirmed any more.

use async_trait::async_trait;
use backstitch_proto::ids;
use backstitch_proto::money::Money;
use backstitch_proto::payment::{VoidRequest, VoidResponse};
use participant_kit::{CallMeta, LockKey, OpError, OutsideUndo, Tx, Undone, text};
use prost::Message as _;
use uuid::Uuid;

use crate::desk::{Desk, Sight, Trouble, key, other_refund};
use crate::gateway::{ProviderId, ProviderState, RefundState};
use crate::ledger::{self, RefundStatus, SOON};
use crate::payment::{Payment, Status};

pub(crate) const KIND: &str = "void";

#[derive(Clone)]
pub(crate) struct Void {
    desk: Desk,
    sight: Sight,
    payment: Uuid,
}

impl Void {
    /// Parses a request; the words say which field is wrong.
    pub(crate) fn parse(desk: &Desk, request: &VoidRequest) -> Result<Self, String> {
        let payment = text::uuid(&request.payment_id).map_err(|e| format!("payment_id {e}"))?;
        Ok(Self { desk: desk.clone(), sight: Sight::default(), payment })
    }

    /// Builds the undo again from what [`encode`](OutsideUndo::encode) stored.
    pub(crate) fn decode(desk: &Desk, bytes: &[u8]) -> Result<Self, String> {
        Self::parse(desk, &VoidRequest::decode(bytes).map_err(|e| e.to_string())?)
    }

    async fn end(&self, call: &CallMeta) -> Result<(), Trouble> {
        let payment = self.desk.payment(self.payment).await?;
        match payment.status {
            Status::Voided | Status::Refused => return Ok(()),
            Status::Captured => return self.give_back(call, &payment).await,
            Status::Voiding => {}
            other => {
                return Err(Trouble::Later(format!("the payment is {}, not voiding", other.as_str())));
            }
        }
        let Some(seen) = self.desk.sight(&payment).await? else {
            // No id is stored, and none can be since the payment is voiding: nothing can be confirmed.
            return Ok(());
        };
        let ended = match seen.state {
            ProviderState::Created
            | ProviderState::CustomerAction(_)
            | ProviderState::Declined(_)
            | ProviderState::Authorized { .. } => self.desk.cancel(call, &payment, &seen.id).await?,
            ProviderState::Captured | ProviderState::Cancelled | ProviderState::Refused(_) => seen,
        };
        if ended.state != ProviderState::Captured {
            self.sight.set(ended);
            return Ok(());
        }
        // Money was taken behind our back: book that first, then give it back.
        let (id, call_again) = (self.payment, call.clone());
        let captured = self.desk.write(id, move |tx| {
            let (seen, call) = (ended.clone(), call_again.clone());
            Box::pin(async move {
                let Some(payment) = ledger::load(tx.conn(), id).await? else {
                    return Err(OpError::broken(format!("there is no payment {id}")));
                };
                ledger::absorb(tx, &call, &payment, &seen).await?;
                Ok(payment)
            })
        });
        let captured = captured.await?;
        self.give_back(call, &captured).await
    }

    /// Refunds what is left of a captured payment, under this undo's own refund.
    async fn give_back(&self, call: &CallMeta, payment: &Payment) -> Result<(), Trouble> {
        let Some(provider_id) = &payment.provider_id else {
            return Err(Trouble::Broken("a captured payment without an object of the provider".into()));
        };
        let refund = ids::derived(call.saga, &format!("{}/undo/refund", call.step));
        let Some((amount_minor, known)) = self.promise(call, refund).await? else { return Ok(()) };
        let amount = Money::new(amount_minor, payment.amount.currency);
        let to = match self.ask(call, provider_id, refund, amount, known).await? {
            RefundState::Succeeded => RefundStatus::Done,
            RefundState::Failed => RefundStatus::Failed,
            RefundState::Pending => {
                return Err(Trouble::Later("the refund is not decided yet".into()));
            }
        };
        let call = call.clone();
        let settle = self.desk.write(self.payment, move |tx| {
            let call = call.clone();
            Box::pin(async move { ledger::settle_refund(tx, &call, refund, to).await })
        });
        settle.await?;
        match to {
            RefundStatus::Done => Ok(()),
            _ => Err(Trouble::Broken(format!("the refund {refund} of {amount} failed"))),
        }
    }

    /// Writes the intent to refund what is left, if anything is, and whether it was written before.
    async fn promise(&self, call: &CallMeta, refund: Uuid) -> Result<Option<(i64, bool)>, Trouble> {
        let (id, call) = (self.payment, call.clone());
        let promise = self.desk.write(id, move |tx| {
            let call = call.clone();
            Box::pin(async move {
                let Some(payment) = ledger::load(tx.conn(), id).await? else {
                    return Err(OpError::broken(format!("there is no payment {id}")));
                };
                if let Some(known) = ledger::load_refund(tx.conn(), refund).await? {
                    return match known.status {
                        RefundStatus::Pending => Ok(Some((known.amount_minor, true))),
                        RefundStatus::Done => Ok(None),
                        RefundStatus::Failed => {
                            Err(OpError::broken(format!("the refund {refund} has failed")))
                        }
                    };
                }
                // Other refunds first: one that fails leaves more to give back, and this one is for all of it.
                if ledger::claimed(tx, id).await? > payment.refunded_minor {
                    return Err(OpError::not_now(SOON, "another refund of this payment is not settled"));
                }
                let left = payment.captured_minor.saturating_sub(payment.refunded_minor);
                if left == 0 {
                    return Ok(None);
                }
                ledger::open_refund(tx, &call, refund, &payment, left).await?;
                Ok(Some((left, false)))
            })
        });
        promise.await
    }

    /// The provider's refund: found if it was asked for before, else asked for.
    async fn ask(
        &self,
        call: &CallMeta,
        provider_id: &ProviderId,
        refund: Uuid,
        amount: Money,
        known: bool,
    ) -> Result<RefundState, Trouble> {
        let gateway = &self.desk.gateway;
        let found = if known {
            gateway.refunds(provider_id).await?.into_iter().find(|r| r.reference == Some(refund))
        } else {
            None
        };
        let found = match found {
            Some(found) => found,
            None => gateway.refund(&key(call, "refund"), provider_id, refund, amount).await?,
        };
        if found.reference != Some(refund) || found.amount != amount {
            return Err(other_refund(&found, refund, amount));
        }
        Ok(found.state)
    }
}

#[async_trait]
impl OutsideUndo for Void {
    type Answer = VoidResponse;

    fn kind(&self) -> &'static str {
        KIND
    }

    fn encode(&self) -> Vec<u8> {
        VoidRequest { payment_id: self.payment.to_string() }.encode_to_vec()
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![ledger::lock(self.payment)]
    }

    async fn intend(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        // The row was committed with the payment, so one that is absent is not the payment of this step.
        let payment = ledger::load(tx.conn(), self.payment).await?;
        let Some(payment) = payment.filter(|p| p.saga == call.saga && p.step == call.step) else {
            let why =
                format!("payment {} is not what {} of {} authorized", self.payment, call.step, call.saga);
            return Err(OpError::broken(why));
        };
        match payment.status {
            Status::Authorizing | Status::Waiting | Status::Authorized => {
                ledger::shift(tx, &payment, Status::Voiding).await
            }
            Status::Capturing => Err(OpError::not_now(SOON, "a capture is under way; it is settled first")),
            Status::Captured | Status::Voiding | Status::Voided | Status::Refused => Ok(()),
        }
    }

    async fn reach(&self, call: &CallMeta) -> Undone {
        match self.end(call).await {
            Ok(()) => Undone::Done,
            Err(Trouble::Later(why)) => Undone::NotYet(why),
            Err(Trouble::Broken(why)) => Undone::Broken(why),
        }
    }

    async fn record(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        let Some(payment) = ledger::load(tx.conn(), self.payment).await? else {
            return Err(OpError::broken(format!("there is no payment {}", self.payment)));
        };
        if payment.status != Status::Voiding {
            return Ok(());
        }
        match self.sight.get() {
            Some(seen) => match ledger::absorb(tx, call, &payment, &seen).await? {
                Status::Voided | Status::Refused => Ok(()),
                other => Err(OpError::not_now(SOON, format!("the payment is still {}", other.as_str()))),
            },
            None if ledger::abandon_unattached(tx, payment.id).await? => Ok(()),
            None => Err(OpError::not_now(SOON, "the provider's object was not read")),
        }
    }
}
