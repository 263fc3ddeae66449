//! Rows that are written by hand into the databases of a shop: the provider's, the ledger's, the orders'. What is planted
//! is what no constraint would let happen.

use std::path::Path;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AnyConnection, AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::common::{Shop, at_the_sandbox, order_of};

/// What an order of one A comes to: its price and a domestic parcel.
pub(crate) const TOTAL: i64 = 500 + 395;

/// One A, paid with this token, once it has come to rest; the checkout's id.
pub(crate) async fn checkout(shop: &Shop, name: &str, token: &str) -> String {
    shop.fill(name, &[("A", 1)]).await;
    let done = shop.check_out(name, &order_of(name, token)).await;
    done.text("/checkout_id").to_owned()
}

/// The databases of a shop that nobody runs.
pub(crate) struct Rows {
    pub(crate) bank: Bank,
    ledger: AnyConnection,
    orders: AnyConnection,
}

/// The provider's books, which are a file wherever the others are.
pub(crate) struct Bank(SqliteConnection);

/// Which of them.
#[derive(Clone, Copy)]
pub(crate) enum At {
    Bank,
    Ledger,
    Orders,
}

/// Lets anything be written, in the words of either database.
const ANYTHING: [(&str, &str); 2] = [
    ("sqlite:", "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF"),
    (
        "postgres",
        "DO $$ DECLARE one record; BEGIN
         FOR one IN SELECT conrelid::regclass AS of, conname FROM pg_constraint
             WHERE contype IN ('c', 'f') AND connamespace = current_schema()::regnamespace
         LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.of, one.conname); END LOOP; END $$",
    ),
];

impl Rows {
    pub(crate) async fn open(shop: &Shop) -> Self {
        sqlx::any::install_default_drivers();
        let open = async |name: &str| {
            let url = shop.database(name);
            let mut conn = AnyConnection::connect(&url).await.unwrap();
            let (_, anything) = ANYTHING.iter().find(|(scheme, _)| url.starts_with(scheme)).unwrap();
            sqlx::raw_sql(*anything).execute(&mut conn).await.unwrap();
            conn
        };
        Self {
            bank: Bank::open(&shop.data()).await,
            ledger: open("payment").await,
            orders: open("order").await,
        }
    }

    /// Changes rows; `?` is the checkout's id, in all places. Insists that something was changed.
    pub(crate) async fn set(&mut self, saga: &str, statements: &[(At, &'static str)]) {
        for (at, statement) in statements {
            // Both know it by its number.
            let numbered = statement.replace('?', "$1");
            let (mut any, mut lite) =
                (sqlx::query(AssertSqlSafe(numbered.clone())), sqlx::query(AssertSqlSafe(numbered)));
            if statement.contains('?') {
                (any, lite) = (any.bind(saga), lite.bind(saga));
            }
            let changed = match at {
                At::Bank => lite.execute(&mut self.bank.0).await.map(|done| done.rows_affected()),
                At::Ledger => any.execute(&mut self.ledger).await.map(|done| done.rows_affected()),
                At::Orders => any.execute(&mut self.orders).await.map(|done| done.rows_affected()),
            };
            let changed = changed.unwrap_or_else(|e| panic!("{e}: {statement}"));
            assert!(changed > 0 || statement.starts_with("DROP"), "nothing changed: {statement}");
        }
    }

    pub(crate) async fn close(self) {
        self.bank.close().await;
        for conn in [self.ledger, self.orders] {
            conn.close().await.unwrap();
        }
    }
}

impl Bank {
    pub(crate) async fn open(data: &Path) -> Self {
        let file = SqliteConnectOptions::new().filename(data.join("sandbox.db")).foreign_keys(false);
        Self(file.pragma("ignore_check_constraints", "ON").connect().await.unwrap())
    }

    /// A second object of a checkout, which nobody here asked for.
    pub(crate) async fn second_object(&mut self, saga: &str, id: &str, is_captured: bool) {
        at_the_sandbox(&mut self.0, saga, id, is_captured).await;
    }

    /// What the provider did with an object: `created 0, authorized 895`.
    pub(crate) async fn statement(&mut self, id: &str) -> String {
        let query = "SELECT kind, amount_minor FROM entries WHERE account_id = ? ORDER BY number";
        let entries: Vec<(String, i64)> =
            sqlx::query_as(query).bind(id).fetch_all(&mut self.0).await.unwrap();
        let entries: Vec<_> = entries.iter().map(|(kind, minor)| format!("{kind} {minor}")).collect();
        entries.join(", ")
    }

    /// The object that a checkout made first, which is its own.
    pub(crate) async fn own_object(&mut self, saga: &str) -> String {
        let query = "SELECT id FROM accounts WHERE saga_id = ? ORDER BY rowid LIMIT 1";
        sqlx::query_scalar(query).bind(saga).fetch_one(&mut self.0).await.unwrap()
    }

    pub(crate) async fn close(self) {
        self.0.close().await.unwrap();
    }
}

/// Kind, amount and checkout of each finding, by kind and checkout.
pub(crate) fn told(findings: &[Value]) -> Vec<(String, i64, String)> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let one = |finding: &Value| {
        (text(finding, "kind"), finding["amount"]["amount_minor"].as_i64().unwrap(), text(finding, "saga_id"))
    };
    let mut told: Vec<_> = findings.iter().map(one).collect();
    told.sort();
    told
}
