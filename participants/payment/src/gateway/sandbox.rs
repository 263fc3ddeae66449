//! The built-in provider: [`PaymentGateway`] over the bank in miniature (`crate::bank`), in one file.
//!
//! Says our calls in the bank's words and the bank's answers in ours, and waits where the bank answers late or never. What
//! this side knows of that bank is here and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::money::Money;
use participant_kit::{Clock, OpenError};
use uuid::Uuid;

use super::{
    CustomerAction, Decline, DeclineReason, GatewayError, Listed, NewPayment, Page, PaymentGateway,
    PaymentMethod, ProviderId, ProviderPayment, ProviderRefund, ProviderState, RefundState,
};
pub use crate::bank::HOLD_MS;
use crate::bank::{self, Answer, Bank, BankError, Call, Delivery, NewAccount, Reason, State};

/// How long the sandbox lets a caller wait where its cards say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// After how long a caller gives up on an answer that never comes.
    pub lost: Duration,
    /// How late a late answer is.
    pub late: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { lost: Duration::from_secs(5), late: Duration::from_secs(3) }
    }
}

impl Patience {
    /// Nobody waits: the answers are the same, at once.
    pub fn none() -> Self {
        Self { lost: Duration::ZERO, late: Duration::ZERO }
    }
}

/// The sandbox. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Sandbox {
    bank: Bank,
    patience: Patience,
}

impl Sandbox {
    /// Opens the bank's ledger file at `url` (`sqlite:/path/sandbox.db`, created when missing).
    ///
    /// # Errors
    /// That the file cannot be opened, does not keep what is committed, or is newer than this program.
    pub async fn open(url: &str, patience: Patience, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Ok(Self { bank: Bank::open(url, clock).await?, patience })
    }

    /// The customer is through with the challenge page: authorized or refused, as the card says.
    ///
    /// # Errors
    /// [`GatewayError::Refused`] when there is no challenge, or the customer is one who never comes.
    pub async fn finish_challenge(&self, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        self.payment(None, Call::FinishChallenge(text(id))).await
    }

    async fn payment(&self, key: Option<&str>, call: Call) -> Result<ProviderPayment, GatewayError> {
        match self.call(key, call).await? {
            Answer::Payment(shown) => Ok(payment(shown)),
            other => Err(unexpected(other)),
        }
    }

    /// The answer, when it comes. Whatever it is, the bank has committed it by now.
    async fn call(&self, key: Option<&str>, call: Call) -> Result<Answer, GatewayError> {
        let (answer, delivery) = self.bank.call(key, call).await.map_err(error)?;
        match delivery {
            Delivery::Prompt => Ok(answer),
            Delivery::Late => {
                wait(self.patience.late).await;
                Ok(answer)
            }
            Delivery::Lost => {
                wait(self.patience.lost).await;
                Err(GatewayError::Unknown(format!("no answer within {:?}", self.patience.lost)))
            }
        }
    }
}

async fn wait(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

#[async_trait]
impl PaymentGateway for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    async fn create(&self, key: &str, new: &NewPayment) -> Result<ProviderPayment, GatewayError> {
        let NewPayment { reference, amount, saga, root, order_id } = new.clone();
        self.payment(Some(key), Call::Create(NewAccount { reference, amount, saga, root, order_id })).await
    }

    async fn confirm(
        &self,
        key: &str,
        id: &ProviderId,
        method: &PaymentMethod,
    ) -> Result<ProviderPayment, GatewayError> {
        self.payment(Some(key), Call::Confirm(text(id), method.expose().into())).await
    }

    async fn capture(
        &self,
        key: &str,
        id: &ProviderId,
        amount: Money,
    ) -> Result<ProviderPayment, GatewayError> {
        self.payment(Some(key), Call::Capture(text(id), amount)).await
    }

    async fn cancel(&self, key: &str, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        self.payment(Some(key), Call::Cancel(text(id))).await
    }

    async fn refund(
        &self,
        key: &str,
        id: &ProviderId,
        reference: Uuid,
        amount: Money,
    ) -> Result<ProviderRefund, GatewayError> {
        match self.call(Some(key), Call::Refund(text(id), reference, amount)).await? {
            Answer::Refund(shown) => Ok(refund(shown)),
            other => Err(unexpected(other)),
        }
    }

    async fn read(&self, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        self.payment(None, Call::Read(text(id))).await
    }

    async fn refunds(&self, id: &ProviderId) -> Result<Vec<ProviderRefund>, GatewayError> {
        match self.call(None, Call::Refunds(text(id))).await? {
            Answer::Refunds(shown) => Ok(shown.into_iter().map(refund).collect()),
            other => Err(unexpected(other)),
        }
    }

    async fn list(&self, created_from_ms: i64, page: Option<&str>) -> Result<Page, GatewayError> {
        let before = match page {
            Some(token) => token
                .parse()
                .map_err(|_| GatewayError::Broken(format!("`{token}` is no page of the sandbox's list")))?,
            None => i64::MAX,
        };
        match self.call(None, Call::List(created_from_ms, before)).await? {
            Answer::List(shown, next) => Ok(Page {
                objects: shown.into_iter().map(listed).collect(),
                unreadable: Vec::new(),
                next: next.map(|place| place.to_string()),
            }),
            other => Err(unexpected(other)),
        }
    }

    async fn find(&self, id: &ProviderId) -> Result<Option<Listed>, GatewayError> {
        match self.call(None, Call::Find(text(id))).await? {
            Answer::List(shown, _) => Ok(shown.into_iter().map(listed).next()),
            other => Err(unexpected(other)),
        }
    }
}

