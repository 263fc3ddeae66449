//! What a provider has to give the laws.

use async_trait::async_trait;
use participant_payment::gateway::{PaymentGateway, ProviderId};

/// What a customer pays with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Card {
    /// All goes well.
    Good,
    /// The issuer says no.
    Declined,
    /// The account is empty.
    Empty,
    /// The customer is asked, and proves to be the holder.
    Proves,
    /// The customer is asked, and fails.
    Fails,
    /// A refund is pending at first.
    RefundPends,
    /// A refund fails after it had succeeded.
    RefundFails,
}

/// A provider from both sides: the door, and what happens behind it.
#[async_trait(?Send)]
pub(crate) trait Bank {
    /// The door.
    fn gateway(&self) -> &dyn PaymentGateway;

    /// The door as another process has it.
    async fn again(&self) -> Box<dyn PaymentGateway>;

    /// The token of such a card.
    fn token(&self, card: Card) -> &'static str;

    /// The customer does what the bank asks for, well or not; nothing if it does not ask.
    async fn customer(&self, id: &ProviderId, proves: bool);

    /// What happens later to a refund of such a card has happened.
    async fn refund_goes_on(&self, id: &ProviderId, refund: &str, succeeds: bool);

    /// So much time has passed that every hold has run out.
    async fn holds_run_out(&self);

    /// What moved so far, in order: `held`, `captured`, `let go`, `refunded` or `refund failed`, each with the amount.
    async fn moved(&self) -> Vec<String>;
}
