//! The crashes once more, with Stripe as the bank: the double behind the gateway, over HTTP.

#[path = "crashes.rs"]
mod crashes;
