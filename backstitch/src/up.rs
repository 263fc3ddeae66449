//! Everything in one process, with nothing to install.

use std::time::Duration;

use anyhow::Context as _;
use outbox_relay::EmbeddedBroker;
use tokio::task::JoinSet;

use crate::cli::{UpArgs, say};
use crate::data_dir::hold;
use crate::databases::Databases;
use crate::migrate;
use crate::ready::Ready;
use crate::roles::kafka::{Kafka, MESSAGE_TIMEOUT, TOPICS};
use crate::roles::name::Name;
use crate::roles::orchestrator::{Setup, metrics};
use crate::roles::participants::Making;
use crate::roles::relays::Outbox;
use crate::roles::run::finish;
use crate::roles::{orchestrator, participants, relays, stop};

/// The embedded broker is a window, not a store: on start the events of so long are published again.
const BROKER_WINDOW: Duration = Duration::from_secs(3600);

/// Runs until asked to stop.
pub(crate) async fn run(args: UpArgs) -> anyhow::Result<()> {
    let shutdown = stop::token();
    args.mail.check()?;
    args.copies.check()?;
    args.provider.check()?;
    args.payments.check()?;
    let databases = Databases::of_all(&args.data, &args.server)?;
    let ports = orchestrator::bind(&args.doors, &databases).await?;
    let _held = hold(&databases, &Name::all())?;
    migrate::all(&databases).await?;
    let mut tasks = JoinSet::new();

    // It takes a moment and needs nobody: beside everything else.
    let embedded = args.parts.kafka.is_none();
    let broker = embedded.then(|| tokio::task::spawn_blocking(|| EmbeddedBroker::start(&TOPICS)));

    let here = ports.grpc_here()?;
    let with = Making {
        parts: &args.parts,
        mail: &args.mail,
        copies: &args.copies,
        provider: &args.provider,
        returns: args.returns,
        payments: &args.payments,
        orchestrator: Some(&here),
    };
    let served = participants::serve_all(&mut tasks, &databases, &with, args.doors.grpc, &shutdown).await?;
    let real = args.parts.kafka.as_ref();
    let real = real.map(|brokers| Kafka::at(brokers, &args.parts.kafka_more, MESSAGE_TIMEOUT)).transpose()?;
    let setup = Setup {
        databases: databases.clone(),
        ports,
        node: args.node,
        participants: served
            .addresses
            .iter()
            .map(|(name, at)| (name.as_str(), format!("http://{at}")))
            .collect(),
        catalog: backstitch_sagas::catalog_with(&args.patience.timings())?,
        bench: false,
        max_live: args.limits.max_live,
        flow: args.limits.into(),
        reconciling: args.reconciling,
        kafka: real.clone(),
        metrics: metrics()?,
    };
    let doors = orchestrator::serve(&mut tasks, setup, &shutdown).await?;

    let broker = match broker {
        None => None,
        Some(starting) => Some(starting.await??),
    };
    let brokers = broker.as_ref().map(EmbeddedBroker::bootstrap_servers).or(args.parts.kafka.as_deref());
    let brokers = brokers.unwrap_or_default().to_owned();
    let kafka = match real {
        Some(kafka) => kafka,
        None => Kafka::embedded(&brokers)?,
    };
    kafka.watch(&mut tasks, &shutdown);
    relays::consume(&mut tasks, served.subscriptions, &kafka, &shutdown);
    let window = broker.as_ref().map(|_| BROKER_WINDOW);
    if !args.parts.no_relay || embedded {
        let again = |outboxes: Vec<Outbox>| outboxes.into_iter().map(|outbox| outbox.again(window)).collect();
        let (outboxes, lanes) = (again(served.outboxes), again(doors.lanes));
        relays::publish(&mut tasks, outboxes, lanes, &databases, &kafka, &shutdown).await?;
    }

    let mut ready = Ready::new().with("http", doors.http).with("grpc", doors.grpc).with("kafka", &brokers);
    for (name, at) in &served.addresses {
        ready = ready.with(name.as_str(), at);
    }
    for (name, at) in &served.doors {
        ready = ready.with(name, at);
    }
    say(&welcome(&args.data.display().to_string(), &ready));
    if let Some(file) = &args.ready_file {
        ready.write(file).with_context(|| format!("--ready-file {}", file.display()))?;
    }
    let outcome = finish(tasks, &shutdown).await;
    drop(broker);
    outcome
}

/// What a newcomer needs next.
fn welcome(data: &str, ready: &Ready) -> String {
    let at = |name: &str| ready.addresses.get(name).map_or("-", String::as_str);
    let http = at("http");
    format!(
        r#"Backstitch is up.

  HTTP API      http://{http}        (GET /openapi.json describes it)
  gRPC API      {grpc}        (reflection is on)
  participants  payment {payment}, order {order}        (`backstitch reconcile` asks them)
  Kafka         {kafka}        (topics checkout.events, order.events, ...)
  metrics       http://{http}/metrics
  data          {data}

Try it:

  curl -X PUT http://{http}/api/v1/products/MUG -H 'content-type: application/json' \
    -d '{{"name":"Mug","price":{{"amount_minor":1250,"currency":"GBP"}},"stock":10,"weight_grams":350}}'
  curl -X PUT http://{http}/api/v1/carts/my-cart -H 'content-type: application/json' \
    -d '{{"items":[{{"sku":"MUG","quantity":2}}]}}'
  curl -X POST http://{http}/api/v1/checkouts -H 'content-type: application/json' \
    -H 'Idempotency-Key: my-first-checkout' -H 'Prefer: wait=10' \
    -d '{{"cart_id":"my-cart","email":"ada@example.com","shipping_method":"standard","payment_method":"tok_ok",
         "shipping_address":{{"name":"Ada","line1":"1 Loop Road","city":"London","postal_code":"N1 1AA","country":"GB"}}}}'

Press Ctrl-C to stop; nothing is lost."#,
        grpc = at("grpc"),
        payment = at("payment"),
        order = at("order"),
        kafka = at("kafka"),
    )
}
