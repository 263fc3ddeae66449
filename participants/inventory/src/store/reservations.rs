//! Reservations and the stock that they move. Every movement is relative and guarded by the table's own checks, so
//! it is right under any interleaving, with or without a lock on the SKU.

use std::collections::BTreeSet;

use sqlx::{AnyConnection, Error, Row as _};
use uuid::Uuid;

use super::rows::with_rows;
use crate::domain::{Line, Sku};

/// A reservation that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    /// The saga that made it.
    pub(crate) saga: String,
    /// Whether it was committed.
    pub(crate) sold: bool,
}

/// Moves every line for which there is enough from on hand to reserved, and answers their SKUs. If one is missing,
/// the caller must roll back.
pub(crate) async fn reserve_stock(
    conn: &mut AnyConnection,
    lines: &[Line],
) -> Result<BTreeSet<String>, Error> {
    const SQL: &str = include_str!("../../sql/reserve_stock.sql");
    let mut query = sqlx::query(with_rows(SQL, 0, lines.len(), 2));
    for line in lines {
        query = query.bind(line.sku.as_str()).bind(line.quantity);
    }
    query.fetch_all(conn).await?.iter().map(|row| row.try_get("sku")).collect()
}

/// What is on hand of a SKU; none if there is no such SKU.
pub(crate) async fn on_hand(conn: &mut AnyConnection, sku: &Sku) -> Result<Option<i64>, Error> {
    const SQL: &str = "SELECT on_hand FROM stock WHERE sku = $1";
    let row = sqlx::query(SQL).bind(sku.as_str()).fetch_optional(conn).await?;
    row.map(|row| row.try_get("on_hand")).transpose()
}

/// A new reservation without lines yet. Answers false if there is one under this id already.
pub(crate) async fn insert_reservation(
    conn: &mut AnyConnection,
    id: Uuid,
    saga: Uuid,
    now_ms: i64,
) -> Result<bool, Error> {
    change_one(conn, include_str!("../../sql/insert_reservation.sql"), id, saga, now_ms).await
}

/// The lines of a new reservation, in one statement.
pub(crate) async fn insert_lines(conn: &mut AnyConnection, id: Uuid, lines: &[Line]) -> Result<(), Error> {
    const SQL: &str = include_str!("../../sql/insert_lines.sql");
    let mut query = sqlx::query(with_rows(SQL, 1, lines.len(), 2)).bind(id.to_string());
    for line in lines {
        query = query.bind(line.sku.as_str()).bind(line.quantity);
    }
    query.execute(conn).await?;
    Ok(())
}

/// The reservation under an id.
pub(crate) async fn find_reservation(
    conn: &mut AnyConnection,
    id: Uuid,
) -> Result<Option<Reservation>, Error> {
    const SQL: &str = "SELECT saga_id, status FROM reservations WHERE reservation_id = $1";
    let Some(row) = sqlx::query(SQL).bind(id.to_string()).fetch_optional(conn).await? else {
        return Ok(None);
    };
    Ok(Some(Reservation {
        saga: row.try_get("saga_id")?,
        sold: row.try_get::<String, _>("status")? == "sold",
    }))
}

/// Whether there is a reservation under this id, of this saga, that was not committed.
pub(crate) async fn is_reserved_by(conn: &mut AnyConnection, id: Uuid, saga: Uuid) -> Result<bool, Error> {
    let found = find_reservation(conn, id).await?;
    Ok(found.is_some_and(|found| !found.sold && found.saga == saga.to_string()))
}

/// What a reservation holds, by SKU: what it was for less what came back. A SKU of which nothing is left is there too.
pub(crate) async fn held(conn: &mut AnyConnection, id: Uuid) -> Result<Vec<Line>, Error> {
    let rows = sqlx::query(include_str!("../../sql/select_held.sql"));
    let rows = rows.bind(id.to_string()).fetch_all(conn).await?;
    let line = |row: &sqlx::any::AnyRow| {
        let sku = Sku::parse("sku", row.try_get("sku")?).map_err(|e| Error::Decode(e.into()))?;
        Ok(Line { sku, quantity: row.try_get("held")? })
    };
    rows.iter().map(line).collect()
}

