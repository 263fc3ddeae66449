//! What the benchmark says.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::Serialize;

use super::schema::{Done, Schema};
use super::{BenchArgs, Measured, cpu, syncs};
use crate::client::Connection;

/// How long a server's processes may take to tell of what they have synced.
const TOLD_WITHIN: Duration = Duration::from_millis(2500);

/// What makes the saga store's commits durable.
pub(crate) enum Disk {
    /// SQLite's write-ahead log.
    Log(PathBuf),
    /// A Postgres server.
    Server(Schema),
}

/// What the measured part used, or all until now.
pub(crate) struct Usage {
    cpu_micros: BTreeMap<String, u64>,
    commits: f64,
    log_restarts: u32,
    record_bytes: f64,
    server: Option<Done>,
}

/// Reads counters before and after the measured part.
pub(crate) struct Meter {
    address: String,
    pids: Vec<(String, u32)>,
    disk: Disk,
    before: Usage,
}

impl Meter {
    pub(crate) async fn start(
        address: &str,
        processes: &[(&str, u32)],
        mut disk: Disk,
    ) -> anyhow::Result<Self> {
        let mut pids: Vec<(String, u32)> =
            processes.iter().map(|(name, pid)| ((*name).to_owned(), *pid)).collect();
        pids.push(("load".into(), std::process::id()));
        let syncs = disk.syncs().await?;
        let mut before = read(address, &pids, &mut disk).await?;
        before.believe(syncs);
        Ok(Self { address: address.to_owned(), pids, disk, before })
    }

    /// Answers what was used since it was started, and what was measured on.
    pub(crate) async fn stop(mut self) -> anyhow::Result<(Usage, Disk)> {
        let mut after = read(&self.address, &self.pids, &mut self.disk).await?;
        after.believe(self.disk.syncs().await?);
        let cpu = after.cpu_micros.iter().map(|(name, after)| {
            let before = self.before.cpu_micros.get(name).copied().unwrap_or(0);
            (name.clone(), after.saturating_sub(before))
        });
        let usage = Usage {
            cpu_micros: cpu.collect(),
            commits: after.commits - self.before.commits,
            log_restarts: after.log_restarts.wrapping_sub(self.before.log_restarts),
            record_bytes: after.record_bytes - self.before.record_bytes,
            server: after.server.zip(self.before.server).map(|(after, before)| Done {
                wal_bytes: after.wal_bytes - before.wal_bytes,
                syncs: after.syncs.zip(before.syncs).map(|(after, before)| after - before),
                cpu_micros: 0,
            }),
        };
        Ok((usage, self.disk))
    }
}

impl Usage {
    /// What was told of syncs later, once it was certain.
    fn believe(&mut self, syncs: Option<i64>) {
        if let Some(server) = &mut self.server {
            server.syncs = syncs;
        }
    }
}

impl Disk {
    /// Syncs of a server's log, once its processes have told of all of them.
    async fn syncs(&mut self) -> anyhow::Result<Option<i64>> {
        let Disk::Server(schema) = self else { return Ok(None) };
        tokio::time::sleep(TOLD_WITHIN).await;
        Ok(schema.done().await?.syncs)
    }
}

async fn read(address: &str, pids: &[(String, u32)], disk: &mut Disk) -> anyhow::Result<Usage> {
    let mut connection = Connection::open(address).await?;
    let text = connection.must(Method::GET, "/metrics", &[], Bytes::new()).await?;
    let text = String::from_utf8_lossy(&text);
    let mut usage = Usage {
        cpu_micros: pids.iter().map(|(name, pid)| (name.clone(), cpu::micros(*pid))).collect(),
        commits: counter(&text, "store_commits_total"),
        log_restarts: 0,
        record_bytes: counter(&text, "store_record_bytes_total"),
        server: None,
    };
    match disk {
        Disk::Log(log) => usage.log_restarts = syncs::restarts(log)?,
        Disk::Server(schema) => {
            let done = schema.done().await?;
            if schema.is_here() {
                usage.cpu_micros.insert("postgres".into(), done.cpu_micros);
            }
            usage.server = Some(done);
        }
    }
    Ok(usage)
}

/// The value of a counter without labels in Prometheus' text format; 0 if it was never counted.
fn counter(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
}

