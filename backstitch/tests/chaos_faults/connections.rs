//! Bad weather on the connections between the orchestrator and its participants: slow, frozen, cut, reset, refused.

use std::collections::BTreeMap;
use std::time::Duration;

use backstitch_faults::{Dice, Tally, TcpProxy};

use crate::books::{self, Books};
use crate::customers::{Customer, all_are_answered, all_have_ended};
use crate::table::{self, Row};
use crate::{checkouts, seed, stage};

/// The longest spell of one weather.
const SPELL: Duration = Duration::from_millis(400);
/// Customers at a time.
const AT_A_TIME: usize = 8;

#[tokio::test]
async fn connections_that_stall_break_and_are_refused_change_nothing_that_a_checkout_comes_to() {
    let seed = seed("connections");
    let (mut shop, at) = stage::participants().await;
    let mut proxies = BTreeMap::new();
    for (name, at) in &at {
        proxies.insert(name.clone(), TcpProxy::before(at).await.unwrap());
    }
    let uris = proxies.iter().map(|(name, proxy)| (name.clone(), format!("http://{}", proxy.address())));
    shop.start_orchestrator_with(&uris.collect(), &stage::QUICK).await;
    stage::stock(&shop).await;

    let storms: Vec<_> =
        proxies.iter().map(|(name, proxy)| proxy.storm(Dice::named(seed, name), SPELL)).collect();
    let mut customers: Vec<_> = (0..checkouts(100)).map(Customer::new).collect();
    all_are_answered(&shop, &mut customers, AT_A_TIME).await;
    for storm in storms {
        storm.stop().await;
    }
    let resumed = all_have_ended(&shop, &customers).await;
    let books = Books::of(&shop, &customers).await;
    let (ends, found) = books::close(shop, &customers, books).await;
    let tally = Tally::default();
    proxies.values().for_each(|proxy| tally.add(proxy.tally()));
    table::row(&Row {
        what: "connections between the orchestrator and every participant",
        work: format!("{} checkouts: {ends}; {resumed} resumed", customers.len()),
        injected: tally.to_string(),
        violations: &found,
    });
    // Connections did break under calls, and customers did come through.
    assert!(tally.of("broken") > 10, "{tally}");
    let sold = ends.ends.values().filter(|end| end.status == "completed").count();
    assert!(sold > customers.len() / 5, "only {sold} completed: {ends}");
}
