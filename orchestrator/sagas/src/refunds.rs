//! How long money on its way back is waited for.

use std::time::Duration;

use backstitch_core::RetryPolicy;

/// A refund is decided at once, or in days. So it is asked for a short time, closed for as long, and parked: a parked saga
/// has no place in memory. The engine tries it again when the payment service is back and now and then, the longer it is
/// parked the less often, and each such try is a handful of closes. Silence and "not shown yet" are no refusal: only the
/// provider's word that the refund failed is, and until then the quantities stay claimed.
pub(crate) const REFUND: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(200),
    cap: Duration::from_secs(20),
    budget: Duration::from_secs(90),
    attempts: u32::MAX,
};
