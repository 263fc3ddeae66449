//! A participant that answers at once, for measuring the engine and nothing else.

use anyhow::Context as _;
use backstitch_proto::noop::noop_server::{Noop, NoopServer};
use backstitch_proto::noop::{ActRequest, ActResponse, UndoRequest, UndoResponse};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::cli::NoopArgs;
use crate::ready::Ready;

struct AtOnce;

#[tonic::async_trait]
impl Noop for AtOnce {
    async fn act(&self, request: Request<ActRequest>) -> Result<Response<ActResponse>, Status> {
        Ok(Response::new(ActResponse { payload: request.into_inner().payload }))
    }

    async fn undo(&self, _: Request<UndoRequest>) -> Result<Response<UndoResponse>, Status> {
        Ok(Response::new(UndoResponse {}))
    }
}

/// Serves until told to stop.
pub(crate) async fn serve(listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    let (_healthy, health) = tonic_health::server::health_reporter();
    tonic::transport::Server::builder()
        .add_service(NoopServer::new(AtOnce))
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
    serve(listener, shutdown).await
}
