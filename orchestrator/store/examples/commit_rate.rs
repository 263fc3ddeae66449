//! How fast the SQLite store commits on this machine: `cargo run --release -p backstitch-store --example
//! commit_rate [SECONDS_PER_LINE [DIRECTORY [BATCH,BATCH,…]]]`.
//!
//! Each line keeps so many sagas in flight and commits one append of each per batch: a start with a key, then one
//! record of 300 bytes at a time, then the end with its event. Sagas are out of step, as in a running node, so
//! that every batch has a bit of everything.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use backstitch_store::{
    Append, Lease, NewEvent, NewSaga, SqliteOptions, SqliteStore, Status, Store as _, Summary, Verdict,
};
use bytes::Bytes;
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
    let directory = arguments.next().map_or_else(|| temporary.path().to_owned(), Into::into);
    let batches = arguments.next().unwrap_or_else(|| "1,4,16,32,64,256,1024".to_owned());
    let batches: Vec<usize> = batches.split(',').map(str::parse).collect::<Result<_, _>>()?;
    std::fs::create_dir_all(&directory)?;

    println!("one write of 4 KiB with fdatasync: {:.0} µs", sync_cost(&directory)?);
    println!(
        "{:>6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>13} {:>10}",
        "batch", "commits/s", "rows/s", "sagas/s", "µs/commit", "p99 µs", "CPU µs/commit", "CPU µs/row"
    );
    for batch in batches {
        let home = directory.join(format!("batch-{batch}"));
        let store = SqliteStore::open(&home, &SqliteOptions::default()).await?;
        run(&store, batch, Duration::from_secs(seconds)).await?;
        store.close().await?;
    }
    Ok(())
}

async fn run(store: &SqliteStore, width: usize, time: Duration) -> Result<(), Problem> {
    let leases = store.acquire("commit_rate", 0).await?;
    let mut sagas: Vec<Flight> = (0..width).map(|place| Flight::new(&leases, place)).collect();
    let mut commits = Vec::new();
    let (mut rows, mut ended) = (0_usize, 0_usize);
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
    commits.sort_unstable();
    let count = |count: usize| count.to_string().parse::<f64>();
    let busy = commits.iter().sum::<Duration>().as_secs_f64() * 1e6;
    println!(
        "{width:>6} {:>10.0} {:>10.0} {:>10.0} {:>10.0} {:>10.0} {:>13.0} {:>10.1}",
        count(commits.len())? / elapsed,
        count(rows)? / elapsed,
        count(ended)? / elapsed,
        busy / count(commits.len())?,
        commits[commits.len() * 99 / 100].as_secs_f64() * 1e6,
        cpu / count(commits.len())?,
        cpu / count(rows)?,
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
