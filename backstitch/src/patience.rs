//! How patient checkouts are, as settings.

use std::time::Duration;

use backstitch_core::RetryPolicy;
use backstitch_sagas::Timings;
use clap::Args;

const SECOND: Duration = Duration::from_secs(1);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Sagas in flight follow a change from their next attempt on, but for the deadline, which each has had since its start.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Patience {
    /// A checkout that is not being paid by then is taken back, e.g. 90s, 15m, 1h.
    #[arg(long, env = "BACKSTITCH_CHECKOUT_DEADLINE", value_name = "TIME", default_value = "15m", value_parser = time)]
    pub(crate) checkout_deadline: Duration,
    /// How long a customer has to finish what their bank asks of them.
    #[arg(long, env = "BACKSTITCH_CUSTOMER_WAIT", value_name = "TIME", default_value = "10m", value_parser = time)]
    pub(crate) customer_wait: Duration,
    /// How long an undo is tried before it parks and waits for a person.
    #[arg(long, env = "BACKSTITCH_UNDO_PATIENCE", value_name = "TIME", default_value = "1h", value_parser = time)]
    pub(crate) undo_patience: Duration,
    /// How often an undo is tried within that time, at most; 0 for as often as there is time.
    #[arg(
        long,
        env = "BACKSTITCH_UNDO_ATTEMPTS",
        value_name = "N",
        default_value_t = 0,
        hide_short_help = true
    )]
    pub(crate) undo_attempts: u32,
}

impl Patience {
    pub(crate) fn timings(&self) -> Timings {
        let attempts = if self.undo_attempts == 0 { u32::MAX } else { self.undo_attempts };
        Timings {
            deadline: self.checkout_deadline,
            customer_wait: self.customer_wait,
            undo: RetryPolicy { budget: self.undo_patience, attempts, ..RetryPolicy::UNDO },
        }
    }
}

/// A second to a week: less is a mistake, more is nobody's patience.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| format!("{e}; write it like 90s, 15m or 1h"))?;
    if (SECOND..=WEEK).contains(&time) { Ok(time) } else { Err("it must be between 1s and 7days".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_second_to_a_week() {
        assert_eq!(time("1s"), Ok(SECOND));
        assert_eq!(time("7d"), Ok(WEEK));
        for wrong in ["999ms", "604801s", "0s"] {
            assert_eq!(time(wrong), Err("it must be between 1s and 7days".into()), "{wrong}");
        }
        for wrong in ["", "15", "a while", "-1s"] {
            assert!(time(wrong).unwrap_err().contains("like 90s"), "{wrong}");
        }
    }

    #[test]
    fn no_limit_of_attempts_is_no_limit() {
        let patience = |undo_attempts| Patience {
            checkout_deadline: SECOND,
            customer_wait: SECOND,
            undo_patience: WEEK,
            undo_attempts,
        };
        assert_eq!(patience(0).timings().undo.attempts, u32::MAX);
        assert_eq!(
            patience(3).timings().undo,
            RetryPolicy { attempts: 3, budget: WEEK, ..RetryPolicy::UNDO }
        );
    }
}
