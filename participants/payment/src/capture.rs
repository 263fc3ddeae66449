//! Capture: takes what was authorized, or a part of it and lets go of the rest. The pivot of a checkout.
//!
//! Our ledger decides first: a payment is capturing by compare-and-swap from authorized, or no capture is sent. A
//! capture that was sent and not heard of is only ever read, and to settle the doubt the provider's object is ended; one
//! that the provider surely did not execute is asked for again under its key, for as long as nobody settles it. Who ends
//! the object says so in the ledger first, voiding by compare-and-swap from capturing: a capture after a cancel would rest
//! on the provider's no alone. What somebody else has taken is booked as it is; where it is another amount than was asked
//! for, this step is refused, and the undo gives back what was taken.

use async_trait::async_trait;
use backstitch_failpoint::hit;
use backstitch_proto::money::Money;
use backstitch_proto::payment::{CaptureRequest, CaptureResponse};
use participant_kit::{CallMeta, Identity, LockKey, OpError, OutsideAction, Reached, Refusal, Tx, text};
use prost::Message as _;
use uuid::Uuid;

use crate::attempts::{self, Verb};
use crate::desk::{Desk, Sight, Trouble, interrupted, key, refusal};
use crate::gateway::{Decline, GatewayError, ProviderPayment, ProviderState};
use crate::learn::verify;
use crate::ledger::{self, SOON};
use crate::notices;
use crate::payment::{Payment, Status};

pub(crate) const KIND: &str = "capture";

#[derive(Clone)]
pub(crate) struct Capture {
    desk: Desk,
    sight: Sight,
    /// The provider has answered the capture itself.
    heard: Sight<()>,
    /// When the capture was put on record.
    began_ms: Sight<i64>,
    /// Built again from its row: nobody's call is answered by it, so the saga is told when it has come to its end.
    is_unattended: bool,
    payment: Uuid,
    amount: Money,
}

impl Capture {
    /// Parses a request; the words say which field is wrong.
    pub(crate) fn parse(desk: &Desk, request: CaptureRequest) -> Result<Self, String> {
        let payment = text::uuid(&request.payment_id).map_err(|e| format!("payment_id {e}"))?;
        let amount = Money::parse(request.amount.as_ref()).map_err(|e| format!("amount: {e}"))?;
        Ok(Self {
            desk: desk.clone(),
            sight: Sight::default(),
            heard: Sight::default(),
            began_ms: Sight::default(),
            is_unattended: false,
            payment,
            amount,
        })
    }

    /// Builds the action again from what [`encode`](OutsideAction::encode) stored.
    pub(crate) fn decode(desk: &Desk, bytes: &[u8]) -> Result<Self, String> {
        let parsed = Self::parse(desk, CaptureRequest::decode(bytes).map_err(|e| e.to_string())?)?;
        Ok(Self { is_unattended: true, ..parsed })
    }

    async fn take(&self, call: &CallMeta) -> Result<Reached<CaptureResponse>, Trouble> {
        let payment = self.desk.payment(self.payment).await?;
        let Some(id) = payment.provider_id.clone() else {
            return Err(Trouble::Broken("an authorized payment without an object of the provider".into()));
        };
        if matches!(payment.status, Status::Voiding | Status::Voided) {
            return Err(Trouble::Later("the hold is being ended; it is not captured any more".into()));
        }
        let provider_key = key(call, Verb::Capture);
        let captured = self.desk.gateway.capture(&provider_key, &id, self.amount);
        let captured = self.desk.asked(call, Verb::Capture, self.began_ms.get(), captured).await;
        hit("payment.captured");
        let (seen, no) = match captured {
            // It contradicts what it was asked for: what the object shows is the answer.
            Ok(seen) if seen.captured_minor != self.amount.minor => {
                (self.desk.gateway.read(&id).await?, None)
            }
            Ok(seen) => {
                self.heard.set(());
                (seen, None)
            }
            // Captured already, ended already, or declined with the hold still there: the object tells.
            Err(GatewayError::Refused(decline)) => (self.desk.gateway.read(&id).await?, Some(decline)),
            Err(error) => return Err(error.into()),
        };
        verify(&payment, &seen)?;
        self.conclude(seen, no.as_ref())
    }

