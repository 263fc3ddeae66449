//! Authorize: asks the provider to hold the amount.
//!
//! Create (holds nothing), store the provider's id, confirm by id. The id is stored by compare-and-swap while the hold
//! is still wanted, so that after an undo has begun nothing is ever confirmed, and whatever may hold money is known by
//! its id before it can.

use async_trait::async_trait;
use backstitch_failpoint::hit;
use backstitch_proto::money::Money;
use backstitch_proto::payment::{
    AuthorizeRequest, AuthorizeResponse, Authorized, CustomerAction, authorize_response,
};
use participant_kit::{CallMeta, Identity, LockKey, OpError, OutsideAction, Reached, Refusal, Tx, text};
use prost::Message as _;
use uuid::Uuid;

use crate::attempts::{self, Verb};
use crate::desk::{Desk, Sight, Trouble, interrupted, key, refusal};
use crate::gateway::{
    self, Decline, DeclineReason, GatewayError, NewPayment, PaymentMethod, ProviderId, ProviderPayment,
    ProviderState,
};
use crate::learn::verify;
use crate::payment::{Payment, Status};
use crate::webhooks::inbox;
use crate::{ledger, notices};

pub(crate) const KIND: &str = "authorize";

/// The longest order id that is passed on to a provider.
const ORDER_ID_CHARACTERS: usize = 100;

#[derive(Clone)]
pub(crate) struct Authorize {
    desk: Desk,
    sight: Sight,
    /// The provider has answered the confirmation itself.
    heard: Sight<()>,
    /// When the call that is to be made next was put on record.
    began_ms: Sight<i64>,
    payment: Uuid,
    amount: Money,
    /// None in an action that was decoded: a token is not stored, and only `reach` needs it.
    method: Option<PaymentMethod>,
    /// What stands for the token in the request's identity.
    fingerprint: [u8; 32],
    order_id: String,
}

/// The action as it waits in the database. Everything but the token.
#[derive(Clone, PartialEq, prost::Message)]
struct Stored {
    #[prost(message, optional, tag = "1")]
    request: Option<AuthorizeRequest>,
    #[prost(bytes = "vec", tag = "2")]
    fingerprint: Vec<u8>,
}

impl Authorize {
    /// Parses a request; the words say which field is wrong.
    pub(crate) fn parse(desk: &Desk, request: AuthorizeRequest) -> Result<Self, String> {
        let payment = text::uuid(&request.payment_id).map_err(|e| format!("payment_id {e}"))?;
        let amount = Money::parse(request.amount.as_ref()).map_err(|e| format!("amount: {e}"))?;
        if amount.minor <= 0 {
            return Err(format!("amount must be positive, not {amount}"));
        }
        text::optional(&request.order_id, ORDER_ID_CHARACTERS).map_err(|e| format!("order_id {e}"))?;
        let fingerprint = Identity::new("PaymentMethod").text("token", &request.payment_method).finish();
        Ok(Self {
            desk: desk.clone(),
            sight: Sight::default(),
            heard: Sight::default(),
            began_ms: Sight::default(),
            payment,
            amount,
            method: Some(PaymentMethod::new(request.payment_method)),
            fingerprint,
            order_id: request.order_id,
        })
    }

    /// Builds the action again from what [`encode`](OutsideAction::encode) stored.
    pub(crate) fn decode(desk: &Desk, bytes: &[u8]) -> Result<Self, String> {
        let stored = Stored::decode(bytes).map_err(|e| e.to_string())?;
        let fingerprint = stored.fingerprint.try_into().map_err(|_| "fingerprint: not 32 bytes")?;
        let parsed = Self::parse(desk, stored.request.unwrap_or_default())?;
        Ok(Self { method: None, fingerprint, ..parsed })
    }

    /// Makes an object that holds nothing and stores its id: the payment with that; or the provider's no.
    async fn create(&self, call: &CallMeta) -> Result<Result<Payment, Refusal>, Trouble> {
        let new = NewPayment {
            reference: self.payment,
            amount: self.amount,
            saga: call.saga,
            root: call.root,
            order_id: self.order_id.clone(),
        };
        let create_key = key(call, Verb::Create);
        let created = self.desk.gateway.create(&create_key, &new);
        let created = match self.desk.asked(call, Verb::Create, self.began_ms.get(), created).await {
            Ok(created) => created,
            Err(GatewayError::Refused(decline)) => return Ok(Err(no(&decline))),
            Err(error) => return Err(error.into()),
        };
        hit("payment.created");
        let payment = self.desk.payment(self.payment).await?;
        verify(&payment, &created)?;

        if !self.attach(call, &created.id).await? {
            // It holds nothing and nobody will confirm it; tidiness only, so the answer does not matter.
            let (cancel_key, ours) = (key(call, Verb::Cancel), self.payment.to_string());
            let cancelled = self.desk.gateway.cancel(&cancel_key, &created.id);
            let _ = self.desk.attempt(call, Verb::Cancel, (&ours, ""), cancelled).await;
            return Err(Trouble::Later("the payment was closed before it was confirmed".into()));
        }
        hit("payment.attached");
        Ok(Ok(Payment { provider_id: Some(created.id), ..payment }))
    }

