//! The orchestrator: store, engine and faces, connected.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use backstitch_core::Catalog;
use backstitch_engine::{Engine, FlowOptions, GrpcDispatcher, GrpcOptions, Options, SystemClock, Target};
use backstitch_proto::services::service_of;
use backstitch_sagas::Timings;
use backstitch_server::{Clients, Server, channel};
use backstitch_store::{LaneSource, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::kafka::{Kafka, MESSAGE_TIMEOUT};
use super::reconciler::{self, Reconciling};
use super::relays::Outbox;
use super::run::{announce, finish};
use super::{relays, stop};
use crate::cli::{Doors, OrchestratorArgs};
use crate::data_dir::hold_existing;
use crate::databases::Databases;
use crate::ready::Ready;
use crate::sharing::Node;

/// The discard port: a call there fails at once, as unreachable.
const NOWHERE: &str = "http://127.0.0.1:9";

/// How long anything may take on a Postgres server, however long a lease is.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Where the orchestrator will be called. Taken before anything is opened, so that a port that somebody else has
/// leaves nothing behind.
pub(crate) struct Ports {
    http: TcpListener,
    grpc: TcpListener,
}

impl Ports {
    /// Where this process itself calls the gRPC API.
    pub(crate) fn grpc_here(&self) -> std::io::Result<String> {
        let mut at = self.grpc.local_addr()?;
        if at.ip().is_unspecified() {
            at.set_ip(if at.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
        }
        Ok(format!("http://{at}"))
    }
}

/// Takes the ports. Where that fails because of another process on the same data directory, that is what is said.
pub(crate) async fn bind(doors: &Doors, databases: &Databases) -> anyhow::Result<Ports> {
    let bound = async {
        let http = listen("--http", doors.http).await?;
        let grpc = listen("--grpc", doors.grpc).await?;
        Ok(Ports { http, grpc })
    };
    let bound = bound.await;
    if bound.is_err() && databases.are_files() {
        drop(hold_existing(&databases.directory, &["orchestrator"])?);
    }
    bound
}

async fn listen(option: &str, at: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(at).await.with_context(|| cannot_listen(option, at))
}

/// What is said of an address that cannot be listened at, with the way out.
pub(super) fn cannot_listen(option: &str, at: SocketAddr) -> String {
    format!(
        "{option} {at} cannot be listened at; stop the process that has the port, or choose another, e.g. {option} {} for a free one",
        SocketAddr::new(at.ip(), 0)
    )
}

/// What an orchestrator is made of.
pub(crate) struct Setup {
    pub(crate) databases: Databases,
    pub(crate) ports: Ports,
    pub(crate) node: Node,
    /// Name and URI of each participant.
    pub(crate) participants: Vec<(&'static str, String)>,
    /// The definitions to run.
    pub(crate) catalog: Catalog,
    /// Offer the benchmark's synthetic saga.
    pub(crate) bench: bool,
    pub(crate) max_live: u32,
    pub(crate) flow: FlowOptions,
    /// How the money is reconciled.
    pub(crate) reconciling: Reconciling,
    /// Brokers outside that this process publishes to.
    pub(crate) kafka: Option<Kafka>,
    pub(crate) metrics: PrometheusHandle,
}

/// An orchestrator that is being served.
pub(crate) struct Served {
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    /// Its lanes, one for each shard.
    pub(crate) lanes: Vec<Outbox>,
}

/// Installs the process's metrics recorder and describes every metric.
pub(crate) fn metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new().install_recorder().context("installing the metrics recorder")?;
    backstitch_engine::describe_metrics();
    backstitch_server::describe_metrics();
    backstitch_reconciler::describe_metrics();
    outbox_relay::names::describe();
    outbox_relay::consumer::names::describe();
    participant_kit::describe_metrics();
    participant_cart::describe_metrics();
    participant_payment::describe_metrics();
    Ok(handle)
}

/// Opens the store, starts the engine and serves its faces until `shutdown`.
pub(crate) async fn serve(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    setup: Setup,
    shutdown: &CancellationToken,
) -> anyhow::Result<Served> {
    let Ports { http, grpc } = setup.ports;
    let (http_at, grpc_at) = (http.local_addr()?, grpc.local_addr()?);

    // Addresses are checked before anything is written.
    let clients = clients(&setup.participants)?;
    let targets = setup.participants.iter().filter_map(|(participant, uri)| {
        Some(Target { participant, service: service_of(participant)?, uri: uri.clone() })
    });
    let dispatcher = Arc::new(GrpcDispatcher::new(targets.collect(), GrpcOptions::default())?);

    let store = open(&setup.databases, setup.node.lease).await.context("opening the saga store")?;
    let options = Options {
        sharing: setup.node.sharing(!setup.databases.are_files(), grpc_at)?,
        node: setup.node.node,
        max_live: usize::try_from(setup.max_live)?,
        flow: setup.flow,
        ..Options::default()
    };
    let name = options.node.clone();
    let engine = Engine::start_up(store.clone(), dispatcher, setup.catalog, Arc::new(SystemClock), options)
        .await
        .context("starting the engine")?;
    engine.spawn_recovery();
    let lanes = (0..store.shards()).map(|shard| {
        let source = LaneSource::new(store.clone(), shard);
        let wake = source.wake();
        Outbox::new(Arc::new(source), wake)
    });
    let lanes = lanes.collect();

    reconciler::spawn(tasks, setup.reconciling, engine.clone(), &setup.participants, grpc_at, shutdown)?;
    let faces = backstitch_server::Options { bench: setup.bench, ..Default::default() };
    let mut server = Server::new(engine.clone(), clients, faces).with_metrics(setup.metrics.clone());
    if let Some(kafka) = setup.kafka {
        server = server.with_part("kafka", move || kafka.trouble());
    }
    let (stopping, ending) = (shutdown.clone(), shutdown.clone());
    let (fatal, replaced) = (engine.fatal(), engine.replaced());
    tasks.spawn(async move {
        let served = server.serve(http, grpc, stopping).await;
        // Doors first, then the engine: nothing new comes in while what is in flight comes to rest.
        engine.drain().await;
        Ok(served?)
    });
    tasks.spawn(async move {
        let mut upkeep = tokio::time::interval(Duration::from_secs(5));
        tokio::pin!(fatal, replaced);
        loop {
            tokio::select! {
                () = ending.cancelled() => return Ok(()),
                () = &mut fatal => anyhow::bail!("the saga store can no longer tell what is durable; see the log"),
                () = &mut replaced => anyhow::bail!(
                    "another process uses the database as orchestrator `{name}`; give each one a --node of its own"
                ),
                _ = upkeep.tick() => setup.metrics.run_upkeep(),
            }
        }
    });
    Ok(Served { http: http_at, grpc: grpc_at, lanes })
}

/// The store: a file, or a database that other nodes may share.
async fn open(databases: &Databases, lease: Duration) -> anyhow::Result<Arc<dyn Store>> {
    // Whatever hangs is given up well before a lease is lost by it.
    let options = PostgresOptions { time_limit: (lease / 2).min(TIME_LIMIT), ..PostgresOptions::default() };
    Ok(match databases.on_server("orchestrator") {
        Some(url) => Arc::new(PostgresStore::open(&url, &options).await?),
        None => {
            let options = SqliteOptions { max_pages: databases.max_pages, ..SqliteOptions::default() };
            Arc::new(SqliteStore::open(&databases.directory, &options).await?)
        }
    })
}

/// The definitions to run: the business, and the synthetic saga of so many steps if there are any. With nobody to call
/// but `noop`, the synthetic saga alone.
fn catalog(
    synthetic_steps: u32,
    participants: &[(&'static str, String)],
    timings: &Timings,
) -> anyhow::Result<Catalog> {
    let Some(steps) = NonZero::new(usize::try_from(synthetic_steps)?) else {
        return Ok(backstitch_sagas::catalog_with(timings)?);
    };
    let alone = participants.iter().all(|(name, _)| *name == "noop");
    let catalog = if alone { Catalog::default() } else { backstitch_sagas::catalog_with(timings)? };
    Ok(catalog.with(backstitch_sagas::synthetic(steps.get())?))
}

/// Refuses participants whose address is there twice, or is not there although a definition calls them.
fn check(participants: &[(&'static str, String)], catalog: &Catalog) -> anyhow::Result<()> {
    for (at, (name, _)) in participants.iter().enumerate() {
        let again = participants[..at].iter().any(|(earlier, _)| earlier == name);
        anyhow::ensure!(!again, "--participant {name} is there twice");
    }
    let called = catalog.all().flat_map(|definition| &definition.steps).map(|step| step.participant);
    let called: BTreeSet<_> = called.collect();
    let missing: Vec<_> =
        called.into_iter().filter(|name| participants.iter().all(|(known, _)| known != name)).collect();
    anyhow::ensure!(
        missing.is_empty(),
        "--participant NAME=URI is missing for {}: a definition that runs here calls each of them",
        missing.join(", ")
    );
    Ok(())
}

/// Clients of those that the faces ask. Where only the synthetic saga runs, nobody is asked, and nobody is there.
fn clients(participants: &[(&'static str, String)]) -> anyhow::Result<Clients> {
    let uri = |name: &str| participants.iter().find(|(n, _)| *n == name).map(|(_, uri)| uri.as_str());
    let at = |name: &str| channel(uri(name).unwrap_or(NOWHERE));
    let mut clients = Clients::new(at("inventory")?, at("cart")?, at("order")?, at("payment")?);
    for (name, uri) in participants {
        clients = clients.probing(*name, channel(uri)?);
    }
    Ok(clients)
}

/// What the role looks at before it opens anything: its definitions, whom they call, and where its databases are.
pub(crate) fn usable(args: &OrchestratorArgs) -> anyhow::Result<(Catalog, Databases)> {
    let catalog = catalog(args.synthetic_steps, &args.participants, &args.patience.timings())?;
    check(&args.participants, &catalog)?;
    let databases = Databases::of_one(&args.data, &args.server)?;
    args.node.sharing(!databases.are_files(), args.doors.grpc)?;
    Ok((catalog, databases))
}

/// The role on its own.
pub(crate) async fn run(args: OrchestratorArgs) -> anyhow::Result<()> {
    let shutdown = stop::token();
    let mut tasks = JoinSet::new();
    let (catalog, databases) = usable(&args)?;
    let ports = bind(&args.doors, &databases).await?;
    let kafka = args.kafka.as_ref().map(|brokers| Kafka::at(brokers, &args.kafka_more, MESSAGE_TIMEOUT));
    let kafka = kafka.transpose()?;
    let setup = Setup {
        databases: databases.clone(),
        ports,
        node: args.node,
        participants: args.participants,
        catalog,
        bench: args.synthetic_steps > 0,
        max_live: args.limits.max_live,
        flow: args.limits.into(),
        reconciling: args.reconciling,
        kafka: kafka.clone(),
        metrics: metrics()?,
    };
    let served = serve(&mut tasks, setup, &shutdown).await?;
    if let Some(kafka) = kafka {
        kafka.watch(&mut tasks, &shutdown);
        relays::publish(&mut tasks, Vec::new(), served.lanes, &databases, &kafka, &shutdown).await?;
    }
    announce(args.ready_file, &Ready::new().with("http", served.http).with("grpc", served.grpc))?;
    finish(tasks, &shutdown).await
}
