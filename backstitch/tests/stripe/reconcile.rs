//! The reconciler with Stripe as the bank: what somebody has done there directly is found, and taken back where nobody
//! owns it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use crate::common::{Asked, capture_at_stripe, hold_at_stripe, post_to_stripe, reconcile_with, until};
use crate::scene::{Scene, Word};

/// What two A and their parcel come to.
const TOTAL: i64 = 1_395;

/// What `backstitch reconcile` says, beside the runtime in which Stripe runs.
pub(crate) async fn said(scene: &Scene, more: &'static [&'static str]) -> Value {
    let (directory, asked) = (scene.shop.directory().to_owned(), Asked::of(&scene.shop));
    let run = move || reconcile_with(&directory, &asked, &[&["--json"], more].concat());
    let said = tokio::task::spawn_blocking(run).await.unwrap();
    serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"))
}

/// What it found: `kind amount object move`.
pub(crate) fn told(report: &Value) -> Vec<String> {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let one = |finding: &Value| {
        let [kind, object, step] = ["kind", "provider_id", "move"].map(|name| text(finding, name));
        format!("{kind} {} {object} {step}", finding["amount"]["amount_minor"])
    };
    report["findings"].as_array().unwrap().iter().map(one).collect()
}

/// Makes our ledger one that has not heard of a capture.
async fn forget_the_capture(scene: &Scene, saga: &str) {
    let file = SqliteConnectOptions::new().filename(scene.shop.data().join("payment.db"));
    let mut ledger = file.connect().await.unwrap();
    for statement in [
        "DELETE FROM entries WHERE kind = 'captured'
         AND payment_id IN (SELECT payment_id FROM payments WHERE saga_id = ?)",
        "UPDATE payments SET status = 'authorized', captured_minor = 0 WHERE saga_id = ?",
    ] {
        let done = sqlx::query(statement).bind(saga).execute(&mut ledger).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{statement}");
    }
    ledger.close().await.unwrap();
}

/// The id of a saga that any shop has forgotten.
fn begun_long_ago() -> String {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - Duration::from_secs(60 * 24 * 3600);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, at.as_secs(), 0)).to_string()
}

#[tokio::test]
async fn what_was_done_at_stripe_directly_is_found_and_what_nobody_owns_taken_back_once() {
    let mut scene = Scene::open(Word::Held).await;
    let mut sold = Vec::new();
    for cart in ["sold", "twice", "missed", "refunded"] {
        let done = scene.check_out(cart, "pm_card_visa").await;
        assert_eq!(done.text("/status"), "completed", "{done:?}");
        sold.push(done.text("/checkout_id").to_owned());
    }
    let back = scene.check_out("back", "pm_card_captureDeclined").await.text("/checkout_id").to_owned();
    let nothing = said(&scene, &[]).await;
    assert_eq!((told(&nothing), &nothing["counts"]["payments"]), (Vec::new(), &Value::from(5)));

    let disputed = scene.check_out("disputed", "pm_card_createDispute").await;
    assert_eq!(disputed.text("/status"), "completed", "{disputed:?}");
    let disputed = scene.account(disputed.text("/checkout_id")).await.intent;
    let (url, amount) = (scene.stripe.url().to_owned(), TOTAL.to_string());
    let hold = async |saga: Option<&str>, amount: &str, currency: &str| {
        hold_at_stripe(&url, saga, amount, currency).await
    };
    let orphan = hold(Some(sold[0].as_str()), &amount, "gbp").await;
    let twice = hold(Some(sold[1].as_str()), &amount, "gbp").await;
    let taken = hold(Some(back.as_str()), &amount, "gbp").await;
    capture_at_stripe(&url, &twice).await;
    capture_at_stripe(&url, &taken).await;
    let [missed, refunded] = [scene.account(&sold[2]).await.intent, scene.account(&sold[3]).await.intent];
    post_to_stripe(&url, "refunds", &[("payment_intent", &refunded), ("amount", "100")]).await;
    // Somebody else's, one of which in an amount that ours cannot say.
    let foreign = hold(None, "700", "gbp").await;
    let strange = hold(None, "150", "isk").await;
    // Another shop's of this kind: its sagas bear what ours do, and are unknown here, young or old.
    let (young, old) = (Uuid::now_v7().to_string(), begun_long_ago());
    let theirs = [hold(Some(&young), &amount, "gbp").await, hold(Some(&old), &amount, "gbp").await];
    capture_at_stripe(&url, &theirs[1]).await;
    scene.shop.stop().await;
    forget_the_capture(&scene, &sold[2]).await;
    scene.shop.start().await;

    let all = said(&scene, &["--grace", "0s"]).await;
    let mut wanted = vec![
        format!("orphan_hold {TOTAL} {orphan} repair"),
        format!("orphan_hold 700 {foreign} person"),
        format!("orphan_capture {TOTAL} {taken} repair"),
        format!("captured_twice {TOTAL} {twice} repair"),
        format!("missed_capture {TOTAL} {missed} person"),
        format!("refund_unknown_here 100 {refunded} person"),
        format!("disputed {TOTAL} {disputed} person"),
    ];
    let strangers = [
        format!("orphan_hold {TOTAL} {} person", theirs[0]),
        format!("orphan_capture {TOTAL} {} person", theirs[1]),
    ];
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_eq!(sorted(told(&all)), sorted([&wanted[..], &strangers].concat()), "{all:#}");
    assert_eq!(all["unreadable"][0]["provider_id"], strange.as_str(), "{all:#}");
    assert!(all["unreadable"][0]["why"].as_str().unwrap().contains("ISK"), "{all:#}");

    let repairing = said(&scene, &["--grace", "0s", "--repair", "--shared-account"]).await;
    assert_eq!(repairing["counts"]["foreign"], 3, "{repairing:#}");
    for finding in repairing["findings"].as_array().unwrap().iter().filter(|f| f["move"] == "repair") {
        let saga = finding["repair_saga_id"].as_str().unwrap_or_else(|| panic!("{finding:#}"));
        until("the repair has ended", async || {
            (scene.shop.saga(saga).await.text("/status") == "completed").then_some(())
        })
        .await;
    }
    wanted.drain(..4);
    let left = said(&scene, &["--grace", "0s", "--repair", "--shared-account"]).await;
    assert_eq!(sorted(told(&left)), sorted(wanted.clone()), "{left:#}");
    // The webhook that was lost comes after all, and is all that it takes.
    let event = scene.event(&missed, "payment_intent.succeeded").await;
    scene.deliver(&[&event]).await;
    until("the capture is booked", async || {
        (told(&said(&scene, &["--shared-account"]).await).len() == 2).then_some(())
    })
    .await;
    wanted.remove(0);
    assert_eq!(told(&said(&scene, &["--shared-account"]).await), wanted);

    let statement = scene.control().statement().await;
    assert_eq!(statement.violations(), Vec::<String>::new());
    for account in statement.accounts.iter().filter(|one| [&orphan, &twice, &taken].contains(&&one.intent)) {
        assert_eq!((account.kept(), account.on_hold()), (0, 0), "{account:#?}");
        let back = account.movements.len();
        assert_eq!(
            back,
            if account.intent == orphan { 2 } else { 3 },
            "taken back more than once: {account:#?}"
        );
    }
    for (intent, untouched) in
        [(foreign, (700, 0)), (theirs[0].clone(), (TOTAL, 0)), (theirs[1].clone(), (0, TOTAL))]
    {
        let account = statement.accounts.iter().find(|account| account.intent == intent).unwrap();
        assert_eq!((account.on_hold(), account.kept()), untouched, "what is somebody else's was touched");
    }
}
