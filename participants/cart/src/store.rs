//! The SQL of the cart, one statement per function, over whatever connection the caller's transaction is on.
//!
//! Commits nothing. Each change of a cart compares the version it was decided on, so it is right under any
//! interleaving, with or without a lock on the cart.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error, Row as _};
use uuid::Uuid;

use crate::domain::{Cart, CartId, CustomerId, Items, Lifetimes};

/// The cart under an id.
pub(crate) async fn find(conn: &mut AnyConnection, id: &CartId) -> Result<Option<Cart>, Error> {
    const SQL: &str = "SELECT cart_id, customer_id, items, version, held_by, expires_at_ms \
                       FROM carts WHERE cart_id = $1";
    let row = sqlx::query(SQL).bind(id.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(cart).transpose()
}

/// A new cart, above every version that was ever removed. Answers its version.
pub(crate) async fn insert(
    conn: &mut AnyConnection,
    id: &CartId,
    customer: Option<&CustomerId>,
    items: &Items,
    expires_at_ms: i64,
) -> Result<i64, Error> {
    let row = sqlx::query(include_str!("../sql/insert_cart.sql"))
        .bind(id.as_str())
        .bind(CustomerId::text(customer))
        .bind(json(items)?)
        .bind(expires_at_ms)
        .fetch_one(conn)
        .await?;
    row.try_get("version")
}

/// Other items, and perhaps a customer, for a cart at version `seen`, which goes up by one. Leaves the holder alone.
/// Answers whether the cart was still at `seen`.
pub(crate) async fn replace(
    conn: &mut AnyConnection,
    id: &CartId,
    seen: i64,
    customer: Option<&CustomerId>,
    items: &Items,
    expires_at_ms: i64,
) -> Result<bool, Error> {
    let done = sqlx::query(include_str!("../sql/replace_items.sql"))
        .bind(id.as_str())
        .bind(seen)
        .bind(CustomerId::text(customer))
        .bind(json(items)?)
        .bind(expires_at_ms)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// What is left after a purchase, for a cart at version `seen`, which goes up by one; `saga`'s hold ends.
/// Answers whether the cart was still at `seen`.
pub(crate) async fn clear(
    conn: &mut AnyConnection,
    id: &CartId,
    seen: i64,
    saga: Uuid,
    left: &Items,
    expires_at_ms: i64,
) -> Result<bool, Error> {
    let done = sqlx::query(include_str!("../sql/clear_cart.sql"))
        .bind(id.as_str())
        .bind(seen)
        .bind(saga.to_string())
        .bind(json(left)?)
        .bind(expires_at_ms)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// `saga` holds the cart if it is at `version` and nobody holds it. Answers whether it does.
pub(crate) async fn hold(
    conn: &mut AnyConnection,
    id: &CartId,
    version: i64,
    saga: Uuid,
) -> Result<bool, Error> {
    const SQL: &str = "UPDATE carts SET held_by = $3 WHERE cart_id = $1 AND version = $2 AND held_by IS NULL";
    let done = sqlx::query(SQL).bind(id.as_str()).bind(version).bind(saga.to_string()).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// `saga` holds the cart no more, if it did. From now on the cart's life counts again.
pub(crate) async fn free(
    conn: &mut AnyConnection,
    id: &CartId,
    saga: Uuid,
    lifetimes: Lifetimes,
    now_ms: i64,
) -> Result<(), Error> {
    sqlx::query(include_str!("../sql/free_cart.sql"))
        .bind(id.as_str())
        .bind(saga.to_string())
        .bind(lifetimes.guests_expiry(now_ms))
        .bind(lifetimes.customers_expiry(now_ms))
        .execute(conn)
        .await?;
    Ok(())
}

/// As [`free`], for a checkout whose version of the cart was bought: it goes up by one.
pub(crate) async fn let_go(
    conn: &mut AnyConnection,
    id: &CartId,
    checkout: Uuid,
    lifetimes: Lifetimes,
    now_ms: i64,
) -> Result<(), Error> {
    sqlx::query(include_str!("../sql/let_go_cart.sql"))
        .bind(id.as_str())
        .bind(checkout.to_string())
        .bind(lifetimes.guests_expiry(now_ms))
        .bind(lifetimes.customers_expiry(now_ms))
        .execute(conn)
        .await?;
    Ok(())
}

/// From now on `checkout` [`has_let_go`].
pub(crate) async fn insert_let_go(
    conn: &mut AnyConnection,
    checkout: Uuid,
    id: &CartId,
    now_ms: i64,
) -> Result<(), Error> {
    sqlx::query(include_str!("../sql/insert_let_go.sql"))
        .bind(checkout.to_string())
        .bind(id.as_str())
        .bind(now_ms)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether `checkout` was made good and has nothing to do with its cart any more.
pub(crate) async fn has_let_go(conn: &mut AnyConnection, checkout: Uuid) -> Result<bool, Error> {
    const SQL: &str = "SELECT checkout_id FROM carts_let_go WHERE checkout_id = $1";
    Ok(sqlx::query(SQL).bind(checkout.to_string()).fetch_optional(conn).await?.is_some())
}

/// Up to `limit` checkouts that [`has_let_go`] need not know any more, because the barrier has forgotten them, each with the
/// cart that it let go of. `served_from` is the least saga that is served without a row.
pub(crate) async fn forgotten_let_go(
    conn: &mut AnyConnection,
    served_from: &str,
    limit: i64,
) -> Result<Vec<(String, CartId)>, Error> {
    let query = sqlx::query(include_str!("../sql/forgotten_let_go.sql")).bind(served_from).bind(limit);
    let rows = query.fetch_all(conn).await?;
    let row = |row: &AnyRow| {
        let cart = CartId::parse("cart_id", row.try_get("cart_id")?).map_err(|e| Error::Decode(e.into()))?;
        Ok((row.try_get("checkout_id")?, cart))
    };
    rows.iter().map(row).collect()
}

/// Forgets that `checkout` has let its cart go, if the barrier has forgotten it. Answers whether it did.
pub(crate) async fn forget_let_go(conn: &mut AnyConnection, checkout: &str) -> Result<bool, Error> {
    let query = sqlx::query(include_str!("../sql/forget_let_go.sql")).bind(checkout);
    Ok(query.execute(conn).await?.rows_affected() == 1)
}

/// Removes a cart that is at version `seen` and that nobody holds. Answers whether it was so. The version must then
/// be [`retire`]d in the same transaction.
pub(crate) async fn remove(conn: &mut AnyConnection, id: &CartId, seen: i64) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM carts WHERE cart_id = $1 AND version = $2 AND held_by IS NULL";
    let done = sqlx::query(SQL).bind(id.as_str()).bind(seen).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Removes up to `limit` carts that have expired and that nobody holds, and answers their versions, of which the
/// highest must then be [`retire`]d in the same transaction.
pub(crate) async fn remove_expired(
    conn: &mut AnyConnection,
    now_ms: i64,
    limit: i64,
) -> Result<Vec<i64>, Error> {
    let query = sqlx::query(include_str!("../sql/remove_expired.sql")).bind(now_ms).bind(limit);
    query.fetch_all(conn).await?.iter().map(|row| row.try_get("version")).collect()
}

/// No cart will ever again begin at `version` or below.
pub(crate) async fn retire(conn: &mut AnyConnection, version: i64) -> Result<(), Error> {
    const SQL: &str = "UPDATE cart_versions SET highest_gone = $1 WHERE highest_gone < $1";
    sqlx::query(SQL).bind(version).execute(conn).await?;
    Ok(())
}

fn json(items: &Items) -> Result<String, Error> {
    items.to_json().map_err(|e| Error::Encode(e.into()))
}

fn cart(row: &AnyRow) -> Result<Cart, Error> {
    let decode = |e: crate::domain::Invalid| Error::Decode(e.into());
    Ok(Cart {
        id: CartId::parse("cart_id", row.try_get("cart_id")?).map_err(decode)?,
        customer: CustomerId::parse("customer_id", row.try_get("customer_id")?).map_err(decode)?,
        items: Items::from_json(row.try_get("items")?).map_err(|e| Error::Decode(e.into()))?,
        version: row.try_get("version")?,
        held_by: row.try_get("held_by")?,
        expires_at_ms: row.try_get("expires_at_ms")?,
    })
}
