//! Stripe as the bank: the double, in a runtime of its own that no crash of the participant touches.

use backstitch_stripe_double::{KEY, Moved, Stripe as Double};
use participant_payment::gateway::stripe::{BaseUrl, SecretKey, Settings, Stripe as Gateway};
use tokio::runtime::{Builder, Runtime};

/// Whether the tests of this binary pay with Stripe: those of `tests/on_stripe.rs` do.
pub const CHOSEN: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), b"on_stripe");

/// Stripe, until it is dropped.
pub struct Stripe {
    double: Double,
    runtime: Runtime,
}

impl Stripe {
    pub fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let double = runtime.block_on(Double::start());
        Self { double, runtime }
    }

    /// A gateway of a process.
    pub fn gateway(&self) -> Gateway {
        let url = BaseUrl::parse(self.double.url()).unwrap();
        Gateway::new(Settings { url, ..Settings::new(SecretKey::parse(KEY).unwrap()) })
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

    /// The test card that does what a token of the sandbox does.
    pub fn token(sandbox_s: &str) -> &str {
        match sandbox_s {
            "tok_ok" => "pm_card_visa",
            "tok_declined" => "pm_card_visa_chargeDeclined",
            "tok_insufficient_funds" => "pm_card_visa_chargeDeclinedInsufficientFunds",
            "tok_3ds_ok" | "tok_3ds_fail" | "tok_3ds_never" => "pm_card_threeDSecure2Required",
            "tok_refund_pending" => "pm_card_pendingRefund",
            "tok_refund_fails_later" => "pm_card_refundFail",
            "tok_nobody_s" | "" => "pm_nobody_s",
            other => panic!("no test card of Stripe's does what {other} does"),
        }
    }
}
