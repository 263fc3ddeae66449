//! The tables of returns.

use backstitch_proto::common::Item;
use backstitch_proto::money::Money;
use participant_kit::columns::currency;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Error, Row as _};
use uuid::Uuid;

use super::{line, rows};
use crate::domain::returns::{Bought, CreditNoteNumber, NewReturn, Paid};
use crate::domain::{Line, OrderNumber};

/// What a return asks about its order.
pub(crate) struct Returnable {
    pub(crate) number: OrderNumber,
    /// Who created it: the root of the family that its returns are of.
    pub(crate) saga: String,
    pub(crate) status: String,
    /// 0 if it never was.
    pub(crate) confirmed_at_ms: i64,
    pub(crate) paid: Paid,
    pub(crate) payment: String,
    pub(crate) email: String,
    /// As on the parcel.
    pub(crate) name: String,
}

/// The order that is to come back; none if there is no such order.
pub(crate) async fn returnable(conn: &mut AnyConnection, order: Uuid) -> Result<Option<Returnable>, Error> {
    let row = sqlx::query(include_str!("../sql/returnable.sql"))
        .bind(order.to_string())
        .fetch_optional(conn)
        .await?;
    let returnable = |row: AnyRow| {
        let currency = currency(&row)?;
        let money = |column: &str| Ok::<_, Error>(Money::new(row.try_get(column)?, currency));
        Ok(Returnable {
            number: OrderNumber(row.try_get("order_number")?),
            saga: row.try_get("saga_id")?,
            status: row.try_get("status")?,
            confirmed_at_ms: row.try_get("confirmed_at_ms")?,
            paid: Paid {
                shipping: money("shipping_price_minor")?,
                total: money("total_minor")?,
                returned: money("returned_minor")?,
            },
            payment: row.try_get("payment_id")?,
            email: row.try_get("email")?,
            name: row.try_get("ship_name")?,
        })
    };
    row.map(returnable).transpose()
}

/// The lines of an order, in its order, with what came back of each.
pub(crate) async fn bought(conn: &mut AnyConnection, order: Uuid) -> Result<Vec<Bought>, Error> {
    let rows = sqlx::query("SELECT * FROM order_items WHERE order_id = $1 ORDER BY line")
        .bind(order.to_string())
        .fetch_all(conn)
        .await?;
    let bought = |row: &AnyRow| {
        Ok(Bought { number: row.try_get("line")?, line: line(row)?, returned: row.try_get("returned")? })
    };
    rows.iter().map(bought).collect()
}

/// Writes a return without its lines. `false`, and nothing written, if its id is taken.
pub(crate) async fn insert(
    conn: &mut AnyConnection,
    new: &NewReturn,
    saga: Uuid,
    refund_minor: i64,
    now_ms: i64,
) -> Result<bool, Error> {
    let done = sqlx::query(include_str!("../sql/insert_return.sql"))
        .bind(new.id.to_string())
        .bind(new.order.to_string())
        .bind(saga.to_string())
        .bind(i64::from(new.make_good))
        .bind(&new.reason)
        .bind(refund_minor)
        .bind(now_ms)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The lines of a new return, in one statement.
pub(crate) async fn insert_lines(
    conn: &mut AnyConnection,
    id: Uuid,
    lines: &[(i64, Line)],
) -> Result<(), Error> {
    let id = id.to_string();
    let sql =
        format!("INSERT INTO order_return_lines (return_id, line, quantity) VALUES {}", rows(lines.len(), 3));
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(lines.len() <= 16);
    for (number, line) in lines {
        query = query.bind(&id).bind(number).bind(line.quantity);
    }
    query.execute(conn).await.map(drop)
}

/// Claims what the return's lines say; how many lines there was enough of. If one is missing, the caller must roll back.
pub(crate) async fn claim_lines(conn: &mut AnyConnection, id: Uuid) -> Result<usize, Error> {
    let changed = change(conn, include_str!("../sql/claim_lines.sql"), id).await?;
    Ok(usize::try_from(changed).unwrap_or(usize::MAX))
}

/// Frees what `claim_lines` claimed.
pub(crate) async fn free_lines(conn: &mut AnyConnection, id: Uuid) -> Result<(), Error> {
    change(conn, include_str!("../sql/free_lines.sql"), id).await.map(drop)
}

/// Claims what the return gives back; whether there is so much left of the total.
pub(crate) async fn claim_money(conn: &mut AnyConnection, id: Uuid) -> Result<bool, Error> {
    Ok(change(conn, include_str!("../sql/claim_money.sql"), id).await? == 1)
}

/// Frees what `claim_money` claimed.
pub(crate) async fn free_money(conn: &mut AnyConnection, id: Uuid) -> Result<(), Error> {
    change(conn, include_str!("../sql/free_money.sql"), id).await.map(drop)
}

/// A return as whoever settles it finds it.
pub(crate) struct Claimed {
    pub(crate) order: Uuid,
    pub(crate) saga: String,
    pub(crate) status: String,
    pub(crate) refund: Money,
}

/// The return under an id.
pub(crate) async fn find(conn: &mut AnyConnection, id: Uuid) -> Result<Option<Claimed>, Error> {
    let row =
        sqlx::query(include_str!("../sql/find_return.sql")).bind(id.to_string()).fetch_optional(conn).await?;
    let claimed = |row: AnyRow| {
        let order: &str = row.try_get("order_id")?;
        Ok(Claimed {
            order: Uuid::try_parse(order).map_err(|e| Error::Decode(e.into()))?,
            saga: row.try_get("saga_id")?,
            status: row.try_get("status")?,
            refund: Money::new(row.try_get("refund_minor")?, currency(&row)?),
        })
    };
    row.map(claimed).transpose()
}

/// What comes back by a return, one line a product.
pub(crate) async fn items(conn: &mut AnyConnection, id: Uuid) -> Result<Vec<Item>, Error> {
    let rows =
        sqlx::query(include_str!("../sql/return_items.sql")).bind(id.to_string()).fetch_all(conn).await?;
    let item = |row: &AnyRow| Ok(Item { sku: row.try_get("sku")?, quantity: row.try_get("quantity")? });
    rows.iter().map(item).collect()
}

/// Takes the next credit note's number. The transaction that rolls back gives it back.
pub(crate) async fn take_credit_note_number(conn: &mut AnyConnection) -> Result<CreditNoteNumber, Error> {
    let row = sqlx::query(include_str!("../sql/take_credit_note_number.sql")).fetch_one(conn).await?;
    Ok(CreditNoteNumber(row.try_get("last")?))
}

/// Completes a claimed return.
pub(crate) async fn complete(
    conn: &mut AnyConnection,
    id: Uuid,
    number: CreditNoteNumber,
    now_ms: i64,
) -> Result<(), Error> {
    let query = sqlx::query(include_str!("../sql/complete_return.sql"));
    query.bind(id.to_string()).bind(number.0).bind(now_ms).execute(conn).await.map(drop)
}

/// Cancels a claimed return.
pub(crate) async fn cancel(conn: &mut AnyConnection, id: Uuid, now_ms: i64) -> Result<(), Error> {
    let query = sqlx::query(include_str!("../sql/cancel_return.sql"));
    query.bind(id.to_string()).bind(now_ms).execute(conn).await.map(drop)
}

/// Runs a statement over whatever belongs to a return; how many rows it changed.
async fn change(conn: &mut AnyConnection, sql: &'static str, id: Uuid) -> Result<u64, Error> {
    Ok(sqlx::query(sql).bind(id.to_string()).execute(conn).await?.rows_affected())
}