/// The figures.
#[derive(Serialize)]
pub(crate) struct Report {
    participants: String,
    store: String,
    in_flight: u32,
    calls_per_saga: u32,
    sagas: u64,
    sagas_per_second: f64,
    p50_us: u64,
    p99_us: u64,
    raw_sagas_per_second: f64,
    raw_p50_us: u64,
    raw_p99_us: u64,
    rate_ratio_to_raw: f64,
    p50_ratio_to_raw: f64,
    commits_per_saga: f64,
    fsyncs_per_saga: Option<f64>,
    log_restarts: u32,
    wal_bytes_per_saga: Option<f64>,
    journal_bytes_per_saga: f64,
    cpu_us_per_saga: BTreeMap<String, f64>,
}

impl Report {
    pub(super) fn new(
        args: &BenchArgs,
        calls: u32,
        measured: &Measured,
        raw: &Measured,
        usage: &Usage,
    ) -> Self {
        let sagas = measured.latencies.len();
        let per_saga = |total: f64| total / (sagas.max(1) as f64);
        let syncs = match &usage.server {
            Some(server) => server.syncs.map(|syncs| syncs as f64),
            None => Some(usage.commits + syncs::PER_RESTART * f64::from(usage.log_restarts)),
        };
        let p50 = |m: &Measured| m.latencies.value_at_quantile(0.5);
        let p99 = |m: &Measured| m.latencies.value_at_quantile(0.99);
        Self {
            participants: format!("{:?}", args.participants).to_lowercase(),
            store: format!("{:?}", args.store).to_lowercase(),
            in_flight: args.in_flight,
            calls_per_saga: calls,
            sagas,
            sagas_per_second: measured.rate(),
            p50_us: p50(measured),
            p99_us: p99(measured),
            raw_sagas_per_second: raw.rate(),
            raw_p50_us: p50(raw),
            raw_p99_us: p99(raw),
            rate_ratio_to_raw: measured.rate() / raw.rate(),
            p50_ratio_to_raw: p50(measured) as f64 / (p50(raw).max(1) as f64),
            commits_per_saga: per_saga(usage.commits),
            fsyncs_per_saga: syncs.map(per_saga),
            log_restarts: usage.log_restarts,
            wal_bytes_per_saga: usage.server.map(|server| per_saga(server.wal_bytes as f64)),
            journal_bytes_per_saga: per_saga(usage.record_bytes),
            cpu_us_per_saga: usage
                .cpu_micros
                .iter()
                .map(|(n, us)| (n.clone(), per_saga(*us as f64)))
                .collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: u64| us as f64 / 1000.0;
        writeln!(
            f,
            "{} participants, {} calls per saga, {} in flight, store {} (every commit synced)\n",
            self.participants, self.calls_per_saga, self.in_flight, self.store
        )?;
        writeln!(f, "                    sagas/s     p50 ms     p99 ms")?;
        let mut row = |name: &str, rate: f64, p50: u64, p99: u64| {
            writeln!(f, "  {name:<14} {rate:>10.0} {:>10.2} {:>10.2}", ms(p50), ms(p99))
        };
        row("backstitch", self.sagas_per_second, self.p50_us, self.p99_us)?;
        row("raw limit", self.raw_sagas_per_second, self.raw_p50_us, self.raw_p99_us)?;
        writeln!(
            f,
            "\n  rate is {:.2} of raw, p50 is {:.1} times raw",
            self.rate_ratio_to_raw, self.p50_ratio_to_raw
        )?;
        let fsyncs = self.fsyncs_per_saga.map_or("unknown".to_owned(), |syncs| format!("{syncs:.3}"));
        writeln!(
            f,
            "  per saga: {:.3} commits, {fsyncs} fsyncs, {:.0} journal bytes",
            self.commits_per_saga, self.journal_bytes_per_saga
        )?;
        match self.wal_bytes_per_saga {
            Some(wal) => writeln!(
                f,
                "  {wal:.0} bytes of write-ahead log per saga; it and fsyncs are of the whole server, as it counts them"
            )?,
            None => writeln!(
                f,
                "  fsyncs of the saga store: one for each commit, three for each of {} new beginnings of its log",
                self.log_restarts
            )?,
        }
        let cpu = self.cpu_us_per_saga.iter().map(|(name, us)| format!("{name} {us:.0} µs"));
        writeln!(f, "  processor time per saga: {}", cpu.collect::<Vec<_>>().join(", "))?;
        write!(f, "  {} sagas measured", self.sagas)
    }
}
