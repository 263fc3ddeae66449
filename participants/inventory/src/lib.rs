//! The inventory participant: products, their counted stock, and reservations of it.
//!
//! Owns one database. What it promises: of every SKU, on hand + reserved + sold is the sum of what people counted,
//! and none of them is ever negative, so nothing is sold twice; a reservation holds all its lines or none, and only
//! a release or a commit ends it, or that all of it comes back. Knows nothing of checkouts, carts or money that moves.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod actions;
mod domain;
mod events;
mod put_product;
mod service;
mod store;

use backstitch_proto::inventory::inventory_server::InventoryServer;
pub use participant_kit::Options;
use participant_kit::{Kit, MAX_MESSAGE_BYTES, OpenError, Participant, Schema};
use sqlx::migrate::Migrator;
use tonic::service::Routes;

/// The name under which inventory speaks in the contract, in events and in logs.
pub const NAME: &str = "inventory";

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/inventory/any");

/// What is in the database.
pub static SCHEMA: Schema = Schema::new(NAME, &[&MIGRATIONS]);

/// Opens the database (a file is migrated, one on a server has to be) and answers the participant, ready to be served.
///
/// # Errors
/// What the database is missing, by name; see [`OpenError`].
pub async fn open(options: Options) -> Result<Participant, OpenError> {
    let kit = Kit::open(&SCHEMA, &options.database_url, options.clock).await?;
    let service = InventoryServer::new(service::Service::new(kit.clone()))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Ok(Participant::new(&kit, Routes::new(service)))
}
