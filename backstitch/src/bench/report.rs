//! What the benchmark says.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Method;
use serde::Serialize;

use super::{BenchArgs, Measured, cpu, syncs};
use crate::client::Connection;

/// What the measured part used.
pub(crate) struct Usage {
    cpu_micros: BTreeMap<String, u64>,
    commits: f64,
    log_restarts: u32,
    record_bytes: f64,
}

/// Reads counters before and after the measured part.
pub(crate) struct Meter {
    address: String,
    pids: Vec<(String, u32)>,
    log: PathBuf,
    before: Usage,
}

impl Meter {
    /// `log`: the saga store's write-ahead log.
    pub(crate) async fn start(address: &str, processes: &[(&str, u32)], log: &Path) -> anyhow::Result<Self> {
        let mut pids: Vec<(String, u32)> =
            processes.iter().map(|(name, pid)| ((*name).to_owned(), *pid)).collect();
        pids.push(("load".into(), std::process::id()));
        let before = read(address, &pids, log).await?;
        Ok(Self { address: address.to_owned(), pids, log: log.to_owned(), before })
    }

    pub(crate) async fn stop(self) -> anyhow::Result<Usage> {
        let after = read(&self.address, &self.pids, &self.log).await?;
        let cpu = after.cpu_micros.iter().map(|(name, after)| {
            let before = self.before.cpu_micros.get(name).copied().unwrap_or(0);
            (name.clone(), after.saturating_sub(before))
        });
        Ok(Usage {
            cpu_micros: cpu.collect(),
            commits: after.commits - self.before.commits,
            log_restarts: after.log_restarts.wrapping_sub(self.before.log_restarts),
            record_bytes: after.record_bytes - self.before.record_bytes,
        })
    }
}

async fn read(address: &str, pids: &[(String, u32)], log: &Path) -> anyhow::Result<Usage> {
    let mut connection = Connection::open(address).await?;
    let text = connection.must(Method::GET, "/metrics", &[], Bytes::new()).await?;
    let text = String::from_utf8_lossy(&text);
    Ok(Usage {
        cpu_micros: pids.iter().map(|(name, pid)| (name.clone(), cpu::micros(*pid))).collect(),
        commits: counter(&text, "store_commits_total"),
        log_restarts: syncs::restarts(log)?,
        record_bytes: counter(&text, "store_record_bytes_total"),
    })
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
    fsyncs_per_saga: f64,
    log_restarts: u32,
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
            fsyncs_per_saga: per_saga(usage.commits + syncs::PER_RESTART * f64::from(usage.log_restarts)),
            log_restarts: usage.log_restarts,
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
        writeln!(
            f,
            "  per saga: {:.3} commits, {:.3} fsyncs, {:.0} journal bytes",
            self.commits_per_saga, self.fsyncs_per_saga, self.journal_bytes_per_saga
        )?;
        writeln!(
            f,
            "  fsyncs of the saga store: one for each commit, three for each of {} new beginnings of its log",
            self.log_restarts
        )?;
        let cpu = self.cpu_us_per_saga.iter().map(|(name, us)| format!("{name} {us:.0} µs"));
        writeln!(f, "  processor time per saga: {}", cpu.collect::<Vec<_>>().join(", "))?;
        write!(f, "  {} sagas measured", self.sagas)
    }
}
