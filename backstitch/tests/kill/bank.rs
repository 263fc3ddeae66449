//! Who moves the money of a run: the sandbox among the participants, or Stripe in a process that nobody kills.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use backstitch_stripe_double::Kind::Overtaken;
use backstitch_stripe_double::{Control, Endpoint, Fault, KEY, Moved, Operation, Stripe};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::customers::{KINDS, Kind, kind};
use crate::returners::BUYERS;
use crate::strangers::Stranger;

const SECRET: &str = "whsec_of_the_tests";

/// Which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Provider {
    Sandbox,
    Stripe,
    /// Stripe, where somebody else who has the account captures every hold in the moment before we cancel it.
    Overtaken,
}

/// How a checkout may end besides, where a participant was killed: whoever dies between the intent to ask the bank and
/// the answer, and then sees nothing there, never asks a second time but makes sure that it cannot happen.
const GIVEN_UP: &[&str] = &["PAYMENT_INTERRUPTED"];
/// And where it makes sure of that, it may find that the money was taken.
const GIVEN_UP_OR_TAKEN: &[&str] = &["PAYMENT_INTERRUPTED", "completed"];

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

/// With webhooks to the participants, customers who prove who they are as soon as they are asked, and banks that move.
pub(crate) struct AtStripe {
    stripe: Stripe,
    files: TempDir,
    door: u16,
    kinds: &'static [Kind],
    besides: &'static [&'static str],
    others: JoinHandle<()>,
}

const AT_STRIPE: [Kind; 6] = [
    kind("pm_card_visa", "A", "completed"),
    kind("pm_card_captureDeclined", "B", "CAPTURE_FAILED"),
    kind("pm_card_threeDSecure2Required", "A", "completed"),
    kind("pm_card_threeDSecure2Required", "B", "completed"),
    kind("pm_card_captureFail", "A", "AUTHORIZATION_EXPIRED"),
    kind("pm_card_chargeDeclined", "B", "CARD_DECLINED"),
];

/// Whose holds we let go, all of them.
const OVERTAKEN: [Kind; 3] = [
    kind("pm_card_captureDeclined", "A", "CAPTURE_FAILED"),
    kind("pm_card_captureDeclined", "B", "CAPTURE_FAILED"),
    kind("pm_card_captureDeclined", "A", "CAPTURE_FAILED"),
];

/// What the sandbox's cards do with money that goes back, Stripe's do too.
const RETURNS_AT_STRIPE: [(&str, &str); 3] = [
    ("tok_ok", "pm_card_visa"),
    ("tok_refund_fails", "pm_card_refundDeclined"),
    ("tok_refund_pending", "pm_card_pendingRefund"),
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
        let (mut kinds, mut besides) = (&AT_STRIPE[..], GIVEN_UP);
        if provider == Provider::Overtaken {
            let every_cancel = Fault::times(Operation::CancelIntent, u32::MAX, Overtaken);
            stripe.control().fault(every_cancel).await;
            (kinds, besides) = (&OVERTAKEN, GIVEN_UP_OR_TAKEN);
        } else {
            // It lets pass what Stripe refuses: what must not happen is kept from happening by our own ledger.
            stripe.control().lax(true).await;
        }
        let others = tokio::spawn(attend(stripe.control().clone()));
        Self::Stripe(AtStripe { stripe, files, door, kinds, besides, others })
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
            Self::Sandbox => &KINDS,
            Self::Stripe(at) => at.kinds,
        }
    }

    /// How a checkout may end besides as its card says, where a participant was killed.
    pub(crate) fn besides(&self) -> &'static [&'static str] {
        match self {
            Self::Sandbox => GIVEN_UP,
            Self::Stripe(at) => at.besides,
        }
    }

    /// Where Stripe is, if that is it.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Sandbox => None,
            Self::Stripe(at) => Some(at.stripe.url()),
        }
    }

    /// Who buys, and wants something back later.
    pub(crate) fn buyers(&self) -> Vec<Kind> {
        let there = |kind: Kind| {
            let card = RETURNS_AT_STRIPE.iter().find(|(here, _)| *here == kind.token);
            Kind { token: card.map_or(kind.token, |(_, there)| there), ..kind }
        };
        match self {
            Self::Sandbox => BUYERS.to_vec(),
            Self::Stripe(_) => BUYERS.map(there).to_vec(),
        }
    }

    /// Whether everything that happened was told of, and taken in.
    pub(crate) async fn has_told_all(&self) -> bool {
        let Self::Stripe(at) = self else { return true };
        let (events, told) = (at.stripe.control().events().await, at.stripe.control().delivered().await);
        let is_told = |id: &str| told.iter().any(|one| one.id == id && (200..300).contains(&one.status));
        events.iter().all(|event| is_told(&event.id))
    }

    /// Every refund so far fails, although it was done.
    pub(crate) async fn take_refunds_back(&self) {
        let Self::Stripe(at) = self else { panic!("the sandbox's refunds fail by their cards") };
        let control = at.stripe.control();
        for event in control.events().await.iter().filter(|event| event.kind == "refund.created") {
            control.refund(&event.object, false).await.unwrap();
        }
    }

    /// What the bank has, by checkout, and what of it must never be: what `strangers` have taken was given back.
    pub(crate) async fn statement(
        &self,
        data: &Path,
        strangers: &[Stranger],
    ) -> (BTreeMap<String, Line>, Vec<String>) {
        match self {
            Self::Sandbox => of_sandbox(data, strangers).await,
            Self::Stripe(at) => of_stripe(at.stripe.control(), strangers).await,
        }
    }
}

