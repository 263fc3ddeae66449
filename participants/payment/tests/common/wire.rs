//! The wire between the participant and the provider: it can be cut, held, and made to lie.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::money::Money;
use participant_kit::{Clock as _, ManualClock};
use participant_payment::gateway::sandbox::Sandbox;
use participant_payment::gateway::{
    Busy, GatewayError, Listed, NewPayment, Page, PaymentGateway, PaymentMethod, ProviderId, ProviderPayment,
    ProviderRefund,
};
use tokio::sync::Notify;
use uuid::Uuid;

/// What the wire does to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Pass,
    /// The provider never hears of it; the caller gets no answer.
    LoseRequest,
    /// The provider executes it; the caller gets no answer.
    LoseAnswer,
    /// The provider says that it cannot now.
    Unavailable,
    /// The provider says that it is busy, and after how many seconds it wants to be asked again, by anybody.
    RateLimited(u64),
    /// The same of this object alone.
    Locked(u64),
    /// The provider says what cannot be right: another key, another account.
    Break,
    /// As `Unavailable`, and the answer is on its way until it is released, or everything stops.
    HangUnavailable,
    /// The call has not left until it is released, or everything stops.
    HangBefore,
    /// The provider has executed it, and the answer is on its way until it is released, or everything stops.
    HangAfter,
}

/// A change of what the provider says about a payment, by verb.
pub type Lie = fn(&'static str, &mut ProviderPayment);

/// The same of a refund.
pub type LieOfRefunds = fn(&mut ProviderRefund);

/// The wire between the participant and the provider.
#[derive(Clone)]
pub struct Wire {
    pub faults: Arc<Mutex<VecDeque<Fault>>>,
    pub lie: Arc<Mutex<Option<Lie>>>,
    pub lie_of_refunds: Arc<Mutex<Option<LieOfRefunds>>>,
    /// `verb:outcome` of every call that reached the provider.
    pub asked: Arc<Mutex<Vec<String>>>,
    /// When each call left.
    pub left: Arc<Mutex<Vec<(&'static str, i64)>>>,
    pub clock: ManualClock,
    pub hung: Arc<Notify>,
    pub release: Arc<Notify>,
    /// At the other end.
    pub gateway: Arc<dyn PaymentGateway>,
    /// The same, where it is the sandbox; else nobody pays with it.
    pub sandbox: Sandbox,
}

impl Wire {
    async fn send<T>(
        &self,
        verb: &'static str,
        call: impl Future<Output = Result<T, GatewayError>>,
    ) -> Result<T, GatewayError> {
        self.left.lock().unwrap().push((verb, self.clock.now_ms()));
        let fault = self.faults.lock().unwrap().pop_front().unwrap_or(Fault::Pass);
        match fault {
            Fault::LoseRequest => return Err(GatewayError::Unknown("the request was lost".into())),
            Fault::Unavailable => return Err(GatewayError::unavailable("try again")),
            Fault::Break => return Err(GatewayError::Broken("nobody here has such a key".into())),
            Fault::RateLimited(seconds) => {
                let busy = Some(Busy::Account(Duration::from_secs(seconds)));
                return Err(GatewayError::Unavailable { why: "busy".into(), busy });
            }
            Fault::Locked(seconds) => {
                let busy = Some(Busy::Object(Duration::from_secs(seconds)));
                return Err(GatewayError::Unavailable { why: "locked".into(), busy });
            }
            Fault::HangUnavailable => {
                self.hang().await;
                return Err(GatewayError::unavailable("try again"));
            }
            Fault::HangBefore => self.hang().await,
            Fault::Pass | Fault::LoseAnswer | Fault::HangAfter => {}
        }
        let answer = call.await;
        let outcome = match &answer {
            Ok(_) => "ok",
            Err(GatewayError::Refused(_)) => "refused",
            Err(GatewayError::Unavailable { .. }) => "unavailable",
            Err(GatewayError::Unknown(_)) => "unknown",
            Err(GatewayError::Broken(_)) => "broken",
        };
        self.asked.lock().unwrap().push(format!("{verb}:{outcome}"));
        match fault {
            Fault::LoseAnswer => Err(GatewayError::Unknown("the answer was lost".into())),
            Fault::HangAfter => {
                self.hang().await;
                answer
            }
            _ => answer,
        }
    }

    async fn hang(&self) {
        let released = self.release.notified();
        self.hung.notify_one();
        released.await;
    }

    fn lied(
        &self,
        verb: &'static str,
        answer: Result<ProviderPayment, GatewayError>,
    ) -> Result<ProviderPayment, GatewayError> {
        let lie = *self.lie.lock().unwrap();
        answer.map(|mut payment| {
            if let Some(lie) = lie {
                lie(verb, &mut payment);
            }
            payment
        })
    }
}

#[async_trait]
impl PaymentGateway for Wire {
    fn name(&self) -> &'static str {
        self.gateway.name()
    }

    async fn create(&self, key: &str, new: &NewPayment) -> Result<ProviderPayment, GatewayError> {
        let answer = self.send("create", self.gateway.create(key, new)).await;
        self.lied("create", answer)
    }

    async fn confirm(
        &self,
        key: &str,
        id: &ProviderId,
        method: &PaymentMethod,
    ) -> Result<ProviderPayment, GatewayError> {
        let answer = self.send("confirm", self.gateway.confirm(key, id, method)).await;
        self.lied("confirm", answer)
    }

    async fn capture(
        &self,
        key: &str,
        id: &ProviderId,
        amount: Money,
    ) -> Result<ProviderPayment, GatewayError> {
        let answer = self.send("capture", self.gateway.capture(key, id, amount)).await;
        self.lied("capture", answer)
    }

    async fn cancel(&self, key: &str, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        let answer = self.send("cancel", self.gateway.cancel(key, id)).await;
        self.lied("cancel", answer)
    }

    async fn refund(
        &self,
        key: &str,
        id: &ProviderId,
        reference: Uuid,
        amount: Money,
    ) -> Result<ProviderRefund, GatewayError> {
        let mut shown = self.send("refund", self.gateway.refund(key, id, reference, amount)).await?;
        if let Some(lie) = *self.lie_of_refunds.lock().unwrap() {
            lie(&mut shown);
        }
        Ok(shown)
    }

    async fn read(&self, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        let answer = self.send("read", self.gateway.read(id)).await;
        self.lied("read", answer)
    }

    async fn refunds(&self, id: &ProviderId) -> Result<Vec<ProviderRefund>, GatewayError> {
        let mut shown = self.send("refunds", self.gateway.refunds(id)).await?;
        if let Some(lie) = *self.lie_of_refunds.lock().unwrap() {
            shown.iter_mut().for_each(lie);
        }
        Ok(shown)
    }

    async fn list(&self, created_from_ms: i64, page: Option<&str>) -> Result<Page, GatewayError> {
        self.send("list", self.gateway.list(created_from_ms, page)).await
    }

    async fn find(&self, id: &ProviderId) -> Result<Option<Listed>, GatewayError> {
        self.send("find", self.gateway.find(id)).await
    }
}
