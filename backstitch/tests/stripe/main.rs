//! Checkouts paid through Stripe: the program with its Stripe gateway, in processes of its own, against localstripe behind
//! the shim (`chaos/stripe`). In the end of each the auditor reads the databases, and the shim's statement, which is the
//! bank's word, has to show one capture of the told total for who completed, and nothing for who did not.

#![allow(clippy::unwrap_used)]

mod challenge;
#[path = "../common/mod.rs"]
mod common;
mod currencies;
mod faults;
mod flow;
mod reconcile;
mod returns;
mod scene;
mod secrets;
mod webhooks;
