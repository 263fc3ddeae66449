//! The participants: opening each with its own database, and serving one or all of them.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use participant_kit::{Participant, SystemClock};
use participant_notification::Transport;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::relays::Outbox;
use super::{relays, stop};
use crate::cli::{ParticipantArgs, ParticipantsArgs, Parts};
use crate::ready::Ready;

/// Their names, in the order of a checkout.
pub(crate) const NAMES: [&str; 6] = ["cart", "inventory", "shipping", "payment", "order", "notification"];

/// Holds databases for this process alone; the locks go with the process, however it ends.
#[must_use = "the databases are free again when this is dropped"]
pub(crate) struct Held {
    _files: Vec<File>,
}

/// Creates `directory` if it is missing and takes the lock of each of these databases in it.
pub(crate) fn hold(directory: &Path, names: &[&str]) -> anyhow::Result<Held> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("creating the data directory {}", directory.display()))?;
    lock(directory, names, File::options().create(true))
}

/// As [`hold`], but writes nothing: a lock that is not there is nobody's.
pub(crate) fn hold_existing(directory: &Path, names: &[&str]) -> anyhow::Result<Held> {
    lock(directory, names, &mut File::options())
}

fn lock(directory: &Path, names: &[&str], how: &mut OpenOptions) -> anyhow::Result<Held> {
    let mut files = Vec::new();
    for name in names {
        let path = directory.join(format!("{name}.lock"));
        let file = match how.write(true).open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            file => file.with_context(|| format!("opening {}", path.display()))?,
        };
        match file.try_lock() {
            Ok(()) => files.push(file),
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "the data directory {} is in use by another process; stop that one, or choose another with --data",
                directory.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
    }
    Ok(Held { _files: files })
}

/// Opens one participant with its database in `directory`.
pub(crate) async fn open(name: &str, directory: &Path, parts: &Parts) -> anyhow::Result<Participant> {
    let url = |file: &str| format!("sqlite:{}", directory.join(file).display());
    let (database_url, clock) = (url(&format!("{name}.db")), Arc::new(SystemClock));
    let opened = match name {
        "inventory" => {
            participant_inventory::open(participant_inventory::Options { database_url, clock }).await
        }
        "shipping" => participant_shipping::open(participant_shipping::Options { database_url, clock }).await,
        "order" => participant_order::open(participant_order::Options { database_url, clock }).await,
        "cart" => participant_cart::open(participant_cart::Options::new(database_url, clock)).await,
        "payment" => {
            participant_payment::open(participant_payment::Options::new(database_url, url("sandbox.db")))
                .await
        }
        "notification" => {
            let mail_to = match &parts.smtp {
                Some(smtp) => Transport::Smtp(smtp.clone()),
                None => Transport::Directory(directory.join("mail")),
            };
            let mail_from = parts.mail_from.clone();
            let options = participant_notification::Options { database_url, clock, mail_from, mail_to };
            participant_notification::open(options).await
        }
        other => anyhow::bail!("there is no participant `{other}`"),
    };
    let participant = opened.with_context(|| format!("opening {name}"))?;
    Ok(participant.remembering(Duration::from_secs(u64::from(parts.barrier_retention) * 24 * 60 * 60)))
}

/// Participants that are being served.
pub(crate) struct Served {
    /// Name and address of each.
    pub(crate) addresses: Vec<(&'static str, std::net::SocketAddr)>,
    /// Their outboxes.
    pub(crate) outboxes: Vec<Outbox>,
}

/// Opens and serves these participants on free loopback ports until `shutdown`.
pub(crate) async fn serve(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    names: &[&'static str],
    directory: &Path,
    parts: &Parts,
    shutdown: &CancellationToken,
) -> anyhow::Result<Served> {
    let mut served = Served { addresses: Vec::new(), outboxes: Vec::new() };
    for name in names {
        let participant = open(name, directory, parts).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        served.addresses.push((name, listener.local_addr()?));
        served.outboxes.push(Outbox::of(&participant));
        let shutdown = shutdown.clone();
        tasks.spawn(async move { participant.serve(listener, shutdown).await.map_err(Into::into) });
    }
    Ok(served)
}

/// All six in one process.
pub(crate) async fn run_all(args: ParticipantsArgs) -> anyhow::Result<()> {
    let shutdown = stop::token();
    args.parts.check()?;
    let _held = hold(&args.data, &NAMES)?;
    let mut tasks = JoinSet::new();
    let served = serve(&mut tasks, &NAMES, &args.data, &args.parts, &shutdown).await?;
    if let Some(brokers) = &args.parts.kafka {
        relays::spawn(&mut tasks, served.outboxes, &relays::sink(brokers)?, None, &shutdown);
    }
    let ready = served.addresses.iter().fold(Ready::new(), |ready, (name, at)| ready.with(name, at));
    announce(args.ready_file, &ready)?;
    finish(tasks, &shutdown).await
}

/// One alone.
pub(crate) async fn run_one(name: &'static str, args: ParticipantArgs) -> anyhow::Result<ExitCode> {
    let shutdown = stop::token();
    args.parts.check()?;
    let listener = match TcpListener::bind(args.listen).await {
        Ok(listener) => listener,
        Err(error) => {
            drop(hold_existing(&args.data, &[name])?);
            return Err(error).with_context(|| format!("--listen {}", args.listen));
        }
    };
    let _held = hold(&args.data, &[name])?;
    let participant = open(name, &args.data, &args.parts).await?;
    let ready = Ready::new().with(name, listener.local_addr()?);
    let mut tasks = JoinSet::new();
    if let Some(brokers) = &args.parts.kafka {
        relays::spawn(
            &mut tasks,
            vec![Outbox::of(&participant)],
            &relays::sink(brokers)?,
            None,
            &shutdown,
        );
    }
    let serving = shutdown.clone();
    tasks.spawn(async move { participant.serve(listener, serving).await.map_err(Into::into) });
    announce(args.ready_file, &ready)?;
    finish(tasks, &shutdown).await.map(|()| ExitCode::SUCCESS)
}

/// Says where this process listens: to a person, and to a file if one was named.
pub(crate) fn announce(file: Option<PathBuf>, ready: &Ready) -> anyhow::Result<()> {
    for (name, address) in &ready.addresses {
        crate::cli::say(&format!("{name:<14} {address}"));
    }
    match file {
        Some(file) => ready.write(&file).with_context(|| format!("--ready-file {}", file.display())),
        None => Ok(()),
    }
}

/// Waits for every task. The first that fails stops the others and is the answer.
pub(crate) async fn finish(
    mut tasks: JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.map_err(anyhow::Error::from).and_then(|result| result);
        if let Err(error) = ended {
            shutdown.cancel();
            if outcome.is_ok() {
                outcome = Err(error);
            }
        }
    }
    outcome
}
