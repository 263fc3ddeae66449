//! The door to a payment provider: what every provider must be able to say, told as guarantees.
//!
//! A gateway translates and nothing else. It knows no saga, no barrier, no ledger of ours and decides no retry;
//! which call is made when, and what may be believed, is the business of the actions.
//!
//! One provider is one file beside this one, like `sandbox.rs` (or a folder, where there is much to translate). A new one
//! implements [`PaymentGateway`]: seven calls by id and a list, keys that are the provider's own idempotency keys, limits
//! after which no call is waited for, and each way in which a call goes wrong as one of [`GatewayError`]'s four. It is held
//! to the laws in `tests/gateways`, to which it gives its test cards and the other side of its counter.
//!
//! Money moves only by calls on an id that the caller has already stored: [`create`](PaymentGateway::create) makes an
//! object that holds nothing, every other call names it. Card data never enters: a [`PaymentMethod`] is a token.

pub mod sandbox;
pub mod stripe;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::money::Money;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A provider's token for a card or an account. Does not print, is never stored by us and never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentMethod(Box<str>);

impl PaymentMethod {
    /// Any text: only the provider knows its tokens, an unknown one is the provider's refusal.
    pub fn new(token: impl Into<Box<str>>) -> Self {
        Self(token.into())
    }

    /// The token, for the one call that sends it to the provider.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PaymentMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentMethod(redacted)")
    }
}

/// The provider's id of a payment object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProviderId(String);

impl ProviderId {
    /// As the provider spelled it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// As the provider spelled it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a payment object is created from. The ids are for the provider's metadata, so that its statement can be
/// read against ours; they are no proof of anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayment {
    /// Our payment id; the provider echoes it.
    pub reference: Uuid,
    /// What will be held. Positive.
    pub amount: Money,
    /// The saga that asks.
    pub saga: Uuid,
    /// The root of its family.
    pub root: Uuid,
    /// The order that is paid, as text; may be empty.
    pub order_id: String,
}

/// A payment object as the provider showed it at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderPayment {
    /// The provider's id.
    pub id: ProviderId,
    /// Our payment id, echoed; none on an object that somebody else made.
    pub reference: Option<Uuid>,
    /// What it was created for.
    pub amount: Money,
    /// Where it stands.
    pub state: ProviderState,
    /// What was ever held on it, in minor units; stays after capture and cancel.
    pub authorized_minor: i64,
    /// What was taken, in minor units; refunds do not lower it. In [`ProviderState::Captured`] what is less than was
    /// authorized was let go by the same capture: nothing is held any more.
    pub captured_minor: i64,
    /// What was given back of it, in minor units; a refund that has failed does not count.
    pub refunded_minor: i64,
}

/// What a customer has to do. Does not print: who has it can act as the customer.
#[derive(Clone, PartialEq, Eq)]
pub enum CustomerAction {
    /// They go to this address.
    Redirect(Box<str>),
    /// The shop's page hands this to the provider's own script.
    ClientSecret(Box<str>),
}

impl fmt::Debug for CustomerAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CustomerAction::Redirect(_) => "Redirect(redacted)",
            CustomerAction::ClientSecret(_) => "ClientSecret(redacted)",
        })
    }
}

/// Where a payment object stands at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderState {
    /// Not confirmed: holds nothing.
    Created,
    /// Waits for the customer; holds nothing yet.
    CustomerAction(CustomerAction),
    /// The provider said no and keeps the object open: holds nothing, but could be confirmed again until it is cancelled.
    Declined(Decline),
    /// The amount is held.
    Authorized {
        /// Unix milliseconds after which the hold is gone.
        capture_before_ms: i64,
    },
    /// Money was taken; refunds do not change this state.
    Captured,
    /// Terminal: nothing is held or was taken, and nothing can be any more.
    Cancelled,
    /// Terminal like `Cancelled`: the provider had said no.
    Refused(Decline),
}

/// A refund object as the provider showed it at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderRefund {
    /// The provider's id.
    pub id: String,
    /// Our refund id, echoed; none on a refund that somebody else made.
    pub reference: Option<Uuid>,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: RefundState,
    /// Why it failed, in the provider's word.
    pub failure: Option<String>,
}

/// An object in the provider's own list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The object.
    pub object: ProviderPayment,
    /// The saga that asked for it; none on an object that somebody else made.
    pub saga: Option<Uuid>,
    /// The order that is paid; may be empty.
    pub order_id: String,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// Its refunds as far as a list shows them, oldest first; `refunded_minor` of the object counts all of them.
    pub refunds: Vec<ProviderRefund>,
    /// The cardholder has disputed what was taken, and the provider may have taken it back. Stays, however that ends.
    pub disputed: bool,
}

/// An object of somebody else that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The provider's id.
    pub id: String,
    /// What is wrong with it.
    pub why: String,
}

/// A page of the provider's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub objects: Vec<Listed>,
    /// Those that somebody else made and that cannot be read. One of ours that cannot be is an error.
    pub unreadable: Vec<Unreadable>,
    /// Asks for the page after this one; none on the last.
    pub next: Option<String>,
}

/// Where a refund stands at the provider. It goes only down this list, and may come to `Failed` days after `Succeeded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// Accepted, not decided.
    Pending,
    /// The money went back.
    Succeeded,
    /// Terminal: the money stays taken.
    Failed,
}

/// A definite no of the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    /// Ours, for decisions.
    pub reason: DeclineReason,
    /// The provider's own word, for people.
    pub code: String,
}

impl Decline {
    /// A decline with the provider's word.
    pub fn new(reason: DeclineReason, code: impl Into<String>) -> Self {
        Self { reason, code: code.into() }
    }
}

impl fmt::Display for Decline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({})", self.reason, self.code)
    }
}

