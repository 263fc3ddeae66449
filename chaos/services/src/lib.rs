//! Real Postgres, Redis and Kafka for tests, and localstripe.
//!
//! Two ways to have one. A test that only needs *a* server asks for the shared one: [`fresh_database`], [`redis_url`],
//! [`kafka_brokers`]. It is the one that `DATABASE_URL`, `REDIS_URL` or `KAFKA_BROKERS` names, or else one for all tests
//! of this process. A test that treats a server badly starts its own: [`Postgres::start`], [`Redis::start`],
//! [`Kafka::start`], and does to it what [`Service`] offers. [`Localstripe`] is always one's own.
//!
//! Every server listens on a free port of 127.0.0.1, lives in a directory of its own, and ends with its value or with
//! the process that started it, however that ends. A server that cannot be had is a panic that names the way out;
//! nothing is skipped. Everything here blocks its thread, in an async test too.
//!
//! The shared Postgres of this crate runs with `fsync=off`: no law that is tested on it is about a machine that loses its
//! power. One's own has Postgres's defaults.

mod database;
mod kafka;
mod localstripe;
mod on;
mod port;
mod postgres;
mod process;
mod programs;
mod redis;
mod service;
mod shared;

pub use kafka::Kafka;
pub use localstripe::Localstripe;
pub use on::On;
pub use postgres::Postgres;
pub use process::Process;
pub use redis::Redis;
pub use service::Service;
pub use shared::{OF_THIS_RUN, fresh_database, fresh_schema, kafka_brokers, postgres_url, redis_url};
