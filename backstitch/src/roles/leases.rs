//! The right to publish from a database that several processes reach.

use std::time::Duration;

use anyhow::Context as _;
use outbox_relay::{Leases, Terms};
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use uuid::Uuid;

use super::kafka::Kafka;
use super::relays::Outbox;
use crate::databases::Databases;

/// How long an owner publishes without a renewal, unless told.
pub(crate) const TERM: Duration = Duration::from_secs(5);

/// Connections to each database: reading, marking, leases.
const CONNECTIONS: u32 = 3;

/// Puts an owner's outboxes under a lease if they are on a server; files belong to one process anyway.
pub(crate) async fn of(
    owner: &str,
    outboxes: Vec<Outbox>,
    databases: &Databases,
    kafka: &Kafka,
) -> anyhow::Result<(Vec<Outbox>, Option<Leases>)> {
    let Some(url) = databases.on_server(owner) else { return Ok((outboxes, None)) };
    let terms = Terms { term: TERM, in_flight: kafka.in_flight() };
    let pool = pool(owner, &url).await?;
    let (outboxes, leases) = over(owner, pool, outboxes, terms);
    Ok((outboxes, Some(leases)))
}

/// Puts these outboxes under a lease.
pub(crate) fn over(owner: &str, pool: AnyPool, outboxes: Vec<Outbox>, terms: Terms) -> (Vec<Outbox>, Leases) {
    let names = outboxes.iter().map(|outbox| outbox.name().to_owned());
    let leases = Leases::new(owner, pool, Uuid::now_v7().to_string(), names, terms);
    let under = outboxes.into_iter().map(|outbox| {
        let tenure = leases.tenure(outbox.name());
        outbox.under(tenure)
    });
    (under.collect(), leases)
}

/// Connections to an owner's database that has what a relay needs.
pub(crate) async fn pool(owner: &str, url: &str) -> anyhow::Result<AnyPool> {
    sqlx::any::install_default_drivers();
    let options = AnyPoolOptions::new().max_connections(CONNECTIONS);
    let pool = options
        .connect(url)
        .await
        .with_context(|| format!("--database-url: the database of {owner} cannot be reached"))?;
    sqlx::query("SELECT 1 AS one FROM relay_leases LIMIT 1").fetch_optional(&pool).await.with_context(|| {
        format!("the database of {owner} is not up to date; run `backstitch migrate` with the same --database-url")
    })?;
    Ok(pool)
}
