//! The benchmark: three processes as a user would deploy them (load over HTTP, orchestrator, participants), and in
//! the same run the raw limit, the same calls with no durability at all.

mod cpu;
mod load;
mod raw;
mod report;
mod schema;
mod shop;
mod syncs;
pub(crate) mod takeover;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use hdrhistogram::Histogram;
use tokio::task::JoinHandle;

use load::Load;
use report::Disk;
pub(crate) use report::Report;
use schema::Schema;

use crate::child::Process;
use crate::cli::complain;
use crate::databases::DatabaseUrl;
use crate::sharing::lease;

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
    /// A Postgres server, synchronous_commit=on, in a schema of its own that is gone afterwards.
    Postgres,
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
    /// The Postgres database for `--store postgres`, e.g. postgres://user:password@host/database. It should have nothing
    /// else to do meanwhile.
    #[arg(long, env = "BACKSTITCH_DATABASE_URL", value_name = "URL")]
    #[arg(hide_env_values = true, hide_default_value = true)]
    pub(crate) database_url: Option<DatabaseUrl>,
    /// What answers the calls.
    #[arg(long, value_enum, default_value = "noop")]
    pub(crate) participants: Participants,
    /// Steps of the synthetic saga; the last but two is the pivot.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) steps: u32,
    /// Measure something else: how long sagas in flight take to end when one of two orchestrators on the database is
    /// killed.
    #[arg(long, requires = "database_url")]
    pub(crate) takeover: bool,
    /// Sagas in flight at the kill.
    #[arg(long, value_name = "N", default_value_t = 10_000, requires = "takeover")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=20_000))]
    pub(crate) sagas: u32,
    /// How long a shard stays with an orchestrator that is not heard of.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = lease, requires = "takeover")]
    pub(crate) lease: Duration,
    /// One JSON document instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

impl BenchArgs {
    /// The database that a benchmark on a server needs.
    fn database(&self) -> anyhow::Result<&DatabaseUrl> {
        self.database_url.as_ref().context(
            "--database-url is missing: name a Postgres database that has nothing else to do, \
             e.g. postgres://user:password@host/database",
        )
    }
}

/// Latencies of one phase, in microseconds per saga.
pub(crate) struct Measured {
    pub(crate) latencies: Histogram<u64>,
    pub(crate) took: Duration,
}

impl Measured {
    /// What these workers measure, who began then.
    pub(crate) async fn by(
        begun: Instant,
        workers: Vec<JoinHandle<anyhow::Result<Histogram<u64>>>>,
    ) -> anyhow::Result<Self> {
        let mut latencies = Histogram::new(3)?;
        for worker in workers {
            latencies.add(worker.await??)?;
        }
        Ok(Self { latencies, took: begun.elapsed() })
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
    let disk = match args.store {
        StoreKind::Sqlite => Disk::Log(syncs::log(&directory.path().join("data"))),
        StoreKind::Postgres => Disk::Server(Schema::create(args.database()?).await?),
    };
    complain(&plan(args));
    let noop = Process::start("noop", &["noop", "--listen", "127.0.0.1:0"], directory.path()).await?;
    let noop_address = noop.ready.address("noop")?.to_owned();
    let seconds = Duration::from_secs(args.seconds.into());
    let in_flight = usize::try_from(args.in_flight)?;
    let calls = if args.participants == Participants::Noop { args.steps } else { CHECKOUT_CALLS };

    // Raw before and after, so that a machine that slows down or speeds up meanwhile hurts both alike.
    let before = raw::measure(&noop_address, calls, in_flight, seconds / 2).await?;
    let (measured, usage) = match args.participants {
        Participants::Noop => {
            let more = ["--synthetic-steps", &args.steps.to_string()];
            measure(Load::Synthetic, &noop, &more, directory.path(), disk, in_flight, seconds).await?
        }
        Participants::Real => {
            let data = directory.path().join("participants");
            let role = ["participants", "--listen", "127.0.0.1:0", "--data", &data.to_string_lossy()];
            let shop = Process::start("participants", &role, directory.path()).await?;
            measure(Load::Checkouts, &shop, &[], directory.path(), disk, in_flight, seconds).await?
        }
    };
    let after = raw::measure(&noop_address, calls, in_flight, seconds / 2).await?;
    Ok(Report::new(args, calls, &measured, &before.plus(&after)?, &usage))
}

/// What will happen and about how long it takes, for whoever waits.
fn plan(args: &BenchArgs) -> String {
    let raw = f64::from(args.seconds) / 2.0;
    format!(
        "the raw limit for {raw} s, processes and warm-up, the measured run for {} s, the raw limit again for {raw} s: \
         about {} s in all, and more on a slow disk",
        args.seconds,
        2 * args.seconds + 2
    )
}

/// Puts an orchestrator in front of `participants`, and `load` on it.
async fn measure(
    load: Load,
    participants: &Process,
    more: &[&str],
    directory: &Path,
    disk: Disk,
    in_flight: usize,
    seconds: Duration,
) -> anyhow::Result<(Measured, report::Usage)> {
    let (data, addresses) = (directory.join("data"), &participants.ready.addresses);
    let at: Vec<String> =
        addresses.iter().map(|(name, address)| format!("{name}=http://{address}")).collect();
    let data_text = data.to_string_lossy();
    let mut args =
        vec!["orchestrator", "--data", &data_text, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
    args.extend(at.iter().flat_map(|at| ["--participant", at]));
    args.extend(more);
    let url = match &disk {
        Disk::Log(_) => None,
        Disk::Server(schema) => Some(schema.url().to_owned()),
    };
    args.extend(url.iter().flat_map(|url| ["--database-url", url]));
    let orchestrator = Process::start("orchestrator", &args, directory).await?;
    let http = orchestrator.ready.address("http")?;
    load.prepare(http, in_flight).await?;
    let pids = [("orchestrator", orchestrator.pid()), ("participants", participants.pid())];
    let meter = report::Meter::start(http, &pids, disk).await?;
    let measured = load.run(http, in_flight, seconds).await?;
    let (usage, disk) = meter.stop().await?;
    drop(orchestrator);
    if let Disk::Server(schema) = disk {
        schema.remove().await?;
    }
    Ok((measured, usage))
}