    /// Create, store the id, confirm.
    async fn hold(&self, call: &CallMeta) -> Result<Reached<AuthorizeResponse>, Trouble> {
        if self.method.is_none() {
            return Err(Trouble::Broken("an authorization cannot begin without its token".into()));
        }
        match self.create(call).await? {
            Ok(payment) => self.confirm(call, payment).await,
            Err(refusal) => Ok(Reached::Refused(refusal)),
        }
    }

    /// Confirms the object whose id is stored.
    async fn confirm(
        &self,
        call: &CallMeta,
        payment: Payment,
    ) -> Result<Reached<AuthorizeResponse>, Trouble> {
        let (Some(method), Some(object)) = (&self.method, payment.provider_id.clone()) else {
            return Err(Trouble::Broken("nothing is confirmed without its token and its object".into()));
        };
        let confirm_key = key(call, Verb::Confirm);
        let confirmed = self.desk.gateway.confirm(&confirm_key, &object, method);
        let confirmed = self.desk.asked(call, Verb::Confirm, self.began_ms.get(), confirmed).await;
        hit("payment.confirmed");
        let seen = match confirmed {
            Ok(seen) => {
                self.heard.set(());
                seen
            }
            // Somebody ended it in between, and how it ended is read; or it is as it was, and will not be confirmed again.
            Err(GatewayError::Refused(decline)) => match self.desk.gateway.read(&object).await? {
                seen if seen.state == ProviderState::Created => {
                    ProviderPayment { state: ProviderState::Declined(decline), ..seen }
                }
                seen => seen,
            },
            Err(error) => return Err(error.into()),
        };
        verify(&payment, &seen)?;
        match seen.state {
            ProviderState::Declined(_) => self.end(call, &payment, seen).await,
            _ => self.conclude(seen),
        }
    }

    /// Asks again for what the provider surely has not executed, under the same key: it was busy, or not reached, and a good
    /// customer is not given up for that. None: nothing of that kind. Without the token it is left to the saga, which
    /// asks again or undoes it.
    async fn again(
        &self,
        call: &CallMeta,
        payment: &Payment,
    ) -> Result<Option<Reached<AuthorizeResponse>>, Trouble> {
        let verb = if payment.provider_id.is_none() { Verb::Create } else { Verb::Confirm };
        if payment.status != Status::Authorizing || !self.desk.none_executed(call, verb).await? {
            return Ok(None);
        }
        if self.method.is_none() || !self.begin_again(call, verb).await? {
            return Err(Trouble::Later("the provider has not executed it yet".into()));
        }
        match verb {
            Verb::Create => self.hold(call).await.map(Some),
            _ => self.confirm(call, payment.clone()).await.map(Some),
        }
    }

    /// Puts on record that the call is made once more, if the hold is still wanted and nobody else makes it.
    async fn begin_again(&self, call: &CallMeta, verb: Verb) -> Result<bool, Trouble> {
        let (id, call) = (self.payment, call.clone());
        let begun = self.desk.write(id, move |tx| {
            let call = call.clone();
            Box::pin(async move {
                let wanted = ledger::load(tx.conn(), id).await?.is_some_and(|payment| {
                    payment.status == Status::Authorizing
                        && payment.provider_id.is_some() == (verb == Verb::Confirm)
                });
                if !wanted || !attempts::none_executed(tx.conn(), &call, verb).await? {
                    return Ok(None);
                }
                ledger::touch(tx, id).await?;
                attempts::begin(tx, &call, verb, &id.to_string(), "").await.map(Some)
            })
        });
        let Some(began_ms) = begun.await? else { return Ok(false) };
        self.began_ms.set(began_ms);
        Ok(true)
    }

