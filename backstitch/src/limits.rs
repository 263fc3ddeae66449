//! How much is taken on at a time, and what keeps a participant's trouble to itself, as settings.

use std::time::Duration;

use backstitch_engine::{FlowOptions, RetryOptions};
use clap::Args;

use crate::patience::time;

/// Limits of the node, and of the calls to one participant; each participant has its own.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Limits {
    /// Sagas in memory at once; one more is answered 429.
    #[arg(long, env = "BACKSTITCH_MAX_LIVE", value_name = "N", default_value_t = 20_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_live: u32,
    /// Calls to one participant in flight at once; more wait, but undo and what follows the capture go first.
    #[arg(long, env = "BACKSTITCH_MAX_CALLS", value_name = "N", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_calls: u16,
    /// Retries of calls to one participant that are not answered, for every hundred first calls.
    #[arg(long, env = "BACKSTITCH_RETRY_PERCENT", value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100), hide_short_help = true)]
    pub(crate) retry_percent: u8,
    /// And so many in every second besides.
    #[arg(long, env = "BACKSTITCH_RETRY_FLOOR", value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..), hide_short_help = true)]
    pub(crate) retry_floor: u16,
    /// About how often what parked because a participant did not answer is tried again, while it answers others.
    #[arg(long, env = "BACKSTITCH_RETRY_PARKED_EVERY", value_name = "TIME", default_value = "5m")]
    #[arg(value_parser = time, hide_short_help = true)]
    pub(crate) retry_parked_every: Duration,
}

impl From<Limits> for FlowOptions {
    fn from(limits: Limits) -> Self {
        let retry = RetryOptions {
            percent: limits.retry_percent,
            floor_per_second: limits.retry_floor.into(),
            ..RetryOptions::default()
        };
        Self {
            max_calls: limits.max_calls.into(),
            retry,
            retry_parked_every: limits.retry_parked_every,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        limits: Limits,
    }

    #[test]
    fn the_defaults_are_the_engine_s() {
        let told = FlowOptions::from(Line::parse_from(["orchestrator"]).limits);
        assert_eq!(format!("{told:?}"), format!("{:?}", FlowOptions::default()));
    }
}
