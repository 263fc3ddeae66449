//! When a process ends by itself.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Completes at SIGTERM or SIGINT.
pub(crate) async fn asked() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// A token that is cancelled when the process is asked to end.
pub(crate) fn token() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        match asked().await {
            Ok(()) => tracing::info!("asked to stop"),
            Err(error) => tracing::error!(%error, "signals cannot be heard; stopping"),
        }
        cancelled.cancel();
        // Asked again: whoever asks does not want to wait. What is durable is durable.
        if asked().await.is_ok() {
            std::process::exit(130);
        }
    });
    token
}
