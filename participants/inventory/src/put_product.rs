//! Putting a product: the one place where stock comes into being or is corrected.

use std::collections::BTreeMap;

use participant_kit::{Fault, Kit, LockKey, OpError, Tx, status};
use tonic::Status;

use crate::domain::{Change, Product, Put, Refused, decide};
use crate::{events, store};

/// Runs a put through the transactor and answers the product as it stands after it.
pub(crate) async fn put_product(kit: &Kit, put: Put, traceparent: String) -> Result<Product, OpError> {
    let locks = vec![LockKey::new("sku", put.sku.as_str()), LockKey::events(put.sku.as_str())];
    kit.run(locks, move |tx| {
        let (put, traceparent) = (put.clone(), traceparent.clone());
        Box::pin(async move { apply(tx, &put, &traceparent).await })
    })
    .await
}

async fn apply(tx: &mut Tx<'_>, put: &Put, traceparent: &str) -> Result<Product, OpError> {
    let now = store::find_product(tx.conn(), &put.sku).await?;
    match decide(now.as_ref(), put) {
        Ok(Change::Nothing(product)) => Ok(product.clone()),
        Ok(Change::Create) => create(tx, put, traceparent).await,
        Ok(Change::Alter { from, by }) => alter(tx, put, from, by, traceparent).await,
        Err(refused) => Err(OpError::Status(refusal(refused, put, now.as_ref()))),
    }
}

async fn create(tx: &mut Tx<'_>, put: &Put, traceparent: &str) -> Result<Product, OpError> {
    store::insert_product(tx.conn(), &put.sku, &put.terms, put.stock).await?;
    store::insert_stock(tx.conn(), &put.sku, put.stock).await?;
    let product = Product {
        sku: put.sku.clone(),
        terms: put.terms.clone(),
        stated_stock: put.stock,
        on_hand: put.stock,
        reserved: 0,
        sold: 0,
        revision: 1,
    };
    correct(tx, &product, put.stock, traceparent).await?;
    Ok(product)
}

async fn alter(
    tx: &mut Tx<'_>,
    put: &Put,
    from: &Product,
    by: i64,
    traceparent: &str,
) -> Result<Product, OpError> {
    let product = Product {
        terms: put.terms.clone(),
        stated_stock: put.stock,
        on_hand: from.on_hand + by,
        revision: from.revision + 1,
        ..from.clone()
    };
    // The SKU's lock is held since before the stock was read; a count that would write over a movement all the same is
    // told from one that was about this stock.
    if !store::set_on_hand(tx.conn(), &product.sku, product.on_hand, from.revision).await? {
        return Err(OpError::not_now(Fault::SOON, format!("the stock of {} is moving", product.sku)));
    }
    store::update_product(tx.conn(), &product.sku, &product.terms, product.stated_stock).await?;
    correct(tx, &product, by, traceparent).await?;
    Ok(product)
}

/// Puts on record that `product` came to its stock by a count; one that found nothing amiss leaves none.
async fn correct(tx: &mut Tx<'_>, product: &Product, by: i64, traceparent: &str) -> Result<(), OpError> {
    if by == 0 {
        return Ok(());
    }
    let Product { sku, revision, on_hand, .. } = product;
    let now_ms = tx.now_ms();
    store::record_correction(tx.conn(), sku, *revision, by, *on_hand, now_ms).await?;
    tx.emit(events::corrected(sku, by, *on_hand, traceparent, now_ms)).await
}

fn refusal(refused: Refused, put: &Put, now: Option<&Product>) -> Status {
    let mut facts = BTreeMap::from([("sku".to_owned(), put.sku.to_string())]);
    match refused {
        Refused::PreconditionRequired => {
            let why =
                "another stock than the last put stated is a count: say which state was counted (If-Match)";
            status::precondition("PRECONDITION_REQUIRED", why, facts)
        }
        Refused::EtagMismatch => {
            facts.extend(now.map(|product| ("etag".to_owned(), product.etag())));
            status::precondition("ETAG_MISMATCH", "the product has changed since it was read", facts)
        }
    }
}
