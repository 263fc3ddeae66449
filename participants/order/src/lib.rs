//! The order participant: orders, what was bought with them, and their numbers.
//!
//! An order is written *pending*, which is nobody's business, and then either confirmed, after which it stands and its
//! event is published, or cancelled. There is one order per checkout, by constraint. Numbers for people rise and are
//! given once; a cancelled order keeps its own, so those of orders that stand have gaps. That an order's parcel has left
//! it reads from the shipping participant's events. Knows the kit, the wire and
//! the outbox; no other participant and no orchestrator.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod create;
mod domain;
mod service;
mod settle;
mod shipped;
mod store;

use backstitch_proto::order::orders_server::OrdersServer;
pub use participant_kit::Options;
use participant_kit::{Kit, MAX_MESSAGE_BYTES, OpenError, Participant, Schema};
use sqlx::migrate::Migrator;
use tonic::service::Routes;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/order/any");

/// What is in the database.
pub static SCHEMA: Schema = Schema::new("order", &[&MIGRATIONS]);

/// Opens the database (a file is migrated, one on a server has to be); the participant is then ready to be served.
///
/// # Errors
/// That the database does not open or belongs to a newer version.
pub async fn open(options: Options) -> Result<Participant, OpenError> {
    let kit = Kit::open(&SCHEMA, &options.database_url, options.clock).await?;
    let service = OrdersServer::new(service::Service { kit: kit.clone() })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Ok(Participant::new(&kit, Routes::new(service)).consuming(&kit, shipped::subscription(&kit)))
}