    /// What an object that was verified means for this step. `no` is the provider's answer to the capture itself:
    /// without one a hold that is still there says nothing, for the capture may yet arrive.
    fn conclude(
        &self,
        seen: ProviderPayment,
        no: Option<&Decline>,
    ) -> Result<Reached<CaptureResponse>, Trouble> {
        self.sight.set(seen.clone());
        match (seen.state, no) {
            // Somebody else has taken it. A hold is captured once, so what may still be on its way takes nothing more.
            (ProviderState::Captured, _) if seen.captured_minor != self.amount.minor => {
                Ok(Reached::Refused(taken_already(seen.amount, seen.captured_minor, self.amount)))
            }
            (ProviderState::Captured, _) => Ok(Reached::Done(CaptureResponse {
                payment_id: self.payment.to_string(),
                captured: Some(self.amount.to_proto()),
            })),
            (ProviderState::Authorized { .. } | ProviderState::Cancelled, Some(decline)) => {
                Ok(Reached::Refused(refusal(decline, "CAPTURE_FAILED")))
            }
            (ProviderState::Authorized { .. }, None) => {
                Err(Trouble::Later("the provider has not been seen to capture".into()))
            }
            (ProviderState::Cancelled, None) => Ok(Reached::Refused(interrupted())),
            (other, _) => Err(Trouble::Broken(format!("the provider shows {other:?} where a hold was"))),
        }
    }

    /// Asks again for a capture that the provider surely has not executed, under the same key; None: nothing of that kind.
    async fn again(&self, call: &CallMeta) -> Result<Option<Reached<CaptureResponse>>, Trouble> {
        if !self.desk.none_executed(call, Verb::Capture).await? {
            return Ok(None);
        }
        let (id, owner) = (self.payment, call.clone());
        let begun = self.desk.write(id, move |tx| {
            let call = owner.clone();
            Box::pin(async move {
                let payment = ledger::load(tx.conn(), id).await?;
                let wanted = payment.is_some_and(|payment| payment.status == Status::Capturing);
                if !wanted || !attempts::none_executed(tx.conn(), &call, Verb::Capture).await? {
                    return Ok(None);
                }
                ledger::touch(tx, id).await?;
                attempts::begin(tx, &call, Verb::Capture, &id.to_string(), "").await.map(Some)
            })
        });
        let Some(began_ms) = begun.await? else { return Ok(None) };
        self.began_ms.set(began_ms);
        self.take(call).await.map(Some)
    }

    /// Reads the object; or asks again, where that is certain to do no harm.
    async fn see(&self, call: &CallMeta) -> Result<Reached<CaptureResponse>, Trouble> {
        let payment = self.desk.payment(self.payment).await?;
        self.desk.not_early(payment.provider_id.as_ref())?;
        match self.again(call).await? {
            Some(reached) => Ok(reached),
            None => self.look(call, |payment| self.desk.is_orphan(payment)).await,
        }
    }

    /// Puts in the ledger that the hold ends, after which no capture is begun. False: the payment has moved on.
    async fn give_up(&self) -> Result<bool, Trouble> {
        let id = self.payment;
        let given_up = self.desk.write(id, move |tx| {
            Box::pin(async move {
                match ledger::load(tx.conn(), id).await? {
                    Some(payment) if payment.status == Status::Capturing => {
                        ledger::shift(tx, &payment, Status::Voiding).await.map(|()| true)
                    }
                    Some(payment) => Ok(payment.status == Status::Voiding),
                    None => Err(OpError::broken(format!("there is no payment {id}"))),
                }
            })
        });
        given_up.await
    }

    /// Finds the capture; if it is not there and `settle` says so, makes it impossible by ending the hold. An end that was
    /// begun is gone on with.
    async fn look(
        &self,
        call: &CallMeta,
        settle: impl FnOnce(&Payment) -> bool,
    ) -> Result<Reached<CaptureResponse>, Trouble> {
        let payment = self.desk.payment(self.payment).await?;
        let Some(seen) = self.desk.sight(&payment).await? else {
            return Err(Trouble::Broken("an authorized payment without an object of the provider".into()));
        };
        match seen.state {
            ProviderState::Authorized { .. } if payment.status == Status::Voiding || settle(&payment) => {
                if !self.give_up().await? {
                    return Err(Trouble::Later("the payment has moved on meanwhile".into()));
                }
                let ended = self.desk.cancel(call, &payment, &seen.id).await?;
                self.conclude(ended, None)
            }
            _ => self.conclude(seen, None),
        }
    }
}

fn failed(detail: impl Into<String>) -> Refusal {
    Refusal::new("CAPTURE_FAILED", detail)
}

fn mismatch(held: Money, asked: Money, detail: String) -> Refusal {
    Refusal::new("AMOUNT_MISMATCH", detail).with("authorized", held).with("asked", asked)
}

