//! The log of notifications, which is also the queue. Every function is one step inside the caller's transaction.

use backstitch_proto::address::EmailAddress;
use backstitch_proto::notification::Notification;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};
use uuid::Uuid;

use crate::template::Letter;

/// A letter to be written into the log.
pub(crate) struct Queued<'a> {
    pub(crate) id: Uuid,
    pub(crate) template: &'a str,
    pub(crate) to: &'a EmailAddress,
    pub(crate) letter: &'a Letter,
}

/// Writes a letter into the log, to be sent at once. `false`, and nothing written, if its id is taken.
pub(crate) async fn queue(
    conn: &mut AnyConnection,
    queued: &Queued<'_>,
    saga: Uuid,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(include_str!("sql/queue.sql"))
        .bind(queued.id.to_string())
        .bind(saga.to_string())
        .bind(queued.template)
        .bind(queued.to.as_str())
        .bind(&queued.letter.subject)
        .bind(&queued.letter.body)
        .bind(now_ms)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// A mail for one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) id: Uuid,
    pub(crate) to: String,
    pub(crate) letter: Letter,
    /// Which attempt this is, from 1.
    pub(crate) attempt: i64,
    pub(crate) created_at_ms: i64,
}

/// Whether any mail is due.
pub(crate) async fn is_any_due(conn: &mut AnyConnection, now_ms: i64) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(
        "SELECT 1 AS found FROM notifications WHERE status = 'queued' AND next_attempt_at_ms <= $1 LIMIT 1",
    )
    .bind(now_ms)
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Takes at most `limit` due mails for an attempt each, which nobody else makes before `until_ms`.
pub(crate) async fn claim(
    conn: &mut AnyConnection,
    now_ms: i64,
    until_ms: i64,
    max_attempts: i64,
    limit: i64,
) -> Result<Vec<Claimed>, sqlx::Error> {
    let rows = sqlx::query(include_str!("sql/claim.sql"))
        .bind(now_ms)
        .bind(until_ms)
        .bind(max_attempts)
        .bind(limit)
        .fetch_all(conn)
        .await?;
    let claimed = |row: &AnyRow| {
        let id: String = row.try_get("notification_id")?;
        Ok(Claimed {
            id: Uuid::try_parse(&id).map_err(|e| sqlx::Error::Decode(e.into()))?,
            to: row.try_get("recipient")?,
            letter: Letter { subject: row.try_get("subject")?, body: row.try_get("body")? },
            attempt: row.try_get("attempts")?,
            created_at_ms: row.try_get("created_at_ms")?,
        })
    };
    rows.iter().map(claimed).collect()
}

/// Fails due mails that have no attempt left.
pub(crate) async fn give_up(
    conn: &mut AnyConnection,
    now_ms: i64,
    max_attempts: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(include_str!("sql/give_up.sql")).bind(now_ms).bind(max_attempts).execute(conn).await.map(drop)
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Sent { at_ms: i64 },
    TryAgain { at_ms: i64, why: String },
    Failed { why: String },
}

/// Writes how an attempt ended. That a mail was sent counts whoever says it; that one was not counts only from the
/// latest attempt.
pub(crate) async fn settle(
    conn: &mut AnyConnection,
    id: Uuid,
    attempt: i64,
    ended: &Ended,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let (status, why, next_ms) = match ended {
        Ended::Sent { at_ms } => {
            let sent = sqlx::query(include_str!("sql/mark_sent.sql")).bind(id.to_string()).bind(*at_ms);
            return sent.execute(conn).await.map(drop);
        }
        Ended::TryAgain { at_ms, why } => ("queued", why, *at_ms),
        Ended::Failed { why } => ("failed", why, now_ms),
    };
    sqlx::query(include_str!("sql/mark_unsent.sql"))
        .bind(id.to_string())
        .bind(attempt)
        .bind(status)
        .bind(why)
        .bind(next_ms)
        .execute(conn)
        .await
        .map(drop)
}

/// The latest notifications, newest first: to one address, or to all if `to` is empty.
pub(crate) async fn list(
    conn: &mut AnyConnection,
    to: &str,
    limit: i64,
) -> Result<Vec<Notification>, sqlx::Error> {
    let rows = if to.is_empty() {
        sqlx::query("SELECT * FROM notifications ORDER BY created_at_ms DESC, notification_id LIMIT $1")
            .bind(limit)
            .fetch_all(conn)
            .await?
    } else {
        sqlx::query(
            "SELECT * FROM notifications WHERE recipient = $2 \
             ORDER BY created_at_ms DESC, notification_id LIMIT $1",
        )
        .bind(limit)
        .bind(to)
        .fetch_all(conn)
        .await?
    };
    let notification = |row: &AnyRow| {
        let attempts: i64 = row.try_get("attempts")?;
        Ok(Notification {
            notification_id: row.try_get("notification_id")?,
            template: row.try_get("template")?,
            to: row.try_get("recipient")?,
            subject: row.try_get("subject")?,
            status: row.try_get("status")?,
            attempts: i32::try_from(attempts).unwrap_or(i32::MAX),
            created_at_unix_ms: row.try_get("created_at_ms")?,
        })
    };
    rows.iter().map(notification).collect()
}
