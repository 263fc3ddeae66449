//! What the end-to-end tests share: the real program in processes of its own, on free ports, in directories that go
//! with the test. Everything is seen from the outside: exit codes, files, HTTP and gRPC.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part of this")]

mod answer;
mod fleet;
mod impostor;
mod process;
mod program;
mod reconcile;
mod shop;
mod strangers;
pub(crate) mod trial;

use std::time::{Duration, Instant};

pub(crate) use answer::Answer;
pub(crate) use fleet::Fleet;
pub(crate) use impostor::{Act, Call, Impostor, Reply};
pub(crate) use process::Process;
pub(crate) use program::{Said, program, run};
pub(crate) use reconcile::{Asked, differences, reconcile, reconcile_with, reconciler};
pub(crate) use shop::{Shop, address_in, gbp, item, order_of, product, with};
pub(crate) use strangers::{at_the_sandbox, capture_at_stripe, hold_at_stripe, post_to_stripe};

/// Patience for anything that happens by itself: a bound for a broken program, not a measure of a whole one.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until the answer is there; panics with `what` when patience ends.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, ask).await
}

/// As [`until`], with another patience than the usual.
pub(crate) async fn until_within<T>(
    patience: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < patience, "{what}: not within {patience:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
