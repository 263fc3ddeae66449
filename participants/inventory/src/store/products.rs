//! Products and their counted stock.

use backstitch_proto::money::Money;
use participant_kit::columns::currency;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error, Row as _};

use super::rows::with_rows;
use crate::domain::{Product, Sku, Terms};

const SELECT: &str = include_str!("../../sql/select_products.sql");

/// One product with its stock.
pub(crate) async fn find_product(conn: &mut AnyConnection, sku: &Sku) -> Result<Option<Product>, Error> {
    let mut one = products_of(conn, [sku].into_iter()).await?;
    Ok(one.pop())
}

/// The products among `skus` that there are, in no particular order.
pub(crate) async fn products_of<'a>(
    conn: &mut AnyConnection,
    skus: impl ExactSizeIterator<Item = &'a Sku>,
) -> Result<Vec<Product>, Error> {
    let mut query = sqlx::query(with_rows(SELECT, 0, skus.len(), 1));
    for sku in skus {
        query = query.bind(sku.as_str());
    }
    query.fetch_all(conn).await?.iter().map(product).collect()
}

/// Up to `limit` products whose SKU sorts after `after`.
pub(crate) async fn list_products(
    conn: &mut AnyConnection,
    after: &str,
    limit: i64,
) -> Result<Vec<Product>, Error> {
    let query = sqlx::query(include_str!("../../sql/list_products.sql")).bind(after).bind(limit);
    query.fetch_all(conn).await?.iter().map(product).collect()
}

/// A new product. Its stock follows.
pub(crate) async fn insert_product(
    conn: &mut AnyConnection,
    sku: &Sku,
    terms: &Terms,
    stated_stock: i64,
) -> Result<(), Error> {
    write_product(conn, include_str!("../../sql/insert_product.sql"), sku, terms, stated_stock).await
}

/// The first stock of a new product, at revision 1.
pub(crate) async fn insert_stock(conn: &mut AnyConnection, sku: &Sku, on_hand: i64) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO stock (sku, on_hand, reserved, sold, revision) VALUES ($1, $2, 0, 0, 1)";
    sqlx::query(SQL).bind(sku.as_str()).bind(on_hand).execute(conn).await?;
    Ok(())
}

/// New terms and a new statement for a product that there is.
pub(crate) async fn update_product(
    conn: &mut AnyConnection,
    sku: &Sku,
    terms: &Terms,
    stated_stock: i64,
) -> Result<(), Error> {
    write_product(conn, include_str!("../../sql/update_product.sql"), sku, terms, stated_stock).await
}

async fn write_product(
    conn: &mut AnyConnection,
    sql: &'static str,
    sku: &Sku,
    terms: &Terms,
    stated_stock: i64,
) -> Result<(), Error> {
    sqlx::query(sql)
        .bind(sku.as_str())
        .bind(&terms.name)
        .bind(terms.price.minor)
        .bind(terms.price.currency.as_str())
        .bind(terms.weight_grams)
        .bind(stated_stock)
        .execute(conn)
        .await?;
    Ok(())
}

/// Sets what is on hand and raises the revision, if the stock is still at `seen`. Answers whether it was.
pub(crate) async fn set_on_hand(
    conn: &mut AnyConnection,
    sku: &Sku,
    on_hand: i64,
    seen: i64,
) -> Result<bool, Error> {
    const SQL: &str =
        "UPDATE stock SET on_hand = $2, revision = revision + 1 WHERE sku = $1 AND revision = $3";
    let done = sqlx::query(SQL).bind(sku.as_str()).bind(on_hand).bind(seen).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Puts on record that the stock moved by `quantity`, which is not zero, to `on_hand`.
pub(crate) async fn record_correction(
    conn: &mut AnyConnection,
    sku: &Sku,
    revision: i64,
    quantity: i64,
    on_hand: i64,
    at_ms: i64,
) -> Result<(), Error> {
    sqlx::query(include_str!("../../sql/insert_correction.sql"))
        .bind(sku.as_str())
        .bind(revision)
        .bind(quantity)
        .bind(on_hand)
        .bind(at_ms)
        .execute(conn)
        .await?;
    Ok(())
}

fn product(row: &AnyRow) -> Result<Product, Error> {
    let currency = currency(row)?;
    let sku = Sku::parse("sku", row.try_get("sku")?).map_err(|e| Error::Decode(e.into()))?;
    Ok(Product {
        sku,
        terms: Terms {
            name: row.try_get("name")?,
            price: Money::new(row.try_get("price_minor")?, currency),
            weight_grams: row.try_get("weight_grams")?,
        },
        stated_stock: row.try_get("stated_stock")?,
        on_hand: row.try_get("on_hand")?,
        reserved: row.try_get("reserved")?,
        sold: row.try_get("sold")?,
        revision: row.try_get("revision")?,
    })
}
