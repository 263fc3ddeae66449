//! The consumers' half: an event is acted on once, however often it is delivered.
//!
//! The row is written in the transaction of what the event causes. Two deliveries at once meet at its primary key: the
//! second waits for the first and then finds it there, or, if the first was rolled back, takes its place.

use std::time::Duration;

use sqlx::AnyConnection;
use uuid::Uuid;

/// How long it is remembered that an event was acted on, unless told: longer than topics keep their messages, so that a
/// consumer whose place was forgotten can read them all again.
pub const INBOX_RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Takes down that `consumer` acts on an event, in the transaction that `conn` is in. False if it has before: do nothing.
///
/// # Errors
/// Whatever the database says; the caller's transaction must then be rolled back.
pub async fn first_sight(
    conn: &mut AnyConnection,
    consumer: &str,
    event: Uuid,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let written = sqlx::query(
        "INSERT INTO inbox (consumer, event_id, at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(consumer)
    .bind(event.to_string())
    .bind(now_ms)
    .execute(conn)
    .await?;
    Ok(written.rows_affected() == 1)
}

/// Forgets at most `limit` events that were acted on before `before_ms`; answers how many.
///
/// # Errors
/// Whatever the database says.
pub async fn forget(conn: &mut AnyConnection, before_ms: i64, limit: u32) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query(include_str!("sql/forget_inbox.sql"))
        .bind(before_ms)
        .bind(i64::from(limit))
        .execute(conn)
        .await?;
    Ok(forgotten.rows_affected())
}