fn text(id: &ProviderId) -> String {
    id.as_str().to_owned()
}

fn payment(shown: bank::Shown) -> ProviderPayment {
    let state = match shown.state {
        State::Created => ProviderState::Created,
        State::Challenged => {
            let url = format!("https://sandbox.invalid/challenge/{}", shown.id);
            ProviderState::CustomerAction(CustomerAction::Redirect(url.into()))
        }
        State::Authorized => ProviderState::Authorized { capture_before_ms: shown.capture_before_ms },
        State::Captured => ProviderState::Captured,
        State::Voided => ProviderState::Cancelled,
        State::Refused => ProviderState::Refused(match shown.decline {
            Some(why) => decline(why),
            None => Decline::new(DeclineReason::CardDeclined, "unknown"),
        }),
    };
    ProviderPayment {
        id: ProviderId::new(shown.id),
        reference: Some(shown.reference),
        amount: shown.amount,
        state,
        authorized_minor: shown.authorized_minor,
        captured_minor: shown.captured_minor,
        refunded_minor: shown.refunded_minor,
    }
}

fn refund(shown: bank::ShownRefund) -> ProviderRefund {
    ProviderRefund {
        id: shown.id,
        reference: Some(shown.reference),
        amount: shown.amount,
        state: match shown.state {
            bank::RefundState::Pending => RefundState::Pending,
            bank::RefundState::Succeeded => RefundState::Succeeded,
            bank::RefundState::Failed => RefundState::Failed,
        },
        failure: (!shown.failure.is_empty()).then_some(shown.failure),
    }
}

fn listed(shown: bank::ShownListed) -> Listed {
    Listed {
        object: payment(shown.account),
        saga: Some(shown.saga),
        order_id: shown.order_id,
        created_at_ms: shown.created_at_ms,
        refunds: shown.refunds.into_iter().map(refund).collect(),
        // No cardholder here ever does.
        disputed: false,
    }
}

fn decline(no: bank::Decline) -> Decline {
    let reason = match no.reason {
        Reason::CardDeclined => DeclineReason::CardDeclined,
        Reason::InsufficientFunds => DeclineReason::InsufficientFunds,
        Reason::AuthenticationFailed => DeclineReason::AuthenticationFailed,
        Reason::UnknownPaymentMethod => DeclineReason::UnknownPaymentMethod,
        Reason::CaptureDeclined => DeclineReason::CaptureDeclined,
        Reason::Expired => DeclineReason::Expired,
        Reason::AmountNotAllowed => DeclineReason::AmountNotAllowed,
        Reason::WrongState => DeclineReason::WrongState,
    };
    Decline::new(reason, no.code)
}

fn error(error: BankError) -> GatewayError {
    match error {
        BankError::Away(_) => GatewayError::unavailable(error.to_string()),
        BankError::Silent(_) => GatewayError::Unknown(error.to_string()),
        BankError::Nonsense(_) => GatewayError::Broken(error.to_string()),
    }
}

fn unexpected(answer: Answer) -> GatewayError {
    match answer {
        Answer::No(no) => GatewayError::Refused(decline(no)),
        other => GatewayError::Broken(format!("the sandbox answered another question: {other:?}")),
    }
}