    /// Stores the object's id, if the hold is still wanted, and that it is about to be confirmed.
    async fn attach(&self, call: &CallMeta, object: &ProviderId) -> Result<bool, Trouble> {
        let (id, provider) = (self.payment, self.desk.gateway.name());
        let (object, call) = (object.clone(), call.clone());
        let attached = self.desk.write(id, move |tx| {
            let (object, call) = (object.clone(), call.clone());
            Box::pin(async move {
                attempts::end(tx, &call, Verb::Create, "ok", "").await?;
                if !ledger::attach(tx, id, &object).await? {
                    return Ok(None);
                }
                inbox::arrived(tx, provider, &object).await?;
                attempts::begin(tx, &call, Verb::Confirm, &id.to_string(), "").await.map(Some)
            })
        });
        let Some(began_ms) = attached.await? else { return Ok(false) };
        self.began_ms.set(began_ms);
        Ok(true)
    }

    /// Ends an object that holds nothing. One that the provider had declined is refused for that reason.
    async fn end(
        &self,
        call: &CallMeta,
        payment: &Payment,
        seen: ProviderPayment,
    ) -> Result<Reached<AuthorizeResponse>, Trouble> {
        let mut ended = self.desk.cancel(call, payment, &seen.id).await?;
        if let (ProviderState::Declined(decline), ProviderState::Cancelled) = (seen.state, &ended.state)
            && ended.authorized_minor == 0
        {
            ended.state = ProviderState::Refused(decline);
        }
        self.conclude(ended)
    }

    /// What an object that was verified means for this step.
    fn conclude(&self, seen: ProviderPayment) -> Result<Reached<AuthorizeResponse>, Trouble> {
        use authorize_response::Result as Answer;

        self.sight.set(seen.clone());
        let answer =
            |result| AuthorizeResponse { payment_id: self.payment.to_string(), result: Some(result) };
        match seen.state {
            ProviderState::Authorized { capture_before_ms } => {
                let left_ms = capture_before_ms.saturating_sub(self.desk.kit.clock().now_ms());
                Ok(Reached::Done(answer(Answer::Authorized(Authorized {
                    amount: Some(self.amount.to_proto()),
                    capturable_for_seconds: left_ms.max(0) / 1_000,
                }))))
            }
            ProviderState::CustomerAction(action) => {
                Ok(Reached::Pending(answer(Answer::Pending(asked_of_customer(action)))))
            }
            ProviderState::Refused(decline) => Ok(Reached::Refused(no(&decline))),
            ProviderState::Cancelled => Ok(Reached::Refused(interrupted())),
            ProviderState::Created | ProviderState::Declined(_) => {
                Err(Trouble::Later("the provider has not been seen to confirm the payment".into()))
            }
            ProviderState::Captured => {
                Err(Trouble::Broken("the provider captured a payment that was only to be held".into()))
            }
        }
    }

    /// Reads the object. One that was declined, or is not confirmed and whose task is gone, is ended at once: what may have
    /// been executed is never asked a second time, so waiting longer would only keep the customer from trying again.
    async fn look(&self, call: &CallMeta) -> Result<Reached<AuthorizeResponse>, Trouble> {
        let payment = self.desk.payment(self.payment).await?;
        self.desk.not_early(payment.provider_id.as_ref())?;
        let seen = self.desk.sight(&payment).await?;
        let ends = match seen.as_ref().map(|seen| &seen.state) {
            None | Some(ProviderState::Created) => {
                if let Some(reached) = self.again(call, &payment).await? {
                    return Ok(reached);
                }
                self.desk.is_left(&payment)
            }
            Some(ProviderState::Declined(_)) => true,
            Some(_) => false,
        };
        if ends {
            return self.close(call).await;
        }
        match seen {
            Some(seen) => self.conclude(seen),
            None => Err(Trouble::Later("the provider's object is not known yet".into())),
        }
    }

    /// Finds the hold or makes it impossible.
    async fn close(&self, call: &CallMeta) -> Result<Reached<AuthorizeResponse>, Trouble> {
        let id = self.payment;
        let mut payment = self.desk.payment(id).await?;
        if payment.provider_id.is_none() {
            let abandon = self
                .desk
                .write(id, move |tx| Box::pin(async move { ledger::abandon_unattached(tx, id).await }));
            if abandon.await? || payment.status == Status::Voided {
                return Ok(Reached::Refused(interrupted()));
            }
            // The id was stored in this moment.
            payment = self.desk.payment(id).await?;
        }
        let Some(seen) = self.desk.sight(&payment).await? else {
            return Err(Trouble::Later("the provider's object is not known yet".into()));
        };
        match seen.state {
            ProviderState::Created | ProviderState::CustomerAction(_) | ProviderState::Declined(_) => {
                self.end(call, &payment, seen).await
            }
            _ => self.conclude(seen),
        }
    }
}

