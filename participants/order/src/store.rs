//! The order tables. Every function is one step inside the caller's transaction and knows nothing of sagas' rules.

use backstitch_proto::common::Address;
use backstitch_proto::events::ShipmentChanged;
use backstitch_proto::money::Money;
use backstitch_proto::order::{Order, StatusChange};
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
    const COLUMNS: usize = 7;
    let order = order.to_string();
    let mut sql = "INSERT INTO order_items \
         (order_id, line, sku, name, quantity, unit_price_minor, unit_weight_grams) VALUES "
        .to_owned();
    for line in 0..lines.len() {
        let placeholders: Vec<String> = (1..=COLUMNS).map(|c| format!("${}", line * COLUMNS + c)).collect();
        let comma = if line == 0 { "" } else { ", " };
        sql.push_str(&format!("{comma}({})", placeholders.join(", ")));
    }
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
    let line = |row: &AnyRow| {
        Ok(Line {
            sku: row.try_get("sku")?,
            name: row.try_get("name")?,
            quantity: row.try_get("quantity")?,
            unit_price_minor: row.try_get("unit_price_minor")?,
            unit_weight_grams: row.try_get("unit_weight_grams")?,
        })
    };
    rows.iter().map(line).collect()
}

/// The whole order. Needs no transaction: everything but the history never changes, and the status is the history's
/// last.
pub(crate) async fn find(conn: &mut AnyConnection, order: Uuid) -> Result<Option<Order>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM orders WHERE order_id = $1")
        .bind(order.to_string())
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let currency = currency(&row)?;
    let lines = lines(conn, order).await?;
    let history = history(conn, order).await?;
    Ok(Some(Order {
        order_id: row.try_get("order_id")?,
        order_number: OrderNumber(row.try_get("order_number")?).to_string(),
        checkout_id: row.try_get("checkout_id")?,
        customer_id: row.try_get::<Option<String>, _>("customer_id")?.unwrap_or_default(),
        email: row.try_get("email")?,
        status: history.last().map(|change| change.status.clone()).unwrap_or_default(),
        items: lines.iter().map(|line| line.to_proto(currency)).collect(),
        shipping_address: Some(Address {
            name: row.try_get("ship_name")?,
            line1: row.try_get("ship_line1")?,
            line2: row.try_get("ship_line2")?,
            city: row.try_get("ship_city")?,
            region: row.try_get("ship_region")?,
            postal_code: row.try_get("ship_postal_code")?,
            country: row.try_get("ship_country")?,
        }),
        shipping_method: row.try_get("shipping_method")?,
        shipping_price: Some(Money::new(row.try_get("shipping_price_minor")?, currency).to_proto()),
        total: Some(Money::new(row.try_get("total_minor")?, currency).to_proto()),
        payment_id: row.try_get("payment_id")?,
        history,
        ..Default::default()
    }))
}

async fn history(conn: &mut AnyConnection, order: Uuid) -> Result<Vec<StatusChange>, sqlx::Error> {
    let rows = sqlx::query(include_str!("sql/history.sql")).bind(order.to_string()).fetch_all(conn).await?;
    let change =
        |row: &AnyRow| Ok(StatusChange { at_unix_ms: row.try_get("at_ms")?, status: row.try_get("status")? });
    rows.iter().map(change).collect()
}
