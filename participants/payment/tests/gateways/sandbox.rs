//! The sandbox, for the laws.

use std::sync::Arc;

use async_trait::async_trait;
use participant_kit::ManualClock;
use participant_payment::gateway::sandbox::{HOLD_MS, Patience, Sandbox};
use participant_payment::gateway::{PaymentGateway, ProviderId};
use sqlx::{Connection as _, SqliteConnection};

use crate::bank::{self, Card};

pub(crate) struct Bank {
    sandbox: Sandbox,
    clock: ManualClock,
    directory: tempfile::TempDir,
}

impl Bank {
    pub(crate) async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(1_700_000_000_000);
        let url = url(&directory);
        let sandbox = Sandbox::open(&url, Patience::none(), Arc::new(clock.clone())).await.unwrap();
        Self { sandbox, clock, directory }
    }
}

fn url(directory: &tempfile::TempDir) -> String {
    format!("sqlite:{}", directory.path().join("sandbox.db").display())
}

#[async_trait(?Send)]
impl bank::Bank for Bank {
    fn gateway(&self) -> &dyn PaymentGateway {
        &self.sandbox
    }

    async fn again(&self) -> Box<dyn PaymentGateway> {
        let clock = Arc::new(self.clock.clone());
        Box::new(Sandbox::open(&url(&self.directory), Patience::none(), clock).await.unwrap())
    }

    fn token(&self, card: Card) -> &'static str {
        match card {
            Card::Good => "tok_ok",
            Card::Declined => "tok_declined",
            Card::Empty => "tok_insufficient_funds",
            Card::Proves => "tok_3ds_ok",
            Card::Fails => "tok_3ds_fail",
            Card::RefundPends => "tok_refund_pending",
            Card::RefundFails => "tok_refund_fails_later",
        }
    }

    /// Whether they prove it is their card's business.
    async fn customer(&self, id: &ProviderId, _proves: bool) {
        let _ = self.sandbox.finish_challenge(id).await;
    }

    async fn refund_goes_on(&self, id: &ProviderId, _refund: &str, _succeeds: bool) {
        self.sandbox.refunds(id).await.unwrap();
    }

    async fn holds_run_out(&self) {
        self.clock.advance(HOLD_MS + 1);
    }

    async fn moved(&self) -> Vec<String> {
        let mut conn = SqliteConnection::connect(&url(&self.directory)).await.unwrap();
        let sql = "SELECT e.kind, e.amount_minor, a.authorized_minor, a.captured_minor FROM entries e
                   JOIN accounts a ON a.id = e.account_id WHERE e.amount_minor > 0 ORDER BY e.account_id, e.number";
        let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap();
        let mut moved = Vec::new();
        for (kind, amount, held, captured) in rows {
            match kind.as_str() {
                "authorized" => moved.push(format!("held {amount}")),
                "captured" => {
                    moved.push(format!("captured {amount}"));
                    // The sandbox does not book what a capture lets go of.
                    if held > captured {
                        moved.push(format!("let go {}", held - captured));
                    }
                }
                "voided" => moved.push(format!("let go {amount}")),
                "refunded" => moved.push(format!("refunded {amount}")),
                "refund_failed" => moved.push(format!("refund failed {amount}")),
                _ => {}
            }
        }
        moved
    }
}
