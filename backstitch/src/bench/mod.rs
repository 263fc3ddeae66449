//! The benchmark: three processes as a user would deploy them (load over HTTP, orchestrator, participants), and in
//! the same run the raw limit, the same calls with no durability at all.

mod cpu;
mod load;
mod raw;
mod report;
mod shop;
mod syncs;

use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hdrhistogram::Histogram;

pub(crate) use report::Report;

use crate::child::Process;

/// What a synthetic saga carries: about as much as an id and an amount.
pub(crate) const PAYLOAD: &[u8] = b"{\"order\":\"bench\",\"amount_minor\":4200,\"currency\":\"GBP\"}";
/// Calls of one checkout.
const CHECKOUT_CALLS: u32 = 11;

/// What answers the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Participants {
    /// A synthetic saga of sequential steps whose participant answers at once.
    Noop,
    /// The checkout with its six participants.
    Real,
}

/// Where sagas are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// The embedded store, synchronous=FULL.
    Sqlite,
}

/// Measure this machine: rate, latency, and their ratio to the same calls with no durability at all.
#[derive(Clone, Debug, Args)]
pub(crate) struct BenchArgs {
    /// Sagas in flight at a time.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) in_flight: u32,
    /// Length of the measured part; the raw limit is measured for half as long before and after it.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) seconds: u32,
    /// Where sagas are durable.
    #[arg(long, value_enum, default_value = "sqlite")]
    pub(crate) store: StoreKind,
    /// What answers the calls.
    #[arg(long, value_enum, default_value = "noop")]
    pub(crate) participants: Participants,
    /// Steps of the synthetic saga; the last but two is the pivot.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) steps: u32,
    /// One JSON document instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Latencies of one phase, in microseconds per saga.
pub(crate) struct Measured {
    pub(crate) latencies: Histogram<u64>,
    pub(crate) took: Duration,
}

impl Measured {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self { latencies: Histogram::new(3)?, took: Duration::ZERO })
    }

    /// Sagas per second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Both phases as one.
    pub(crate) fn plus(mut self, other: &Self) -> anyhow::Result<Self> {
        self.latencies.add(&other.latencies)?;
        self.took += other.took;
        Ok(self)
    }
}

/// Runs the benchmark in a directory that is gone afterwards.
pub(crate) async fn run(args: &BenchArgs) -> anyhow::Result<Report> {
    let directory = tempfile::tempdir()?;
    let noop = Process::start("noop", &["noop", "--listen", "127.0.0.1:0"], directory.path()).await?;
    let noop_address = noop.ready.address("noop")?.to_owned();
    let seconds = Duration::from_secs(args.seconds.into());
    let in_flight = usize::try_from(args.in_flight)?;
    let calls = if args.participants == Participants::Noop { args.steps } else { CHECKOUT_CALLS };

    // Raw before and after, so that a machine that slows down or speeds up meanwhile hurts both alike.
    let before = raw::measure(&noop_address, calls, in_flight, seconds / 2).await?;
    let (measured, usage) = match args.participants {
        Participants::Noop => synthetic(args, &noop, directory.path(), seconds, in_flight).await?,
        Participants::Real => checkout(directory.path(), seconds, in_flight).await?,
    };
    let after = raw::measure(&noop_address, calls, in_flight, seconds / 2).await?;
    Ok(Report::new(args, calls, &measured, &before.plus(&after)?, &usage))
}

async fn synthetic(
    args: &BenchArgs,
    noop: &Process,
    directory: &Path,
    seconds: Duration,
    in_flight: usize,
) -> anyhow::Result<(Measured, report::Usage)> {
    let (data, steps) = (directory.join("data"), args.steps.to_string());
    let log = syncs::log(&data);
    let at = format!("noop=http://{}", noop.ready.address("noop")?);
    let data = data.to_string_lossy();
    let orchestrator = [
        "orchestrator",
        "--data",
        &data,
        "--http",
        "127.0.0.1:0",
        "--grpc",
        "127.0.0.1:0",
        "--participant",
        &at,
        "--synthetic-steps",
        &steps,
    ];
    let orchestrator = Process::start("orchestrator", &orchestrator, directory).await?;
    let http = orchestrator.ready.address("http")?.to_owned();
    load::warm_up(&http, in_flight).await?;
    let pids = [("orchestrator", orchestrator.pid()), ("participants", noop.pid())];
    let meter = report::Meter::start(&http, &pids, &log).await?;
    let measured = load::synthetic(&http, in_flight, seconds).await?;
    Ok((measured, meter.stop().await?))
}

async fn checkout(
    directory: &Path,
    seconds: Duration,
    in_flight: usize,
) -> anyhow::Result<(Measured, report::Usage)> {
    let (data, shop_data) = (directory.join("data"), directory.join("participants"));
    let participants = ["participants", "--listen", "127.0.0.1:0", "--data", &shop_data.to_string_lossy()];
    let participants = Process::start("participants", &participants, directory).await?;
    let (log, data) = (syncs::log(&data), data.to_string_lossy().into_owned());
    let mut args: Vec<String> =
        ["orchestrator", "--data", &data, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
            .map(String::from)
            .into();
    for (name, address) in &participants.ready.addresses {
        args.extend(["--participant".into(), format!("{name}=http://{address}")]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let orchestrator = Process::start("orchestrator", &args, directory).await?;
    let http = orchestrator.ready.address("http")?.to_owned();
    shop::stock(&http).await?;
    let pids = [("orchestrator", orchestrator.pid()), ("participants", participants.pid())];
    let meter = report::Meter::start(&http, &pids, &log).await?;
    let measured = load::checkouts(&http, in_flight, seconds).await?;
    Ok((measured, meter.stop().await?))
}
