//! The payment participant: money at a payment provider, held, taken, let go and given back exactly as often as a saga
//! says.
//!
//! [`gateway`] is the door to a provider and knows nothing of us; `bank` is the other side of the sandbox's door. `learn` is
//! the pure table of what may be learned about a payment; `ledger`, `refunds`, `attempts`, `repairs` and `cases` are our own
//! books; `authorize`, `void`, `capture`, `refund` and `take_back` are the moves, each run behind the kit's barrier.
//! `webhooks` is what the provider tells by itself, `watch` what is looked at because time has passed, `notices` what the
//! orchestrator is told. Knows of an orchestrator only where to tell it, and no other participant.
//!
//! Two things hold whatever crashes: money moves only on an object of the provider whose id is stored here first, and
//! a payment is capturing or voiding by a compare-and-swap from authorized, never both.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod attempts;
mod authorize;
mod bank;
mod capture;
mod cases;
mod desk;
mod documents;
pub mod gateway;
mod giving;
mod learn;
mod ledger;
mod look;
mod metrics;
mod not_before;
mod notices;
mod pauses;
mod payment;
mod place;
mod refund;
mod refunds;
mod repairs;
mod service;
mod take_back;
mod void;
mod watch;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use backstitch_proto::payment::payment_server::PaymentServer;
use participant_kit::{Clock, Kit, MAX_MESSAGE_BYTES, OpenError, Participant, Resolver, Schema, SystemClock};
use sqlx::migrate::Migrator;
use tonic::service::Routes;

pub use crate::metrics::describe as describe_metrics;
pub use crate::notices::{Orchestrator, Remote};
pub use crate::watch::WARNED_BEFORE_MS;
pub use crate::webhooks::{MOST_BYTES, Secrets, TOLERANCE, WebhookOptions};

use crate::attempts::Forgetting;
use crate::authorize::Authorize;
use crate::capture::Capture;
use crate::desk::Desk;
use crate::gateway::PaymentGateway;
use crate::gateway::sandbox::{Patience, Sandbox};
use crate::notices::Teller;
use crate::refund::Refund;
use crate::service::Service;
use crate::take_back::TakeBack;
use crate::void::Void;
use crate::webhooks::inbox::Inbox;

const SERVICE: &str = "payment";

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/payment/any");

/// What is in the database.
pub static SCHEMA: Schema = Schema::new(SERVICE, &[&MIGRATIONS]);

/// What the participant runs among, whoever its provider is.
#[derive(Clone)]
pub struct Settings {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How long the provider remembers a key, counted from its first use.
    pub key_window: Duration,
    /// Who is told that a saga may ask again, or that a refund has failed. Without one sagas ask by themselves.
    pub orchestrator: Option<Arc<dyn Orchestrator>>,
    /// Where the provider's webhooks are taken in, if they are.
    pub webhooks: Option<WebhookOptions>,
}

impl Settings {
    /// How long a provider remembers a key unless told: a day, as Stripe does at the least.
    pub const KEY_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
    /// The shortest time that can be worked with.
    pub const LEAST_KEY_WINDOW: Duration = Duration::from_secs(60 * 60);

    /// With the usual key window, nobody to tell and no webhooks.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, key_window: Self::KEY_WINDOW, orchestrator: None, webhooks: None }
    }
}

/// What the participant needs to run with the sandbox as its provider.
#[derive(Clone)]
pub struct Options {
    /// The participant's own database: `sqlite:/path/payment.db` or `postgres://…`.
    pub database_url: String,
    /// The sandbox's ledger file, `sqlite:/path/sandbox.db`: another file than the participant's database.
    pub sandbox_ledger_url: String,
    /// How long the sandbox lets callers wait where its cards say so.
    pub sandbox_patience: Patience,
    /// Everything else; the clock tells the time to both.
    pub settings: Settings,
}

impl Options {
    /// The machine's clock, the sandbox's usual patience and the usual settings.
    pub fn new(database_url: impl Into<String>, sandbox_ledger_url: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            sandbox_ledger_url: sandbox_ledger_url.into(),
            sandbox_patience: Patience::default(),
            settings: Settings::new(Arc::new(SystemClock)),
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
    let clock = options.settings.clock.clone();
    let sandbox = Sandbox::open(&options.sandbox_ledger_url, options.sandbox_patience, clock).await?;
    open_with(&options.database_url, Arc::new(sandbox), options.settings).await
}

/// Opens the participant with any provider.
///
/// # Errors
/// As [`open`], or that the address for webhooks is taken, or the key window too short.
pub async fn open_with(
    database_url: &str,
    gateway: Arc<dyn PaymentGateway>,
    settings: Settings,
) -> Result<Participant, OpenError> {
    let Settings { clock, key_window, orchestrator, webhooks } = settings;
    if key_window < Settings::LEAST_KEY_WINDOW {
        let least = Settings::LEAST_KEY_WINDOW;
        let why = format!("must be at least {least:?}, not {key_window:?}");
        return Err(OpenError::Config { option: "provider_key_window", why });
    }
    // Before anything is opened.
    let webhooks = match webhooks {
        Some(options) => Some((webhooks::bind(&options).await?, options)),
        None => None,
    };
    let kit = Kit::open(&SCHEMA, database_url, clock).await?;
    let provider = gateway.name();
    let key_window_ms = i64::try_from(key_window.as_millis()).unwrap_or(i64::MAX);
    let desk = Desk::new(kit.clone(), gateway, database_url.starts_with("sqlite:"), key_window_ms);
    let server = PaymentServer::new(Service { desk: desk.clone() })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let (a, c, r, t, v) = (desk.clone(), desk.clone(), desk.clone(), desk.clone(), desk.clone());
    let resolver = Resolver::new(kit.clone())
        .action(authorize::KIND, move |bytes| Authorize::decode(&a, bytes))
        .action(capture::KIND, move |bytes| Capture::decode(&c, bytes))
        .action(refund::KIND, move |bytes| Refund::decode(&r, bytes))
        .action(take_back::KIND, move |bytes| TakeBack::decode(&t, bytes))
        .undo(void::KIND, move |bytes| Void::decode(&v, bytes));
    if orchestrator.is_none() {
        tracing::info!("no orchestrator to tell of settled payments: sagas that wait ask by themselves");
    }
    let participant = Participant::new(&kit, Routes::new(server))
        .beside(resolver)
        .beside(Inbox::new(desk.clone()))
        .beside(Teller { kit: kit.clone(), orchestrator })
        .beside(watch::Refunds { desk: desk.clone() })
        .beside(watch::Holds { desk })
        .beside(Forgetting::new(kit.clone()));
    Ok(match webhooks {
        Some((listener, options)) => participant.with_door(webhooks::door(&kit, provider, options, listener)),
        None => participant,
    })
}
