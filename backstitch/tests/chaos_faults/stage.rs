//! A shop in processes of its own, with something between the orchestrator and each of its participants.

use std::collections::BTreeMap;
use std::time::Duration;

use backstitch_faults::{Call, Fate, Interceptor};

use crate::common::Shop;
use crate::customers::{PRICE, STOCK};

/// How long a checkout may take to come to rest once the trouble is over: longer than the longest pause of a retry.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Retries are not what is tested here, so that what keeps them from being a storm does not make the test slow.
pub(crate) const QUICK: [&str; 4] = ["--retry-floor", "10000", "--retry-parked-every", "2s"];

/// A closed shop whose participants run.
pub(crate) async fn participants() -> (Shop, BTreeMap<String, String>) {
    let mut shop = Shop::closed();
    let at = shop.start_beside(&[("participants", &["--listen", "127.0.0.1:0"])]).await;
    (shop, at)
}

/// Opens a shop of two processes, all participants in one and the orchestrator in the other, with more arguments.
pub(crate) async fn open(participants: &[&str], orchestrator: &[&str]) -> Shop {
    let mut shop = Shop::closed();
    let args = [&["--listen", "127.0.0.1:0"], participants].concat();
    let at = shop.start_beside(&[("participants", &args)]).await;
    let uris = at.into_iter().map(|(name, at)| (name, format!("http://{at}"))).collect();
    shop.start_orchestrator_with(&uris, &[&QUICK, orchestrator].concat()).await;
    stock(&shop).await;
    shop
}

/// Opens a shop with an interceptor before each participant, whose script `script` makes of its name.
pub(crate) async fn intercepted<S>(script: impl Fn(&str) -> S) -> (Shop, BTreeMap<String, Interceptor>)
where
    S: Fn(&Call) -> Fate + Send + Sync + 'static,
{
    let (mut shop, at) = participants().await;
    let mut between = BTreeMap::new();
    for (name, at) in &at {
        between.insert(name.clone(), Interceptor::before(at, script(name)).await.unwrap());
    }
    let uris = between.iter().map(|(name, interceptor)| (name.clone(), interceptor.uri())).collect();
    shop.start_orchestrator_with(&uris, &QUICK).await;
    stock(&shop).await;
    (shop, between)
}

/// Puts what there is to sell on the shelves.
pub(crate) async fn stock(shop: &Shop) {
    for (sku, stock) in STOCK {
        shop.put_product(sku, PRICE, stock).await.ok();
    }
}
