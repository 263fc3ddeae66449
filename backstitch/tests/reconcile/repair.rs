//! What nobody owns is taken back, once, and then there is nothing left to find.

use serde_json::Value;

use crate::common::{Asked, Shop, reconcile, until};
use crate::rows::{At, Rows, TOTAL, checkout, told};

/// One of everything that a repair saga can put right.
async fn planted() -> (Shop, Vec<(String, i64, String)>) {
    let mut shop = Shop::stocked().await;
    let held = checkout(&shop, "held", "tok_ok").await;
    let twice = checkout(&shop, "twice", "tok_ok").await;
    let taken = checkout(&shop, "taken", "tok_capture_fails").await;
    let left = checkout(&shop, "left", "tok_capture_fails").await;
    shop.stop().await;
    let mut rows = Rows::open(&shop).await;
    rows.bank.second_object(&held, "held", false).await;
    rows.bank.second_object(&twice, "twice", true).await;
    rows.bank.second_object(&taken, "taken", true).await;
    let holds = "UPDATE accounts SET state = 'authorized' WHERE saga_id = ?";
    let let_go = "DELETE FROM entries WHERE kind = 'voided' AND account_id IN (SELECT id FROM accounts WHERE saga_id = ?)";
    rows.set(&left, &[(At::Bank, let_go), (At::Bank, holds)]).await;
    rows.close().await;
    shop.start().await;
    let mut wanted = vec![
        ("orphan_hold".to_owned(), TOTAL, held),
        ("captured_twice".to_owned(), TOTAL, twice),
        ("orphan_capture".to_owned(), TOTAL, taken),
        ("hold_left_over".to_owned(), TOTAL, left),
    ];
    wanted.sort();
    (shop, wanted)
}

fn repairs(found: &[Value]) -> Vec<String> {
    let of = found.iter().map(|finding| finding["repair_saga_id"].as_str().unwrap_or_default().to_owned());
    let repairs: Vec<_> = of.collect();
    assert!(repairs.iter().all(|id| !id.is_empty()), "{found:#?}");
    repairs
}

#[tokio::test]
async fn after_a_repair_there_is_nothing_left() {
    let (shop, wanted) = planted().await;
    let found = reconcile(shop.directory(), &Asked::of(&shop), &[]);
    assert_eq!(told(&found), wanted);
    assert!(found.iter().all(|finding| finding["move"] == "repair"), "{found:#?}");

    let found = reconcile(shop.directory(), &Asked::of(&shop), &["--repair"]);
    assert_eq!(told(&found), wanted);
    let sagas = repairs(&found);
    for saga in &sagas {
        until("the repair has ended", async || {
            let saga = shop.saga(saga).await;
            let status = saga.text("/status").to_owned();
            assert!(["running", "completed"].contains(&status.as_str()), "{saga:?}");
            (status == "completed").then_some(())
        })
        .await;
    }
    assert_eq!(reconcile(shop.directory(), &Asked::of(&shop), &["--repair"]), Vec::<Value>::new());
}
