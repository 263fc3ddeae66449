//! A participant served on loopback, and calls to it as an orchestrator makes them.

// Each test file that includes this uses another part of it.
#![allow(dead_code)]

use std::path::Path;
use std::sync::Arc;

use backstitch_proto::contract::{CallMeta, Op, Verdict};
use backstitch_services::On;
use outbox_relay::{Row, Source};
use participant_kit::{Background, Participant, Schema, testing};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use uuid::Uuid;

/// A participant that answers on a port of its own. Does nothing by itself: its background work is the test's to tick.
pub(crate) struct Served {
    pub(crate) channel: Channel,
    pub(crate) background: Vec<Arc<dyn Background>>,
    outbox: Arc<dyn Source>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(mut participant: Participant) -> Self {
        let background = std::mem::take(&mut participant.background);
        let outbox = participant.outbox.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let until = shutdown.clone();
        let task = tokio::spawn(async move { participant.serve(listener, until).await.unwrap() });
        let channel = Endpoint::try_from(address).unwrap().connect_lazy();
        Self { channel, background, outbox, shutdown, task }
    }

    /// What waits to be published.
    pub(crate) async fn events(&self) -> Vec<Row> {
        self.outbox.pending(1000).await.unwrap()
    }

    /// Stops serving. What was committed stays in the file.
    pub(crate) async fn stop(self) {
        drop(self.channel);
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

/// The URL of a database of one's own, which is ready to be opened.
pub(crate) async fn database(on: On, directory: &Path, schema: &Schema) -> String {
    let url = on.url(directory, schema.service());
    schema.migrate(&url).await.unwrap();
    url
}

/// One call of a saga.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    meta: CallMeta,
}

/// A call of a checkout.
pub(crate) fn call(saga: Uuid, step: &str, op: Op) -> Call {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into();
    Call { meta: CallMeta { traceparent, ..testing::call(saga, step, op) } }
}

impl Call {
    /// The same of a saga that belongs to the family of another one.
    pub(crate) fn of_family(self, root: Uuid, name: &str) -> Self {
        Call { meta: CallMeta { root, name: name.into(), ..self.meta } }
    }

    /// The request with this call's metadata.
    pub(crate) fn with<T>(&self, message: T) -> Request<T> {
        testing::request(&self.meta, message)
    }

    /// What a status promises to this call.
    pub(crate) fn verdict(&self, status: &Status, service: &str) -> Verdict {
        testing::verdict(&self.meta, service, status)
    }
}
