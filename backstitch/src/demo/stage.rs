//! What the demo plays on: a fresh directory with a real `backstitch up` in a process of its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use backstitch_chaos::{AuditPaths, Report, audit};
use backstitch_proto::ids::derived;
use backstitch_proto::payment::GetPaymentRequest;
use backstitch_proto::payment::payment_client::PaymentClient;
use backstitch_proto::shipping::MarkShippedRequest;
use backstitch_proto::shipping::shipping_client::ShippingClient;
use backstitch_reconciler::{At, Options, reconcile};
use backstitch_server::channel;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use super::shop::Shop;
use crate::child::Process;

/// Less patience than a shop's, so that whoever watches sees a customer's time run out and an undo park.
const HURRY: [&str; 4] = ["--customer-wait", "3s", "--undo-attempts", "3"];

pub(crate) struct Stage {
    /// Absent when the databases are kept.
    fresh: Option<TempDir>,
    directory: PathBuf,
    up: Option<Process>,
}

impl Stage {
    /// A fresh directory and a running shop.
    pub(crate) async fn set(keep: Option<PathBuf>) -> anyhow::Result<Self> {
        let fresh = if keep.is_none() { Some(tempfile::tempdir()?) } else { None };
        let directory = match (&fresh, keep) {
            (Some(fresh), _) => fresh.path().to_owned(),
            (None, kept) => kept.unwrap_or_default(),
        };
        std::fs::create_dir_all(&directory).with_context(|| format!("--data {}", directory.display()))?;
        let used = std::fs::read_dir(&directory)?.next().is_some();
        ensure!(!used, "--data {} is not empty; the demo starts fresh", directory.display());
        let mut stage = Self { fresh, directory, up: None };
        stage.start().await?;
        Ok(stage)
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Starts the process, on whatever is in the directory.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let data = self.data().display().to_string();
        let mut args = vec!["up", "--data", &data, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
        args.extend(HURRY);
        self.up = Some(Process::start("backstitch-up", &args, &self.directory).await?);
        Ok(())
    }

    /// `kill -9`: no handler runs, nothing is flushed. Answers the process id.
    pub(crate) fn kill(&mut self) -> anyhow::Result<u32> {
        let mut up = self.up.take().context("the process is not running")?;
        let pid = up.pid();
        up.kill()?;
        Ok(pid)
    }

    /// A connection to the running shop.
    pub(crate) async fn shop(&self) -> anyhow::Result<Shop> {
        Shop::open(self.address("http")?).await
    }

    pub(crate) fn address(&self, name: &str) -> anyhow::Result<&str> {
        self.up.as_ref().context("the process is not running")?.ready.address(name)
    }

    /// What the payment participant says about a payment; none while it does not know it.
    pub(crate) async fn payment_status(&self, payment_id: &str) -> anyhow::Result<Option<String>> {
        let mut client = PaymentClient::connect(format!("http://{}", self.address("payment")?)).await?;
        let request = GetPaymentRequest { payment_id: payment_id.to_owned() };
        match client.get_payment(request).await {
            Ok(answer) => Ok(Some(answer.into_inner().status)),
            Err(status) if status.code() == tonic::Code::NotFound => Ok(None),
            Err(status) => Err(status.into()),
        }
    }

    /// The carrier's scan of a checkout's parcel; answers what the shipping participant says of it then.
    pub(crate) async fn scan(&self, checkout_id: &str) -> anyhow::Result<String> {
        let mut carrier = ShippingClient::connect(format!("http://{}", self.address("shipping")?)).await?;
        let shipment_id = derived(checkout_id.parse()?, "shipment").to_string();
        Ok(carrier.mark_shipped(MarkShippedRequest { shipment_id }).await?.into_inner().status)
    }

    /// Mails with these words in them.
    pub(crate) fn mails(&self, words: &str) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        for file in std::fs::read_dir(self.data().join("mail"))? {
            found.extend(std::fs::read_to_string(file?.path()).ok().filter(|mail| mail.contains(words)));
        }
        Ok(found)
    }

    /// How often the bank has taken the money of a payment, by its own statement.
    pub(crate) async fn captures_at_the_bank(&self, payment_id: &str) -> anyhow::Result<i64> {
        let file = self.data().join("sandbox.db");
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut bank = options.connect().await?;
        let captures =
            sqlx::query_scalar("SELECT coalesce(sum(captures), 0) FROM statement WHERE reference = $1");
        let captures = captures.bind(payment_id).fetch_one(&mut bank).await?;
        bank.close().await?;
        Ok(captures)
    }

    /// Waits until the bank has taken the money of a payment.
    pub(crate) async fn wait_for_capture(&self, payment_id: &str) -> anyhow::Result<()> {
        let patience = Instant::now() + Duration::from_secs(10);
        while self.captures_at_the_bank(payment_id).await? == 0 {
            ensure!(Instant::now() < patience, "the bank did not take the money within 10 s");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Compares our books, the bank's list and the orders, of a shop that is at rest.
    pub(crate) async fn reconcile(&self) -> anyhow::Result<backstitch_reconciler::Report> {
        let at = |name: &str| {
            let address = format!("http://{}", self.address(name)?);
            anyhow::Ok(At { channel: channel(&address)?, address })
        };
        let shop = backstitch_reconciler::Shop::new(at("payment")?, at("order")?, at("grpc")?);
        let options = Options { grace: Duration::ZERO, ..Options::default() };
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        Ok(reconcile(&shop, &options, i64::try_from(now_ms)?).await?)
    }

    /// Stops the process and audits what it left.
    pub(crate) async fn audit(&mut self) -> anyhow::Result<Report> {
        if let Some(mut up) = self.up.take() {
            up.terminate().await?;
        }
        Ok(audit(&AuditPaths::in_dir(&self.data())).await?)
    }

    /// Where the databases stay, if they stay.
    pub(crate) fn kept(&self) -> Option<&Path> {
        if self.fresh.is_none() { Some(&self.directory) } else { None }
    }
}
