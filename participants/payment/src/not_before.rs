//! A provider that is busy is left alone for as long as it wants, by everything in this process: steps, undos, looks, lists.
//!
//! [`NotBefore`] is what the provider said, [`Polite`] the door through which everybody goes. What comes too early hears
//! what the provider would say, and is not sent.
//!
//! A provider counts the calls of an account, and a process works for one, so that its word holds for all steps together;
//! kept for each alone, the others would go on and keep the account busy. Where the provider says that it is about one
//! object (a lock, a limit of its own), only that one is left alone: it must not stop a whole shop. Kept in memory by each
//! process for itself: one that does not know it asks too early, is told again, and has done no harm.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::money::Money;
use participant_kit::Clock;
use uuid::Uuid;

use crate::gateway::{
    Busy, GatewayError, Listed, NewPayment, Page, PaymentGateway, PaymentMethod, ProviderId, ProviderPayment,
    ProviderRefund,
};

/// Until when the provider wants to be left alone, Unix milliseconds.
#[derive(Debug, Default)]
struct Times {
    account_ms: i64,
    /// Those of objects that have not passed.
    objects_ms: HashMap<ProviderId, i64>,
}

/// When a busy provider wants to be asked again, by its own word. Clones are the same one.
#[derive(Clone)]
pub(crate) struct NotBefore {
    times: Arc<Mutex<Times>>,
    clock: Arc<dyn Clock>,
}

impl NotBefore {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { times: Arc::default(), clock }
    }

    /// What a call about this object would hear if it is too early for one; of no object: one that is about none yet.
    pub(crate) fn busy(&self, object: Option<&ProviderId>) -> Option<Busy> {
        let times = self.times();
        // The usual case asks nothing more: a call leaves at once after its age was looked at.
        if times.account_ms == 0 && times.objects_ms.is_empty() {
            return None;
        }
        let now_ms = self.clock.now_ms();
        let left = |at_ms: i64| {
            let left_ms = u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0);
            (left_ms > 0).then(|| Duration::from_millis(left_ms))
        };
        let object = object.and_then(|object| left(*times.objects_ms.get(object)?)).map(Busy::Object);
        let account = left(times.account_ms).map(Busy::Account);
        [object, account].into_iter().flatten().max_by_key(|busy| busy.after())
    }

    /// The provider has said so.
    fn hear(&self, object: Option<&ProviderId>, busy: Busy) {
        let now_ms = self.clock.now_ms();
        let at_ms = now_ms.saturating_add(i64::try_from(busy.after().as_millis()).unwrap_or(i64::MAX));
        let mut times = self.times();
        times.objects_ms.retain(|_, at_ms| now_ms < *at_ms);
        match (busy, object) {
            (Busy::Object(_), Some(object)) => {
                times.objects_ms.insert(object.clone(), at_ms);
            }
            // Of calls that were under way together the one that was told the most.
            (Busy::Account(_), _) | (Busy::Object(_), None) => times.account_ms = times.account_ms.max(at_ms),
        }
    }

    /// The times are whole even if a thread died holding them.
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A gateway that is not asked while it wants to be left alone.
pub(crate) struct Polite {
    pub(crate) gateway: Arc<dyn PaymentGateway>,
    pub(crate) not_before: NotBefore,
}

impl Polite {
    async fn ask<T>(
        &self,
        object: Option<&ProviderId>,
        call: impl Future<Output = Result<T, GatewayError>>,
    ) -> Result<T, GatewayError> {
        if let Some(busy) = self.not_before.busy(object) {
            return Err(GatewayError::busy(busy));
        }
        let answer = call.await;
        if let Err(GatewayError::Unavailable { busy: Some(busy), .. }) = &answer {
            self.not_before.hear(object, *busy);
        }
        answer
    }
}

#[async_trait]
impl PaymentGateway for Polite {
    fn name(&self) -> &'static str {
        self.gateway.name()
    }

    async fn create(&self, key: &str, new: &NewPayment) -> Result<ProviderPayment, GatewayError> {
        self.ask(None, self.gateway.create(key, new)).await
    }

    async fn confirm(
        &self,
        key: &str,
        id: &ProviderId,
        method: &PaymentMethod,
    ) -> Result<ProviderPayment, GatewayError> {
        self.ask(Some(id), self.gateway.confirm(key, id, method)).await
    }

    async fn capture(
        &self,
        key: &str,
        id: &ProviderId,
        amount: Money,
    ) -> Result<ProviderPayment, GatewayError> {
        self.ask(Some(id), self.gateway.capture(key, id, amount)).await
    }

    async fn cancel(&self, key: &str, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        self.ask(Some(id), self.gateway.cancel(key, id)).await
    }

    async fn refund(
        &self,
        key: &str,
        id: &ProviderId,
        reference: Uuid,
        amount: Money,
    ) -> Result<ProviderRefund, GatewayError> {
        self.ask(Some(id), self.gateway.refund(key, id, reference, amount)).await
    }

    async fn read(&self, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        self.ask(Some(id), self.gateway.read(id)).await
    }

    async fn refunds(&self, id: &ProviderId) -> Result<Vec<ProviderRefund>, GatewayError> {
        self.ask(Some(id), self.gateway.refunds(id)).await
    }

    async fn list(&self, created_from_ms: i64, page: Option<&str>) -> Result<Page, GatewayError> {
        self.ask(None, self.gateway.list(created_from_ms, page)).await
    }

    async fn find(&self, id: &ProviderId) -> Result<Option<Listed>, GatewayError> {
        self.ask(Some(id), self.gateway.find(id)).await
    }
}

#[cfg(test)]
mod tests {
    use participant_kit::ManualClock;

    use super::*;

    const SEVEN: Duration = Duration::from_secs(7);

    #[test]
    fn an_account_s_time_is_everybody_s_and_an_object_s_is_its_own() {
        let clock = ManualClock::new(1_000);
        let not_before = NotBefore::new(Arc::new(clock.clone()));
        let (one, two) = (ProviderId::new("pi_1"), ProviderId::new("pi_2"));
        not_before.hear(Some(&one), Busy::Object(SEVEN));
        assert_eq!(not_before.busy(Some(&one)), Some(Busy::Object(SEVEN)));
        assert_eq!((not_before.busy(Some(&two)), not_before.busy(None)), (None, None));

        clock.advance(6_999);
        not_before.hear(Some(&two), Busy::Account(SEVEN));
        not_before.hear(None, Busy::Account(Duration::from_secs(1)));
        for object in [None, Some(&one), Some(&two)] {
            assert_eq!(not_before.busy(object), Some(Busy::Account(SEVEN)), "the longer one of both");
        }
        clock.advance(6_999);
        let last = Some(Busy::Account(Duration::from_millis(1)));
        assert_eq!((not_before.busy(Some(&one)), not_before.busy(None)), (last, last));
        clock.advance(1);
        assert_eq!((not_before.busy(Some(&one)), not_before.busy(None)), (None, None));
    }
}
