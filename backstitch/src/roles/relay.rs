//! The relay alone: publishes from databases that other processes write.
//!
//! On Postgres it looks for events itself, several times a second, and owns each lane by a lease; a second relay stands
//! by. A directory of SQLite databases belongs to one process at a time, so there it publishes what is left while
//! nobody else has it.

use std::sync::Arc;

use anyhow::Context as _;
use backstitch_store::{LaneSource, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store};
use outbox_relay::{Leases, Options, TableSource, Terms};
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::kafka::Kafka;
use super::name::Name;
use super::orchestrator::{cannot_listen, metrics};
use super::relay_face::{self, Face};
use super::relays::{self, Outbox};
use super::run::{announce, finish};
use super::{leases, stop};
use crate::cli::RelayArgs;
use crate::data_dir::{Held, hold_existing};
use crate::databases::Databases;
use crate::ready::Ready;

/// Rows that one tick takes on: a backlog is drained in few commits.
const BATCH: usize = 2000;

/// Where events wait.
struct Opened {
    outboxes: Vec<Outbox>,
    /// Of each database that several relays may reach.
    leases: Vec<Leases>,
    _held: Option<Held>,
}

/// Runs until asked to stop.
pub(crate) async fn run(args: RelayArgs) -> anyhow::Result<()> {
    let shutdown = stop::token();
    let listener = TcpListener::bind(args.http).await.with_context(|| cannot_listen("--http", args.http))?;
    let http = listener.local_addr()?;
    let metrics = metrics()?;
    let kafka = Kafka::at(&args.kafka, &args.kafka_more, args.message_timeout)?;
    let terms = Terms { term: args.lease, in_flight: kafka.in_flight() };
    let databases = Databases::of_all(&args.data, &args.server)?;
    let opened = match databases.are_files() {
        true => in_directory(&databases).await?,
        false => on_server(&databases, terms).await?,
    };

    let mut tasks = JoinSet::new();
    let options = match databases.are_files() {
        true => Options { batch: BATCH, ..Options::default() },
        false => Options { batch: BATCH, patience: terms.term, ..Options::default() },
    };
    let relays = relays::spawn(&mut tasks, opened.outboxes, &kafka, &options, &shutdown);
    relays::keep(&mut tasks, opened.leases, &relays, &shutdown);
    kafka.watch(&mut tasks, &shutdown);
    let face = Face { kafka, relays: relays.all, metrics, stopping: shutdown.clone() };
    relay_face::serve(&mut tasks, listener, face, &shutdown);
    announce(args.ready_file, &Ready::new().with("http", http))?;
    finish(tasks, &shutdown).await
}

/// The databases in a directory, which nobody else may have open meanwhile.
async fn in_directory(databases: &Databases) -> anyhow::Result<Opened> {
    let directory = &databases.directory;
    let there = |name: &&str| directory.join(format!("{name}.db")).is_file();
    let participants: Vec<&str> = Name::all().into_iter().filter(there).collect();
    let orchestrator = there(&"orchestrator");
    anyhow::ensure!(
        orchestrator || !participants.is_empty(),
        "--data {}: there is no database to publish from; give the directory of one, or --database-url",
        directory.display()
    );
    // The orchestrator's store takes its lock itself.
    let held = hold_existing(directory, &participants).context(
        "a process that has its databases in a directory publishes their events itself, with its own --kafka",
    )?;
    let mut outboxes = Vec::new();
    if orchestrator {
        let store = SqliteStore::open(directory, &SqliteOptions::default()).await;
        let store: Arc<dyn Store> = Arc::new(store.context("opening the saga store")?);
        outboxes.extend(lanes(&store));
    }
    for name in participants {
        outboxes.push(Outbox::polled(Arc::new(TableSource::new(name, file(databases, name).await?))));
    }
    Ok(Opened { outboxes, leases: Vec::new(), _held: Some(held) })
}

fn lanes(store: &Arc<dyn Store>) -> impl Iterator<Item = Outbox> {
    LaneSource::all(store).into_iter().map(|lane| Outbox::polled(Arc::new(lane)))
}

/// Every owner's database on a server.
async fn on_server(databases: &Databases, terms: Terms) -> anyhow::Result<Opened> {
    let mut opened = Opened { outboxes: Vec::new(), leases: Vec::new(), _held: None };
    let mut add = |owner: &str, pool, outboxes| {
        let (outboxes, leases) = leases::over(owner, pool, outboxes, terms);
        opened.outboxes.extend(outboxes);
        opened.leases.push(leases);
    };
    let url = databases.url("orchestrator");
    let pool = leases::pool("orchestrator", &url, terms.term).await?;
    let store = PostgresStore::open(&url, &PostgresOptions::default()).await;
    let store: Arc<dyn Store> = Arc::new(store.context("opening the saga store")?);
    add("orchestrator", pool, lanes(&store).collect());
    for name in Name::all() {
        let pool = leases::pool(name, &databases.url(name), terms.term).await?;
        let outbox = Outbox::polled(Arc::new(TableSource::new(name, pool.clone())));
        add(name, pool, vec![outbox]);
    }
    Ok(opened)
}

/// A file in a data directory that this process holds.
async fn file(databases: &Databases, owner: &str) -> anyhow::Result<AnyPool> {
    sqlx::any::install_default_drivers();
    let options = AnyPoolOptions::new().max_connections(1).after_connect(|conn, _| {
        Box::pin(async move {
            sqlx::raw_sql("PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000")
                .execute(conn)
                .await
                .map(drop)
        })
    });
    options.connect(&databases.file(owner)).await.with_context(|| format!("opening the database of {owner}"))
}
