//! The right to publish from a database that several processes reach.

use std::time::Duration;

use anyhow::Context as _;
use outbox_relay::{Leases, Terms};
use sqlx::AnyPool;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyPoolOptions;
use uuid::Uuid;

use super::kafka::Kafka;
use super::relays::Outbox;
use crate::databases::Databases;

/// How long an owner publishes without a renewal, unless told.
pub(crate) const TERM: Duration = Duration::from_secs(5);

/// Connections to each database: reading, marking, leases.
const CONNECTIONS: u32 = 3;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Puts an owner's outboxes under a lease if they are on a server; files belong to one process anyway.
pub(crate) async fn of(
    owner: &str,
    outboxes: Vec<Outbox>,
    databases: &Databases,
    kafka: &Kafka,
) -> anyhow::Result<(Vec<Outbox>, Option<Leases>)> {
    let Some(url) = databases.on_server(owner) else { return Ok((outboxes, None)) };
    let terms = Terms { term: TERM, in_flight: kafka.in_flight() };
    let pool = pool(owner, &url, TERM).await?;
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

/// Connections to an owner's database that has what a relay needs. Nothing on them waits as long as a `term`, and the
/// server ends what a relay that froze or is gone has left behind.
pub(crate) async fn pool(owner: &str, url: &str, term: Duration) -> anyhow::Result<AnyPool> {
    sqlx::any::install_default_drivers();
    let session = session(owner, term);
    let options = AnyPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECT);
    let options = options.after_connect(move |conn, _| {
        let session = session.clone();
        Box::pin(async move { sqlx::raw_sql(AssertSqlSafe(session)).execute(conn).await.map(drop) })
    });
    let pool = options
        .connect(url)
        .await
        .with_context(|| format!("--database-url: the database of {owner} cannot be reached"))?;
    sqlx::query("SELECT 1 AS one FROM relay_leases LIMIT 1").fetch_optional(&pool).await.with_context(|| {
        format!("the database of {owner} is not up to date; run `backstitch migrate` with the same --database-url")
    })?;
    Ok(pool)
}

/// What every session has: the limits that participants give theirs, reckoned from the term.
fn session(owner: &str, term: Duration) -> String {
    let (ms, seconds) = (term.as_millis().max(4), term.as_secs().max(1));
    let (statement, lock) = (ms * 3 / 4, ms / 2);
    format!(
        "SET synchronous_commit = on; SET default_transaction_isolation = 'read committed'; \
         SET statement_timeout = {statement}; SET lock_timeout = {lock}; \
         SET idle_in_transaction_session_timeout = {statement}; SET tcp_user_timeout = {ms}; \
         SET tcp_keepalives_idle = {seconds}; SET tcp_keepalives_interval = {seconds}; \
         SET tcp_keepalives_count = 2; SET application_name = 'backstitch relay {owner}'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_on_a_relay_s_connection_waits_as_long_as_the_term() {
        let url = backstitch_services::fresh_database("relay");
        sqlx::any::install_default_drivers();
        let made = AnyPool::connect(&url).await.unwrap();
        outbox_relay::migrations().run(&made).await.unwrap();
        let pool = pool("cart", &url, Duration::from_secs(2)).await.unwrap();
        for (setting, wanted) in [
            ("statement_timeout", "1500ms"),
            ("lock_timeout", "1s"),
            ("idle_in_transaction_session_timeout", "1500ms"),
            ("application_name", "backstitch relay cart"),
        ] {
            let found: String = sqlx::query_scalar("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&pool)
                .await
                .unwrap();
            assert_eq!(found, wanted, "{setting}");
        }
    }
}
