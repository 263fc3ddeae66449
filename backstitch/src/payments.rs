//! What payments have beside their provider: where it tells them something, and whom they tell.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use clap::Args;
use participant_kit::SystemClock;
use participant_payment::{Orchestrator, Remote, Secrets, Settings, WebhookOptions};

use crate::cli::{address, uri};
use crate::patience::time;

/// Of those who run the payments.
#[derive(Clone, Debug, Args)]
pub(crate) struct Payments {
    /// Address to take the payment provider's webhooks in at, as POST /webhooks/stripe. Without it the provider is asked,
    /// which is as safe and later.
    #[arg(long, env = "BACKSTITCH_WEBHOOKS", value_name = "ADDR", value_parser = address)]
    pub(crate) webhooks: Option<SocketAddr>,
    /// File with the secrets that sign webhooks, one on a line; several while one is being replaced.
    #[arg(long, env = "BACKSTITCH_STRIPE_WEBHOOK_SECRET_FILE", value_name = "FILE")]
    pub(crate) stripe_webhook_secret_file: Option<PathBuf>,
    /// How far from now the time of a webhook's signature may be.
    #[arg(
        long,
        env = "BACKSTITCH_WEBHOOK_TOLERANCE",
        value_name = "TIME",
        default_value = "5m",
        value_parser = time,
        hide_short_help = true
    )]
    pub(crate) webhook_tolerance: Duration,
    /// How long the payment provider remembers a key: a refund in doubt is asked for again without listing refunds first.
    #[arg(
        long,
        env = "BACKSTITCH_PROVIDER_KEY_WINDOW",
        value_name = "TIME",
        default_value = "24h",
        value_parser = time,
        hide_short_help = true
    )]
    pub(crate) provider_key_window: Duration,
}

impl Default for Payments {
    fn default() -> Self {
        Self {
            webhooks: None,
            stripe_webhook_secret_file: None,
            webhook_tolerance: participant_payment::TOLERANCE,
            provider_key_window: Settings::KEY_WINDOW,
        }
    }
}

/// Of those who run the payments apart from the orchestrator.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Told {
    /// gRPC address of an orchestrator that is told when a payment that waits can go on, or a refund has failed, e.g.
    /// http://127.0.0.1:50050. Without it checkouts find out by asking, and failed refunds are listed here only.
    #[arg(long, env = "BACKSTITCH_ORCHESTRATOR", value_name = "URI", value_parser = uri)]
    pub(crate) orchestrator: Option<String>,
}

impl Payments {
    /// Refuses what cannot be before anything is opened.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.settings(None).map(drop)
    }

    /// What the participant is given.
    pub(crate) fn settings(&self, orchestrator: Option<&str>) -> anyhow::Result<Settings> {
        let least = Settings::LEAST_KEY_WINDOW;
        ensure!(
            self.provider_key_window >= least,
            "--provider-key-window must be at least {}",
            humantime::format_duration(least)
        );
        let orchestrator = orchestrator.map(|address| {
            let remote = Remote::at(address).map_err(|why| anyhow!("--orchestrator {address}: {why}"))?;
            Ok::<_, anyhow::Error>(Arc::new(remote) as Arc<dyn Orchestrator>)
        });
        Ok(Settings {
            key_window: self.provider_key_window,
            orchestrator: orchestrator.transpose()?,
            webhooks: self.door()?,
            ..Settings::new(Arc::new(SystemClock))
        })
    }

    fn door(&self) -> anyhow::Result<Option<WebhookOptions>> {
        let (listen, file) = match (self.webhooks, &self.stripe_webhook_secret_file) {
            (None, None) => return Ok(None),
            (Some(listen), Some(file)) => (listen, file),
            (Some(_), None) => anyhow::bail!(
                "--webhooks needs --stripe-webhook-secret-file FILE: without a secret nobody's webhook can be believed"
            ),
            (None, Some(_)) => anyhow::bail!(
                "--stripe-webhook-secret-file needs --webhooks ADDR: nobody takes webhooks in without an address"
            ),
        };
        let named = || format!("--stripe-webhook-secret-file {}", file.display());
        let text = std::fs::read_to_string(file).with_context(named)?;
        let secrets = Secrets::parse(&text).map_err(|why| anyhow!("{} {why}", named()))?;
        Ok(Some(WebhookOptions { listen, secrets, tolerance: self.webhook_tolerance }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_need_an_address_and_a_secret_and_say_what_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let at = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let payments = |webhooks, stripe_webhook_secret_file| Payments {
            webhooks,
            stripe_webhook_secret_file,
            ..Payments::default()
        };
        let why = |payments: Payments| format!("{:#}", payments.check().unwrap_err());
        assert!(payments(None, None).check().is_ok());
        assert!(payments(at, file("two", "whsec_a\nwhsec_b\n")).check().is_ok());
        assert!(why(payments(at, None)).contains("--stripe-webhook-secret-file FILE"));
        assert!(why(payments(None, file("one", "whsec_a"))).contains("--webhooks ADDR"));
        let empty = why(payments(at, file("empty", "\n")));
        assert!(empty.contains("--stripe-webhook-secret-file") && empty.contains("one on a line"), "{empty}");
        let nowhere = why(payments(at, Some(directory.path().join("nowhere"))));
        assert!(nowhere.contains("nowhere") && nowhere.contains("No such file"), "{nowhere}");
    }

    #[test]
    fn a_key_window_is_an_hour_at_the_least() {
        let window =
            |seconds| Payments { provider_key_window: Duration::from_secs(seconds), ..Payments::default() };
        assert!(window(3_600).check().is_ok());
        assert!(window(3_599).check().unwrap_err().to_string().contains("--provider-key-window"));
    }
}
