//! How fast an outbox drains to a real Kafka, and how long a commit waits for its acknowledgement.
//!
//! ```text
//! cargo run --release -p outbox-relay --example relay_rate -- 127.0.0.1:9092 [sqlite:FILE | postgres://…] [EVENTS]
//! ```
//!
//! Three figures in one run, on the same brokers and topic: what this producer takes when nothing is read or marked
//! (raw), a backlog drained by the relay, and, at a thousand events a second from another connection, the time from a
//! commit to the acknowledgement. The outbox must be new: an existing one is refused by its migrations or counted along.
#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "a report of rates")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use outbox_relay::{
    Event, KafkaOptions, KafkaSink, Options, Pace, PublishError, Relay, Row, RowId, Sink, Source as _,
    TableSource, TopicPlan, append, migrations,
};
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Outcome<T> = Result<T, Box<dyn Error>>;

const TOPIC: &str = "relay-rate.events";
/// A checkout publishes about so many events under one key.
const PER_KEY: usize = 3;
const BATCH: usize = 2000;
const PACED_FOR: Duration = Duration::from_secs(20);

/// Passes rows on, and remembers when each was acknowledged.
struct Timed {
    inner: KafkaSink,
    acked: Mutex<HashMap<String, Instant>>,
}

#[async_trait]
impl Sink for Timed {
    async fn publish(&self, rows: &[Row]) -> Vec<Result<(), PublishError>> {
        let answers = self.inner.publish(rows).await;
        let now = Instant::now();
        let mut acked = self.acked.lock().unwrap_or_else(PoisonError::into_inner);
        for (row, answer) in rows.iter().zip(&answers) {
            if answer.is_ok() {
                acked.entry(row.event.subject.clone()).or_insert(now);
            }
        }
        answers
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn event(n: usize, subject: String) -> Event {
    let payload = serde_json::json!({ "order_id": Uuid::from_u128(n as u128), "note": "x".repeat(200) });
    let key = Uuid::from_u128((n / PER_KEY) as u128).to_string();
    Event::json(TOPIC, "com.backstitch.rate.v1", "/backstitch/rate", key, subject, &payload, now_ms())
}

async fn fill(pool: &AnyPool, events: usize) -> Outcome<()> {
    for start in (0..events).step_by(1000) {
        let mut tx = pool.begin().await?;
        for n in start..(start + 1000).min(events) {
            append(&mut tx, &event(n, format!("backlog-{n}"))).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn raw(sink: &Timed, events: usize) -> f64 {
    let row = |n: usize| Row {
        id: RowId(1),
        event_id: Uuid::from_u128(n as u128),
        sequence: 1,
        event: event(n * PER_KEY, format!("raw-{n}")),
    };
    let rows: Vec<Row> = (0..events).map(row).collect();
    let began = Instant::now();
    let mut acked = 0;
    for batch in rows.chunks(BATCH) {
        acked += sink.inner.publish(batch).await.iter().filter(|answer| answer.is_ok()).count();
    }
    acked as f64 / began.elapsed().as_secs_f64()
}

fn percentile(sorted: &[Duration], of_hundred: usize) -> Duration {
    let at = (sorted.len() * of_hundred).div_ceil(100).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).copied().unwrap_or_default()
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let brokers = args.next().ok_or("say where Kafka is: HOST:PORT")?;
    let directory = tempfile::tempdir()?;
    let file = format!("sqlite:{}?mode=rwc", directory.path().join("outbox.db").display());
    let url = args.next().unwrap_or(file);
    let events: usize = args.next().map_or(Ok(100_000), |n| n.parse())?;

    sqlx::any::install_default_drivers();
    let sqlite = url.starts_with("sqlite:");
    let pool = AnyPoolOptions::new().max_connections(4).after_connect(move |conn, _| {
        Box::pin(async move {
            if sqlite {
                let pragmas =
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000";
                sqlx::raw_sql(pragmas).execute(conn).await?;
            }
            Ok(())
        })
    });
    let pool = pool.connect(&url).await?;
    migrations().run(&pool).await?;

    let plan = TopicPlan::default();
    let kafka = KafkaSink::new(KafkaOptions { topics: Some(plan), ..KafkaOptions::new(&brokers) })?;
    kafka.prepare(&[TOPIC]).await?;
    let sink = Arc::new(Timed { inner: kafka, acked: Mutex::default() });
    raw(&sink, BATCH).await;
    let raw = raw(&sink, events).await;
    println!("raw         {raw:>9.0} events/s   ({events} rows through the producer alone)");

    fill(&pool, events).await?;
    let source = TableSource::new("rate", pool.clone());
    let options = Options { batch: BATCH, ..Options::default() };
    let relay = Arc::new(Relay::new(Arc::new(source.clone()), Arc::clone(&sink) as Arc<dyn Sink>, options));
    let began = Instant::now();
    let mut drained = 0;
    while drained < events {
        drained += relay.tick(now_ms()).await?.published;
    }
    let rate = drained as f64 / began.elapsed().as_secs_f64();
    println!("drained     {rate:>9.0} events/s   ({:.2} of raw; read, published, marked)", rate / raw);

    let shutdown = CancellationToken::new();
    let running = tokio::spawn(outbox_relay::run(
        Arc::clone(&relay),
        Arc::new(Notify::new()),
        now_ms,
        Pace::polling(),
        shutdown.clone(),
    ));
    let mut committed = HashMap::new();
    let mut paced = tokio::time::interval(Duration::from_millis(10));
    let began = Instant::now();
    let mut n = 0;
    while began.elapsed() < PACED_FOR {
        paced.tick().await;
        let mut tx = pool.begin().await?;
        let subjects: Vec<String> = (n..n + 10).map(|n| format!("paced-{n}")).collect();
        for subject in &subjects {
            append(&mut tx, &event(1_000_000_000 + n, subject.clone())).await?;
            n += 1;
        }
        tx.commit().await?;
        let now = Instant::now();
        committed.extend(subjects.into_iter().map(|subject| (subject, now)));
    }
    let offered = n as f64 / began.elapsed().as_secs_f64();
    while source.lag(now_ms()).await?.waiting > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    shutdown.cancel();
    running.await?;
    let acked = sink.acked.lock().unwrap_or_else(PoisonError::into_inner);
    let waited =
        committed.iter().filter_map(|(subject, at)| Some(acked.get(subject)?.saturating_duration_since(*at)));
    let mut waited: Vec<Duration> = waited.collect();
    waited.sort_unstable();
    println!(
        "paced       {offered:>9.0} events/s   commit to acknowledgement p50 {:.1?}, p99 {:.1?} ({} of {n} acknowledged)",
        percentile(&waited, 50),
        percentile(&waited, 99),
        waited.len(),
    );
    Ok(())
}
