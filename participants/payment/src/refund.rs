//! Refund: gives back some of what was captured.
//!
//! What is pending counts as given back: it is checked against what was captured in the transaction that writes the
//! intent. A doubt about a refund is settled only by what the provider shows: succeeded or failed (see
//! [`giving`](crate::giving)); while it is undecided it is polled, and its amount stays claimed.

use async_trait::async_trait;
use backstitch_proto::money::Money;
use backstitch_proto::payment::{RefundRequest, RefundResponse};
use participant_kit::{CallMeta, Identity, LockKey, OpError, OutsideAction, Reached, Refusal, Tx, text};
use prost::Message as _;
use uuid::Uuid;

use crate::desk::{Desk, Sight, Trouble, refusal};
use crate::giving::{Ask, Given};
use crate::refunds::{self, End};
use crate::{attempts, ledger, notices};

pub(crate) const KIND: &str = "refund";

#[derive(Clone)]
pub(crate) struct Refund {
    desk: Desk,
    end: Sight<End>,
    /// It had been asked for before: whoever finds its end now, the saga may wait for it.
    waited_for: Sight<()>,
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
        let (end, waited_for) = (Sight::default(), Sight::default());
        Ok(Self { desk: desk.clone(), end, waited_for, refund, payment, amount })
    }

    /// Builds the action again from what [`encode`](OutsideAction::encode) stored.
    pub(crate) fn decode(desk: &Desk, bytes: &[u8]) -> Result<Self, String> {
        Self::parse(desk, &RefundRequest::decode(bytes).map_err(|e| e.to_string())?)
    }

    /// Finds the refund or asks for it; `first`: nobody can have asked before.
    async fn give(&self, call: &CallMeta, first: bool) -> Result<Reached<RefundResponse>, Trouble> {
        if !first {
            self.waited_for.set(());
        }
        let payment = self.desk.payment(self.payment).await?;
        let Some(object) = &payment.provider_id else {
            return Err(Trouble::Broken("a captured payment without an object of the provider".into()));
        };
        let refund = self.desk.refund(self.refund).await?;
        let ask = Ask {
            object,
            payment: self.payment.to_string(),
            refund: self.refund,
            amount: self.amount,
            key_from_ms: refund.key_from_ms,
            first,
        };
        let given = self.desk.give(call, &ask, async || self.desk.renew_key(refund).await).await?;
        let shown = match given {
            Given::Shown(shown) => shown,
            Given::Declined(decline) => {
                self.end.set(End::Failed { why: decline.code.clone() });
                return Ok(Reached::Refused(refusal(&decline, "REFUND_FAILED")));
            }
        };
        let Some(end) = End::of(&shown) else {
            return Err(Trouble::Later("the refund is not decided yet".into()));
        };
        self.end.set(end.clone());
        Ok(match end {
            End::Done { .. } => Reached::Done(RefundResponse {
                refund_id: self.refund.to_string(),
                refunded: Some(self.amount.to_proto()),
            }),
            End::Failed { why } => {
                let detail = "the refund was declined, the money stays taken";
                Reached::Refused(Refusal::new("REFUND_FAILED", detail).with("failure", why))
            }
        })
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
        let claimed = refunds::claimed(tx, self.payment).await?;
        let left = payment.captured_minor.saturating_sub(claimed);
        if self.amount.minor > left {
            let left = Money::new(left, payment.amount.currency);
            let detail = format!("{left} is left of what was captured, {} is asked", self.amount);
            return Err(Refusal::new("REFUND_EXCEEDS_CAPTURED", detail).with("left", left).into());
        }
        self.desk.may_begin(payment.provider_id.as_ref())?;
        if refunds::open(tx, call, self.refund, &payment, self.amount.minor).await? {
            return Ok(());
        }
        Err(OpError::broken(format!("refund {} is another step's already", self.refund)))
    }

    async fn reach(&self, call: &CallMeta) -> Reached<RefundResponse> {
        self.give(call, true).await.unwrap_or_else(Reached::from)
    }

    /// Not only a read: asking again under the same key is the one way to find out, and changes nothing more.
    async fn read(&self, call: &CallMeta) -> Reached<RefundResponse> {
        self.give(call, false).await.unwrap_or_else(Reached::from)
    }

    /// It cannot be made impossible, so the doubt is settled by making it.
    async fn make_impossible(&self, call: &CallMeta) -> Reached<RefundResponse> {
        self.give(call, false).await.unwrap_or_else(Reached::from)
    }

    async fn record(
        &self,
        tx: &mut Tx<'_>,
        call: &CallMeta,
        reached: &Reached<RefundResponse>,
    ) -> Result<(), OpError> {
        if matches!(reached, Reached::Pending(_) | Reached::Unknown { .. } | Reached::Broken(_)) {
            return Ok(());
        }
        let Some(end) = self.end.get() else {
            return Err(OpError::broken("a refund that ended without the provider's word"));
        };
        attempts::settled(tx, call).await?;
        if self.waited_for.get().is_some() {
            notices::wake(tx, call.saga, call.root).await?;
        }
        refunds::settle(tx, call, self.refund, &end).await
    }
}
