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

/// A place among the orders, oldest first: that of the order with this id, which was created at this time. Without an id it
/// is before all that were created then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) created_at_ms: i64,
    pub(crate) id: String,
}

/// Where the order under an id is.
pub(crate) async fn place(conn: &mut AnyConnection, order: Uuid) -> Result<Option<Place>, Error> {
    let id = order.to_string();
    let query = sqlx::query_scalar("SELECT created_at_ms FROM orders WHERE order_id = $1").bind(&id);
    let created_at_ms = query.fetch_optional(conn).await?;
    Ok(created_at_ms.map(|created_at_ms| Place { created_at_ms, id }))
}

/// The order under an id.
pub(crate) async fn find(conn: &mut AnyConnection, order: Uuid) -> Result<Option<Order>, Error> {
    let Some(place) = place(conn, order).await? else { return Ok(None) };
    Ok(between(conn, &place, &place).await?.pop())
}

/// At most so many orders behind `after`, oldest first, and whether there are more. Fewer where they would not fit in so
/// many bytes, but never none of several.
pub(crate) async fn page(
    conn: &mut AnyConnection,
    after: &Place,
    size: usize,
    max_bytes: usize,
) -> Result<(Vec<Order>, bool), Error> {
    let one_more = i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1);
    let query = sqlx::query(include_str!("../sql/places.sql")).bind(after.created_at_ms).bind(&after.id);
    let rows = query.bind(one_more).fetch_all(&mut *conn).await?;
    let place = |row: &AnyRow| {
        Ok(Place { created_at_ms: row.try_get("created_at_ms")?, id: row.try_get("order_id")? })
    };
    let mut places = rows.iter().map(place).collect::<Result<Vec<_>, Error>>()?;
    let more = places.len() > size;
    places.truncate(size);
    let (mut orders, mut bytes) = (Vec::with_capacity(places.len()), 0);
    for places in places.chunks(AT_ONCE) {
        let (Some(first), Some(last)) = (places.first(), places.last()) else { break };
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

/// The orders from one place to another, both included.
async fn between(conn: &mut AnyConnection, first: &Place, last: &Place) -> Result<Vec<Order>, Error> {
    let mut orders = Vec::new();
    for row in &range(conn, include_str!("../sql/orders.sql"), first, last).await? {
        orders.push((currency(row)?, order(row)?));
    }
    let mut lines = by_order(&range(conn, include_str!("../sql/lines.sql"), first, last).await?, line)?;
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
    first: &Place,
    last: &Place,
) -> Result<HashMap<String, Vec<(i64, OrderReturn)>>, Error> {
    let rows = range(conn, include_str!("../sql/returns.sql"), first, last).await?;
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
            saga_id: row.try_get("saga_id")?,
        };
        Ok((row.try_get("refund_minor")?, shown))
    })
}

async fn range(
    conn: &mut AnyConnection,
    sql: &'static str,
    first: &Place,
    last: &Place,
) -> Result<Vec<AnyRow>, Error> {
    let mut query = sqlx::query(sql);
    for end in [first, last] {
        query = query.bind(end.created_at_ms).bind(&end.id);
    }
    query.fetch_all(conn).await
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
