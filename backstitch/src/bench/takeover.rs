//! How long sagas in flight take to end when one of two orchestrators is killed.
//!
//! Their participant holds every answer until the kill, so that all of them are in flight then and nobody waits for it
//! afterwards.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use bytes::Bytes;
use http::Method;
use serde::Serialize;

use super::schema::Schema;
use super::{BenchArgs, PAYLOAD};
use crate::child::Process;
use crate::cli::complain;
use crate::client::Connection;

/// Connections that start sagas at each orchestrator.
const STARTERS: u32 = 32;
/// How often it is looked whether all have ended.
const LOOK: Duration = Duration::from_millis(100);
/// After so long it is given up.
const PATIENCE: Duration = Duration::from_secs(300);

/// The figures.
#[derive(Serialize)]
pub(crate) struct Report {
    sagas: i64,
    /// Those in shards of the orchestrator that was killed.
    orphaned: i64,
    lease_s: f64,
    /// From the kill until the other one had every shard, and until every saga had ended.
    shards_taken_after_s: f64,
    all_ended_after_s: f64,
    beyond_the_lease_s: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} sagas in flight, {} of them with the orchestrator that was killed",
            self.sagas, self.orphaned
        )?;
        writeln!(f, "  lease            {:>6.1} s", self.lease_s)?;
        writeln!(f, "  shards taken     {:>6.1} s after the kill", self.shards_taken_after_s)?;
        writeln!(f, "  all completed    {:>6.1} s after the kill", self.all_ended_after_s)?;
        write!(f, "  beyond the lease {:>6.1} s", self.beyond_the_lease_s)
    }
}

/// Runs it in a schema that is gone afterwards.
pub(crate) async fn run(args: &BenchArgs) -> anyhow::Result<Report> {
    let mut schema = Schema::create(args.database()?).await?;
    complain(&format!(
        "two orchestrators with {} sagas in flight, one of them is killed; about a minute in all",
        args.sagas
    ));
    let measured = measure(args, &mut schema).await;
    schema.remove().await?;
    measured
}

async fn measure(args: &BenchArgs, schema: &mut Schema) -> anyhow::Result<Report> {
    let directory = tempfile::tempdir()?;
    let hold = directory.path().join("hold");
    std::fs::write(&hold, "")?;
    let hold_text = hold.to_string_lossy();
    let noop = ["noop", "--listen", "127.0.0.1:0", "--hold", &hold_text];
    let noop = Process::start("noop", &noop, directory.path()).await?;
    let at = noop.ready.address("noop")?;
    let mut killed = orchestrator("a", args, schema, at, directory.path()).await?;
    let survivor = orchestrator("b", args, schema, at, directory.path()).await?;

    until("both have shards", async || {
        let (a, b) = (schema.shards_of("a").await?, schema.shards_of("b").await?);
        Ok(a > 0 && b > 0 && a.abs_diff(b) <= 1)
    })
    .await?;
    for process in [&killed, &survivor] {
        start_sagas(process.ready.address("http")?, args.sagas / 2).await?;
    }
    let (sagas, live, _) = schema.sagas().await?;
    ensure!(
        sagas >= i64::from(args.sagas / 2 * 2),
        "{sagas} sagas are there of {} that were accepted",
        args.sagas
    );
    ensure!(live == sagas, "{} sagas have ended before the kill", sagas - live);
    let orphaned = schema.sagas_of("a").await?;

    killed.kill()?;
    let begun = Instant::now();
    std::fs::remove_file(&hold)?;
    let mut taken = None;
    until("all sagas end", async || {
        if taken.is_none() && schema.shards_of("a").await? == 0 {
            taken = Some(begun.elapsed());
        }
        Ok(schema.sagas().await?.1 == 0)
    })
    .await?;
    let ended = begun.elapsed();
    let (all, _, completed) = schema.sagas().await?;
    ensure!(all == sagas && completed == all, "{completed} of {all} sagas completed, {sagas} were in flight");
    let seconds = |time: Duration| time.as_secs_f64();
    Ok(Report {
        sagas,
        orphaned,
        lease_s: seconds(args.lease),
        shards_taken_after_s: seconds(taken.unwrap_or(ended)),
        all_ended_after_s: seconds(ended),
        beyond_the_lease_s: (seconds(ended) - seconds(args.lease)).max(0.0),
    })
}

async fn orchestrator(
    name: &str,
    args: &BenchArgs,
    schema: &Schema,
    noop: &str,
    directory: &Path,
) -> anyhow::Result<Process> {
    let (steps, lease) = (args.steps.to_string(), format!("{}ms", args.lease.as_millis()));
    let (noop, data) = (format!("noop=http://{noop}"), directory.to_string_lossy());
    let role =
        ["orchestrator", "--node", name, "--lease", &lease, "--database-url", schema.url(), "--data", &data];
    let faces = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--participant", &noop];
    let args = [&role[..], &faces, &["--synthetic-steps", &steps]].concat();
    Process::start(name, &args, directory).await
}

/// Starts so many and waits for none.
async fn start_sagas(address: &str, sagas: u32) -> anyhow::Result<()> {
    let starter = |n: u32| {
        let address = address.to_owned();
        let mine = sagas / STARTERS + u32::from(n < sagas % STARTERS);
        tokio::spawn(async move {
            let mut connection = Connection::open(&address).await?;
            for _ in 0..mine {
                connection.must(Method::POST, "/bench/v1/sagas", &[], Bytes::from_static(PAYLOAD)).await?;
            }
            anyhow::Ok(())
        })
    };
    let starters: Vec<_> = (0..STARTERS).map(starter).collect();
    for starter in starters {
        starter.await??;
    }
    Ok(())
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !is_so().await? {
        if begun.elapsed() > PATIENCE {
            bail!("{what}: not within {PATIENCE:?}");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
