//! The participants: opening each with its own database, and serving one or all of them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use outbox_relay::consumer::Subscription;
use participant_kit::{Participant, SystemClock};
use participant_notification::Transport;
use participant_payment::gateway::stripe::Stripe;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::kafka::{Kafka, MESSAGE_TIMEOUT};
use super::metrics_face::Door;
use super::name::Name;
use super::orchestrator::cannot_listen;
use super::relays::Outbox;
use super::run::{announce, finish};
use super::{relays, stop};
use crate::cli::{Mail, ParticipantArgs, ParticipantsArgs, Parts, Returns};
use crate::copies::Copies;
use crate::data_dir::{hold, hold_existing};
use crate::databases::Databases;
use crate::payments::Payments;
use crate::provider::Provider;
use crate::ready::Ready;

/// What participants are made of, beside their databases.
pub(crate) struct Making<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) mail: &'a Mail,
    pub(crate) copies: &'a Copies,
    pub(crate) provider: &'a Provider,
    pub(crate) returns: Returns,
    pub(crate) payments: &'a Payments,
    /// Whom payments tell.
    pub(crate) orchestrator: Option<&'a str>,
}

/// What only some participants have.
#[derive(Default)]
pub(crate) struct More {
    /// The notifications' business.
    pub(crate) mail: Mail,
    /// The carts'.
    pub(crate) copies: Copies,
    /// The payments'.
    pub(crate) provider: Provider,
    /// The orders'.
    pub(crate) returns: Returns,
    /// The payments'.
    pub(crate) payments: Payments,
    /// Whom payments tell.
    pub(crate) orchestrator: Option<String>,
}

/// Opens one participant with its database.
pub(crate) async fn open(
    name: Name,
    databases: &Databases,
    with: &Making<'_>,
) -> anyhow::Result<Participant> {
    let (database_url, clock) = (databases.url(name.as_str()), Arc::new(SystemClock));
    let opened = match name {
        Name::Inventory => {
            participant_inventory::open(participant_inventory::Options { database_url, clock }).await
        }
        Name::Shipping => {
            participant_shipping::open(participant_shipping::Options { database_url, clock }).await
        }
        Name::Order => {
            let options = participant_order::Options::new(database_url, clock);
            let return_window = with.returns.return_window;
            participant_order::open(participant_order::Options { return_window, ..options }).await
        }
        Name::Cart => {
            let redis = with.copies.options();
            let options = participant_cart::Options::new(database_url, clock);
            participant_cart::open(participant_cart::Options { redis, ..options }).await
        }
        Name::Payment => {
            let settings = with.payments.settings(with.orchestrator)?;
            match with.provider.stripe()? {
                Some(stripe) => {
                    let stripe = Arc::new(Stripe::new(stripe));
                    participant_payment::open_with(&database_url, stripe, settings).await
                }
                None => {
                    // The bank's books are a file in any case: it stands for somebody else's database.
                    let sandbox = databases.file("sandbox");
                    let options = participant_payment::Options::new(database_url, sandbox);
                    participant_payment::open(participant_payment::Options { settings, ..options }).await
                }
            }
        }
        Name::Notification => {
            let mail_to = match &with.mail.smtp {
                Some(smtp) => Transport::Smtp(smtp.clone()),
                None => Transport::Directory(databases.directory.join("mail")),
            };
            let mail_from = with.mail.mail_from.clone();
            let options = participant_notification::Options { database_url, clock, mail_from, mail_to };
            participant_notification::open(options).await
        }
    };
    let participant = opened.with_context(|| format!("opening {name}"))?;
    let days = u64::from(with.parts.barrier_retention);
    Ok(participant.remembering(Duration::from_secs(days * 24 * 60 * 60)))
}

/// Where these participants will be called. Taken before anything is opened, so that a port that somebody else has
/// leaves nothing behind. Where that fails because of another process on the same data directory, that is what is said.
async fn bind(
    at: Vec<(Name, SocketAddr)>,
    databases: &Databases,
) -> anyhow::Result<Vec<(Name, TcpListener)>> {
    let mut listeners = Vec::new();
    for (name, address) in at {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push((name, listener)),
            Err(error) => {
                if databases.are_files() {
                    drop(hold_existing(&databases.directory, &[name.as_str()])?);
                }
                return Err(error).with_context(|| format!("{name}: {}", cannot_listen("--listen", address)));
            }
        }
    }
    Ok(listeners)
}

