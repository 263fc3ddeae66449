//! Void, the undo of Authorize: by money state a cancel, a refund, or nothing.
//!
//! The payment is voiding by compare-and-swap before anything is asked, and never from capturing: a capture that is
//! under way is settled first, by its own step, or given up by it, which leaves the payment voiding. Done only when the
//! provider's object has ended, or everything that was taken is given back; or at once where no object was ever stored,
//! for then nothing can be confirmed any more. A refund that fails opens a case, and the undo is done once a person has
//! resolved it.

use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::ids;
use backstitch_proto::money::Money;
use backstitch_proto::payment::{VoidRequest, VoidResponse};
use participant_kit::{CallMeta, LockKey, OpError, OutsideUndo, Tx, Undone, text};
use prost::Message as _;
use uuid::Uuid;

use crate::attempts;
use crate::cases;
use crate::desk::{Desk, Sight, Trouble};
use crate::gateway::ProviderState;
use crate::giving::{Ask, Given};
use crate::ledger::{self, SOON};
use crate::notices;
use crate::payment::{Payment, Status};
use crate::refunds::{self, End, Refund};

pub(crate) const KIND: &str = "void";

/// What is to be given back by an undo.
enum Left {
    /// Nothing any more.
    Nothing,
    /// This; whether the intent was written just now.
    Refund(Refund, bool),
    /// What only a person can give back, and what is wanted of them.
    Case(String),
}

#[derive(Clone)]
pub(crate) struct Void {
    desk: Desk,
    sight: Sight,
    /// Built again from its row: nobody's call is answered by it, so the saga is told when it is done.
    is_unattended: bool,
    payment: Uuid,
}

impl Void {
    /// Parses a request; the words say which field is wrong.
    pub(crate) fn parse(desk: &Desk, request: &VoidRequest) -> Result<Self, String> {
        let payment = text::uuid(&request.payment_id).map_err(|e| format!("payment_id {e}"))?;
        Ok(Self { desk: desk.clone(), sight: Sight::default(), is_unattended: false, payment })
    }

    /// Builds the undo again from what [`encode`](OutsideUndo::encode) stored.
    pub(crate) fn decode(desk: &Desk, bytes: &[u8]) -> Result<Self, String> {
        let parsed = Self::parse(desk, &VoidRequest::decode(bytes).map_err(|e| e.to_string())?)?;
        Ok(Self { is_unattended: true, ..parsed })
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
                ledger::absorb(tx, &call.traceparent, &payment, &seen).await?;
                Ok(payment)
            })
        });
        let captured = captured.await?;
        backstitch_failpoint::hit("payment.taken_behind");
        self.give_back(call, &captured).await
    }

    /// Refunds what is left of a captured payment, under this undo's own refund.
    async fn give_back(&self, call: &CallMeta, payment: &Payment) -> Result<(), Trouble> {
        let Some(object) = &payment.provider_id else {
            return Err(Trouble::Broken("a captured payment without an object of the provider".into()));
        };
        let id = ids::derived(call.saga, &format!("{}/undo/refund", call.step));
        let (refund, first) = match self.promise(call, id).await? {
            Left::Nothing => return Ok(()),
            Left::Refund(refund, first) => (refund, first),
            Left::Case(wanted) => return Err(Trouble::Broken(wanted)),
        };
        let amount = Money::new(refund.amount_minor, payment.amount.currency);
        let ask = Ask {
            object,
            payment: self.payment.to_string(),
            refund: id,
            amount,
            key_from_ms: refund.key_from_ms,
            first,
        };
        let end = match self.desk.give(call, &ask, async || self.desk.renew_key(refund).await).await? {
            Given::Shown(shown) => End::of(&shown),
            Given::Declined(decline) => Some(End::Failed { why: decline.code }),
        };
        let Some(end) = end else {
            return Err(Trouble::Later("the refund is not decided yet".into()));
        };
        let (owner, payment, settled) = (call.clone(), payment.clone(), end);
        let settle = self.desk.write(self.payment, move |tx| {
            let (call, payment, end) = (owner.clone(), payment.clone(), settled.clone());
            Box::pin(async move {
                // It had been asked for before: whoever finds its end now, the saga may wait for it.
                if !first {
                    notices::wake(tx, call.saga, call.root).await?;
                }
                refunds::settle(tx, &call, id, &end).await?;
                match refunds::load(tx.conn(), id).await? {
                    Some(refund) if refund.status == refunds::Status::Failed => {
                        cases::of_undo(tx, &refund, &payment).await
                    }
                    _ => Ok(None),
                }
            })
        });
        match settle.await? {
            None => Ok(()),
            Some(wanted) => Err(Trouble::Broken(wanted)),
        }
    }

    /// Writes the intent to refund what is left, if anything is.
    async fn promise(&self, call: &CallMeta, id: Uuid) -> Result<Left, Trouble> {
        let (payment_id, call) = (self.payment, call.clone());
        let promise = self.desk.write(payment_id, move |tx| {
            let call = call.clone();
            Box::pin(async move {
                let Some(payment) = ledger::load(tx.conn(), payment_id).await? else {
                    return Err(OpError::broken(format!("there is no payment {payment_id}")));
                };
                if let Some(known) = refunds::load(tx.conn(), id).await? {
                    return match known.status {
                        refunds::Status::Pending => Ok(Left::Refund(known, false)),
                        refunds::Status::Done => Ok(Left::Nothing),
                        refunds::Status::Failed => {
                            let wanted = cases::of_undo(tx, &known, &payment).await?;
                            Ok(wanted.map_or(Left::Nothing, Left::Case))
                        }
                    };
                }
                // Other refunds first: one that fails leaves more to give back, and this one is for all of it.
                if refunds::claimed(tx, payment_id).await? > payment.refunded_minor {
                    return Err(OpError::not_now(SOON, "another refund of this payment is not settled"));
                }
                let left = payment.captured_minor.saturating_sub(payment.refunded_minor);
                if left == 0 {
                    return Ok(Left::Nothing);
                }
                refunds::open(tx, &call, id, &payment, left).await?;
                let refund = refunds::load(tx.conn(), id).await?;
                refund
                    .map(|refund| Left::Refund(refund, true))
                    .ok_or_else(|| OpError::broken(format!("there is no refund {id}")))
            })
        });
        promise.await
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
            Err(Trouble::Later(why)) => Undone::NotYet { after: Duration::ZERO, why },
            Err(Trouble::Busy(after, why)) => Undone::NotYet { after, why },
            Err(Trouble::Broken(why)) => Undone::Broken(why),
        }
    }

    async fn record(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        let Some(payment) = ledger::load(tx.conn(), self.payment).await? else {
            return Err(OpError::broken(format!("there is no payment {}", self.payment)));
        };
        attempts::settled(tx, call).await?;
        if self.is_unattended {
            notices::wake(tx, call.saga, call.root).await?;
        }
        if payment.status != Status::Voiding {
            return Ok(());
        }
        match self.sight.get() {
            Some(seen) => match ledger::absorb(tx, &call.traceparent, &payment, &seen).await? {
                Status::Voided | Status::Refused => Ok(()),
                other => Err(OpError::not_now(SOON, format!("the payment is still {}", other.as_str()))),
            },
            None if ledger::abandon_unattached(tx, payment.id).await? => Ok(()),
            None => Err(OpError::not_now(SOON, "the provider's object was not read")),
        }
    }
}
