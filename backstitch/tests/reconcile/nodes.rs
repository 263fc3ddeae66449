//! Two orchestrators on one Postgres database: whichever is asked tells the same, and one of them does it in the background.

use reqwest::Method;
use serde_json::Value;

use crate::common::{Fleet, Process, reconcile, until};
use crate::rows::{Bank, TOTAL, told};

const LEASE: &str = "1s";
const REPAIR: [&str; 5] = ["--reconcile-every", "1s", "--reconcile-grace", "0s", "--reconcile-repair"];

fn checked(fleet: &Fleet, node: &Process, more: &[&str]) -> Vec<Value> {
    reconcile(fleet.shop.directory(), &fleet.asked(node), more)
}

/// A checkout that waits for its customer at one node, and has a second hold. Whoever is asked says that it is under way,
/// notes it once, and repairs nothing until it has ended; then whoever is asked repairs it, for both.
#[tokio::test(flavor = "multi_thread")]
async fn a_saga_of_the_other_node_is_noted_and_left_alone_until_it_has_ended() {
    let (fleet, a, b) = Fleet::of_two(LEASE, &[]).await;
    let id = fleet.waiting(&a, &b).await;
    let path = format!("/api/v1/checkouts/{id}");
    let mut bank = Bank::open(&fleet.shop.data()).await;
    bank.second_object(&id, "second", false).await;

    for node in [&b, &a, &b] {
        let found = checked(&fleet, node, &["--repair"]);
        assert_eq!(told(&found), [("orphan_hold".to_owned(), TOTAL, id.clone())], "{found:#?}");
        assert_eq!((&found[0]["move"], found[0].get("trouble")), (&Value::from("note"), None), "{found:#?}");
        let saga = fleet.get(node, &format!("/operator/v1/sagas/{id}")).await.ok();
        let notes = saga.body["records"].as_array().unwrap().iter();
        let notes = notes.filter(|record| record.to_string().contains("reconcile found orphan_hold"));
        assert_eq!(notes.count(), 1, "{saga:?}");
    }
    let cancelled = fleet.send(&b, Method::POST, &format!("{path}/cancel"), None).await;
    assert!((200..300).contains(&cancelled.status), "{cancelled:?}");
    assert_eq!(fleet.rested(&a, &id, crate::common::PATIENCE).await, "compensated");

    let repairs: Vec<_> = [&b, &a]
        .into_iter()
        .flat_map(|node| checked(&fleet, node, &["--repair"]))
        .map(|finding| finding["repair_saga_id"].clone())
        .collect();
    assert!(
        !repairs.is_empty() && repairs.iter().all(|id| *id == repairs[0] && id.is_string()),
        "{repairs:?}"
    );
    until("it is repaired", async || checked(&fleet, &a, &[]).is_empty().then_some(())).await;
    let held = format!("created 0, authorized {TOTAL}, voided {TOTAL}");
    assert_eq!(bank.statement("second").await, held);
    assert_eq!(checked(&fleet, &b, &[]), Vec::<Value>::new());
}

/// When a node reconciled last, as it tells; 0 for never.
async fn last(node: &Process) -> f64 {
    let text = reqwest::get(format!("http://{}/metrics", node.address("http"))).await.unwrap();
    let text = text.text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with("reconcile_last_success_timestamp_seconds"));
    line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// Waits until a node has run this often from now on.
async fn runs(node: &Process, times: usize) {
    let mut before = last(node).await;
    for _ in 0..times {
        before = until("a run", async || Some(last(node).await).filter(|at| *at > before)).await;
    }
}

/// One of them does it, the other one does it when that has died, and nothing is repaired twice.
#[tokio::test(flavor = "multi_thread")]
async fn one_node_repairs_in_the_background_and_another_goes_on_when_it_has_died() {
    let (fleet, mut a, mut b) = Fleet::of_two(LEASE, &REPAIR).await;
    let mut sold = Vec::new();
    for (node, cart) in [(&a, "at-a"), (&b, "at-b")] {
        let id = fleet.begin(node, cart, "tok_ok").await;
        assert_eq!(fleet.rested(&a, &id, crate::common::PATIENCE).await, "completed");
        sold.push(id);
    }
    let mut bank = Bank::open(&fleet.shop.data()).await;
    bank.second_object(&sold[0], "held", false).await;
    bank.second_object(&sold[1], "taken", true).await;
    let base = format!("created 0, authorized {TOTAL}");
    let back = [
        ("held", format!("{base}, voided {TOTAL}")),
        ("taken", format!("{base}, captured {TOTAL}, refunded {TOTAL}")),
    ];
    for (id, wanted) in &back {
        until("it is taken back", async || (bank.statement(id).await == *wanted).then_some(())).await;
    }
    // One runs, and the other one stays out of it.
    let first = async |a: &Process, b: &Process| {
        let before = (last(a).await, last(b).await);
        until("somebody runs", async || {
            let now = (last(a).await, last(b).await);
            (now.0 > before.0 || now.1 > before.1).then_some(now.0 > before.0)
        })
        .await
    };
    if !first(&a, &b).await {
        std::mem::swap(&mut a, &mut b);
    }
    let idle = last(&b).await;
    runs(&a, 3).await;
    assert_eq!(last(&b).await.to_bits(), idle.to_bits(), "both run");

    a.kill();
    bank.second_object(&sold[0], "later", false).await;
    let wanted = format!("{base}, voided {TOTAL}");
    until("the other one repairs", async || (bank.statement("later").await == wanted).then_some(())).await;
    runs(&b, 2).await;
    let listed = fleet.get(&b, "/operator/v1/sagas?page_size=500").await.ok();
    let sagas = listed.body["sagas"].as_array().unwrap().iter();
    let repairs: Vec<_> = sagas.filter(|saga| saga["definition"] == "repair").collect();
    assert_eq!(repairs.len(), 3, "{repairs:#?}");
    for (id, wanted) in &back {
        assert_eq!(bank.statement(id).await, *wanted);
    }
    assert_eq!(checked(&fleet, &b, &[]), Vec::<Value>::new());
}
