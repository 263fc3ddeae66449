//! TakeBackObject, the action of a repair: whatever an object of the provider holds or has taken, and nobody owns, goes
//! back. A hold is cancelled, what was captured and not given back is refunded.
//!
//! An object of a payment in the ledger goes through the ledger's own moves, so it is voiding before it is cancelled and
//! a refund is promised before it is asked for; one that is of no payment here, or that stands as the ledger says it
//! cannot, leaves only the repair on record.

use async_trait::async_trait;
use backstitch_proto::money::Money;
use backstitch_proto::payment::{TakeBackObjectRequest, TakeBackObjectResponse};
use participant_kit::{CallMeta, Identity, LockKey, OpError, OutsideAction, Reached, Refusal, Tx, text};
use prost::Message as _;
use uuid::Uuid;

use crate::attempts::{self, Verb};
use crate::desk::{Desk, Sight, Trouble, key, refusal};
use crate::documents::state;
use crate::gateway::{GatewayError, ProviderId, ProviderPayment, ProviderState};
use crate::giving::{Ask, Given};
use crate::learn::learn;
use crate::ledger::{self, SOON};
use crate::notices;
use crate::payment::{Payment, Status};
use crate::refunds::{self, End};
use crate::repairs::{self, Repair, Taking};

pub(crate) const KIND: &str = "take_back_object";

/// The longest id of an object.
const CHARACTERS: usize = 255;

#[derive(Clone)]
pub(crate) struct TakeBack {
    desk: Desk,
    sight: Sight,
    end: Sight<End>,
    /// It had been begun before: whoever finds its end now, the saga may wait for it.
    waited_for: Sight<()>,
    object: ProviderId,
    /// As the provider showed it when the repair was decided on.
    captured: bool,
    /// None where a hold is taken back.
    refund: Option<Uuid>,
}

impl TakeBack {
    /// Parses a request; the words say which field is wrong.
    pub(crate) fn parse(desk: &Desk, request: &TakeBackObjectRequest) -> Result<Self, String> {
        text::required(&request.provider_id, CHARACTERS).map_err(|e| format!("provider_id {e}"))?;
        let captured = match request.state.as_str() {
            "authorized" => false,
            "captured" => true,
            other => return Err(format!("state must be authorized or captured, not {other:?}")),
        };
        let refund = match captured {
            true => Some(text::uuid(&request.refund_id).map_err(|e| format!("refund_id {e}"))?),
            false => None,
        };
        Ok(Self {
            desk: desk.clone(),
            sight: Sight::default(),
            end: Sight::default(),
            waited_for: Sight::default(),
            object: ProviderId::new(request.provider_id.clone()),
            captured,
            refund,
        })
    }

    /// Builds the action again from what [`encode`](OutsideAction::encode) stored.
    pub(crate) fn decode(desk: &Desk, bytes: &[u8]) -> Result<Self, String> {
        Self::parse(desk, &TakeBackObjectRequest::decode(bytes).map_err(|e| e.to_string())?)
    }

    /// Looks at the object and takes back what is there; `first`: nobody can have begun before.
    async fn take(&self, call: &CallMeta, first: bool) -> Result<Reached<TakeBackObjectResponse>, Trouble> {
        if !first {
            self.waited_for.set(());
        }
        // One that it does not know is Broken, as everywhere: a wrong id or a wrong key, which proves nothing about money.
        let seen = self.desk.gateway.read(&self.object).await?;
        if seen.id != self.object {
            let (found, asked) = (&seen.id, &self.object);
            return Err(Trouble::Broken(format!(
                "the provider answered with the object {found}, not {asked}"
            )));
        }
        self.sight.set(seen.clone());
        match (self.captured, &seen.state, self.refund) {
            (false, ProviderState::Authorized { .. }, _) => self.cancel(call, &seen).await,
            // Cancelled by this repair before it could be recorded.
            (false, ProviderState::Cancelled, _) if !first => Ok(done("voided", held(&seen))),
            (true, ProviderState::Captured, Some(refund)) => self.give_back(call, &seen, refund).await,
            _ => Ok(Reached::Refused(changed(&seen))),
        }
    }

