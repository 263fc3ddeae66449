//! What the actions share: the kit, the gateway, and the few moves that more than one of them makes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backstitch_failpoint::hit;
use futures::future::BoxFuture;
use participant_kit::{CallMeta, Kit, OpError, Reached, Refusal, Tx, patiently};
use uuid::Uuid;

use crate::attempts::Verb;
use crate::gateway::{
    Decline, DeclineReason, GatewayError, PaymentGateway, ProviderId, ProviderPayment, ProviderState,
};
use crate::learn::{Nonsense, verify};
use crate::ledger;
use crate::not_before::{NotBefore, Polite};
use crate::payment::Payment;

/// How long an intent may be without a result before its task is held to be gone. Longer than any gateway waits for
/// its provider; if it is not gone after all, the provider decides between its call and the cancel.
pub(crate) const GONE_AFTER_MS: i64 = 30_000;

/// The kit and the gateway. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) kit: Kit,
    pub(crate) gateway: Arc<dyn PaymentGateway>,
    /// No other process works on this database, so what was intended before this one started is nobody's.
    pub(crate) alone: bool,
    opened_at_ms: i64,
    /// How long the provider remembers a key.
    pub(crate) key_window_ms: i64,
    /// When a busy provider wants to be asked again; the gateway asks it no earlier.
    not_before: NotBefore,
}

/// Why an action could not find out how things stand. Nothing follows from it about money.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Ask again.
    Later(String),
    /// Ask again, and not before so long has passed.
    Busy(Duration, String),
    /// A person has to look.
    Broken(String),
}

impl<A> From<Trouble> for Reached<A> {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Later(why) => Reached::unknown(why),
            Trouble::Busy(after, why) => Reached::Unknown { after, why },
            Trouble::Broken(why) => Reached::Broken(why),
        }
    }
}

impl From<Nonsense> for Trouble {
    fn from(nonsense: Nonsense) -> Self {
        Trouble::Broken(nonsense.to_string())
    }
}

impl From<GatewayError> for Trouble {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Broken(why) => Trouble::Broken(why),
            GatewayError::Unavailable { busy: Some(busy), .. } => {
                Trouble::Busy(busy.after(), error.to_string())
            }
            other => Trouble::Later(other.to_string()),
        }
    }
}

impl From<OpError> for Trouble {
    fn from(error: OpError) -> Self {
        match error {
            OpError::Database(_) | OpError::NotNow { .. } | OpError::Lock(_) | OpError::Unknown(_) => {
                Trouble::Later(error.to_string())
            }
            other => Trouble::Broken(other.to_string()),
        }
    }
}

impl Desk {
    /// `alone`: no other process works on the kit's database.
    pub(crate) fn new(kit: Kit, gateway: Arc<dyn PaymentGateway>, alone: bool, key_window_ms: i64) -> Self {
        let opened_at_ms = kit.clock().now_ms();
        let not_before = NotBefore::new(kit.clock().clone());
        let gateway = Arc::new(Polite { gateway, not_before: not_before.clone() });
        Self { kit, gateway, alone, opened_at_ms, key_window_ms, not_before }
    }

    /// Whether the provider would be asked about this object just now. Asked before what would be put on record of it.
    pub(crate) fn not_early(&self, object: Option<&ProviderId>) -> Result<(), GatewayError> {
        self.not_before.busy(object).map_or(Ok(()), |busy| Err(GatewayError::busy(busy)))
    }

    /// The same for a step that has not begun. It need not begin for that: nothing of it is there yet, and *not now* is the
    /// whole truth.
    pub(crate) fn may_begin(&self, object: Option<&ProviderId>) -> Result<(), OpError> {
        match self.not_before.busy(object) {
            None => Ok(()),
            Some(busy) => {
                Err(OpError::not_now(busy.after(), "the provider is busy and wants to be asked later"))
            }
        }
    }

    /// Whether no task is at the provider for `payment` any more, asked by who has the kit's claim on the step. Its
    /// request may still be on the way; an object that is ended first does not take it.
    pub(crate) fn is_left(&self, payment: &Payment) -> bool {
        self.alone || self.age_ms(payment) > GONE_AFTER_MS
    }

    /// Whether nothing that was sent for `payment` can be on the way any more either: its process is gone, or it was
    /// sent long ago.
    pub(crate) fn is_orphan(&self, payment: &Payment) -> bool {
        (self.alone && payment.updated_at_ms < self.opened_at_ms) || self.age_ms(payment) > GONE_AFTER_MS
    }

    fn age_ms(&self, payment: &Payment) -> i64 {
        self.kit.clock().now_ms().saturating_sub(payment.updated_at_ms)
    }

