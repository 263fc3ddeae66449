//! The built-in provider: a PSP in miniature with its own ledger file and its own commits, made before the answer.
//!
//! Deterministic by token, like a PSP's test cards ([`CARDS`]). Refuses by itself what a bank refuses: a capture after a
//! cancel, a cancel after a capture, a refund above what was captured. Knows nothing of sagas but the ids that it is
//! given as metadata. Its file is what an auditor reads as the bank's statement (the `statement` view).

mod account;
mod books;
mod call;
mod cards;
mod ledger;
mod ruling;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::money::Money;
use participant_kit::{Clock, OpenError};
use uuid::Uuid;

pub use self::account::HOLD_MS;
use self::call::{Answer, Call};
pub use self::cards::{CARDS, Card};
use self::ledger::Ledger;
use self::ruling::Delivery;
use super::{
    GatewayError, NewPayment, Page, PaymentGateway, PaymentMethod, ProviderId, ProviderPayment,
    ProviderRefund,
};

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
    ledger: Ledger,
    patience: Patience,
}

impl Sandbox {
    /// Opens the ledger file at `url` (`sqlite:/path/sandbox.db`, created when missing).
    ///
    /// # Errors
    /// That the file cannot be opened, does not keep what is committed, or is newer than this program.
    pub async fn open(url: &str, patience: Patience, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Ok(Self { ledger: Ledger::open(url, clock).await?, patience })
    }

    /// The customer is through with the challenge page: authorized or refused, as the card says.
    ///
    /// # Errors
    /// [`GatewayError::Refused`] when there is no challenge, or the customer is one who never comes.
    pub async fn finish_challenge(&self, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        self.payment(None, Call::FinishChallenge(id.clone())).await
    }

    async fn payment(&self, key: Option<&str>, call: Call) -> Result<ProviderPayment, GatewayError> {
        match self.call(key, call).await? {
            Answer::Payment(shown) => shown.payment(),
            other => Err(unexpected(other)),
        }
    }

    /// The answer, when it comes. Whatever it is, the ledger has committed it by now.
    async fn call(&self, key: Option<&str>, call: Call) -> Result<Answer, GatewayError> {
        let (answer, delivery) = self.ledger.call(key, call).await?;
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

fn unexpected(answer: Answer) -> GatewayError {
    match answer {
        Answer::No(decline) => GatewayError::Refused(decline),
        other => GatewayError::Broken(format!("the sandbox answered another question: {other:?}")),
    }
}

#[async_trait]
impl PaymentGateway for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    async fn create(&self, key: &str, new: &NewPayment) -> Result<ProviderPayment, GatewayError> {
        self.payment(Some(key), Call::Create(new.clone())).await
    }

    async fn confirm(
        &self,
        key: &str,
        id: &ProviderId,
        method: &PaymentMethod,
    ) -> Result<ProviderPayment, GatewayError> {
        self.payment(Some(key), Call::Confirm(id.clone(), method.clone())).await
    }

    async fn capture(
        &self,
        key: &str,
        id: &ProviderId,
        amount: Money,
    ) -> Result<ProviderPayment, GatewayError> {
        self.payment(Some(key), Call::Capture(id.clone(), amount)).await
    }

    async fn cancel(&self, key: &str, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        self.payment(Some(key), Call::Cancel(id.clone())).await
    }

    async fn refund(
        &self,
        key: &str,
        id: &ProviderId,
        reference: Uuid,
        amount: Money,
    ) -> Result<ProviderRefund, GatewayError> {
        match self.call(Some(key), Call::Refund(id.clone(), reference, amount)).await? {
            Answer::Refund(shown) => shown.refund(),
            other => Err(unexpected(other)),
        }
    }

    async fn read(&self, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        self.payment(None, Call::Read(id.clone())).await
    }

    async fn refunds(&self, id: &ProviderId) -> Result<Vec<ProviderRefund>, GatewayError> {
        match self.call(None, Call::Refunds(id.clone())).await? {
            Answer::Refunds(shown) => shown.into_iter().map(call::ShownRefund::refund).collect(),
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
            Answer::List(shown, next) => {
                let objects = shown.into_iter().map(call::ShownListed::listed);
                let objects = objects.collect::<Result<_, _>>()?;
                Ok(Page { objects, unreadable: Vec::new(), next: next.map(|n| n.to_string()) })
            }
            other => Err(unexpected(other)),
        }
    }
}