    /// Ends the hold. The payment that has it, if one has, is voiding first, so that it is never captured.
    async fn cancel(
        &self,
        call: &CallMeta,
        seen: &ProviderPayment,
    ) -> Result<Reached<TakeBackObjectResponse>, Trouble> {
        let taking = (seen.clone(), Verb::Cancel, None);
        let ours = match self.begin(call, taking).await? {
            Begun::Payment(ours) => ours,
            Begun::Refused(why) => return Ok(Reached::Refused(why)),
        };
        if self.desk.may_be_captured(&ours).await? {
            return Err(Trouble::Later("another process may be capturing it".into()));
        }
        let provider_key = key(call, Verb::Cancel);
        let asked = self.desk.gateway.cancel(&provider_key, &self.object);
        let answer = self.desk.attempt(call, Verb::Cancel, (&ours, ""), asked).await;
        backstitch_failpoint::hit("payment.after_cancel");
        let ended = match answer {
            Ok(ended) => ended,
            Err(GatewayError::Refused(_)) => self.desk.gateway.read(&self.object).await?,
            Err(error) => return Err(error.into()),
        };
        self.sight.set(ended.clone());
        match ended.state {
            ProviderState::Cancelled | ProviderState::Refused(_) => Ok(done("voided", held(seen))),
            ProviderState::Captured => Ok(Reached::Refused(changed(&ended))),
            _ => Err(Trouble::Later("the provider has not ended the object yet".into())),
        }
    }

    /// Puts on record what is taken back, before it is.
    async fn begin(
        &self,
        call: &CallMeta,
        (seen, verb, refund): (ProviderPayment, Verb, Option<Uuid>),
    ) -> Result<Begun, Trouble> {
        let (call, object, provider) = (call.clone(), self.object.clone(), self.desk.gateway.name());
        let begun = self.desk.kit.run(Vec::new(), move |tx| {
            let (call, object, seen) = (call.clone(), object.clone(), seen.clone());
            let amount = held(&seen);
            Box::pin(async move {
                let payment = match owned(tx, &call, provider, &seen).await? {
                    Ok(payment) => payment,
                    Err(another) => return Ok(Begun::Refused(another)),
                };
                if let Some(payment) = &payment {
                    match payment.status {
                        Status::Authorizing | Status::Waiting | Status::Authorized => {
                            ledger::shift(tx, payment, Status::Voiding).await?;
                        }
                        Status::Capturing => return Err(OpError::not_now(SOON, "a capture is under way")),
                        Status::Captured => return Ok(Begun::Refused(changed(&seen))),
                        Status::Voiding | Status::Voided | Status::Refused => {}
                    }
                }
                let payment = payment.map(|payment| payment.id);
                let taking = Taking { provider, object: &object, payment, verb, refund, amount };
                repairs::open(tx, &call, &taking).await?;
                Ok(Begun::Payment(payment.map(|id| id.to_string()).unwrap_or_default()))
            })
        });
        Ok(begun.await?)
    }

