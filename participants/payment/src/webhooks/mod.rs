//! What the provider tells by itself: verified, stored, answered, and only then acted on.
//!
//! `signature` says whose a webhook is, `event` what is read of it, `face` is the door, `inbox` keeps events and works
//! through them. An event says which object to look at and nothing more: the object itself is asked for the truth, so
//! duplicates, disorder and forgeries of content change nothing.

mod event;
mod face;
pub(crate) mod inbox;
mod signature;

use std::net::SocketAddr;
use std::time::Duration;

use participant_kit::{Door, Kit, OpenError};
use tokio::net::TcpListener;

use self::face::Face;
pub use self::face::MOST_BYTES;
pub use self::signature::{Secrets, TOLERANCE};

/// Where webhooks are taken in, and whose are believed.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whose signatures are good.
    pub secrets: Secrets,
    /// How far from now a signature's time may be.
    pub tolerance: Duration,
}

/// Takes the address, so that one that somebody else has is known before anything is opened.
pub(crate) async fn bind(options: &WebhookOptions) -> Result<TcpListener, OpenError> {
    TcpListener::bind(options.listen).await.map_err(|error| OpenError::Config {
        option: "webhooks",
        why: format!("cannot listen on {}: {error}", options.listen),
    })
}

/// The door for a provider's webhooks.
pub(crate) fn door(
    kit: &Kit,
    provider: &'static str,
    options: WebhookOptions,
    listener: TcpListener,
) -> Door {
    let WebhookOptions { listen, secrets, tolerance } = options;
    let router = Face { kit: kit.clone(), provider, secrets, tolerance }.router();
    Door {
        name: "webhooks",
        address: listener.local_addr().unwrap_or(listen),
        serve: Box::new(move |stop| {
            Box::pin(async move {
                axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
            })
        }),
    }
}