/// The kinds of no that lead to different moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// The issuer declined.
    CardDeclined,
    /// The account cannot cover the amount.
    InsufficientFunds,
    /// The customer did not prove to be the holder.
    AuthenticationFailed,
    /// The provider does not know the token.
    UnknownPaymentMethod,
    /// The capture was declined; the hold may still be there.
    CaptureDeclined,
    /// The hold has run out.
    Expired,
    /// The refund was declined; the money stays taken.
    RefundDeclined,
    /// The amount or currency is not within what the object allows.
    AmountNotAllowed,
    /// The object's state does not allow this call (captured already, cancelled already, not authorized).
    WrongState,
}

/// Why a call gave no object. Sorted by what the caller may conclude.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// A definite no to this call: it had no effect and will have none. The object may still be open.
    #[error("the provider refused: {0}")]
    Refused(Decline),
    /// This attempt surely had no effect; the same call with the same key may be made again.
    #[error("the provider cannot answer now: {why}")]
    Unavailable {
        /// For people.
        why: String,
        /// Whether and how long the provider wants to be left alone, if it said so.
        busy: Option<Busy>,
    },
    /// May have happened: only reading the object tells.
    #[error("no answer from the provider: {0}")]
    Unknown(String),
    /// A bug or a misconfiguration: a key used for two things, an unknown id, an answer that cannot be read.
    #[error("the provider or its configuration is broken: {0}")]
    Broken(String),
}

impl GatewayError {
    /// [`Unavailable`](Self::Unavailable) by a provider that does not say when to ask again.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable { why: why.into(), busy: None }
    }

    /// [`Unavailable`](Self::Unavailable) by one that has said so before, and was not asked again.
    pub(crate) fn busy(busy: Busy) -> Self {
        Self::Unavailable { why: "it is busy and wants to be asked later".into(), busy: Some(busy) }
    }
}

/// A provider's word for how long it wants to be left alone, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// By everything that this account asks.
    Account(Duration),
    /// By whatever is about the object of this call.
    Object(Duration),
}

impl Busy {
    /// How long.
    pub fn after(self) -> Duration {
        match self {
            Busy::Account(after) | Busy::Object(after) => after,
        }
    }
}

/// A payment provider.
///
/// Every mutating call carries a key of the caller: the same key with the same parameters has its effect once and gets
/// the first answer again; with other parameters it is [`GatewayError::Broken`].
#[async_trait]
pub trait PaymentGateway: Send + Sync + 'static {
    /// A short name for logs and the ledger, e.g. `sandbox`.
    fn name(&self) -> &'static str;

    /// Makes an object that holds nothing, whatever happens to the answer.
    async fn create(&self, key: &str, new: &NewPayment) -> Result<ProviderPayment, GatewayError>;

    /// Asks for the hold. A decline is an `Ok` whose state is [`ProviderState::Refused`], or [`ProviderState::Declined`]
    /// where the provider keeps the object open.
    async fn confirm(
        &self,
        key: &str,
        id: &ProviderId,
        method: &PaymentMethod,
    ) -> Result<ProviderPayment, GatewayError>;

    /// Takes `amount` of what is held and lets go of the rest, for good. In the currency of the object, which the caller has
    /// compared: not every provider is told which one is meant. Refused when nothing is held, also because it was captured or cancelled before.
    async fn capture(
        &self,
        key: &str,
        id: &ProviderId,
        amount: Money,
    ) -> Result<ProviderPayment, GatewayError>;

    /// Ends an object that was not captured, hold included. On one that has ended already it is an `Ok` that shows so;
    /// refused when money was taken.
    async fn cancel(&self, key: &str, id: &ProviderId) -> Result<ProviderPayment, GatewayError>;

    /// Gives back `amount` of what was captured. A decline by the customer's bank is an `Ok` whose state is
    /// [`RefundState::Failed`]; more than is left of the capture is refused. One that is accepted may be decided later, and
    /// be undone by the bank later still.
    async fn refund(
        &self,
        key: &str,
        id: &ProviderId,
        reference: Uuid,
        amount: Money,
    ) -> Result<ProviderRefund, GatewayError>;

    /// The object now. Changes nothing, and is never refused: one that the provider does not know is
    /// [`GatewayError::Broken`], because a wrong id or key proves nothing about money.
    async fn read(&self, id: &ProviderId) -> Result<ProviderPayment, GatewayError>;

    /// Every refund of the object, oldest first. Changes nothing.
    async fn refunds(&self, id: &ProviderId) -> Result<Vec<ProviderRefund>, GatewayError>;

    /// A page of every object made at or after `created_from_ms`, ours or not, and perhaps a few of the second before. One
    /// that the provider still works on shows as [`ProviderState::Created`]. `page` is [`Page::next`] of the page before,
    /// asked with the same `created_from_ms`. Changes nothing. A page is no snapshot: objects made meanwhile are on none.
    async fn list(&self, created_from_ms: i64, page: Option<&str>) -> Result<Page, GatewayError>;

    /// The object as [`list`](Self::list) shows it, whenever it was made; none where the provider knows no such object,
    /// which proves nothing about money. Changes nothing.
    async fn find(&self, id: &ProviderId) -> Result<Option<Listed>, GatewayError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_print() {
        let printed = format!("{:?}", PaymentMethod::new("4242424242424242"));
        assert!(!printed.contains("4242"), "{printed}");
    }

    #[test]
    fn what_lets_somebody_act_as_the_customer_does_not_print() {
        for action in
            [CustomerAction::Redirect("secret".into()), CustomerAction::ClientSecret("secret".into())]
        {
            let printed = format!("{:?}", ProviderState::CustomerAction(action));
            assert!(!printed.contains("secret"), "{printed}");
        }
    }
}
