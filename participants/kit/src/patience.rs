//! Trying again what a database in trouble did not take, while something that was reached outside waits for it.

use std::future::Future;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};

use crate::outcome::OpError;

/// Runs `attempt` again while the database is in trouble, with growing pauses, about five seconds in all.
///
/// For what a provider has done already and no row tells yet: giving up at once would turn a good card away because a
/// connection broke. An attempt that says it is unknown may be committed, so a repetition has to come to the same.
///
/// # Errors
/// What the last attempt said; everything but trouble at once.
pub async fn patiently<T, A>(attempt: impl FnMut() -> A) -> Result<T, OpError>
where
    A: Future<Output = Result<T, OpError>>,
{
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_secs(1))
        .with_max_times(10);
    let trouble = |error: &OpError| {
        matches!(error, OpError::Database(_) | OpError::NotNow { .. } | OpError::Unknown(_))
    };
    attempt.retry(pauses).when(trouble).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn trouble_is_outlasted_for_some_seconds_and_a_verdict_is_taken_at_once() {
        let begun = tokio::time::Instant::now();
        let mut tries = 0;
        let answer = patiently(|| {
            tries += 1;
            let answer = if tries < 8 { Err(OpError::Unknown("gone".into())) } else { Ok(tries) };
            std::future::ready(answer)
        });
        assert_eq!(answer.await.unwrap(), 8);

        let mut tries = 0;
        let answer = patiently(|| {
            tries += 1;
            std::future::ready(Err::<(), _>(OpError::not_now(Duration::ZERO, "busy")))
        });
        assert!(matches!(answer.await, Err(OpError::NotNow { .. })));
        assert_eq!(tries, 11);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());

        let mut tries = 0;
        let answer = patiently(|| {
            tries += 1;
            std::future::ready(Err::<(), _>(OpError::broken("nonsense")))
        });
        assert!(matches!(answer.await, Err(OpError::Broken(_))));
        assert_eq!(tries, 1);
    }
}
