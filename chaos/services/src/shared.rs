//! One server of each kind for all tests: the one that the environment names, or else one for this process.

use std::sync::OnceLock;

use crate::{Kafka, Postgres, Redis, database};

/// The variable that says that the server of `DATABASE_URL` was started for one run of tests on this machine.
pub const OF_THIS_RUN: &str = "DATABASE_OF_THIS_RUN";

/// The URL of a Postgres database that tests share. Write into a [`fresh_database`] instead.
pub fn postgres_url() -> String {
    static GIVEN: OnceLock<Option<String>> = OnceLock::new();
    static OURS: OnceLock<Postgres> = OnceLock::new();
    let of_this_run = given(OF_THIS_RUN).is_some();
    let given =
        GIVEN.get_or_init(|| given("DATABASE_URL").inspect(|url| database::drop_leftovers(url, of_this_run)));
    match given {
        Some(url) => url.clone(),
        None => OURS.get_or_init(Postgres::start_thrown_away).url(),
    }
}

/// The URL of an empty Postgres database that nobody else uses. Its name begins with `prefix` (a-z, 0-9, _).
pub fn fresh_database(prefix: &str) -> String {
    database::create_database(&postgres_url(), prefix)
}

/// The URL of an empty Postgres schema that nobody else uses: cheaper than a database.
pub fn fresh_schema(prefix: &str) -> String {
    database::create_schema(&postgres_url(), prefix)
}

/// The URL of a Redis that tests share: use keys of your own, and do not flush it.
pub fn redis_url() -> String {
    static OURS: OnceLock<Redis> = OnceLock::new();
    given("REDIS_URL").unwrap_or_else(|| OURS.get_or_init(Redis::start).url())
}

/// Kafka brokers that tests share: use topics and groups of your own.
pub fn kafka_brokers() -> String {
    static OURS: OnceLock<Kafka> = OnceLock::new();
    given("KAFKA_BROKERS").unwrap_or_else(|| OURS.get_or_init(Kafka::start).brokers())
}

fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}
