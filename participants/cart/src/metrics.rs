//! Names of the cart's metrics, once.

use metrics::{Unit, describe_counter, describe_gauge};

pub(crate) const READS: &str = "cart_reads_total";
pub(crate) const COPIES_IN_USE: &str = "cart_copies_in_use";

/// Describes every metric of this crate to the installed recorder.
pub fn describe() {
    describe_counter!(READS, "Carts that were read where there is a Redis, by where from: copy or database");
    describe_gauge!(COPIES_IN_USE, Unit::Count, "1 while carts are read from Redis, 0 while it is away");
}
