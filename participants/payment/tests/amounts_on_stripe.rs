//! The amounts once more, with Stripe as the bank.

#[path = "amounts.rs"]
mod amounts;
