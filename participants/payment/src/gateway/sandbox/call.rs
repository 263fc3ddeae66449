//! A call to the sandbox as data, and what is answered to it: what the ledger executes, stores under a key and replays.

use backstitch_proto::money::{Currency, Money};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::Account;
use super::ruling::State;
use crate::gateway::{
    CustomerAction, Decline, DeclineReason, GatewayError, Listed, NewPayment, PaymentMethod, ProviderId,
    ProviderPayment, ProviderRefund, ProviderState, RefundState,
};

/// What the sandbox can be asked.
#[derive(Clone, Debug)]
pub(super) enum Call {
    /// Makes an account.
    Create(NewPayment),
    /// Asks for the hold.
    Confirm(ProviderId, PaymentMethod),
    /// Takes from the hold.
    Capture(ProviderId, Money),
    /// Ends the account.
    Cancel(ProviderId),
    /// Gives back.
    Refund(ProviderId, Uuid, Money),
    /// Shows the account. Under no key; only the customer may come back in between.
    Read(ProviderId),
    /// Shows the account's refunds. Under no key.
    Refunds(ProviderId),
    /// The customer is through with the challenge. Under no key.
    FinishChallenge(ProviderId),
    /// Shows accounts made at or after a time, newest first, from before a place in that order. Under no key.
    List(i64, i64),
}

impl Call {
    /// The call and its parameters as text, to compare what a key is used for. A token is not written down: a key whose
    /// confirm comes with another token is not noticed, and answered as before.
    pub(super) fn canonical(&self) -> String {
        match self {
            Call::Create(new) => format!("create {} {} {}", new.reference, new.amount, new.order_id),
            Call::Confirm(id, _) => format!("confirm {id}"),
            Call::Capture(id, amount) => format!("capture {id} {amount}"),
            Call::Cancel(id) => format!("cancel {id}"),
            Call::Refund(id, reference, amount) => format!("refund {id} {reference} {amount}"),
            Call::Read(id) => format!("read {id}"),
            Call::Refunds(id) => format!("refunds {id}"),
            Call::FinishChallenge(id) => format!("finish {id}"),
            Call::List(from_ms, before) => format!("list {from_ms} {before}"),
        }
    }
}

/// An amount as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum {
    minor: i64,
    currency: String,
}

impl From<Money> for Sum {
    fn from(money: Money) -> Self {
        Self { minor: money.minor, currency: money.currency.as_str().to_owned() }
    }
}

impl Sum {
    fn parse(&self) -> Result<Money, GatewayError> {
        let currency = Currency::parse(&self.currency).map_err(|e| GatewayError::Broken(e.to_string()))?;
        Ok(Money::new(self.minor, currency))
    }
}

/// An account as it is shown to the merchant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shown {
    id: String,
    reference: Uuid,
    amount: Sum,
    state: String,
    decline: Option<Decline>,
    capture_before_ms: i64,
    authorized_minor: i64,
    captured_minor: i64,
    refunded_minor: i64,
}

impl From<&Account> for Shown {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.clone(),
            reference: account.reference,
            amount: account.amount.into(),
            state: account.state.as_str().to_owned(),
            decline: account.decline.clone(),
            capture_before_ms: account.capture_before_ms,
            authorized_minor: account.authorized_minor,
            captured_minor: account.captured_minor,
            refunded_minor: account.refunded_minor,
        }
    }
}

impl Shown {
    /// Whether the amount is held.
    pub(super) fn is_authorized(&self) -> bool {
        self.state == State::Authorized.as_str()
    }

    /// As every gateway shows it.
    pub(super) fn payment(self) -> Result<ProviderPayment, GatewayError> {
        let state = match State::of(&self.state) {
            Some(State::Created) => ProviderState::Created,
            Some(State::Challenged) => {
                let url = format!("https://sandbox.invalid/challenge/{}", self.id);
                ProviderState::CustomerAction(CustomerAction::Redirect(url.into()))
            }
            Some(State::Authorized) => {
                ProviderState::Authorized { capture_before_ms: self.capture_before_ms }
            }
            Some(State::Captured) => ProviderState::Captured,
            Some(State::Voided) => ProviderState::Cancelled,
            Some(State::Refused) => ProviderState::Refused(
                self.decline.unwrap_or_else(|| Decline::new(DeclineReason::CardDeclined, "unknown")),
            ),
            None => return Err(GatewayError::Broken(format!("unknown account state `{}`", self.state))),
        };
        Ok(ProviderPayment {
            id: ProviderId::new(self.id),
            reference: Some(self.reference),
            amount: self.amount.parse()?,
            state,
            authorized_minor: self.authorized_minor,
            captured_minor: self.captured_minor,
            refunded_minor: self.refunded_minor,
        })
    }
}

/// A refund as it is shown to the merchant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShownRefund {
    id: String,
    reference: Uuid,
    amount: Sum,
    state: RefundState,
    /// The bank's word; empty unless it failed.
    #[serde(default)]
    failure: String,
}

impl ShownRefund {
    /// A refund of `amount`.
    pub(super) fn new(id: String, reference: Uuid, amount: Money, state: RefundState, failure: &str) -> Self {
        Self { id, reference, amount: amount.into(), state, failure: failure.to_owned() }
    }

    /// As every gateway shows it.
    pub(super) fn refund(self) -> Result<ProviderRefund, GatewayError> {
        let amount = self.amount.parse()?;
        let failure = (!self.failure.is_empty()).then_some(self.failure);
        Ok(ProviderRefund {
            id: self.id,
            reference: Some(self.reference),
            amount,
            state: self.state,
            failure,
        })
    }
}

/// An account as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShownListed {
    pub(super) account: Shown,
    pub(super) saga: Uuid,
    pub(super) order_id: String,
    pub(super) created_at_ms: i64,
    pub(super) refunds: Vec<ShownRefund>,
}

impl ShownListed {
    /// As every gateway lists it.
    pub(super) fn listed(self) -> Result<Listed, GatewayError> {
        let refunds = self.refunds.into_iter().map(ShownRefund::refund);
        Ok(Listed {
            object: self.account.payment()?,
            saga: Some(self.saga),
            order_id: self.order_id,
            created_at_ms: self.created_at_ms,
            refunds: refunds.collect::<Result<_, _>>()?,
        })
    }
}

/// What a call was answered; what the same key is answered again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// The account after the call.
    Payment(Shown),
    /// The refund.
    Refund(ShownRefund),
    /// Every refund.
    Refunds(Vec<ShownRefund>),
    /// A page of accounts, and before which place the next one begins.
    List(Vec<ShownListed>, Option<i64>),
    /// No.
    No(Decline),
}