    /// Refunds what was captured and not given back.
    async fn give_back(
        &self,
        call: &CallMeta,
        seen: &ProviderPayment,
        id: Uuid,
    ) -> Result<Reached<TakeBackObjectResponse>, Trouble> {
        let Promise { repair, payment, first } = match self.promise(call, seen.clone(), id).await? {
            Ok(promised) => promised,
            Err(another) => return Ok(Reached::Refused(another)),
        };
        let amount = Money::new(repair.amount_minor, seen.amount.currency);
        if amount.minor == 0 {
            return Ok(done("nothing", amount));
        }
        let key_from_ms = repair.key_from_ms;
        let ask = Ask { object: &self.object, payment, refund: id, amount, key_from_ms, first };
        let renew = async || {
            let call = call.clone();
            let renewed = self.desk.kit.run(Vec::new(), move |tx| {
                let (call, repair) = (call.clone(), repair.clone());
                Box::pin(async move { repairs::renew_key(tx, &call, &repair).await })
            });
            Ok(renewed.await?)
        };
        let shown = match self.desk.give(call, &ask, renew).await? {
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
            End::Done { .. } => done("refunded", amount),
            End::Failed { why } => {
                let detail = "the refund was declined, the money stays taken";
                Reached::Refused(Refusal::new("REFUND_FAILED", detail).with("failure", why))
            }
        })
    }

    /// Writes the intent to refund what is left, or finds it.
    async fn promise(
        &self,
        call: &CallMeta,
        seen: ProviderPayment,
        id: Uuid,
    ) -> Result<Result<Promise, Refusal>, Trouble> {
        let (call, object, provider) = (call.clone(), self.object.clone(), self.desk.gateway.name());
        let promise = self.desk.kit.run(Vec::new(), move |tx| {
            let (call, object, seen) = (call.clone(), object.clone(), seen.clone());
            Box::pin(async move {
                let payment = match owned(tx, &call, provider, &seen).await? {
                    Ok(Some(payment)) => captured(tx, &call, payment, &seen).await?,
                    Ok(None) => None,
                    Err(another) => return Ok(Err(another)),
                };
                let name = payment.as_ref().map(|payment| payment.id.to_string()).unwrap_or_default();
                if let Some(repair) = repairs::load(tx, &call).await? {
                    return Ok(Ok(Promise { repair, payment: name, first: false }));
                }
                let left = seen.captured_minor.saturating_sub(seen.refunded_minor).max(0);
                let left = match &payment {
                    Some(payment) => {
                        let claimed = refunds::claimed(tx, payment.id).await?;
                        if claimed > payment.refunded_minor {
                            return Err(OpError::not_now(SOON, "a refund of this payment is not settled"));
                        }
                        left.min(payment.captured_minor.saturating_sub(claimed))
                    }
                    None => left,
                };
                if let Some(payment) = payment.as_ref().filter(|_| left > 0)
                    && !refunds::open(tx, &call, id, payment, left).await?
                {
                    return Err(OpError::broken(format!("refund {id} is another step's already")));
                }
                let taking = Taking {
                    provider,
                    object: &object,
                    payment: payment.as_ref().map(|payment| payment.id),
                    verb: Verb::Refund,
                    refund: Some(id),
                    amount: Money::new(left, seen.amount.currency),
                };
                repairs::open(tx, &call, &taking).await?;
                let repair = Repair { amount_minor: left, key_from_ms: tx.now_ms() };
                Ok(Ok(Promise { repair, payment: name, first: true }))
            })
        });
        Ok(promise.await?)
    }
}

/// Whether a hold may be cancelled.
enum Begun {
    /// It may; the payment that has it, or nothing.
    Payment(String),
    /// Our ledger knows better: it was captured, or is another saga's.
    Refused(Refusal),
}

/// What a repair has promised to give back.
struct Promise {
    repair: Repair,
    /// The payment that has the object, or nothing.
    payment: String,
    first: bool,
}

/// The payment that has the object, under its lock.
async fn owner(tx: &mut Tx<'_>, provider: &str, object: &ProviderId) -> Result<Option<Payment>, OpError> {
    let payment = ledger::by_object(tx.conn(), provider, object).await?;
    if let Some(payment) = &payment {
        tx.lock([ledger::lock(payment.id)])?;
    }
    Ok(payment)
}

/// The payment that has the object, if it is of the family that the repair is of: whoever asked for it has made sure of
/// that family alone, and another's money may be wanted yet. An object that no payment has, but that bears the id of
/// one, is of that one's family.
async fn owned(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    provider: &str,
    seen: &ProviderPayment,
) -> Result<Result<Option<Payment>, Refusal>, OpError> {
    let owner = owner(tx, provider, &seen.id).await?;
    let named = match (&owner, seen.reference) {
        (None, Some(reference)) => ledger::load(tx.conn(), reference).await?,
        _ => None,
    };
    match owner.as_ref().or(named.as_ref()) {
        Some(payment) if payment.root != call.root => {
            let detail = "the object is of another saga than the repair was asked for; name that one";
            let saga = payment.saga.to_string();
            Ok(Err(Refusal::new("OBJECT_OF_ANOTHER_SAGA", detail).with("saga_id", saga)))
        }
        _ => Ok(Ok(owner)),
    }
}

