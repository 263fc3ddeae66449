//! Whole orders, as they are shown. Needs no transaction: of an order only its history and its returns ever change, and
//! its status is the history's last.

use std::collections::HashMap;

use backstitch_proto::common::{Address, Item};
use backstitch_proto::money::{Currency, Money};
use backstitch_proto::order::{Order, OrderReturn, StatusChange};
use participant_kit::columns::currency;
use prost::Message as _;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error, Row as _};
use uuid::Uuid;

use super::line;
use crate::domain::returns::CreditNoteNumber;
use crate::domain::{Line, OrderNumber};

/// So many orders are read at once.
const AT_ONCE: usize = 100;

/// The order under an id.
pub(crate) async fn find(conn: &mut AnyConnection, order: Uuid) -> Result<Option<Order>, Error> {
    let id = order.to_string();
    Ok(between(conn, &id, &id).await?.pop())
}

/// At most so many orders behind `after`, by id, and whether there are more. Fewer where they would not fit in so many
/// bytes, but never none of several.
pub(crate) async fn page(
    conn: &mut AnyConnection,
    after: &str,
    size: usize,
    max_bytes: usize,
) -> Result<(Vec<Order>, bool), Error> {
    let one_more = i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1);
    let rows = sqlx::query("SELECT order_id FROM orders WHERE order_id > $1 ORDER BY order_id LIMIT $2")
        .bind(after)
        .bind(one_more)
        .fetch_all(&mut *conn)
        .await?;
    let mut ids: Vec<String> = rows.iter().map(|row| row.try_get("order_id")).collect::<Result<_, _>>()?;
    let more = ids.len() > size;
    ids.truncate(size);
    let (mut orders, mut bytes) = (Vec::with_capacity(ids.len()), 0);
    for ids in ids.chunks(AT_ONCE) {
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { break };
        // An order that came into being between the two statements is there too.
        for order in between(conn, first, last).await? {
            bytes += order.encoded_len();
            if orders.len() == size || (bytes > max_bytes && !orders.is_empty()) {
                return Ok((orders, true));
            }
            orders.push(order);
        }
    }
    Ok((orders, more))
}

/// The orders from one id to another.
async fn between(conn: &mut AnyConnection, first: &str, last: &str) -> Result<Vec<Order>, Error> {
    let mut orders = Vec::new();
    for row in
        &range(conn, "SELECT * FROM orders WHERE order_id BETWEEN $1 AND $2 ORDER BY order_id", first, last)
            .await?
    {
        orders.push((currency(row)?, order(row)?));
    }
    let lines = "SELECT * FROM order_items WHERE order_id BETWEEN $1 AND $2 ORDER BY order_id, line";
    let mut lines = by_order(&range(conn, lines, first, last).await?, line)?;
    // Before the history: an order whose return is completed shows at least what that did to its status.
    let mut returns = returns(conn, first, last).await?;
    let history = range(conn, include_str!("../sql/history.sql"), first, last).await?;
    let mut history = by_order(&history, change)?;
    let whole = |(currency, mut order): (Currency, Order)| {
        let lines: Vec<Line> = lines.remove(&order.order_id).unwrap_or_default();
        order.items = lines.iter().map(|line| line.to_proto(currency)).collect();
        order.history = history.remove(&order.order_id).unwrap_or_default();
        order.status = order.history.last().map(|change| change.status.clone()).unwrap_or_default();
        let returns = returns.remove(&order.order_id).unwrap_or_default();
        order.returns = returns
            .into_iter()
            .map(|(minor, shown)| OrderReturn {
                refund: Some(Money::new(minor, currency).to_proto()),
                ..shown
            })
            .collect();
        order
    };
    Ok(orders.into_iter().map(whole).collect())
}

/// The order without what is in other tables.
fn order(row: &AnyRow) -> Result<Order, Error> {
    let currency = currency(row)?;
    Ok(Order {
        order_id: row.try_get("order_id")?,
        order_number: OrderNumber(row.try_get("order_number")?).to_string(),
        checkout_id: row.try_get("checkout_id")?,
        customer_id: row.try_get::<Option<String>, _>("customer_id")?.unwrap_or_default(),
        email: row.try_get("email")?,
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
        ..Order::default()
    })
}

fn change(row: &AnyRow) -> Result<StatusChange, Error> {
    Ok(StatusChange { at_unix_ms: row.try_get("at_ms")?, status: row.try_get("status")? })
}

/// The returns of these orders, oldest first, each with its refund in minor units.
async fn returns(
    conn: &mut AnyConnection,
    first: &str,
    last: &str,
) -> Result<HashMap<String, Vec<(i64, OrderReturn)>>, Error> {
    let sql = "SELECT * FROM order_returns WHERE order_id BETWEEN $1 AND $2 ORDER BY order_id, seq";
    let rows = range(conn, sql, first, last).await?;
    let mut items: HashMap<String, Vec<Item>> = HashMap::new();
    if !rows.is_empty() {
        for row in &range(conn, include_str!("../sql/returned_items.sql"), first, last).await? {
            let item = Item { sku: row.try_get("sku")?, quantity: row.try_get("quantity")? };
            items.entry(row.try_get("return_id")?).or_default().push(item);
        }
    }
    by_order(&rows, |row| {
        let return_id: String = row.try_get("return_id")?;
        let number: Option<i64> = row.try_get("credit_note_number")?;
        let shown = OrderReturn {
            items: items.remove(&return_id).unwrap_or_default(),
            return_id,
            status: row.try_get("status")?,
            reason: row.try_get("reason")?,
            credit_note_number: number.map(|n| CreditNoteNumber(n).to_string()).unwrap_or_default(),
            created_at_unix_ms: row.try_get("created_at_ms")?,
            refund: None,
        };
        Ok((row.try_get("refund_minor")?, shown))
    })
}

async fn range(
    conn: &mut AnyConnection,
    sql: &'static str,
    first: &str,
    last: &str,
) -> Result<Vec<AnyRow>, Error> {
    sqlx::query(sql).bind(first).bind(last).fetch_all(conn).await
}

/// What the rows say, by the order that each is of, in their order.
fn by_order<T>(
    rows: &[AnyRow],
    mut read: impl FnMut(&AnyRow) -> Result<T, Error>,
) -> Result<HashMap<String, Vec<T>>, Error> {
    let mut all: HashMap<String, Vec<T>> = HashMap::new();
    for row in rows {
        all.entry(row.try_get("order_id")?).or_default().push(read(row)?);
    }
    Ok(all)
}
