//! The producers' half: one event into the outbox, inside the effect's own transaction.
//!
//! Two statements per event. The first takes the key's counter row and with it the lock that puts the events
//! of one key in commit order; the second writes the row. Nothing here commits.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, Row as _};
use uuid::{NoContext, Timestamp, Uuid};

use crate::Event;

/// The outbox's tables: `migrations/outbox/any`.
pub fn migrations() -> &'static Migrator {
    static MIGRATOR: Migrator = sqlx::migrate!("../migrations/outbox/any");
    &MIGRATOR
}

const TAKE_NUMBER: &str = include_str!("sql/take_number.sql");
const INSERT_ROW: &str = include_str!("sql/insert_row.sql");
const RAISE_NUMBER: &str =
    "UPDATE outbox_keys SET last_number = $3 WHERE source = $1 AND key = $2 AND last_number < $3";

/// How often a number that another process drew in the same instant is drawn anew.
const DRAWS: usize = 32;

/// Appends one event in the transaction that `conn` is in, so that it exists exactly when the effect commits.
/// It takes its row number and `ce_sequence` (per source and key) under the key's counter row.
///
/// # Errors
/// Whatever the database says; the caller's transaction must then be rolled back. An empty payload (see
/// [`Event::json`]) is an [`sqlx::Error::Encode`].
pub async fn append(conn: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    if event.payload.is_empty() {
        return Err(sqlx::Error::Encode(format!("event {} has no payload", event.kind).into()));
    }
    let taken = sqlx::query(TAKE_NUMBER)
        .bind(&event.source)
        .bind(&event.key)
        .bind(draw_number(event.at_ms))
        .fetch_one(&mut *conn)
        .await?;
    let sequence: i64 = taken.try_get("last_sequence")?;
    let mut number: i64 = taken.try_get("last_number")?;
    let held: String = taken.try_get("state")?;
    let state = if held == "held" { "held" } else { "waiting" };
    let event_id = event_id(event.at_ms).to_string();
    for _ in 0..DRAWS {
        let inserted = sqlx::query(INSERT_ROW)
            .bind(number)
            .bind(&event_id)
            .bind(&event.source)
            .bind(&event.key)
            .bind(sequence)
            .bind(&event.topic)
            .bind(&event.kind)
            .bind(&event.subject)
            .bind(event.payload.as_slice())
            .bind(&event.traceparent)
            .bind(event.at_ms)
            .bind(state)
            .execute(&mut *conn)
            .await?;
        if inserted.rows_affected() == 1 {
            return Ok(());
        }
        number = number.max(draw_number(event.at_ms)).saturating_add(1);
        sqlx::query(RAISE_NUMBER)
            .bind(&event.source)
            .bind(&event.key)
            .bind(number)
            .execute(&mut *conn)
            .await?;
    }
    Err(sqlx::Error::Protocol(format!("no free outbox number after {DRAWS} draws near {number}")))
}

/// The next row number of this process: 41 bits of milliseconds since 2024, 10 random bits of this process, 12
/// bits that count. Growing within the process, so rows that arrive together are read in the order they were
/// appended; a database sequence would do the same but SQLite and Postgres spell it differently, and one
/// counter row for the whole table would make all effects of a participant queue behind each other.
fn draw_number(at_ms: i64) -> i64 {
    const EPOCH_2024_MS: i64 = 1_704_067_200_000;
    static TAG: LazyLock<i64> = LazyLock::new(|| {
        let [.., high, low] = event_id(0).into_bytes();
        (i64::from(u16::from_be_bytes([high, low])) & 0x3ff) << 12
    });
    static LAST: AtomicI64 = AtomicI64::new(0);
    let ms = at_ms.saturating_sub(EPOCH_2024_MS).clamp(0, (1 << 41) - 1);
    let candidate = (ms << 22) | *TAG;
    let next = |last: i64| candidate.max(last.saturating_add(1));
    // The closure never refuses, so both arms hold the previous value.
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    next(last.unwrap_or_else(|last| last))
}

/// A fresh UUIDv7 with the event's own time in front.
fn event_id(at_ms: i64) -> Uuid {
    let ms = u64::try_from(at_ms).unwrap_or(0);
    let nanos = u32::try_from(ms % 1000).unwrap_or(0) * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, ms / 1000, nanos))
}
