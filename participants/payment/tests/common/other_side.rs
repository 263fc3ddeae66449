//! What happens at the provider, and on the wire to it.

use participant_payment::gateway::ProviderId;
use participant_payment::gateway::sandbox::Sandbox;

use super::{Fault, Lie, LieOfRefunds, Shop, Stripe};

impl Shop {
    /// What the wire does to the next calls, in order.
    pub fn faults(&self, faults: &[Fault]) {
        *self.faults.lock().unwrap() = faults.iter().copied().collect();
    }

    /// Lets every call that hangs go on, and their tasks run until they end or hang again.
    pub fn release(&self) {
        self.block_on(async {
            self.process().wire.release.notify_waiters();
            // The tasks go through the databases' threads, so turns alone are not enough to wait for: a step that
            // somebody is still at the provider for answers an undo or a close with NotNow, and the caller repeats.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        });
    }

    pub fn lie(&self, lie: Lie) {
        *self.lie.lock().unwrap() = Some(lie);
    }

    pub fn lie_of_refunds(&self, lie: Option<LieOfRefunds>) {
        *self.lie_of_refunds.lock().unwrap() = lie;
    }

    /// `verb:outcome` of every call that reached the provider since this was last asked.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// Which calls have left for the provider, and when.
    pub fn left(&self) -> Vec<(&'static str, i64)> {
        std::mem::take(&mut *self.left.lock().unwrap())
    }

    /// Stripe, where it is the bank.
    pub fn stripe(&self) -> &Stripe {
        self.stripe.as_ref().unwrap()
    }

    /// The token with which this bank does what the sandbox does with `token`.
    pub(super) fn token<'a>(&self, token: &'a str) -> &'a str {
        if self.stripe.is_some() { Stripe::token(token) } else { token }
    }

    /// The customer is through with the provider's page.
    pub fn customer_finishes(&self) {
        let object = ProviderId::new(self.object());
        let wire = self.process().wire.clone();
        self.block_on(async move { wire.sandbox.finish_challenge(&object).await }).unwrap();
    }

    /// Something happens to the only object that nobody here asked for.
    pub fn at_the_bank<T>(&self, act: impl AsyncFnOnce(Sandbox, ProviderId) -> T) -> T {
        let (object, sandbox) = (ProviderId::new(self.object()), self.process().wire.sandbox.clone());
        self.block_on(act(sandbox, object))
    }

    /// The bank, without the wire.
    pub fn bank_itself(&self) -> Sandbox {
        self.process().wire.sandbox.clone()
    }
}
