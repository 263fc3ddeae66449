//! A shop and its Stripe.

use std::collections::BTreeMap;
use std::net::TcpListener;

use backstitch_stripe_double::{Account, Control, Endpoint, KEY, Moved, Statement, Stripe};
use reqwest::Method;
use serde_json::Value;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;

use crate::common::{Answer, Shop, order_of, until};

pub(crate) const SECRET: &str = "whsec_of_the_tests";
/// What the gateway writes on an intent.
const SAGA: &str = "backstitch_saga";

/// Who tells the shop that something has happened at Stripe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Word {
    /// Nobody: it has to ask.
    None,
    /// Webhooks, when the test delivers them.
    Held,
    /// Webhooks, at once.
    Sent,
}

/// A shop that sells A and B, pays through a Stripe of its own, and every checkout that was begun.
pub(crate) struct Scene {
    pub(crate) shop: Shop,
    pub(crate) stripe: Stripe,
    begun: Vec<String>,
    /// What completed returns gave back, by checkout.
    returned: BTreeMap<String, i64>,
    webhooks: String,
    _files: TempDir,
}

impl Scene {
    pub(crate) async fn open(word: Word) -> Self {
        Self::open_with(word, &[]).await
    }

    /// With more arguments of the program.
    pub(crate) async fn open_with(word: Word, more: &[&str]) -> Self {
        let more = [&["--payment-return-url", "http://127.0.0.1:9/paid"], more].concat();
        Self::open_on_its_page(word, &more).await
    }

    /// One whose customers are not sent away: its own page asks them, with Stripe's script.
    pub(crate) async fn open_on_its_page(word: Word, more: &[&str]) -> Self {
        let (stripe, files) = (Stripe::start().await, TempDir::new().unwrap());
        let file = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (key, secret) = (file("key", KEY), file("secret", SECRET));
        let mut args = vec!["--stripe-key-file", &key, "--stripe-url", stripe.url()];
        args.extend(more);
        let door = door();
        let webhooks = format!("http://{door}/webhooks/stripe");
        if word != Word::None {
            args.extend(["--webhooks", &door, "--stripe-webhook-secret-file", &secret]);
            let (url, secrets) = (webhooks.clone(), vec![SECRET.to_owned()]);
            stripe.control().webhooks(Some(Endpoint { url, secrets, held: word == Word::Held })).await;
        }
        let shop = Shop::stocked_with(&args).await;
        let (begun, returned) = (Vec::new(), BTreeMap::new());
        Self { shop, stripe, begun, returned, webhooks, _files: files }
    }

    pub(crate) fn control(&self) -> &Control {
        self.stripe.control()
    }

    /// Where the shop takes webhooks.
    pub(crate) fn webhooks(&self) -> &str {
        &self.webhooks
    }

    /// Begins a checkout of two A, paid with a test card; its id.
    pub(crate) async fn begin(&mut self, cart: &str, card: &str) -> String {
        self.begin_of("A", cart, card).await
    }

    /// Begins a checkout of two of some product.
    pub(crate) async fn begin_of(&mut self, sku: &str, cart: &str, card: &str) -> String {
        self.shop.fill(cart, &[(sku, 2)]).await;
        let begun = self.shop.begin(cart, &order_of(cart, card)).await.ok();
        let id = begun.text("/checkout_id").to_owned();
        self.begun.push(id.clone());
        id
    }

    /// Begins one and waits for its end.
    pub(crate) async fn check_out(&mut self, cart: &str, card: &str) -> Answer {
        let id = self.begin(cart, card).await;
        self.shop.rested(&id).await
    }

    /// Asks for a return of some of an order's goods, or of everything that is left; the return's document by now.
    pub(crate) async fn begin_return(&mut self, checkout: &Answer, key: &str, body: &Value) -> Answer {
        let path = format!("/api/v1/orders/{}/returns", checkout.text("/order_id"));
        let asked = self.shop.request(Method::POST, &path).header("Idempotency-Key", key).json(body);
        self.shop.send(asked).await.ok()
    }

    /// A return once it has one of these states; what it gave back is no longer kept.
    pub(crate) async fn returned(&mut self, checkout: &Answer, begun: &Answer, states: &[&str]) -> Answer {
        let path = format!("/api/v1/returns/{}", begun.text("/return_id"));
        let told = until(&format!("{path} is one of {states:?}"), async || {
            let told = self.shop.get(&path).await.ok();
            states.contains(&told.text("/status")).then_some(told)
        })
        .await;
        if told.text("/status") == "completed" {
            let checkout = checkout.text("/checkout_id").to_owned();
            *self.returned.entry(checkout).or_default() += told.int("/refund/amount_minor");
        }
        told
    }

