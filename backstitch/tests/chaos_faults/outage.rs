//! What outages of services have in common.

use std::time::{Duration, Instant};

use futures::future::join;

use crate::common::Shop;
use crate::customers::{Customer, all_are_answered};
use crate::from_environment;

/// How long a service is away at least: short where every change has to pass, minutes with `BACKSTITCH_OUTAGE_SECONDS`.
pub(crate) fn length() -> Duration {
    Duration::from_secs(from_environment("BACKSTITCH_OUTAGE_SECONDS").unwrap_or(20))
}

/// Waits until an outage that began then has lasted long enough.
pub(crate) async fn has_lasted(begun: Instant) {
    tokio::time::sleep_until((begun + length()).into()).await;
}

/// Does what blocks its thread.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Customers from number `first` on come, so many at a time, while `trouble` is made; both have ended after.
pub(crate) async fn meanwhile<T>(
    shop: &Shop,
    customers: &mut Vec<Customer>,
    so_many: usize,
    trouble: impl Future<Output = T>,
) -> T {
    let first = customers.len();
    customers.extend((first..first + so_many).map(Customer::new));
    join(trouble, all_are_answered(shop, &mut customers[first..], 8)).await.0
}