/// Of what is `held` another amount was taken than is asked for.
fn taken_already(held: Money, taken_minor: i64, asked: Money) -> Refusal {
    let taken = Money::new(taken_minor, held.currency);
    mismatch(held, asked, format!("{taken} was taken already, not {asked}")).with("taken", taken)
}

#[async_trait]
impl OutsideAction for Capture {
    type Answer = CaptureResponse;

    fn kind(&self) -> &'static str {
        KIND
    }

    fn encode(&self) -> Vec<u8> {
        let request =
            CaptureRequest { payment_id: self.payment.to_string(), amount: Some(self.amount.to_proto()) };
        request.encode_to_vec()
    }

    fn identity(&self) -> Identity {
        Identity::new("Capture")
            .text("payment_id", &self.payment.to_string())
            .int("amount_minor", self.amount.minor)
            .text("currency", self.amount.currency.as_str())
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![ledger::lock(self.payment)]
    }

    async fn intend(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        let Some(payment) = ledger::load(tx.conn(), self.payment).await? else {
            return Err(failed("there is no such payment").into());
        };
        if payment.saga != call.saga {
            return Err(OpError::broken(format!("payment {} is another saga's", self.payment)));
        }
        let (held, asked) = (payment.amount, self.amount);
        if asked.currency != held.currency || !(1..=held.minor).contains(&asked.minor) {
            return Err(mismatch(held, asked, format!("{held} is held, not {asked}")).into());
        }
        match payment.status {
            Status::Authorized => {
                self.desk.may_begin(payment.provider_id.as_ref())?;
                ledger::shift(tx, &payment, Status::Capturing).await?;
            }
            // Taken already under another step: the provider says so again, and that is Done.
            Status::Captured if payment.captured_minor == asked.minor => {}
            Status::Captured => {
                return Err(taken_already(held, payment.captured_minor, asked).into());
            }
            Status::Capturing => return Err(OpError::not_now(SOON, "another step captures this payment")),
            Status::Authorizing | Status::Waiting | Status::Voiding | Status::Voided | Status::Refused => {
                let status = payment.status.as_str();
                let why = format!("the payment is {status}, nothing can be taken");
                return Err(failed(why).with("status", status).into());
            }
        }
        let began_ms = attempts::begin(tx, call, Verb::Capture, &self.payment.to_string(), "").await?;
        self.began_ms.set(began_ms);
        Ok(())
    }

    async fn reach(&self, call: &CallMeta) -> Reached<CaptureResponse> {
        self.take(call).await.unwrap_or_else(Reached::from)
    }

    /// A capture that may have been executed is never sent again. While it may be on the way it is waited for: the customer
    /// has paid as far as they know, and ending the hold would end the checkout.
    async fn read(&self, call: &CallMeta) -> Reached<CaptureResponse> {
        self.see(call).await.unwrap_or_else(Reached::from)
    }

    async fn make_impossible(&self, call: &CallMeta) -> Reached<CaptureResponse> {
        self.look(call, |_| true).await.unwrap_or_else(Reached::from)
    }

    async fn record(
        &self,
        tx: &mut Tx<'_>,
        call: &CallMeta,
        reached: &Reached<CaptureResponse>,
    ) -> Result<(), OpError> {
        let Some(payment) = ledger::load(tx.conn(), self.payment).await? else {
            return Err(OpError::broken(format!("there is no payment {}", self.payment)));
        };
        let Some(seen) = self.sight.get() else {
            return Err(OpError::broken("a capture without an object of the provider"));
        };
        if self.heard.get().is_some() {
            attempts::end(tx, call, Verb::Capture, "ok", "").await?;
        }
        attempts::settled(tx, call).await?;
        if self.is_unattended && matches!(reached, Reached::Done(_) | Reached::Refused(_)) {
            notices::wake(tx, call.saga, call.root).await?;
        }
        match reached {
            Reached::Unknown { .. } | Reached::Broken(_) | Reached::Pending(_) => Ok(()),
            // Somebody ends the hold meanwhile, and that end is not recorded as a hold that is at rest.
            Reached::Refused(_)
                if matches!(seen.state, ProviderState::Authorized { .. })
                    && payment.status == Status::Voiding =>
            {
                Err(OpError::not_now(SOON, "the hold is being ended"))
            }
            // Declined with the hold still there: it can be voided, and this step never captures it.
            Reached::Refused(_) if matches!(seen.state, ProviderState::Authorized { .. }) => {
                ledger::shift(tx, &payment, Status::Authorized).await
            }
            Reached::Done(_) | Reached::Refused(_) => {
                ledger::absorb(tx, &call.traceparent, &payment, &seen).await.map(|_| ())
            }
        }
    }
}