    /// The payment as it is committed now.
    pub(crate) async fn payment(&self, id: Uuid) -> Result<Payment, Trouble> {
        let payment = patiently(|| async {
            let mut conn = self.kit.reads().acquire().await?;
            ledger::load(&mut conn, id).await
        });
        let payment = payment.await?;
        payment.ok_or_else(|| Trouble::Broken(format!("there is no payment {id}")))
    }

    /// The provider's object of a payment, checked to be of this payment. None if no id of one is stored.
    pub(crate) async fn sight(&self, payment: &Payment) -> Result<Option<ProviderPayment>, Trouble> {
        let Some(id) = &payment.provider_id else { return Ok(None) };
        let seen = self.gateway.read(id).await?;
        verify(payment, &seen)?;
        Ok(Some(seen))
    }

    /// Cancels the provider's object and answers how it stands then: ended, or captured before that. The ledger says
    /// already that no capture is begun; one that another process has begun is waited for, for as long as it may leave.
    pub(crate) async fn cancel(
        &self,
        call: &CallMeta,
        payment: &Payment,
        id: &ProviderId,
    ) -> Result<ProviderPayment, Trouble> {
        let (provider_key, ours) = (key(call, Verb::Cancel), payment.id.to_string());
        if self.may_be_captured(&ours).await? {
            return Err(Trouble::Later("another process may be capturing it".into()));
        }
        let asked = self.gateway.cancel(&provider_key, id);
        let answer = self.attempt(call, Verb::Cancel, (&ours, ""), asked).await;
        hit("payment.after_cancel");
        let seen = match answer {
            Ok(seen) => seen,
            // It has ended or was captured in the meantime.
            Err(GatewayError::Refused(_)) => self.gateway.read(id).await?,
            Err(error) => return Err(error.into()),
        };
        verify(payment, &seen)?;
        match seen.state {
            ProviderState::Cancelled | ProviderState::Refused(_) | ProviderState::Captured => Ok(seen),
            _ => Err(Trouble::Later("the provider has not ended the payment yet".into())),
        }
    }

    /// Runs one transaction under a payment's lock, more than once if the database is in trouble.
    pub(crate) async fn write<T, F>(&self, payment: Uuid, op: F) -> Result<T, Trouble>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, OpError>> + Send + Sync + 'static,
    {
        let op = Arc::new(op);
        let written = patiently(|| {
            let op = op.clone();
            self.kit.run(vec![ledger::lock(payment)], move |tx| op(tx))
        });
        Ok(written.await?)
    }
}

/// The provider's key of a call: the same for every attempt of a (saga, step).
pub(crate) fn key(call: &CallMeta, verb: Verb) -> String {
    format!("{}/{}/{}", call.saga, call.step, verb.as_str())
}

/// What was last seen at the provider, from a call to the transaction that records it. Clones share it; it is a
/// shortcut past a second read and never the only copy.
#[derive(Debug)]
pub(crate) struct Sight<T = ProviderPayment>(Arc<Mutex<Option<T>>>);

impl<T> Clone for Sight<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Sight<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Sight<T> {
    pub(crate) fn set(&self, seen: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }

    pub(crate) fn get(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the provider was asked for did not come about, and it made sure that it never will.
pub(crate) fn interrupted() -> Refusal {
    let detail = "the payment was interrupted before the provider acted; nothing was charged; try again";
    Refusal::new("PAYMENT_INTERRUPTED", detail)
}

/// A provider's no as a refusal with a stable reason.
pub(crate) fn refusal(decline: &Decline, otherwise: &str) -> Refusal {
    let (reason, detail) = match decline.reason {
        DeclineReason::CardDeclined => ("CARD_DECLINED", "the card was declined"),
        DeclineReason::InsufficientFunds => ("INSUFFICIENT_FUNDS", "the account cannot cover the amount"),
        DeclineReason::AuthenticationFailed => {
            ("AUTHENTICATION_FAILED", "the customer did not prove to be the holder")
        }
        DeclineReason::UnknownPaymentMethod => {
            ("UNKNOWN_PAYMENT_METHOD", "the provider does not know this payment method")
        }
        DeclineReason::Expired => ("AUTHORIZATION_EXPIRED", "the hold has run out"),
        DeclineReason::CaptureDeclined
        | DeclineReason::RefundDeclined
        | DeclineReason::AmountNotAllowed
        | DeclineReason::WrongState => (otherwise, "the provider refused"),
    };
    Refusal::new(reason, detail).with("decline_code", &decline.code)
}
