//! The shipping participant: what sending costs, and parcels handed to the carrier.
//!
//! A quote is an offer that expires by itself and is never looked at again. A shipment copies what its label needs. What a
//! return gives back is received, or its parcel does not leave.
//! Knows the kit, the wire and the outbox; no other participant and no orchestrator.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod departure;
mod domain;
mod quote;
mod receipt;
mod service;
mod shipment;
mod store;

use backstitch_proto::shipping::shipping_server::ShippingServer;
pub use participant_kit::Options;
use participant_kit::{Kit, MAX_MESSAGE_BYTES, OpenError, Participant, Schema};
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use crate::quote::RemoveOldQuotes;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/shipping/any");

/// What is in the database.
pub static SCHEMA: Schema = Schema::new("shipping", &[&MIGRATIONS]);

/// Opens the database (a file is migrated, one on a server has to be); the participant is then ready to be served.
///
/// # Errors
/// That the database does not open or belongs to a newer version.
pub async fn open(options: Options) -> Result<Participant, OpenError> {
    let kit = Kit::open(&SCHEMA, &options.database_url, options.clock).await?;
    let service = ShippingServer::new(service::Service { kit: kit.clone() })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Ok(Participant::new(&kit, Routes::new(service)).beside(RemoveOldQuotes { kit }))
}