/// The payment as captured, booked now if that was not known; None where the ledger says that it cannot be.
async fn captured(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    payment: Payment,
    seen: &ProviderPayment,
) -> Result<Option<Payment>, OpError> {
    match payment.status {
        Status::Captured => Ok(Some(payment)),
        Status::Capturing => Err(OpError::not_now(SOON, "a capture is under way")),
        _ if learn(&payment, seen).is_ok() => {
            ledger::absorb(tx, &call.traceparent, &payment, seen).await?;
            ledger::load(tx.conn(), payment.id).await
        }
        _ => Ok(None),
    }
}

fn held(seen: &ProviderPayment) -> Money {
    Money::new(seen.authorized_minor.saturating_sub(seen.captured_minor).max(0), seen.amount.currency)
}

fn done(outcome: &str, amount: Money) -> Reached<TakeBackObjectResponse> {
    Reached::Done(TakeBackObjectResponse { outcome: outcome.into(), amount: Some(amount.to_proto()) })
}

fn changed(seen: &ProviderPayment) -> Refusal {
    let state = state(&seen.state);
    Refusal::new("OBJECT_CHANGED", format!("the object is {state} by now")).with("state", state)
}

#[async_trait]
impl OutsideAction for TakeBack {
    type Answer = TakeBackObjectResponse;

    fn kind(&self) -> &'static str {
        KIND
    }

    fn encode(&self) -> Vec<u8> {
        let request = TakeBackObjectRequest {
            provider_id: self.object.to_string(),
            state: if self.captured { "captured" } else { "authorized" }.into(),
            refund_id: self.refund.map(|id| id.to_string()).unwrap_or_default(),
        };
        request.encode_to_vec()
    }

    fn identity(&self) -> Identity {
        let refund = self.refund.map(|id| id.to_string()).unwrap_or_default();
        Identity::new("TakeBackObject")
            .text("provider_id", self.object.as_str())
            .text("state", if self.captured { "captured" } else { "authorized" })
            .text("refund_id", &refund)
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![LockKey::new("object", self.object.as_str())]
    }

    /// What is taken back is not known before the object was read; it is put on record before it is asked for.
    async fn intend(&self, _tx: &mut Tx<'_>, _call: &CallMeta) -> Result<(), OpError> {
        self.desk.may_begin(Some(&self.object))
    }

    async fn reach(&self, call: &CallMeta) -> Reached<TakeBackObjectResponse> {
        self.take(call, true).await.unwrap_or_else(Reached::from)
    }

    /// Not only a read: a cancel is idempotent, and a refund is repeated under its key as every refund is.
    async fn read(&self, call: &CallMeta) -> Reached<TakeBackObjectResponse> {
        self.take(call, false).await.unwrap_or_else(Reached::from)
    }

    /// It is settled by doing it: nobody wants the money to stay where it is.
    async fn make_impossible(&self, call: &CallMeta) -> Reached<TakeBackObjectResponse> {
        self.take(call, false).await.unwrap_or_else(Reached::from)
    }

    async fn record(
        &self,
        tx: &mut Tx<'_>,
        call: &CallMeta,
        reached: &Reached<TakeBackObjectResponse>,
    ) -> Result<(), OpError> {
        let outcome = match reached {
            Reached::Done(answer) => answer.outcome.as_str(),
            Reached::Refused(_) => "refused",
            Reached::Pending(_) | Reached::Unknown { .. } | Reached::Broken(_) => return Ok(()),
        };
        if let Some(payment) = owner(tx, self.desk.gateway.name(), &self.object).await?
            && let Some(seen) = self.sight.get()
        {
            // A capture in doubt is its own step's to settle; what cannot be is in the repair's row alone.
            if payment.status != Status::Capturing && learn(&payment, &seen).is_ok() {
                ledger::absorb(tx, &call.traceparent, &payment, &seen).await?;
            }
        }
        if let (Some(id), Some(end)) = (self.refund, self.end.get())
            && refunds::load(tx.conn(), id).await?.is_some()
        {
            refunds::settle(tx, call, id, &end).await?;
        }
        attempts::settled(tx, call).await?;
        if self.waited_for.get().is_some() {
            notices::wake(tx, call.saga, call.root).await?;
        }
        repairs::settle(tx, call, outcome).await
    }
}