/// Participants that are being served.
pub(crate) struct Served {
    /// Name and address of each.
    pub(crate) addresses: Vec<(Name, SocketAddr)>,
    /// Their outboxes.
    pub(crate) outboxes: Vec<Outbox>,
    /// What they consume.
    pub(crate) subscriptions: Vec<Subscription>,
    /// Name and address of every other listener they have.
    pub(crate) doors: Vec<(&'static str, SocketAddr)>,
}

/// Opens and serves these participants until `shutdown`.
async fn serve(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    listeners: Vec<(Name, TcpListener)>,
    databases: &Databases,
    with: &Making<'_>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Served> {
    let mut served =
        Served { addresses: Vec::new(), outboxes: Vec::new(), subscriptions: Vec::new(), doors: Vec::new() };
    for (name, listener) in listeners {
        let mut participant = open(name, databases, with).await?;
        served.addresses.push((name, listener.local_addr()?));
        served.outboxes.push(Outbox::of(&participant));
        served.subscriptions.append(&mut participant.subscriptions);
        served.doors.extend(participant.doors.iter().map(|door| (door.name, door.address)));
        let shutdown = shutdown.clone();
        tasks.spawn(async move { participant.serve(listener, shutdown).await.map_err(Into::into) });
    }
    Ok(served)
}

/// Opens and serves all six on loopback beside an orchestrator that was told to listen at `grpc`, until `shutdown`.
pub(crate) async fn serve_all(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    databases: &Databases,
    with: &Making<'_>,
    grpc: SocketAddr,
    shutdown: &CancellationToken,
) -> anyhow::Result<Served> {
    let listeners = bind_after(grpc.port()).await.context("no port of 127.0.0.1 is free")?;
    serve(tasks, listeners, databases, with, shutdown).await
}

/// On the ports that follow this one, where whoever is told nothing looks for them; on any that is free where one is
/// taken, because a newcomer's first start should not fail for that.
async fn bind_after(port: u16) -> std::io::Result<Vec<(Name, TcpListener)>> {
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let first = if port == 0 { 0 } else { port.saturating_add(1) };
    let anywhere = || Name::ALL.map(|name| (name, at(0))).to_vec();
    let mut listeners = Vec::new();
    for (name, wanted) in Name::addresses(at(first)).unwrap_or_else(anywhere) {
        let listener = match TcpListener::bind(wanted).await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind(at(0)).await?,
        };
        listeners.push((name, listener));
    }
    Ok(listeners)
}

/// All six in one process.
pub(crate) async fn run_all(args: ParticipantsArgs) -> anyhow::Result<()> {
    let at = Name::addresses(args.listen).with_context(|| {
        format!(
            "--listen {}: each of {} participants needs a port from there on",
            args.listen,
            Name::ALL.len()
        )
    })?;
    let databases = Databases::of_all(&args.data, &args.server)?;
    let with = Making {
        parts: &args.parts,
        mail: &args.mail,
        copies: &args.copies,
        provider: &args.provider,
        returns: args.returns,
        payments: &args.payments,
        orchestrator: args.told.orchestrator.as_deref(),
    };
    run(at, &databases, &with, args.metrics, args.ready_file).await
}

/// One alone.
pub(crate) async fn run_one(name: Name, args: ParticipantArgs, more: More) -> anyhow::Result<()> {
    let More { mail, copies, provider, returns, payments, orchestrator } = more;
    let with = Making {
        parts: &args.parts,
        mail: &mail,
        copies: &copies,
        provider: &provider,
        returns,
        payments: &payments,
        orchestrator: orchestrator.as_deref(),
    };
    let databases = Databases::of_one(&args.data, &args.server)?;
    run(vec![(name, args.listen)], &databases, &with, args.metrics, args.ready_file).await
}

async fn run(
    at: Vec<(Name, SocketAddr)>,
    databases: &Databases,
    with: &Making<'_>,
    metrics: Option<SocketAddr>,
    ready_file: Option<PathBuf>,
) -> anyhow::Result<()> {
    let shutdown = stop::token();
    with.mail.check()?;
    with.copies.check()?;
    with.provider.check()?;
    with.payments.check()?;
    let names: Vec<_> = at.iter().map(|(name, _)| name.as_str()).collect();
    let listeners = bind(at, databases).await?;
    let door = match metrics {
        Some(at) => Some(Door::open(at).await?),
        None => None,
    };
    let _held = hold(databases, &names)?;
    let mut tasks = JoinSet::new();
    let metrics = door.map(|door| door.serve(&mut tasks, &shutdown)).transpose()?;
    let served = serve(&mut tasks, listeners, databases, with, &shutdown).await?;
    if let Some(brokers) = &with.parts.kafka {
        let kafka = Kafka::at(brokers, &with.parts.kafka_more, MESSAGE_TIMEOUT)?;
        kafka.watch(&mut tasks, &shutdown);
        relays::consume(&mut tasks, served.subscriptions, &kafka, &shutdown);
        if !with.parts.no_relay {
            relays::publish(&mut tasks, served.outboxes, Vec::new(), databases, &kafka, &shutdown).await?;
        }
    }
    let ready = served.addresses.iter().fold(Ready::new(), |ready, (name, at)| ready.with(name.as_str(), at));
    let ready = metrics.iter().fold(ready, |ready, at| ready.with("metrics", at));
    let ready = served.doors.iter().fold(ready, |ready, (name, at)| ready.with(name, at));
    announce(ready_file, &ready)?;
    finish(tasks, &shutdown).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(listeners: &[(Name, TcpListener)]) -> Vec<u16> {
        listeners.iter().map(|(_, listener)| listener.local_addr().unwrap().port()).collect()
    }

    #[tokio::test]
    async fn beside_an_orchestrator_they_are_on_the_ports_after_it_or_on_free_ones() {
        let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = grpc.local_addr().unwrap().port();
        let first = bind_after(port).await.unwrap();
        for (place, got) in (1..).zip(ports(&first)) {
            let wanted = port.saturating_add(place);
            let is_taken = TcpListener::bind(("127.0.0.1", wanted)).await.is_err();
            assert!(got == wanted || is_taken, "{got} and not {wanted}, which is free");
        }
        let second = bind_after(port).await.unwrap();
        assert!(ports(&second).iter().all(|port| !ports(&first).contains(port)));
        for nowhere in [0, u16::MAX, u16::MAX - 3] {
            assert_eq!(bind_after(nowhere).await.unwrap().len(), 6, "{nowhere}");
        }
    }
}
