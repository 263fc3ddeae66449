//! What every role does once its parts are made: says where it is, and runs until it is told to stop.

use std::path::PathBuf;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ready::Ready;

/// Says where this process listens: to a person, and to a file if one was named.
pub(crate) fn announce(file: Option<PathBuf>, ready: &Ready) -> anyhow::Result<()> {
    for (name, address) in &ready.addresses {
        crate::cli::say(&format!("{name:<14} {address}"));
    }
    match file {
        Some(file) => ready.write(&file).with_context(|| format!("--ready-file {}", file.display())),
        None => Ok(()),
    }
}

/// Waits for every task. The first that fails stops the others and is the answer.
pub(crate) async fn finish(
    mut tasks: JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.map_err(anyhow::Error::from).and_then(|result| result);
        if let Err(error) = ended {
            shutdown.cancel();
            if outcome.is_ok() {
                outcome = Err(error);
            }
        }
    }
    outcome
}
