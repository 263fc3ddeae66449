//! What another shop of this kind has made on the same account: it bears ids as ours does, and nobody here knows them.

use crate::books::Lines;
use crate::sagas::Standing;
use crate::shop::{Failed, Shop};

/// Whether nobody here knows these lines: neither the ledger their payments nor the orchestrator their sagas. Asked after
/// the provider: both are durable before an object of ours is made, so what is unknown now was not made here, unless a
/// database was lost.
pub(crate) async fn is_another_shop_s(shop: &Shop, lines: &Lines, forgotten_ms: i64) -> Result<bool, Failed> {
    let Lines { payments, objects, orders, cases, .. } = lines;
    if objects.is_empty() || !(payments.is_empty() && orders.is_empty() && cases.is_empty()) {
        return Ok(false);
    }
    for object in objects {
        let saga = shop.saga(&object.saga, forgotten_ms).await?;
        if !matches!(saga.standing, Standing::Unknown | Standing::Forgotten) {
            return Ok(false);
        }
        if !object.payment.is_empty() && shop.payment(&object.payment).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}