/// Moves a reservation's lines back from reserved to on hand.
pub(crate) async fn release_stock(conn: &mut AnyConnection, id: Uuid) -> Result<(), Error> {
    change_all(conn, include_str!("../../sql/release_stock.sql"), id).await
}

/// Forgets a reservation, but for what came back of it.
pub(crate) async fn forget(conn: &mut AnyConnection, id: Uuid) -> Result<(), Error> {
    change_all(conn, "DELETE FROM reservation_lines WHERE reservation_id = $1 AND restocked = 0", id).await?;
    change_all(conn, include_str!("../../sql/keep_restocked.sql"), id).await?;
    change_all(conn, include_str!("../../sql/delete_reservation.sql"), id).await
}

/// Makes an open reservation of `saga` sold. Answers false if there is no such one.
pub(crate) async fn mark_sold(
    conn: &mut AnyConnection,
    id: Uuid,
    saga: Uuid,
    now_ms: i64,
) -> Result<bool, Error> {
    change_one(conn, include_str!("../../sql/mark_sold.sql"), id, saga, now_ms).await
}

/// Moves a reservation's lines from reserved to sold.
pub(crate) async fn commit_stock(conn: &mut AnyConnection, id: Uuid) -> Result<(), Error> {
    change_all(conn, include_str!("../../sql/commit_stock.sql"), id).await
}

/// A new restock without lines yet. Answers false if there is one under this id already.
pub(crate) async fn insert_restock(
    conn: &mut AnyConnection,
    id: Uuid,
    reservation: Uuid,
    saga: Uuid,
    now_ms: i64,
) -> Result<bool, Error> {
    let query = sqlx::query(include_str!("../../sql/insert_restock.sql"));
    let query = query.bind(id.to_string()).bind(reservation.to_string()).bind(saga.to_string());
    Ok(query.bind(now_ms).execute(conn).await?.rows_affected() == 1)
}

/// The lines of a new restock, in one statement.
pub(crate) async fn insert_restock_lines(
    conn: &mut AnyConnection,
    id: Uuid,
    lines: &[Line],
) -> Result<(), Error> {
    const SQL: &str = include_str!("../../sql/insert_restock_lines.sql");
    let mut query = sqlx::query(with_rows(SQL, 1, lines.len(), 2)).bind(id.to_string());
    for line in lines {
        query = query.bind(line.sku.as_str()).bind(line.quantity);
    }
    query.execute(conn).await.map(drop)
}

/// Moves a restock's lines from sold, or else from reserved, to on hand, and takes down that their reservation has less.
pub(crate) async fn restock(conn: &mut AnyConnection, id: Uuid, sold: bool) -> Result<(), Error> {
    change_all(conn, include_str!("../../sql/restock_lines.sql"), id).await?;
    let sql = if sold {
        include_str!("../../sql/restock_sold.sql")
    } else {
        include_str!("../../sql/restock_reserved.sql")
    };
    change_all(conn, sql, id).await
}

/// Runs a statement over a reservation and its saga; whether there was one to change.
async fn change_one(
    conn: &mut AnyConnection,
    sql: &'static str,
    id: Uuid,
    saga: Uuid,
    now_ms: i64,
) -> Result<bool, Error> {
    let query = sqlx::query(sql).bind(id.to_string()).bind(saga.to_string()).bind(now_ms);
    Ok(query.execute(conn).await?.rows_affected() == 1)
}

/// Runs a statement over whatever belongs to a reservation, or to a restock.
async fn change_all(conn: &mut AnyConnection, sql: &'static str, id: Uuid) -> Result<(), Error> {
    sqlx::query(sql).bind(id.to_string()).execute(conn).await.map(drop)
}
