//! A finding that a person has judged is acknowledged with a reason, and ends the alarm for as long as it stays the same.

use serde_json::Value;

use crate::common::{Asked, Said, Shop, reconcile, reconcile_with};
use crate::rows::{At, Rows, checkout, told};

const BY_HAND: &str = "UPDATE accounts SET refunded_minor = 100 WHERE saga_id = ?";
const MORE: &str = "UPDATE accounts SET refunded_minor = 101 WHERE saga_id = ?";

fn said(shop: &Shop, more: &[&str]) -> Said {
    reconcile_with(shop.directory(), &Asked::of(shop), more)
}

/// Changes rows of a shop that stops for it.
async fn set(shop: &mut Shop, saga: &str, statement: &'static str) {
    shop.stop().await;
    let mut rows = Rows::open(shop).await;
    rows.set(saga, &[(At::Bank, statement)]).await;
    rows.close().await;
    shop.start().await;
}

fn acknowledged(shop: &Shop) -> Vec<Value> {
    let report: Value = serde_json::from_str(&said(shop, &["--json"]).out).unwrap();
    report["acknowledged"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn an_acknowledged_finding_is_still_told_and_alarms_nobody_until_it_changes() {
    let mut shop = Shop::stocked().await;
    let sold = checkout(&shop, "sold", "tok_ok").await;
    set(&mut shop, &sold, BY_HAND).await;
    let found = reconcile(shop.directory(), &Asked::of(&shop), &[]);
    assert_eq!(told(&found), [("refund_unknown_here".to_owned(), 100, sold.clone())], "{found:#?}");
    let id = found[0]["finding_id"].as_str().unwrap();

    let unknown = "01978a3e-5f2d-8c41-9b7a-0f6d3c2b1a90";
    let refused = said(&shop, &["--acknowledge", unknown, "--reason", "goodwill"]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{refused:?}");
    assert!(
        refused.err.contains(&format!("nothing was judged: there is no finding {unknown}")),
        "{refused:?}"
    );
    let empty = said(&shop, &["--acknowledge", id, "--reason", " "]);
    assert_eq!(empty.code, Some(2), "{empty:?}");
    let unreasoned = said(&shop, &["--acknowledge", id]);
    assert_eq!(unreasoned.code, Some(2), "{unreasoned:?}");
    assert!(unreasoned.err.contains("--reason"), "{unreasoned:?}");

    for _ in 0..2 {
        let taken = said(&shop, &["--acknowledge", id, "--reason", " goodwill", "--by", "ada"]);
        let told = "acknowledged refund_unknown_here 1.00 GBP by ada: goodwill\n";
        assert_eq!((taken.code, taken.out.as_str()), (Some(0), told), "{taken:?}");
    }
    let other = said(&shop, &["--acknowledge", id, "--reason", "another"]);
    assert_eq!(other.code, Some(2), "{other:?}");
    assert!(other.err.contains("acknowledged already, by ada: goodwill"), "{other:?}");
    // On record, and for every process.
    shop.stop().await;
    shop.start().await;
    assert_eq!(reconcile(shop.directory(), &Asked::of(&shop), &[]), Vec::<Value>::new());
    let told = acknowledged(&shop);
    assert_eq!((told.len(), &told[0]["finding_id"], &told[0]["reason"]), (1, &id.into(), &"goodwill".into()));
    let text = said(&shop, &[]);
    assert!(text.code == Some(0) && text.out.contains("  reason   goodwill\n"), "{text:?}");

    // More money is another finding.
    set(&mut shop, &sold, MORE).await;
    let found = reconcile(shop.directory(), &Asked::of(&shop), &[]);
    assert_eq!(found[0]["amount"]["amount_minor"], 101, "{found:#?}");
    assert_ne!(found[0]["finding_id"], id);
    set(&mut shop, &sold, BY_HAND).await;
    assert_eq!(reconcile(shop.directory(), &Asked::of(&shop), &[]), Vec::<Value>::new());

    let back = said(&shop, &["--take-back", id, "--reason", "it was no goodwill"]);
    assert_eq!(back.code, Some(0), "{back:?}");
    assert_eq!(reconcile(shop.directory(), &Asked::of(&shop), &[]).len(), 1);
    let again = said(&shop, &["--take-back", id, "--reason", "it was no goodwill"]);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.err.contains(id) && again.err.contains("is not acknowledged"), "{again:?}");
}
