//! Stripe as the bank: the double, in a runtime of its own that no crash of the participant touches.

use std::cell::Cell;
use std::time::Duration;

use backstitch_stripe_double::{Fault, KEY, Kind, Moved, Operation, Stripe as Double};
use participant_payment::gateway::stripe::{BaseUrl, Limits, SecretKey, Settings, Stripe as Gateway};
use participant_payment::gateway::{PaymentGateway as _, ProviderId, RefundState};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use super::gbp;

const NAME: &[u8] = env!("CARGO_CRATE_NAME").as_bytes();

/// Whether the tests of this binary pay with Stripe.
pub const CHOSEN: bool = matches!(NAME, b"on_stripe" | b"amounts_on_stripe" | b"stripe_stories") || LAX;

/// Whether that one does what Stripe refuses for the state of things.
const LAX: bool = matches!(NAME, b"on_lax_stripe");

/// Stripe, until it is dropped.
pub struct Stripe {
    double: Double,
    runtime: Runtime,
    /// How long a process that starts from now on waits for it.
    limits: Cell<Limits>,
}

impl Stripe {
    pub fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let double = runtime.block_on(async {
            let double = Double::start().await;
            double.control().lax(LAX).await;
            double
        });
        Self { double, runtime, limits: Cell::default() }
    }

    /// A gateway of a process.
    pub fn gateway(&self) -> Gateway {
        let url = BaseUrl::parse(self.double.url()).unwrap();
        let limits = self.limits.get();
        Gateway::new(Settings { url, limits, ..Settings::new(SecretKey::parse(KEY).unwrap()) })
    }

    /// Processes that start from now on wait so long for it and no longer.
    pub fn is_waited_for(&self, total: Duration) {
        self.limits.set(Limits { total, ..Limits::default() });
    }

    /// The statuses that calls of this kind were answered with; 0 of one that goes on.
    pub fn answered(&self, operation: Operation) -> Vec<u16> {
        let calls = self.runtime.block_on(self.double.control().calls());
        calls.into_iter().filter(|call| call.operation == operation).map(|call| call.status).collect()
    }

    /// `kind:amount` of what moved, in the words of the sandbox's ledger.
    pub fn moved(&self) -> Vec<String> {
        let statement = self.runtime.block_on(self.double.control().statement());
        assert_eq!(statement.violations(), [""; 0]);
        let movements = statement.accounts.into_iter().flat_map(|account| account.movements);
        let told = movements.map(|movement| {
            let kind = match movement.what {
                Moved::Held => "authorized",
                Moved::Captured => "captured",
                Moved::Voided => "voided",
                Moved::Remainder => "remainder",
                Moved::Refunded => "refunded",
                Moved::RefundFailed => "refund_failed",
            };
            format!("{kind}:{}", movement.amount)
        });
        told.collect()
    }

    /// The next call of this kind goes wrong.
    pub fn goes_wrong(&self, operation: Operation, kind: Kind) {
        self.runtime.block_on(self.double.control().fault(Fault::next(operation, kind)));
    }

    /// The customer of the only intent that waits for one does what the bank asks for, or fails to. False: none waits.
    pub fn customer(&self, proves: bool) -> bool {
        self.runtime.block_on(async {
            let control = self.double.control();
            for account in control.statement().await.accounts {
                if control.customer(&account.intent, proves).await.is_ok() {
                    return true;
                }
            }
            false
        })
    }

    /// So much time has passed that every hold has run out.
    pub fn holds_run_out(&self) {
        self.turn(Duration::from_secs(8 * 24 * 3600));
    }

    /// Time passes at Stripe.
    pub fn turn(&self, by: Duration) {
        self.runtime.block_on(self.double.control().turn(by));
    }

    /// Somebody else who has the account gives the only charge back.
    pub fn given_back_elsewhere(&self, minor: i64) {
        self.runtime.block_on(async {
            let statement = self.double.control().statement().await;
            let intent = ProviderId::new(&statement.accounts[0].intent);
            let gateway = self.gateway();
            let refund = gateway.refund("elsewhere", &intent, Uuid::nil(), gbp(minor)).await.unwrap();
            assert_eq!(refund.state, RefundState::Succeeded);
        });
    }

    /// The test card that does what a token of the sandbox does; a card of Stripe's is itself.
    pub fn token(sandbox_s: &str) -> &str {
        match sandbox_s {
            "tok_ok" => "pm_card_visa",
            "tok_declined" => "pm_card_visa_chargeDeclined",
            "tok_insufficient_funds" => "pm_card_visa_chargeDeclinedInsufficientFunds",
            "tok_3ds_ok" | "tok_3ds_fail" | "tok_3ds_never" => "pm_card_threeDSecure2Required",
            "tok_refund_pending" => "pm_card_pendingRefund",
            "tok_refund_fails_later" => "pm_card_refundFail",
            "tok_nobody_s" | "" => "pm_nobody_s",
            card if card.starts_with("pm_card_") => card,
            other => panic!("no test card of Stripe's does what {other} does"),
        }
    }
}