/// Read from the provider's own file: the `statement` that an accountant would get.
async fn of_sandbox(data: &Path, strangers: &[Stranger]) -> (BTreeMap<String, Line>, Vec<String>) {
    let file = SqliteConnectOptions::new().filename(data.join("sandbox.db")).read_only(true);
    let mut bank = file.connect().await.unwrap();
    let select =
        "SELECT saga_id, captures, voids, captured_minor, refunded_minor, held_minor, id FROM statement";
    let (mut lines, mut forbidden) = (BTreeMap::<String, Line>::new(), Vec::new());
    for row in sqlx::query(select).fetch_all(&mut bank).await.unwrap() {
        let [captures, voids, captured, refunded, held] =
            [1, 2, 3, 4, 5].map(|column| row.get::<i64, _>(column));
        let saga: String = row.get(0);
        if captures > 1 || (captures > 0 && voids > 0) || refunded > captured {
            let moved =
                format!("{captures} captures, {voids} voids, {captured} captured, {refunded} refunded");
            forbidden.push(format!("{saga}: {moved}"));
        }
        if let Some(stranger) = Stranger::among(strangers, row.get(6)) {
            forbidden.extend(stranger.is_left(captured - refunded, held));
            continue;
        }
        let line = lines.entry(saga).or_default();
        line.captures += captures;
        line.kept_minor += captured - refunded;
        line.held_minor += held;
    }
    (lines, forbidden)
}

async fn of_stripe(control: &Control, strangers: &[Stranger]) -> (BTreeMap<String, Line>, Vec<String>) {
    let statement = control.statement().await;
    let (mut lines, mut forbidden) = (BTreeMap::<String, Line>::new(), statement.violations());
    for account in &statement.accounts {
        if let Some(stranger) = Stranger::among(strangers, &account.intent) {
            forbidden.extend(stranger.is_left(account.kept(), account.on_hold()));
            continue;
        }
        let saga = account.metadata.get("backstitch_saga").cloned().unwrap_or_default();
        let line = lines.entry(saga).or_default();
        let captures = account.movements.iter().filter(|movement| movement.what == Moved::Captured).count();
        line.captures += i64::try_from(captures).unwrap();
        line.kept_minor += account.kept();
        line.held_minor += account.on_hold();
    }
    (lines, forbidden)
}

/// Every customer who is asked proves who it is, and every refund that takes its time gets there.
async fn attend(control: Control) {
    let mut seen = 0;
    loop {
        let events = control.events().await;
        for event in events.iter().skip(seen) {
            // Some were given up meanwhile, and most refunds are there already.
            let _ = match event.kind.as_str() {
                "payment_intent.requires_action" => control.customer(&event.intent, true).await,
                "refund.created" => control.refund(&event.object, true).await,
                _ => Ok(()),
            };
        }
        seen = events.len();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Drop for AtStripe {
    fn drop(&mut self) {
        self.others.abort();
    }
}
