//! The shipping tables. Every function is one step inside the caller's transaction and knows nothing of sagas' rules.

use std::collections::BTreeMap;

use backstitch_proto::money::Money;
use backstitch_proto::shipping::{Method, Shipment, TrackingEvent};
use participant_kit::columns::currency;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};
use uuid::Uuid;

use crate::domain::geography::Zone;
use crate::domain::tariff::Rate;
use crate::domain::{NewReceipt, NewShipment, Outcome, QuoteAsked};

/// The rates of a zone, as they are now.
pub(crate) async fn rates(conn: &mut AnyConnection, zone: Zone) -> Result<Vec<Rate>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM rates WHERE zone = $1").bind(zone.as_str()).fetch_all(conn).await?;
    rows.iter().map(rate).collect()
}

/// Everything on offer, tier by tier.
pub(crate) async fn methods(conn: &mut AnyConnection) -> Result<Vec<Method>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM rates ORDER BY zone, method, max_weight_grams, currency")
        .fetch_all(conn)
        .await?;
    let method = |row: &AnyRow| {
        let zone: String = row.try_get("zone")?;
        let rate = rate(row)?;
        let countries = Zone::parse(&zone).map(Zone::countries).unwrap_or_default();
        Ok(Method {
            method: rate.method,
            zone,
            countries: countries.iter().map(|&code| code.to_owned()).collect(),
            max_weight_grams: rate.max_weight_grams,
            base_price: Some(rate.base_price.to_proto()),
            base_weight_grams: rate.base_weight_grams,
            price_per_extra_kg: Some(Money { minor: rate.extra_kg_minor, ..rate.base_price }.to_proto()),
        })
    };
    rows.iter().map(method).collect()
}

fn rate(row: &AnyRow) -> Result<Rate, sqlx::Error> {
    let currency = currency(row)?;
    Ok(Rate {
        method: row.try_get("method")?,
        max_weight_grams: row.try_get("max_weight_grams")?,
        base_weight_grams: row.try_get("base_weight_grams")?,
        base_price: Money::new(row.try_get("base_price_minor")?, currency),
        extra_kg_minor: row.try_get("extra_kg_minor")?,
    })
}

/// Remembers an offer. `false`, and nothing written, if there is one under its id.
pub(crate) async fn insert_quote(
    conn: &mut AnyConnection,
    asked: &QuoteAsked,
    zone: Zone,
    price: Money,
    saga: Uuid,
    now_ms: i64,
    until_ms: i64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(include_str!("sql/insert_quote.sql"))
        .bind(asked.id.to_string())
        .bind(saga.to_string())
        .bind(&asked.country)
        .bind(zone.as_str())
        .bind(&asked.method)
        .bind(asked.weight_grams)
        .bind(price.minor)
        .bind(price.currency.as_str())
        .bind(now_ms)
        .bind(until_ms)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether there is any quote that ended before this time.
pub(crate) async fn has_quotes_ended_before(
    conn: &mut AnyConnection,
    before_ms: i64,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("SELECT 1 AS found FROM quotes WHERE valid_until_ms < $1 LIMIT 1")
        .bind(before_ms)
        .fetch_optional(conn)
        .await?;
    Ok(row.is_some())
}

/// Removes at most so many quotes that ended before this time; how many it removed.
pub(crate) async fn remove_quotes(
    conn: &mut AnyConnection,
    before_ms: i64,
    limit: u64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(include_str!("sql/remove_quotes.sql"))
        .bind(before_ms)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

/// Writes a shipment. `false`, and nothing written, if its id or its tracking number is taken.
pub(crate) async fn insert_shipment(
    conn: &mut AnyConnection,
    shipment: &NewShipment,
    tracking: &str,
    status: &str,
    saga: Uuid,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(include_str!("sql/insert_shipment.sql"))
        .bind(shipment.id.to_string())
        .bind(shipment.order.to_string())
        .bind(saga.to_string())
        .bind(tracking)
        .bind(&shipment.method)
        .bind(shipment.weight_grams)
        .bind(status);
    let query = shipment.address.parts().into_iter().fold(query, |query, (_, part)| query.bind(part));
    let done = query.bind(now_ms).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Cancels a shipment that this saga created; its order and tracking number, or `None` if there is no such shipment to
/// cancel.
pub(crate) async fn cancel_shipment(
    conn: &mut AnyConnection,
    shipment: Uuid,
    saga: Uuid,
) -> Result<Option<(String, String)>, sqlx::Error> {
    let row = sqlx::query(include_str!("sql/cancel_shipment.sql"))
        .bind(shipment.to_string())
        .bind(saga.to_string())
        .fetch_optional(conn)
        .await?;
    row.map(|row| Ok((row.try_get("order_id")?, row.try_get("tracking_number")?))).transpose()
}

/// Who created the shipment and what has become of it, for explaining why it cannot change.
pub(crate) async fn owner_and_status(
    conn: &mut AnyConnection,
    shipment: Uuid,
) -> Result<Option<(String, String)>, sqlx::Error> {
    let known = departing(conn, shipment).await?;
    Ok(known.map(|known| (known.saga, if known.shipped { SHIPPED.to_owned() } else { known.status })))
}

/// Whether a return wanted the shipment back before it was created.
pub(crate) async fn is_taken_back(conn: &mut AnyConnection, shipment: Uuid) -> Result<bool, sqlx::Error> {
    let row =
        sqlx::query("SELECT 1 AS found FROM receipts WHERE shipment_id = $1 AND outcome = 'none' LIMIT 1")
            .bind(shipment.to_string())
            .fetch_optional(conn)
            .await?;
    Ok(row.is_some())
}

/// What came back of a shipment so far, by product.
pub(crate) async fn received(
    conn: &mut AnyConnection,
    shipment: Uuid,
) -> Result<BTreeMap<String, i64>, sqlx::Error> {
    let query = sqlx::query(include_str!("sql/received.sql")).bind(shipment.to_string());
    let rows = query.fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get("sku")?, row.try_get("quantity")?))).collect()
}

