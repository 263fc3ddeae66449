//! What somebody does at the provider who has the account's key and is not this shop.

use backstitch_stripe_double::{KEY, VERSION};
use serde_json::Value;
use sqlx::SqliteConnection;
use uuid::Uuid;

/// Writes a second object of a checkout into the sandbox's books, as large as its first.
pub(crate) async fn at_the_sandbox(bank: &mut SqliteConnection, saga: &str, id: &str, is_captured: bool) {
    let first = sqlx::query_scalar("SELECT amount_minor FROM accounts WHERE saga_id = ? LIMIT 1");
    let amount: i64 = first.bind(saga).fetch_one(&mut *bank).await.unwrap();
    let captured = if is_captured { amount } else { 0 };
    let state = if is_captured { "captured" } else { "authorized" };
    let insert = "INSERT INTO accounts
        SELECT ?, 'f0000000-0000-4000-8000-000000000000', saga_id, root_id, order_id, amount_minor, currency, card, ?, '',
               capture_before_ms + 600000000000, amount_minor, ?, 0, 0, 0, created_at_ms
        FROM accounts WHERE saga_id = ? LIMIT 1";
    let insert = sqlx::query(insert).bind(id).bind(state).bind(captured).bind(saga);
    assert_eq!(insert.execute(&mut *bank).await.unwrap().rows_affected(), 1);
    let kinds = [("created", 0), ("authorized", amount), ("captured", captured)];
    for (number, (kind, minor)) in
        (1i64..).zip(kinds).filter(|(_, (kind, _))| is_captured || *kind != "captured")
    {
        let entry = sqlx::query("INSERT INTO entries VALUES (?, ?, ?, ?, 0)");
        let entry = entry.bind(id).bind(number).bind(kind).bind(minor);
        entry.execute(&mut *bank).await.unwrap();
    }
}

/// A call to the Stripe at `url`; what it answers.
pub(crate) async fn post_to_stripe(url: &str, path: &str, form: &[(&str, &str)]) -> Value {
    let body: Vec<_> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = reqwest::Client::new().post(format!("{url}/v1/{path}")).bearer_auth(KEY);
    let answer = request.header("stripe-version", VERSION).body(body.join("&")).send().await.unwrap();
    let (status, body) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{path}: {status} {body}");
    serde_json::from_str(&body).unwrap()
}

/// A hold at Stripe that bears the ids of this saga, or none; its id.
pub(crate) async fn hold_at_stripe(url: &str, saga: Option<&str>, amount: &str, currency: &str) -> String {
    let payment = Uuid::new_v4().to_string();
    let mut form = vec![("amount", amount), ("currency", currency), ("capture_method", "manual")];
    form.extend([("confirm", "true"), ("payment_method", "pm_card_visa")]);
    let automatic = [("[enabled]", "true"), ("[allow_redirects]", "never")];
    let automatic = automatic.map(|(name, value)| (format!("automatic_payment_methods{name}"), value));
    form.extend(automatic.iter().map(|(name, value)| (name.as_str(), *value)));
    if let Some(saga) = saga {
        form.extend([
            ("metadata[backstitch_payment]", payment.as_str()),
            ("metadata[backstitch_saga]", saga),
        ]);
    }
    post_to_stripe(url, "payment_intents", &form).await["id"].as_str().unwrap().to_owned()
}

/// Takes what an intent holds.
pub(crate) async fn capture_at_stripe(url: &str, intent: &str) {
    post_to_stripe(url, &format!("payment_intents/{intent}/capture"), &[]).await;
}
