//! How fast a store commits on this machine: `cargo run --release -p backstitch-store --example commit_rate
//! [SECONDS_PER_LINE [DIRECTORY|URL [BATCH,BATCH,…]]]`. A directory is for SQLite; `postgres://…` names a database of
//! one's own, which is migrated and filled.
//!
//! Each line keeps so many sagas in flight and commits one append of each per batch: a start with a key, then one
//! record of 300 bytes at a time, then the end with its event. Sagas are out of step, as in a running node, so
//! that every batch has a bit of everything. The last column is what Postgres wrote to its log for each saga that
//! ended, with the whole pages that it writes after a checkpoint.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use backstitch_store::{
    Append, Lease, NewEvent, NewSaga, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Status,
    Store, Summary, Verdict,
};
use bytes::Bytes;
use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

/// Records of one saga: its start, seven steps, the intent of the pivot, its end.
const RECORDS: u32 = 10;
/// The same, for counting sagas.
const STEPS_APART: usize = 10;

type Problem = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Problem> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let temporary = tempfile::tempdir()?;
    let place = arguments.next().unwrap_or_else(|| temporary.path().display().to_string());
    let batches = arguments.next().unwrap_or_else(|| "1,4,16,32,64,256,1024".to_owned());
    let batches: Vec<usize> = batches.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let in_postgres = place.starts_with("postgres");

    if !in_postgres {
        std::fs::create_dir_all(&place)?;
        println!("one write of 4 KiB with fdatasync: {:.0} µs", sync_cost(Path::new(&place))?);
    }
    println!(
        "{:>6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>13} {:>10} {:>12}",
        "batch",
        "commits/s",
        "rows/s",
        "sagas/s",
        "µs/commit",
        "p99 µs",
        "CPU µs/commit",
        "CPU µs/row",
        "log B/saga"
    );
    let time = Duration::from_secs(seconds);
    if in_postgres {
        PostgresStore::migrate(&place, &PostgresOptions::default()).await?;
        let store = PostgresStore::open(&place, &PostgresOptions::default()).await?;
        let mut log = PgConnection::connect(&place).await?;
        for batch in batches {
            run(&store, batch, time, Some(&mut log)).await?;
        }
        store.close().await;
        return Ok(());
    }
    for batch in batches {
        let home = Path::new(&place).join(format!("batch-{batch}"));
        let store = SqliteStore::open(&home, &SqliteOptions::default()).await?;
        run(&store, batch, time, None).await?;
        store.close().await?;
    }
    Ok(())
}

/// How many bytes Postgres has ever written to its log.
async fn logged(log: &mut Option<&mut PgConnection>) -> Result<f64, Problem> {
    let Some(log) = log else { return Ok(f64::NAN) };
    let text = "SELECT (pg_current_wal_insert_lsn() - '0/0')::double precision";
    Ok(sqlx::query(text).fetch_one(&mut **log).await?.try_get(0)?)
}

async fn run(
    store: &dyn Store,
    width: usize,
    time: Duration,
    mut log: Option<&mut PgConnection>,
) -> Result<(), Problem> {
    let leases = store.acquire("commit_rate", 0).await?;
    let mut sagas: Vec<Flight> = (0..width).map(|place| Flight::new(&leases, place)).collect();
    let mut commits = Vec::new();
    let (mut rows, mut ended) = (0_usize, 0_usize);
    let before_log = logged(&mut log).await?;
    let cpu = cpu_us();
    let begin = Instant::now();
    while begin.elapsed() < time {
        // Begun one after the other, so that they stay out of step.
        let begun = commits.len().saturating_add(1).saturating_mul(width.div_ceil(STEPS_APART));
        let batch: Vec<Append> = sagas.iter().take(begun).map(Flight::append).collect();
        let before = Instant::now();
        let verdicts = store.commit(&batch).await?;
        commits.push(before.elapsed());
        rows += batch.len();
        if let Some(bad) = verdicts.iter().find(|verdict| **verdict != Verdict::Committed) {
            return Err(format!("{bad:?}").into());
        }
        for (place, saga) in sagas.iter_mut().enumerate().take(begun) {
            saga.seq += 1;
            if saga.seq > RECORDS {
                ended += 1;
                *saga = Flight { seq: 1, ..Flight::new(&leases, place) };
            }
        }
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let cpu = cpu_us() - cpu;
    let bytes = logged(&mut log).await? - before_log;
    commits.sort_unstable();
    let count = |count: usize| count.to_string().parse::<f64>();
    let busy = commits.iter().sum::<Duration>().as_secs_f64() * 1e6;
    println!(
        "{width:>6} {:>10.0} {:>10.0} {:>10.0} {:>10.0} {:>10.0} {:>13.0} {:>10.1} {:>12.0}",
        count(commits.len())? / elapsed,
        count(rows)? / elapsed,
        count(ended)? / elapsed,
        busy / count(commits.len())?,
        commits[commits.len() * 99 / 100].as_secs_f64() * 1e6,
        cpu / count(commits.len())?,
        cpu / count(rows)?,
        bytes / count(ended)?,
    );
    Ok(())
}

/// What this process has used of all processors, in microseconds; 0 where Linux does not tell.
fn cpu_us() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    // User and system time are the 14th and 15th field, in hundredths of a second.
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * 10_000.0
}

/// A saga and the record that comes next.
struct Flight {
    id: Uuid,
    lease: Lease,
    seq: u32,
}

impl Flight {
    fn new(leases: &[Lease], place: usize) -> Self {
        Self { id: Uuid::now_v7(), lease: leases[place % leases.len()], seq: 1 }
    }

    fn append(&self) -> Append {
        let start = (self.seq == 1).then(|| NewSaga {
            scope: String::new(),
            key: Some(self.id.to_string()),
            request_hash: [7; 32],
            definition: "checkout".to_owned(),
            version: 1,
            started_at_ms: 1_700_000_000_000,
        });
        let last = self.seq == RECORDS;
        let event = NewEvent {
            kind: "com.backstitch.checkout.completed.v1".to_owned(),
            topic: "checkout.events".to_owned(),
            payload: Bytes::from(vec![b'x'; 300]),
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
            at_ms: 1_700_000_000_000,
        };
        Append {
            saga: self.id,
            root: self.id,
            shard: self.lease.shard,
            epoch: self.lease.epoch,
            start,
            first_seq: self.seq,
            records: vec![Bytes::from(vec![b'r'; 300])],
            summary: last.then_some(Summary { status: Status::Completed, updated_at_ms: 1_700_000_000_000 }),
            events: if last { vec![event] } else { Vec::new() },
        }
    }
}

/// What the disk itself takes, in microseconds: the middle of 200 tries.
fn sync_cost(directory: &Path) -> Result<f64, Problem> {
    let path = directory.join("sync");
    let mut file = File::create(&path)?;
    file.write_all(&[0; 4096])?;
    let mut tries = Vec::new();
    for _ in 0..200 {
        let before = Instant::now();
        file.rewind()?;
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        tries.push(before.elapsed());
    }
    tries.sort_unstable();
    std::fs::remove_file(path)?;
    Ok(tries[100].as_secs_f64() * 1e6)
}