    /// Begins a return and waits for its end.
    pub(crate) async fn give_back(&mut self, checkout: &Answer, key: &str, body: &Value) -> Answer {
        let begun = self.begin_return(checkout, key, body).await;
        self.returned(checkout, &begun, &["completed", "compensated", "parked"]).await
    }

    /// The refunds that Stripe made of a checkout, oldest first, as soon as there are so many.
    pub(crate) async fn refunds(&self, checkout: &Answer, count: usize) -> Vec<String> {
        until(&format!("{count} refunds"), async || {
            let account = self.account(checkout.text("/checkout_id")).await;
            let made = account.movements.into_iter().filter(|movement| movement.what == Moved::Refunded);
            let made: Vec<_> = made.filter_map(|movement| movement.refund).collect();
            (made.len() == count).then_some(made)
        })
        .await
    }

    /// Begins one whose customer has to prove who it is; id, and the intent that waits.
    pub(crate) async fn challenged(&mut self, cart: &str) -> (String, String) {
        let id = self.begin(cart, "pm_card_threeDSecure2Required").await;
        self.shop.reaches(&id, &["waiting"]).await;
        (id.clone(), self.account(&id).await.intent)
    }

    /// What Stripe has of a checkout.
    pub(crate) async fn account(&self, checkout: &str) -> Account {
        let statement = self.control().statement().await;
        let mut of_it = statement.with(SAGA, checkout);
        of_it.next().unwrap_or_else(|| panic!("Stripe knows nothing of {checkout}")).clone()
    }

    /// The events of an intent, of one type, as soon as there is one.
    pub(crate) async fn event(&self, intent: &str, kind: &str) -> String {
        until(&format!("{kind} of {intent}"), async || {
            let events = self.control().events().await;
            events
                .into_iter()
                .find(|event| event.intent == intent && event.kind == kind)
                .map(|event| event.id)
        })
        .await
    }

    /// What the shop's payment service has in its books: a text and a number of each row.
    pub(crate) async fn booked(&self, sql: &'static str) -> Vec<(String, i64)> {
        let books = SqliteConnectOptions::new().filename(self.shop.data().join("payment.db"));
        let mut books = books.connect().await.unwrap();
        sqlx::query_as(sql).fetch_all(&mut books).await.unwrap()
    }

    /// Every event so far has been acted on.
    pub(crate) async fn all_acted_on(&self) {
        until("every event is done", async || {
            let sent = i64::try_from(self.control().events().await.len()).unwrap();
            let kept = self.booked("SELECT status, COUNT(*) FROM webhooks GROUP BY status").await;
            (kept == [("done".to_owned(), sent)]).then_some(())
        })
        .await;
    }

    /// Delivers events that were held; all have to be taken.
    pub(crate) async fn deliver(&self, events: &[&str]) {
        let statuses = self.control().deliver(events).await;
        assert!(statuses.iter().all(|status| (200..300).contains(status)), "{statuses:?}");
    }

    /// Stops, and compares everything with everything. Answers the auditor's report.
    pub(crate) async fn close(self) -> Value {
        let mut told = Vec::new();
        for id in &self.begun {
            told.push(self.shop.rested(id).await);
        }
        let control = self.control().clone();
        let report = self.shop.close().await;
        let statement = control.statement().await;
        assert_eq!(statement.violations(), Vec::<String>::new());
        for told in &told {
            let returned = self.returned.get(told.text("/checkout_id")).copied().unwrap_or_default();
            agrees(told, returned, &statement);
        }
        let strangers = statement
            .accounts
            .iter()
            .filter(|account| !account.metadata.get(SAGA).is_some_and(|saga| self.begun.contains(saga)));
        assert_eq!(strangers.count(), 0, "Stripe knows checkouts that nobody began: {statement:?}");
        report
    }
}

/// What a customer was told of its checkout and its returns is what the bank says of it.
fn agrees(told: &Answer, returned: i64, statement: &Statement) {
    let of_it: Vec<_> = statement.with(SAGA, told.text("/checkout_id")).collect();
    let sum = |what| of_it.iter().map(|account| account.sum(what)).sum::<i64>();
    let on_hold: i64 = of_it.iter().map(|account| account.on_hold()).sum();
    let kept: i64 = of_it.iter().map(|account| account.kept()).sum();
    let (captured, owed) = match told.text("/status") {
        "completed" => (told.int("/total/amount_minor"), told.int("/total/amount_minor") - returned),
        _ => (sum(Moved::Captured), 0),
    };
    assert_eq!((sum(Moved::Captured), kept, on_hold), (captured, owed, 0), "{told:?}\n{of_it:#?}");
}

/// A port for webhooks, which the shop keeps when it is started again.
fn door() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Refused at this step for this reason.
#[track_caller]
pub(crate) fn is_refused(answer: &Answer, reason: &str) {
    let told = (answer.text("/status"), answer.text("/refusal/reason"));
    assert_eq!(told, ("compensated", reason), "{answer:?}");
}
