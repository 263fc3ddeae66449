//! A participant that answers at once, for measuring the engine and nothing else.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use backstitch_proto::contract::{Verdict, keys};
use backstitch_proto::noop::noop_server::{Noop, NoopServer};
use backstitch_proto::noop::{ActRequest, ActResponse, UndoRequest, UndoResponse};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::cli::NoopArgs;
use crate::ready::Ready;

/// How long a call is held before it is told "not now": shorter than any call's time.
const HELD: Duration = Duration::from_secs(2);
/// When to come again then.
const AGAIN: Duration = Duration::from_secs(1);
/// How often the file is looked for.
const LOOK: Duration = Duration::from_millis(20);

struct Answers {
    /// Whether to answer.
    free: watch::Receiver<bool>,
}

impl Answers {
    /// Waits until it is free to answer; after a while it promises that nothing has happened.
    async fn free(&self, meta: &MetadataMap) -> Result<(), Status> {
        let mut free = self.free.clone();
        if *free.borrow() || tokio::time::timeout(HELD, free.wait_for(|free| *free)).await.is_ok() {
            return Ok(());
        }
        let key = meta.get(keys::IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok()).unwrap_or_default();
        Err(Verdict::NotNow { after: AGAIN, why: "held".into() }.into_status("noop", key))
    }
}

#[tonic::async_trait]
impl Noop for Answers {
    async fn act(&self, request: Request<ActRequest>) -> Result<Response<ActResponse>, Status> {
        self.free(request.metadata()).await?;
        Ok(Response::new(ActResponse { payload: request.into_inner().payload }))
    }

    async fn undo(&self, _: Request<UndoRequest>) -> Result<Response<UndoResponse>, Status> {
        Ok(Response::new(UndoResponse {}))
    }
}

/// Frees the answers once the file is gone.
async fn free_without(file: PathBuf, free: watch::Sender<bool>) {
    while file.exists() {
        tokio::time::sleep(LOOK).await;
    }
    free.send_replace(true);
}

/// Serves until told to stop.
async fn serve(
    listener: TcpListener,
    free: watch::Receiver<bool>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    let (_healthy, health) = tonic_health::server::health_reporter();
    tonic::transport::Server::builder()
        .add_service(NoopServer::new(Answers { free }))
        .add_service(health)
        .serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned())
        .await?;
    Ok(())
}

/// The role on its own.
pub(crate) async fn run(args: NoopArgs) -> anyhow::Result<()> {
    let shutdown = super::stop::token();
    let listener =
        TcpListener::bind(args.listen).await.with_context(|| format!("--listen {}", args.listen))?;
    let address = listener.local_addr()?;
    if let Some(file) = args.ready_file {
        Ready::new().with("noop", address).write(&file)?;
    }
    let (freeing, free) = watch::channel(args.hold.is_none());
    if let Some(file) = args.hold {
        tokio::spawn(free_without(file, freeing));
    }
    serve(listener, free, shutdown).await
}
