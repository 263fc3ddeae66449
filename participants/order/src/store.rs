//! The order tables. Every function is one step inside the caller's transaction and knows nothing of sagas' rules.

pub(crate) mod read;
pub(crate) mod returns;

use backstitch_proto::events::ShipmentChanged;
use backstitch_proto::money::Money;
use participant_kit::columns::currency;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};
use uuid::Uuid;

use crate::domain::{Line, NewOrder, OrderNumber, OrderStatus};

/// Takes the next order number. The transaction that rolls back gives it back.
pub(crate) async fn take_number(conn: &mut AnyConnection) -> Result<OrderNumber, sqlx::Error> {
    let row = sqlx::query(include_str!("sql/take_number.sql")).fetch_one(conn).await?;
    Ok(OrderNumber(row.try_get("last")?))
}

/// Writes a pending order without its lines. `false`, and nothing written, if its id or its checkout has one already.
pub(crate) async fn insert_order(
    conn: &mut AnyConnection,
    order: &NewOrder,
    number: OrderNumber,
    saga: Uuid,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(include_str!("sql/insert_order.sql"))
        .bind(order.id.to_string())
        .bind(number.0)
        .bind(order.checkout.to_string())
        .bind(saga.to_string())
        .bind(order.customer.as_deref())
        .bind(order.email.as_str())
        .bind(order.total.currency.as_str())
        .bind(&order.shipping_method)
        .bind(order.shipping_price.minor)
        .bind(order.total.minor)
        .bind(order.payment.to_string());
    let query = order.address.parts().into_iter().fold(query, |query, (_, part)| query.bind(part));
    let done = query.bind(now_ms).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Writes the lines in one statement, however many there are: a statement costs more than a row.
pub(crate) async fn insert_lines(
    conn: &mut AnyConnection,
    order: Uuid,
    lines: &[Line],
) -> Result<(), sqlx::Error> {
    let order = order.to_string();
    let sql = format!(
        "INSERT INTO order_items \
         (order_id, line, sku, name, quantity, unit_price_minor, unit_weight_grams) VALUES {}",
        rows(lines.len(), 7)
    );
    // Built from numbers only. A long cart's statement is not worth a place among the prepared ones.
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(lines.len() <= 16);
    for (number, line) in (0_i64..).zip(lines) {
        query = query
            .bind(&order)
            .bind(number)
            .bind(&line.sku)
            .bind(&line.name)
            .bind(line.quantity)
            .bind(line.unit_price_minor)
            .bind(line.unit_weight_grams);
    }
    query.execute(conn).await.map(drop)
}

/// Appends a status to the order's history.
pub(crate) async fn record_status(
    conn: &mut AnyConnection,
    order: Uuid,
    status: OrderStatus,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(include_str!("sql/record_status.sql"))
        .bind(order.to_string())
        .bind(status.as_str())
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop)
}

/// What is left to say about an order whose status has just changed.
pub(crate) struct Head {
    pub(crate) number: OrderNumber,
    pub(crate) checkout: String,
    pub(crate) total: Money,
}

/// Changes the status of a pending order of this saga; `None`, and nothing changed, if there is no such order.
pub(crate) async fn leave_pending(
    conn: &mut AnyConnection,
    order: Uuid,
    saga: Uuid,
    to: OrderStatus,
) -> Result<Option<Head>, sqlx::Error> {
    let row = sqlx::query(include_str!("sql/leave_pending.sql"))
        .bind(order.to_string())
        .bind(saga.to_string())
        .bind(to.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(Head {
            number: OrderNumber(row.try_get("order_number")?),
            checkout: row.try_get("checkout_id")?,
            total: Money::new(row.try_get("total_minor")?, currency(&row)?),
        })
    })
    .transpose()
}

