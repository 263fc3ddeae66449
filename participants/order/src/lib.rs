//! The order participant: orders, what was bought with them, and their numbers.
//!
//! An order is written *pending*, which is nobody's business, and then either confirmed, after which it stands and its
//! event is published, or cancelled. There is one order per checkout, by constraint. Numbers for people rise and are
//! given once; a cancelled order keeps its own, so those of orders that stand have gaps. That an order's parcel has left
//! it reads from the shipping participant's events. Of an order that stands, returns claim what comes back: all of them
//! together never more than was bought, nor than was paid. Knows the kit, the wire and the outbox; no other participant
//! and no orchestrator.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod create;
mod domain;
mod list;
mod returns;
mod service;
mod settle;
mod shipped;
mod store;

use std::sync::Arc;
use std::time::Duration;

use backstitch_proto::order::orders_server::OrdersServer;
use participant_kit::{Clock, Kit, MAX_MESSAGE_BYTES, OpenError, Participant, Schema};
use sqlx::migrate::Migrator;
use tonic::service::Routes;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/order/any");

/// What is in the database.
pub static SCHEMA: Schema = Schema::new("order", &[&MIGRATIONS]);

/// What orders need to run.
#[derive(Clone)]
pub struct Options {
    /// `sqlite:/path/order.db`, created if it is missing, or `postgres://…`.
    pub database_url: String,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How long after its confirmation an order may come back.
    pub return_window: Duration,
}

impl Options {
    /// Orders that may come back for 30 days.
    pub fn new(database_url: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        let return_window = Duration::from_secs(30 * 24 * 60 * 60);
        Self { database_url: database_url.into(), clock, return_window }
    }
}

/// Opens the database (a file is migrated, one on a server has to be); the participant is then ready to be served.
///
/// # Errors
/// That the database does not open or belongs to a newer version.
pub async fn open(options: Options) -> Result<Participant, OpenError> {
    let kit = Kit::open(&SCHEMA, &options.database_url, options.clock).await?;
    let return_window_ms = i64::try_from(options.return_window.as_millis()).unwrap_or(i64::MAX);
    let service = OrdersServer::new(service::Service { kit: kit.clone(), return_window_ms })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Ok(Participant::new(&kit, Routes::new(service)).consuming(&kit, shipped::subscription(&kit)))
}
