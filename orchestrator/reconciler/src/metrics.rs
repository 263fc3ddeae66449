//! Names of this crate's metrics, once.

use metrics::{Unit, describe_gauge};

pub(crate) const AT_RISK: &str = "backstitch_money_at_risk_minor";
pub(crate) const SUCCESS: &str = "reconcile_last_success_timestamp_seconds";

/// Describes every metric of this crate to the installed recorder.
pub fn describe() {
    describe_gauge!(
        AT_RISK,
        "Minor units that ledger, provider and orders disagree about, by currency and kind of finding, less what is acknowledged"
    );
    describe_gauge!(SUCCESS, Unit::Seconds, "When the books were compared last, Unix time");
}
