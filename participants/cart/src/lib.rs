//! The cart participant: what somebody means to buy, its version, and which checkout holds it.
//!
//! Owns one database. What it promises: every change raises a cart's version and no version of a cart id is ever used
//! twice, not after a delete or an expiry; at most one saga holds a cart, and only on the version it loaded; what was
//! put into a cart while it was held is still there after the checkout. Knows nothing of products, prices or money.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod actions;
mod copies;
mod domain;
mod doors;
mod events;
mod expiry;
mod forgetting;
mod metrics;
mod service;
mod store;

use std::sync::Arc;
use std::time::Duration;

use backstitch_proto::cart::carts_server::CartsServer;
use backstitch_proto::contract::optional_parts;
use participant_kit::{Clock, Kit, MAX_MESSAGE_BYTES, OpenError, Participant, Schema};
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use copies::Copies;
use domain::Lifetimes;

pub use copies::RedisOptions;
pub use metrics::describe as describe_metrics;

/// The name under which the cart speaks in the contract, in events and in logs.
pub const NAME: &str = "cart";

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/cart/any");

/// What is in the database.
pub static SCHEMA: Schema = Schema::new(NAME, &[&MIGRATIONS]);

/// What the cart needs to run.
#[derive(Clone)]
pub struct Options {
    /// `sqlite:/path/cart.db`, created if it is missing, or `postgres://…`.
    pub database_url: String,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How long after its last change a customer's cart that nobody holds stays.
    pub customer_lifetime: Duration,
    /// The same for a guest's.
    pub guest_lifetime: Duration,
    /// Where copies are kept for reading; without it carts are read from the database. All carts over one database
    /// have the same one.
    pub redis: Option<RedisOptions>,
}

impl Options {
    /// Carts that stay 7 days for customers and 24 hours for guests.
    pub fn new(database_url: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            database_url: database_url.into(),
            clock,
            customer_lifetime: 7 * DAY,
            guest_lifetime: DAY,
            redis: None,
        }
    }
}

/// Opens the database (a file is migrated, one on a server has to be) and answers the participant, ready to be served.
///
/// # Errors
/// What the database is missing, by name; see [`OpenError`].
pub async fn open(options: Options) -> Result<Participant, OpenError> {
    let kit = Kit::open(&SCHEMA, &options.database_url, options.clock).await?;
    let lifetimes = Lifetimes::new(options.customer_lifetime, options.guest_lifetime);
    let copies = Copies::open(&kit, &options.database_url, options.redis.as_ref())?;
    let keeper = copies.keeper();
    let service = CartsServer::new(service::Service::new(kit.clone(), lifetimes, copies))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let participant = Participant::new(&kit, Routes::new(service))
        .beside(expiry::Expiry::new(kit.clone()))
        .beside(forgetting::Forgetting::new(kit));
    Ok(match keeper {
        None => participant,
        Some((keeper, in_use)) => participant.beside(keeper).with_part(optional_parts::REDIS, in_use),
    })
}
