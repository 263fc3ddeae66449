//! Rows that are written by hand into the databases of a shop that has stopped: the provider's, the ledger's, the orders'.

use std::path::Path;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::common::{Shop, order_of};

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
    bank: SqliteConnection,
    ledger: SqliteConnection,
    orders: SqliteConnection,
}

/// Which of them.
#[derive(Clone, Copy)]
pub(crate) enum At {
    Bank,
    Ledger,
    Orders,
}

impl Rows {
    pub(crate) async fn open(data: &Path) -> Self {
        let open = async |name: &str| {
            // What is planted is what no constraint would let happen.
            let file = SqliteConnectOptions::new().filename(data.join(name)).foreign_keys(false);
            let file = file.pragma("ignore_check_constraints", "ON");
            file.connect().await.unwrap()
        };
        Self {
            bank: open("sandbox.db").await,
            ledger: open("payment.db").await,
            orders: open("order.db").await,
        }
    }

    /// Changes rows; `?` is the checkout's id, in all places. Insists that something was changed.
    pub(crate) async fn set(&mut self, at: At, saga: &str, statements: &[&'static str]) {
        let conn = match at {
            At::Bank => &mut self.bank,
            At::Ledger => &mut self.ledger,
            At::Orders => &mut self.orders,
        };
        for statement in statements {
            let mut query = sqlx::query(*statement);
            for _ in statement.matches('?') {
                query = query.bind(saga);
            }
            let changed = query.execute(&mut *conn).await.unwrap_or_else(|e| panic!("{e}: {statement}"));
            assert!(
                changed.rows_affected() > 0 || statement.starts_with("DROP"),
                "nothing changed: {statement}"
            );
        }
    }

    /// A second object of a checkout at the provider, which nobody here asked for.
    pub(crate) async fn second_object(&mut self, saga: &str, id: &str, is_captured: bool) {
        let captured = if is_captured { TOTAL } else { 0 };
        let state = if is_captured { "captured" } else { "authorized" };
        let insert = "INSERT INTO accounts
            SELECT ?, 'f0000000-0000-4000-8000-000000000000', saga_id, root_id, order_id, amount_minor, currency, card, ?, '',
                   capture_before_ms + 600000000000, amount_minor, ?, 0, 0, 0, created_at_ms
            FROM accounts WHERE saga_id = ? LIMIT 1";
        let insert = sqlx::query(insert).bind(id).bind(state).bind(captured).bind(saga);
        assert_eq!(insert.execute(&mut self.bank).await.unwrap().rows_affected(), 1);
        let kinds = [("created", 0), ("authorized", TOTAL), ("captured", captured)];
        for (number, (kind, minor)) in
            (1i64..).zip(kinds).filter(|(_, (kind, _))| is_captured || *kind != "captured")
        {
            let entry = sqlx::query("INSERT INTO entries VALUES (?, ?, ?, ?, 0)");
            let entry = entry.bind(id).bind(number).bind(kind).bind(minor);
            entry.execute(&mut self.bank).await.unwrap();
        }
    }

    pub(crate) async fn close(self) {
        for conn in [self.bank, self.ledger, self.orders] {
            conn.close().await.unwrap();
        }
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
