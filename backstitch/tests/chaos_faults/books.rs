//! The driver's own ledger: what must be true of the shop's stock, money, orders and mails, worked out from what
//! customers were told and from nothing else.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::common::{Answer, Shop, program, run, until};
use crate::customers::{Customer, PARCEL, PRICE, STOCK, all_are_answered, all_have_ended};
use crate::stage;

/// What the shop says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    /// Status and order of each customer's checkout.
    pub(crate) ends: BTreeMap<String, End>,
    /// On hand, reserved and sold.
    pub(crate) stock: BTreeMap<String, (i64, i64, i64)>,
    /// Who was written to that their order is confirmed, and how often.
    pub(crate) mails: BTreeMap<String, usize>,
    /// Captured, refunded and held, as the provider has them.
    pub(crate) money: (i64, i64, i64),
    /// How many events were committed, as the auditor counts them.
    pub(crate) events: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) status: String,
    /// Why it was taken back, if it was.
    pub(crate) refusal: String,
    /// The order's status and total, where the checkout names one that is there.
    pub(crate) order: Option<(String, i64)>,
}

impl Books {
    /// Reads everything that is read from a shop that is up. All checkouts have ended.
    pub(crate) async fn of(shop: &Shop, customers: &[Customer]) -> Self {
        let mut books = Self::default();
        for customer in customers {
            let id = customer.checkout.as_deref().unwrap();
            let document = shop.get(&format!("/api/v1/checkouts/{id}")).await.ok();
            let end = End {
                status: document.text("/status").to_owned(),
                refusal: document.text("/refusal/reason").to_owned(),
                order: order(shop, &document).await,
            };
            books.ends.insert(customer.key.clone(), end);
        }
        for (sku, _) in STOCK {
            books.stock.insert(sku.to_owned(), shop.stock(sku).await);
        }
        books
    }

    /// Waits for the mails that are owed, which are sent in their own time, and counts them all.
    pub(crate) async fn read_mails(&mut self, shop: &Shop) {
        let owed = self.ends.values().filter(|end| end.status == "completed").count();
        self.mails = until("every mail that is owed is written", async || {
            let mails = mails(shop);
            (mails.values().sum::<usize>() >= owed).then_some(mails)
        })
        .await;
    }

    /// The provider's side and the outboxes', as the auditor's report on the stopped shop repeats them.
    pub(crate) fn read_report(&mut self, report: &Value) {
        let of = |what: &str| report["money"]["GBP"][what].as_i64().unwrap_or_default();
        self.events = report["counts"]["events"].as_u64().unwrap_or_default();
        self.money = (of("captured_minor"), of("refunded_minor"), of("held_minor"));
    }

    /// What a customer's checkout has cost them.
    pub(crate) fn paid_by(&self, customer: &Customer) -> i64 {
        if self.ends[&customer.key].status == "completed" { PRICE + PARCEL } else { 0 }
    }

    /// What is not as it must be.
    pub(crate) fn violations(&self, customers: &[Customer]) -> Vec<String> {
        let mut found: Vec<String> = customers.iter().flat_map(|c| c.contradictions.clone()).collect();
        let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
        for customer in customers {
            let end = &self.ends[&customer.key];
            let mut law = |holds: bool, what: &str| {
                if !holds {
                    found.push(format!("{} ({:?}): {what}: {end:?}", customer.key, customer.kind));
                }
            };
            let completed = end.status == "completed";
            let mails = self.mails.get(&customer.email()).copied().unwrap_or_default();
            law(completed || end.status == "compensated", "has not ended");
            law(customer.kind.may_complete || !completed, "sold what was refused");
            let order = end.order.as_ref().map(|(status, total)| (status.as_str(), *total));
            let stands = order == Some(("confirmed", PRICE + PARCEL));
            law(stands == completed, "the order stands for what was not sold, or the other way round");
            law(mails == usize::from(completed), &format!("{mails} mails"));
            *sold.entry(customer.kind.sku).or_default() += i64::from(completed);
        }
        for (sku, stock) in STOCK {
            let sold = sold.get(sku).copied().unwrap_or_default();
            let (is, must) = (self.stock[sku], (stock - sold, 0, sold));
            if is != must {
                found
                    .push(format!("stock of {sku} (on hand, reserved, sold) is {is:?} and must be {must:?}"));
            }
        }
        let taken: i64 = customers.iter().map(|customer| self.paid_by(customer)).sum();
        let (captured, refunded, held) = self.money;
        if (captured - refunded, held) != (taken, 0) {
            found.push(format!("the provider has {:?}, and {taken} were sold for", self.money));
        }
        found
    }
}