/// The provider's no to a hold.
fn no(decline: &Decline) -> Refusal {
    match decline.reason {
        DeclineReason::AmountNotAllowed => refusal(decline, "AMOUNT_NOT_ALLOWED"),
        _ => refusal(decline, "CARD_DECLINED"),
    }
}

fn asked_of_customer(action: gateway::CustomerAction) -> CustomerAction {
    let (mut kind, mut url, mut client_secret) = ("redirect", String::new(), String::new());
    match action {
        gateway::CustomerAction::Redirect(to) => url = to.into(),
        gateway::CustomerAction::ClientSecret(secret) => {
            (kind, client_secret) = ("client_secret", secret.into());
        }
    }
    CustomerAction { kind: kind.into(), url, client_secret }
}

#[async_trait]
impl OutsideAction for Authorize {
    type Answer = AuthorizeResponse;

    fn kind(&self) -> &'static str {
        KIND
    }

    fn encode(&self) -> Vec<u8> {
        let request = AuthorizeRequest {
            payment_id: self.payment.to_string(),
            amount: Some(self.amount.to_proto()),
            payment_method: String::new(),
            order_id: self.order_id.clone(),
        };
        Stored { request: Some(request), fingerprint: self.fingerprint.to_vec() }.encode_to_vec()
    }

    fn identity(&self) -> Identity {
        Identity::new("Authorize")
            .text("payment_id", &self.payment.to_string())
            .int("amount_minor", self.amount.minor)
            .text("currency", self.amount.currency.as_str())
            .bytes("payment_method", &self.fingerprint)
            .text("order_id", &self.order_id)
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![ledger::lock(self.payment)]
    }

    async fn intend(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        self.desk.may_begin(None)?;
        let provider = self.desk.gateway.name();
        if !ledger::open(tx, call, self.payment, self.amount, &self.order_id, provider).await? {
            return Err(OpError::broken(format!("payment {} is another step's already", self.payment)));
        }
        let began_ms = attempts::begin(tx, call, Verb::Create, &self.payment.to_string(), "").await?;
        self.began_ms.set(began_ms);
        Ok(())
    }

    async fn reach(&self, call: &CallMeta) -> Reached<AuthorizeResponse> {
        self.hold(call).await.unwrap_or_else(Reached::from)
    }

    async fn read(&self, call: &CallMeta) -> Reached<AuthorizeResponse> {
        self.look(call).await.unwrap_or_else(Reached::from)
    }

    async fn make_impossible(&self, call: &CallMeta) -> Reached<AuthorizeResponse> {
        self.close(call).await.unwrap_or_else(Reached::from)
    }

    async fn record(
        &self,
        tx: &mut Tx<'_>,
        call: &CallMeta,
        reached: &Reached<AuthorizeResponse>,
    ) -> Result<(), OpError> {
        let Some(payment) = ledger::load(tx.conn(), self.payment).await? else {
            return Err(OpError::broken(format!("there is no payment {}", self.payment)));
        };
        if self.heard.get().is_some() {
            attempts::end(tx, call, Verb::Confirm, "ok", "").await?;
        }
        if matches!(reached, Reached::Done(_) | Reached::Refused(_)) {
            attempts::settled(tx, call).await?;
        }
        // Whoever found out what the customer did, and what was found out while nobody's call waited for it: the saga is
        // told in the same commit.
        let ended = matches!(reached, Reached::Done(_) | Reached::Refused(_));
        let is_unattended = self.method.is_none();
        if payment.status == Status::Waiting && !matches!(reached, Reached::Pending(_))
            || is_unattended && ended
        {
            notices::wake(tx, call.saga, call.root).await?;
        }
        match (self.sight.get(), reached) {
            (_, Reached::Unknown { .. } | Reached::Broken(_)) => Ok(()),
            (Some(seen), _) => ledger::absorb(tx, &call.traceparent, &payment, &seen).await.map(|_| ()),
            // Refused before there was an object, or given up before its id was known.
            (None, Reached::Refused(_)) if payment.status == Status::Authorizing => {
                ledger::shift(tx, &payment, Status::Refused).await
            }
            (None, Reached::Refused(_)) => Ok(()),
            (None, Reached::Done(_) | Reached::Pending(_)) => {
                Err(OpError::broken("an authorization without an object of the provider"))
            }
        }
    }
}
