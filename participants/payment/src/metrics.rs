//! The names of what the payment participant counts.

use metrics::{describe_counter, describe_gauge};

/// Webhooks that were taken in, by outcome.
pub(crate) const WEBHOOKS: &str = "payment_webhooks_total";
/// Webhooks that are parked.
pub(crate) const PARKED: &str = "payment_webhooks_parked";
/// Holds that were about to end without being captured.
pub(crate) const ENDING: &str = "payment_holds_ending_total";
/// Refunds that failed after they had been done.
pub(crate) const REVERSED: &str = "payment_refunds_reversed_total";
/// What the orchestrator was told, by outcome.
pub(crate) const NOTICES: &str = "payment_notices_total";

/// Describes them to the recorder of this process.
pub fn describe() {
    describe_counter!(WEBHOOKS, "Webhooks that came in, by outcome: stored, or why not.");
    describe_gauge!(PARKED, "Webhooks about an object that no payment here has.");
    describe_counter!(ENDING, "Holds that were about to end and had not been captured, each counted once.");
    describe_counter!(REVERSED, "Refunds that failed after they had been reported as done.");
    describe_counter!(NOTICES, "What the orchestrator was told, by kind and outcome.");
}
