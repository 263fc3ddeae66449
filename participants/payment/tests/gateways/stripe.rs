//! Stripe, for the laws: the gateway against the double.

use std::time::Duration;

use async_trait::async_trait;
use backstitch_stripe_double::{KEY, Moved, Stripe as Double};
use participant_payment::gateway::stripe::{BaseUrl, SecretKey, Settings, Stripe};
use participant_payment::gateway::{PaymentGateway, ProviderId};

use crate::bank::{self, Card};

pub(crate) struct Bank {
    stripe: Stripe,
    double: Double,
}

impl Bank {
    pub(crate) async fn open() -> Self {
        let double = Double::start().await;
        Self { stripe: gateway(&double), double }
    }
}

fn gateway(double: &Double) -> Stripe {
    let url = BaseUrl::parse(double.url()).unwrap();
    Stripe::new(Settings { url, ..Settings::new(SecretKey::parse(KEY).unwrap()) })
}

#[async_trait(?Send)]
impl bank::Bank for Bank {
    fn gateway(&self) -> &dyn PaymentGateway {
        &self.stripe
    }

    async fn again(&self) -> Box<dyn PaymentGateway> {
        Box::new(gateway(&self.double))
    }

    fn token(&self, card: Card) -> &'static str {
        match card {
            Card::Good => "pm_card_visa",
            Card::Declined => "pm_card_visa_chargeDeclined",
            Card::Empty => "pm_card_visa_chargeDeclinedInsufficientFunds",
            Card::Proves | Card::Fails => "pm_card_threeDSecure2Required",
            Card::RefundPends => "pm_card_pendingRefund",
            Card::RefundFails => "pm_card_refundFail",
        }
    }

    async fn customer(&self, id: &ProviderId, proves: bool) {
        let _ = self.double.control().customer(id.as_str(), proves).await;
    }

    async fn refund_goes_on(&self, _id: &ProviderId, refund: &str, succeeds: bool) {
        self.double.control().refund(refund, succeeds).await.unwrap();
    }

    async fn holds_run_out(&self) {
        self.double.control().turn(Duration::from_secs(8 * 24 * 3600)).await;
    }

    async fn moved(&self) -> Vec<String> {
        let statement = self.double.control().statement().await;
        assert_eq!(statement.violations(), [""; 0]);
        let movements = statement.accounts.into_iter().flat_map(|account| account.movements);
        let told = movements.map(|movement| {
            let what = match movement.what {
                Moved::Held => "held",
                Moved::Captured => "captured",
                Moved::Voided | Moved::Remainder => "let go",
                Moved::Refunded => "refunded",
                Moved::RefundFailed => "refund failed",
            };
            format!("{what} {}", movement.amount)
        });
        told.collect()
    }
}
