//! The payment participant: money at a payment provider, held, taken, let go and given back exactly as often as a saga
//! says.
//!
//! [`gateway`] is the door to a provider and knows nothing of us; `learn` is the pure table of what may be learned
//! about a payment; `ledger` is our own book; `authorize`, `void`, `capture` and `refund` are the moves, each run behind
//! the kit's barrier. Knows no orchestrator and no other participant.
//!
//! Two things hold whatever crashes: money moves only on an object of the provider whose id is stored here first, and
//! a payment is capturing or voiding by a compare-and-swap from authorized, never both.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod authorize;
mod capture;
mod desk;
pub mod gateway;
mod learn;
mod ledger;
mod payment;
mod refund;
mod service;
mod void;

use std::sync::Arc;

use backstitch_proto::payment::payment_server::PaymentServer;
use participant_kit::{Clock, Kit, MAX_MESSAGE_BYTES, OpenError, Participant, Resolver, Schema, SystemClock};
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use crate::authorize::Authorize;
use crate::capture::Capture;
use crate::desk::Desk;
use crate::gateway::PaymentGateway;
use crate::gateway::sandbox::{Patience, Sandbox};
use crate::refund::Refund;
use crate::service::Service;
use crate::void::Void;

const SERVICE: &str = "payment";

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/payment/any");

/// What is in the database.
pub static SCHEMA: Schema = Schema::new(SERVICE, &[&MIGRATIONS]);

/// What the participant needs to run with the sandbox as its provider.
#[derive(Clone)]
pub struct Options {
    /// The participant's own database: `sqlite:/path/payment.db` or `postgres://…`.
    pub database_url: String,
    /// The sandbox's ledger file, `sqlite:/path/sandbox.db`: another file than the participant's database.
    pub sandbox_ledger_url: String,
    /// How long the sandbox lets callers wait where its cards say so.
    pub sandbox_patience: Patience,
    /// Tells the time to both.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// The machine's clock and the sandbox's usual patience.
    pub fn new(database_url: impl Into<String>, sandbox_ledger_url: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            sandbox_ledger_url: sandbox_ledger_url.into(),
            sandbox_patience: Patience::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Opens the participant with the sandbox as its provider.
///
/// # Errors
/// That one of the two databases does not open, does not keep what durability needs, or is newer than this program.
pub async fn open(options: Options) -> Result<Participant, OpenError> {
    if options.database_url == options.sandbox_ledger_url {
        return Err(OpenError::Config {
            option: "sandbox_ledger_url",
            why: "must be another file than the participant's database: it is the bank's".into(),
        });
    }
    let sandbox =
        Sandbox::open(&options.sandbox_ledger_url, options.sandbox_patience, options.clock.clone()).await?;
    open_with(&options.database_url, Arc::new(sandbox), options.clock).await
}

/// Opens the participant with any provider.
///
/// # Errors
/// As [`open`].
pub async fn open_with(
    database_url: &str,
    gateway: Arc<dyn PaymentGateway>,
    clock: Arc<dyn Clock>,
) -> Result<Participant, OpenError> {
    let kit = Kit::open(&SCHEMA, database_url, clock).await?;
    let desk = Desk::new(kit.clone(), gateway, database_url.starts_with("sqlite:"));
    let server = PaymentServer::new(Service { desk: desk.clone() })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let (a, c, r, v) = (desk.clone(), desk.clone(), desk.clone(), desk);
    let resolver = Resolver::new(kit.clone())
        .action(authorize::KIND, move |bytes| Authorize::decode(&a, bytes))
        .action(capture::KIND, move |bytes| Capture::decode(&c, bytes))
        .action(refund::KIND, move |bytes| Refund::decode(&r, bytes))
        .undo(void::KIND, move |bytes| Void::decode(&v, bytes));
    Ok(Participant::new(&kit, Routes::new(server)).beside(resolver))
}