/// Who created the order and what has become of it, for explaining why it cannot change.
pub(crate) async fn owner_and_status(
    conn: &mut AnyConnection,
    order: Uuid,
) -> Result<Option<(String, String)>, sqlx::Error> {
    let row = sqlx::query("SELECT saga_id, status FROM orders WHERE order_id = $1")
        .bind(order.to_string())
        .fetch_optional(conn)
        .await?;
    row.map(|row| Ok((row.try_get("saga_id")?, row.try_get("status")?))).transpose()
}

/// What is to be said about an order that does not leave pending, because it was made good.
pub(crate) struct MadeGood {
    /// The return is claimed and may be cancelled yet.
    pub(crate) open: bool,
    pub(crate) number: OrderNumber,
}

/// The return that makes good an order of this saga that never stood, if there is one that was not cancelled.
pub(crate) async fn made_good(
    conn: &mut AnyConnection,
    order: Uuid,
    saga: Uuid,
) -> Result<Option<MadeGood>, sqlx::Error> {
    let row = sqlx::query(include_str!("sql/made_good.sql"))
        .bind(order.to_string())
        .bind(saga.to_string())
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(MadeGood {
            open: row.try_get::<String, _>("return_status")? == "claimed",
            number: OrderNumber(row.try_get("order_number")?),
        })
    })
    .transpose()
}

/// Cancels a pending order that this return has made good; whether there was one.
pub(crate) async fn cancel_made_good(
    conn: &mut AnyConnection,
    order: Uuid,
    by: Uuid,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(include_str!("sql/cancel_made_good.sql"));
    let done = query.bind(order.to_string()).bind(by.to_string()).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// What is left to say about an order whose parcel has left.
pub(crate) struct Addressed {
    pub(crate) number: OrderNumber,
    pub(crate) checkout: String,
    pub(crate) email: String,
    /// As on the parcel.
    pub(crate) name: String,
}

/// An order that stands; none if there is no such order.
pub(crate) async fn shippable(
    conn: &mut AnyConnection,
    order: Uuid,
) -> Result<Option<Addressed>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT order_number, checkout_id, email, ship_name FROM orders \
         WHERE order_id = $1 AND status = 'confirmed'",
    )
    .bind(order.to_string())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Addressed {
            number: OrderNumber(row.try_get("order_number")?),
            checkout: row.try_get("checkout_id")?,
            email: row.try_get("email")?,
            name: row.try_get("ship_name")?,
        })
    })
    .transpose()
}

/// Takes down that an order's parcel has left. `false`, and nothing written, if one has before.
pub(crate) async fn mark_shipped(
    conn: &mut AnyConnection,
    order: Uuid,
    parcel: &ShipmentChanged,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO shipped_orders (order_id, shipment_id, tracking_number, at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(order.to_string())
    .bind(&parcel.shipment_id)
    .bind(&parcel.tracking_number)
    .bind(now_ms)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The lines of an order, in its order.
pub(crate) async fn lines(conn: &mut AnyConnection, order: Uuid) -> Result<Vec<Line>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT sku, name, quantity, unit_price_minor, unit_weight_grams \
         FROM order_items WHERE order_id = $1 ORDER BY line",
    )
    .bind(order.to_string())
    .fetch_all(conn)
    .await?;
    rows.iter().map(line).collect()
}

fn line(row: &AnyRow) -> Result<Line, sqlx::Error> {
    Ok(Line {
        sku: row.try_get("sku")?,
        name: row.try_get("name")?,
        quantity: row.try_get("quantity")?,
        unit_price_minor: row.try_get("unit_price_minor")?,
        unit_weight_grams: row.try_get("unit_weight_grams")?,
    })
}

/// So many rows of so many placeholders each, numbered through.
fn rows(count: usize, width: usize) -> String {
    let row = |row: usize| {
        let placeholders: Vec<String> = (1..=width).map(|c| format!("${}", row * width + c)).collect();
        format!("({})", placeholders.join(", "))
    };
    (0..count).map(row).collect::<Vec<_>>().join(", ")
}