/// Ends, for people: by status, and where they were taken back, by the reason.
impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
        for end in self.ends.values() {
            let how = if end.refusal.is_empty() { &end.status } else { &end.refusal };
            *ends.entry(how).or_default() += 1;
        }
        let ends: Vec<_> = ends.iter().map(|(how, n)| format!("{n} {how}")).collect();
        f.write_str(&ends.join(", "))
    }
}

async fn order(shop: &Shop, document: &Answer) -> Option<(String, i64)> {
    let id = document.text("/order_id");
    if id.is_empty() {
        return None;
    }
    let order = shop.get(&format!("/api/v1/orders/{id}")).await;
    (order.status == 200).then(|| (order.text("/status").to_owned(), order.int("/total/amount_minor")))
}

/// Confirmations in the mailbox, by address.
fn mails(shop: &Shop) -> BTreeMap<String, usize> {
    let mut mails = BTreeMap::new();
    for entry in std::fs::read_dir(shop.data().join("mail")).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "eml") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let subject = header("Subject: ");
        if subject.starts_with("Your order") && !subject.contains("sent") {
            *mails.entry(header("To: ").trim().to_owned()).or_default() += 1;
        }
    }
    mails
}

/// Asks the reconciler, stops the shop and asks the auditor; what they find and what the driver's own ledger finds.
pub(crate) async fn close(shop: Shop, customers: &[Customer], books: Books) -> (Books, Vec<String>) {
    close_on(shop, customers, books, None).await
}

/// As [`close`], where the databases are on this server.
pub(crate) async fn close_on(
    mut shop: Shop,
    customers: &[Customer],
    mut books: Books,
    server: Option<&str>,
) -> (Books, Vec<String>) {
    books.read_mails(&shop).await;
    let differences = shop.differences().await;
    shop.stop().await;
    let mut audit = program(shop.data().parent().unwrap());
    audit.args(["audit", "--json", "--data"]).arg(shop.data());
    audit.args(server.iter().flat_map(|url| ["--database-url", *url]));
    let said = run(&mut audit);
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    books.read_report(&report);
    let mut found = books.violations(customers);
    if (said.code, &report["violations"]) != (Some(0), &json!([])) {
        found.push(format!("the auditor: {:#}", report["violations"]));
    }
    found.extend(differences.iter().map(|difference| format!("the reconciler: {difference:#}")));
    if (&report["counts"]["in_flight"], &report["parked"]) != (&json!(0), &json!([])) {
        found.push(format!("the auditor sees sagas in flight or parked: {report:#}"));
    }
    (books, found)
}

/// The reconciler has its say: a hold that nobody asked for is found while the shop is open.
#[tokio::test]
async fn planted_a_hold_that_nobody_asked_for_is_found_by_the_reconciler() {
    let shop = stage::open(&[], &[]).await;
    let mut customers = vec![Customer::new(0)];
    all_are_answered(&shop, &mut customers, 1).await;
    all_have_ended(&shop, &customers).await;
    let bank = SqliteConnectOptions::new().filename(shop.data().join("sandbox.db"));
    let insert = "INSERT INTO accounts
        SELECT 'planted', reference, saga_id, root_id, order_id, amount_minor, currency, card, 'authorized', '',
               capture_before_ms, amount_minor, 0, 0, 0, 0, created_at_ms FROM accounts";
    let inserted = sqlx::query(insert).execute(&mut bank.connect().await.unwrap()).await.unwrap();
    assert_eq!(inserted.rows_affected(), 1);
    let books = Books::of(&shop, &customers).await;
    let (_, found) = close(shop, &customers, books).await;
    let told = |wrong: &&String| wrong.starts_with("the reconciler: ") && wrong.contains("orphan_hold");
    assert_eq!(found.iter().filter(told).count(), 1, "{found:#?}");
}
