//! Who moves the money of a run: the sandbox among the participants, or Stripe in a process that nobody kills.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use backstitch_stripe_double::{Control, Endpoint, KEY, Moved, Stripe};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::customers::Kind;

const SECRET: &str = "whsec_of_the_tests";

/// Which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Provider {
    Sandbox,
    Stripe,
}

/// The bank's line about one checkout.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) captures: i64,
    pub(crate) kept_minor: i64,
    pub(crate) held_minor: i64,
}

/// The bank of one run.
pub(crate) enum Bank {
    Sandbox,
    Stripe(AtStripe),
}

/// With webhooks to the participants, and customers who prove who they are as soon as they are asked.
pub(crate) struct AtStripe {
    stripe: Stripe,
    files: TempDir,
    door: u16,
    customers: JoinHandle<()>,
}

const AT_STRIPE: [Kind; 6] = [
    Kind { token: "pm_card_visa", sku: "A", end: "completed" },
    Kind { token: "pm_card_captureDeclined", sku: "B", end: "CAPTURE_FAILED" },
    Kind { token: "pm_card_threeDSecure2Required", sku: "A", end: "completed" },
    Kind { token: "pm_card_threeDSecure2Required", sku: "B", end: "completed" },
    Kind { token: "pm_card_captureFail", sku: "A", end: "AUTHORIZATION_EXPIRED" },
    Kind { token: "pm_card_chargeDeclined", sku: "B", end: "CARD_DECLINED" },
];

impl Bank {
    pub(crate) async fn open(provider: Provider) -> Self {
        if provider == Provider::Sandbox {
            return Self::Sandbox;
        }
        let (stripe, files) = (Stripe::start().await, TempDir::new().unwrap());
        std::fs::write(files.path().join("key"), KEY).unwrap();
        std::fs::write(files.path().join("secret"), SECRET).unwrap();
        let door = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (url, secrets) = (format!("http://127.0.0.1:{door}/webhooks/stripe"), vec![SECRET.to_owned()]);
        stripe.control().webhooks(Some(Endpoint { url, secrets, held: false })).await;
        let customers = tokio::spawn(prove(stripe.control().clone()));
        Self::Stripe(AtStripe { stripe, files, door, customers })
    }

    /// What whoever runs the payments is told. `orchestrator` is where wake-ups go.
    pub(crate) fn args(&self, orchestrator: &str) -> Vec<String> {
        let Self::Stripe(at) = self else { return Vec::new() };
        let file = |name: &str| at.files.path().join(name).display().to_string();
        let (key, secret, door) = (file("key"), file("secret"), format!("127.0.0.1:{}", at.door));
        let args = ["--stripe-key-file", &key, "--stripe-url", at.stripe.url(), "--webhooks", &door];
        let more = ["--stripe-webhook-secret-file", &secret, "--orchestrator", orchestrator];
        args.into_iter().chain(more).map(str::to_owned).collect()
    }

    /// Who comes, and what with.
    pub(crate) fn kinds(&self) -> &'static [Kind] {
        match self {
            Self::Sandbox => &crate::customers::KINDS,
            Self::Stripe(_) => &AT_STRIPE,
        }
    }

    /// What the bank has, by checkout, and what of it must never be.
    pub(crate) async fn statement(&self, data: &Path) -> (BTreeMap<String, Line>, Vec<String>) {
        match self {
            Self::Sandbox => (of_sandbox(data).await, Vec::new()),
            Self::Stripe(at) => of_stripe(at.stripe.control()).await,
        }
    }
}

/// Read from the provider's own file: the `statement` that an accountant would get.
async fn of_sandbox(data: &Path) -> BTreeMap<String, Line> {
    let file = SqliteConnectOptions::new().filename(data.join("sandbox.db")).read_only(true);
    let mut bank = file.connect().await.unwrap();
    let select = "SELECT saga_id, captures, captured_minor - refunded_minor, held_minor FROM statement";
    let mut lines = BTreeMap::<String, Line>::new();
    for row in sqlx::query(select).fetch_all(&mut bank).await.unwrap() {
        let line = lines.entry(row.get(0)).or_default();
        line.captures += row.get::<i64, _>(1);
        line.kept_minor += row.get::<i64, _>(2);
        line.held_minor += row.get::<i64, _>(3);
    }
    lines
}

async fn of_stripe(control: &Control) -> (BTreeMap<String, Line>, Vec<String>) {
    let statement = control.statement().await;
    let mut lines = BTreeMap::<String, Line>::new();
    for account in &statement.accounts {
        let saga = account.metadata.get("backstitch_saga").cloned().unwrap_or_default();
        let line = lines.entry(saga).or_default();
        let captures = account.movements.iter().filter(|movement| movement.what == Moved::Captured).count();
        line.captures += i64::try_from(captures).unwrap();
        line.kept_minor += account.kept();
        line.held_minor += account.on_hold();
    }
    (lines, statement.violations())
}

/// Every customer who is asked proves who it is.
async fn prove(control: Control) {
    let mut seen = 0;
    loop {
        let events = control.events().await;
        for event in events.iter().skip(seen).filter(|e| e.kind == "payment_intent.requires_action") {
            // Some were given up meanwhile.
            let _ = control.customer(&event.intent, true).await;
        }
        seen = events.len();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Drop for AtStripe {
    fn drop(&mut self) {
        self.customers.abort();
    }
}
