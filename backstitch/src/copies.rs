//! Where carts are kept for reading, beside their database.

use clap::Args;
use participant_cart::RedisOptions;

/// Redis, of those who run the carts.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Copies {
    /// Redis to read carts from, e.g. redis://:password@host:6379 or rediss://… for TLS. Their database stays the truth;
    /// without Redis, or while it is away, carts are read from there.
    #[arg(long, env = "BACKSTITCH_REDIS", value_name = "URL", hide_env_values = true)]
    pub(crate) redis: Option<String>,
}

impl Copies {
    /// What the carts are given.
    pub(crate) fn options(&self) -> Option<RedisOptions> {
        self.redis.clone().map(RedisOptions::new)
    }

    /// Refuses what cannot be before anything is opened. Never repeats the URL, which may hold a password.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match self.options().map_or(Ok(()), |options| options.check()) {
            Err(participant_kit::OpenError::Config { option, why }) => anyhow::bail!("--{option}: {why}"),
            checked => Ok(checked?),
        }
    }
}