/// Writes down what a return gives back. `false`, and nothing written, if there is a receipt under its id.
pub(crate) async fn insert_receipt(
    conn: &mut AnyConnection,
    receipt: &NewReceipt,
    outcome: Outcome,
    saga: Uuid,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let id = receipt.id.to_string();
    let done = sqlx::query(include_str!("sql/insert_receipt.sql"))
        .bind(&id)
        .bind(receipt.shipment.to_string())
        .bind(receipt.order.to_string())
        .bind(saga.to_string())
        .bind(outcome.as_str())
        .bind(now_ms)
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    // Built from numbers only.
    let rows: Vec<String> =
        (0..receipt.items.len()).map(|row| format!("($1, ${}, ${})", 2 * row + 2, 2 * row + 3)).collect();
    let sql = format!("INSERT INTO receipt_lines (receipt_id, sku, quantity) VALUES {}", rows.join(", "));
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(receipt.items.len() <= 16).bind(&id);
    for (sku, quantity) in &receipt.items {
        query = query.bind(sku).bind(*quantity);
    }
    query.execute(conn).await?;
    Ok(true)
}

/// Calls back a shipment that has not left; whether there was one to call back.
pub(crate) async fn call_back(conn: &mut AnyConnection, shipment: Uuid) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query(include_str!("sql/call_back.sql")).bind(shipment.to_string()).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// What a shipment's row says: the carrier has it, or will.
pub(crate) const CREATED: &str = "created";

/// What a shipment's row says: it was called back.
pub(crate) const CANCELLED: &str = "cancelled";

/// What the carrier's scan is tracked as. A shipment with it is shipped; its own row does not change any more.
pub(crate) const SHIPPED: &str = "shipped";

/// A shipment that may leave.
pub(crate) struct Departing {
    pub(crate) order: String,
    pub(crate) saga: String,
    pub(crate) tracking_number: String,
    pub(crate) status: String,
    pub(crate) shipped: bool,
}

/// What the carrier's scan is about, if it is about anything.
pub(crate) async fn departing(
    conn: &mut AnyConnection,
    shipment: Uuid,
) -> Result<Option<Departing>, sqlx::Error> {
    let row = sqlx::query(include_str!("sql/departing.sql"))
        .bind(shipment.to_string())
        .bind(SHIPPED)
        .fetch_optional(conn)
        .await?;
    let departing = |row: AnyRow| {
        Ok(Departing {
            order: row.try_get("order_id")?,
            saga: row.try_get("saga_id")?,
            tracking_number: row.try_get("tracking_number")?,
            status: row.try_get("status")?,
            shipped: row.try_get::<i64, _>("shipped")? > 0,
        })
    };
    row.map(departing).transpose()
}

/// Appends to what happened to a parcel.
pub(crate) async fn track(
    conn: &mut AnyConnection,
    shipment: Uuid,
    status: &str,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(include_str!("sql/track.sql"))
        .bind(shipment.to_string())
        .bind(status)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop)
}

/// The whole shipment. A cancellation between the two statements shows as an event ahead of the status, never behind.
pub(crate) async fn find(conn: &mut AnyConnection, shipment: Uuid) -> Result<Option<Shipment>, sqlx::Error> {
    let row =
        sqlx::query("SELECT order_id, tracking_number, method, status FROM shipments WHERE shipment_id = $1")
            .bind(shipment.to_string())
            .fetch_optional(&mut *conn)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let events = sqlx::query("SELECT status, at_ms FROM tracking_events WHERE shipment_id = $1 ORDER BY seq")
        .bind(shipment.to_string())
        .fetch_all(conn)
        .await?;
    let event = |row: &AnyRow| -> Result<TrackingEvent, sqlx::Error> {
        Ok(TrackingEvent { at_unix_ms: row.try_get("at_ms")?, status: row.try_get("status")? })
    };
    let events: Vec<_> = events.iter().map(event).collect::<Result<_, _>>()?;
    let shipped = events.iter().any(|event| event.status == SHIPPED);
    Ok(Some(Shipment {
        shipment_id: shipment.to_string(),
        order_id: row.try_get("order_id")?,
        tracking_number: row.try_get("tracking_number")?,
        method: row.try_get("method")?,
        status: if shipped { SHIPPED.to_owned() } else { row.try_get("status")? },
        events,
    }))
}
