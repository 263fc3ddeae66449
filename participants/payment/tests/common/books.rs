//! What is in the books: the participant's database, and the bank's.

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::Shop;

/// While it is there no refund is written on Postgres; what is there can be read.
pub struct NoRefundIsWritten(AnyConnection);

impl NoRefundIsWritten {
    /// Ends it as soon as two wait, for this or for each other.
    pub async fn until_two_wait(mut self) {
        let waiting = "SELECT COUNT(*) FROM pg_locks
             WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let two_wait = async {
            while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut self.0).await.unwrap() < 2 {}
        };
        tokio::time::timeout(Duration::from_secs(20), two_wait).await.expect("two wait");
        sqlx::query("COMMIT").execute(&mut self.0).await.unwrap();
    }
}

impl Shop {
    pub async fn no_refund_is_written(&self) -> NoRefundIsWritten {
        let mut conn = AnyConnection::connect(&self.payments).await.unwrap();
        sqlx::query("BEGIN").execute(&mut conn).await.unwrap();
        sqlx::query("LOCK TABLE refunds IN SHARE MODE").execute(&mut conn).await.unwrap();
        NoRefundIsWritten(conn)
    }

    /// Rows of our database (`payment`) or the bank's (`sandbox`), each as its columns joined by `:`.
    pub fn rows(&self, owner: &str, sql: &'static str) -> Vec<String> {
        let url = if owner == "payment" { self.payments.clone() } else { self.url("sandbox.db") };
        self.block_on(async {
            let mut conn = AnyConnection::connect(&url).await.unwrap();
            let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
            let text = |row: &AnyRow, column: usize| {
                row.try_get::<String, _>(column).unwrap_or_else(|_| row.get::<i64, _>(column).to_string())
            };
            let rows = rows.iter().map(|row| {
                let columns: Vec<_> = (0..row.len()).map(|column| text(row, column)).collect();
                columns.join(":")
            });
            rows.collect()
        })
    }

    /// `kind:amount` in our ledger.
    pub fn ours(&self) -> Vec<String> {
        self.rows("payment", "SELECT kind, amount_minor FROM entries ORDER BY payment_id, number")
    }

    /// `kind:amount` in the bank's ledger: what moved.
    pub fn bank(&self) -> Vec<String> {
        if let Some(stripe) = &self.stripe {
            return stripe.moved();
        }
        self.rows(
            "sandbox",
            "SELECT kind, amount_minor FROM entries WHERE kind <> 'created' AND amount_minor > 0
             ORDER BY account_id, number",
        )
    }

    /// `kind` of what waits in the outbox, without the prefix all kinds have.
    pub fn events(&self) -> Vec<String> {
        self.rows("payment", "SELECT kind FROM outbox ORDER BY number")
            .iter()
            .map(|kind| kind.trim_start_matches("com.backstitch.payment.").trim_end_matches(".v1").to_owned())
            .collect()
    }

    /// The bytes of a database, as text.
    pub fn bytes(&self, file: &str) -> String {
        let parts = [file.to_owned(), format!("{file}-wal")];
        let read = |name| std::fs::read(self.directory.path().join(name)).unwrap_or_default();
        parts.into_iter().map(|name| String::from_utf8_lossy(&read(name)).into_owned()).collect()
    }
}
