//! Serving a participant: its services, gRPC health and reflection, and the loops of what it does by itself.
//!
//! Knows no participant's messages; a listener, and when to stop, are given.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use metrics::counter;
use outbox_relay::consumer::Subscription;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower_http::catch_panic::CatchPanicLayer;

use crate::clock::{Clock as _, SystemClock};
use crate::consuming::ForgetInbox;
use crate::kit::Kit;
use crate::metrics as names;
use crate::outbox::Outbox;
use crate::retention::Retention;

/// The largest request or response message, 4 MiB; a cart of 600 lines is some 100 KiB. It is what generated servers
/// and clients refuse to decode beyond by default; `max_encoding_message_size(MAX_MESSAGE_BYTES)` on a generated server
/// keeps it from sending what no caller would read.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// How long calls in flight have to finish at shutdown. Whatever is cut off is as after a crash.
const DRAIN: Duration = Duration::from_secs(10);

/// How long a background loop rests when it has nothing to do.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a tick may take. Whatever is cut off is as after a crash; a database that went away without a word would
/// otherwise hold its loop for ever.
const TICK: Duration = Duration::from_secs(120);

/// How often an idle connection is asked whether anybody is there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What a tick came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many things it got done.
    pub done: usize,
    /// Whether there was more than one tick may do: tick again at once.
    pub more: bool,
    /// What went wrong, for the log; the next tick tries again.
    pub problem: Option<String>,
}

impl Progress {
    /// Nothing to do.
    pub fn idle() -> Self {
        Self::default()
    }

    /// `done` things done, and perhaps `more` waiting.
    pub fn done(done: usize, more: bool) -> Self {
        Self { done, more, problem: None }
    }

    /// It went wrong.
    pub fn failed(problem: impl ToString) -> Self {
        Self { problem: Some(problem.to_string()), ..Self::default() }
    }
}

/// Something a participant does by itself, again and again: expired carts, mail, open barrier rows.
#[async_trait]
pub trait Background: Send + Sync {
    /// For logs and metrics.
    fn name(&self) -> &'static str;

    /// Does a bounded amount of what is due at `now_ms`. Waits for nothing that is not due.
    async fn tick(&self, now_ms: i64) -> Progress;
}

/// A participant that is ready to be served, alone or beside others in one process.
pub struct Participant {
    /// The service's name in the contract, e.g. `inventory`.
    pub name: &'static str,
    /// Its gRPC services.
    pub routes: tonic::service::Routes,
    /// Where its events wait for the relay.
    pub outbox: Arc<dyn outbox_relay::Source>,
    /// Notified after each commit that appended to it.
    pub wake: Arc<Notify>,
    /// What it does by itself, besides forgetting.
    pub background: Vec<Arc<dyn Background>>,
    /// What it consumes, where there is a broker to consume from.
    pub subscriptions: Vec<Subscription>,
    /// Parts that it can do without for a while, and whether each is there.
    parts: Vec<(&'static str, watch::Receiver<bool>)>,
    /// Where else it is called.
    pub doors: Vec<Door>,
    retention: Retention,
}

/// Another listener than the one for sagas' calls, e.g. for a provider's webhooks.
pub struct Door {
    /// For whoever wants to know the address.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// Serves it until the token says to stop.
    pub serve: Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, std::io::Result<()>> + Send + Sync>,
}

/// Why a participant stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The transport failed.
    #[error("{name} cannot serve: {source}")]
    Transport {
        /// Whose.
        name: &'static str,
        /// Why.
        source: tonic::transport::Error,
    },
    /// The services are not described well enough for reflection.
    #[error("{name} cannot offer reflection: {why}")]
    Reflection {
        /// Whose.
        name: &'static str,
        /// Why.
        why: String,
    },
}

impl Participant {
    /// The participant over `kit` that offers `routes` and does nothing by itself yet.
    pub fn new(kit: &Kit, routes: tonic::service::Routes) -> Self {
        Self {
            name: kit.service(),
            routes,
            outbox: Arc::new(Outbox::new(kit.clone())),
            wake: kit.transactor().wake(),
            background: Vec::new(),
            subscriptions: Vec::new(),
            parts: Vec::new(),
            doors: Vec::new(),
            retention: Retention::new(kit.clone(), Retention::DEFAULT),
        }
    }

    /// It also does this by itself.
    #[must_use]
    pub fn beside(mut self, background: impl Background + 'static) -> Self {
        self.background.push(Arc::new(background));
        self
    }

    /// It also acts on events, each once by the inbox in its own database.
    #[must_use]
    pub fn consuming(mut self, kit: &Kit, subscription: Subscription) -> Self {
        self.subscriptions.push(subscription);
        self.beside(ForgetInbox(kit.clone()))
    }

    /// It works without this part too, but health tells whether the part is there
    /// ([`optional_parts`](backstitch_proto::contract::optional_parts)).
    #[must_use]
    pub fn with_part(mut self, name: &'static str, is_there: watch::Receiver<bool>) -> Self {
        self.parts.push((name, is_there));
        self
    }

    /// It is called at this door too, from when it is served.
    #[must_use]
    pub fn with_door(mut self, door: Door) -> Self {
        self.doors.push(door);
        self
    }

    /// It remembers so long what it answered, instead of [`Retention::DEFAULT`].
    #[must_use]
    pub fn remembering(mut self, keep: Duration) -> Self {
        self.retention = self.retention.lasting(keep);
        self
    }

    /// Serves on `listener`, beside the participant's own services gRPC health and reflection, and ticks the background
    /// loops. At `shutdown` health says not serving, no call is accepted any more, and calls in flight get
    /// ten seconds to finish; then the loops have as long to end their
    /// current tick.
    ///
    /// # Errors
    /// That the transport failed.
    pub async fn serve(
        self,
        listener: tokio::net::TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let name = self.name;
        let services = services(name).map_err(|why| ServeError::Reflection { name, why })?;
        let (health, health_service) = tonic_health::server::health_reporter();
        for service in &services {
            health.set_service_status(service, ServingStatus::Serving).await;
        }
        let mut reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(backstitch_proto::DESCRIPTORS);
        for service in &services {
            reflection = reflection.with_service_name(service);
        }
        let reflection =
            reflection.build_v1().map_err(|error| ServeError::Reflection { name, why: error.to_string() })?;

        let mut loops = JoinSet::new();
        let stop_loops = CancellationToken::new();
        let forgetting: Arc<dyn Background> = Arc::new(self.retention);
        for background in self.background.into_iter().chain([forgetting]) {
            loops.spawn(tick_until(name, background, stop_loops.clone()));
        }

        for (part, is_there) in self.parts {
            loops.spawn(tell_of(part, is_there, health.clone(), stop_loops.clone()));
        }

        for Door { name: door, serve, .. } in self.doors {
            let serving = serve(shutdown.clone());
            loops.spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(door, %error, "a door is not served any more");
                }
            });
        }

        let closing = shutdown.clone();
        let announced = async move {
            closing.cancelled().await;
            health.set_service_status("", ServingStatus::NotServing).await;
            for service in &services {
                health.set_service_status(service, ServingStatus::NotServing).await;
            }
        };
        let serving = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            // A panic in a handler is that call's own; without this it would end its whole connection.
            .layer(CatchPanicLayer::custom(panicked))
            .add_routes(self.routes)
            .add_service(health_service)
            .add_service(reflection)
            .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), announced);
        let served = tokio::select! {
            served = serving => served.map_err(|source| ServeError::Transport { name, source }),
            () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN).await } => {
                tracing::warn!(name, "calls in flight did not finish in time");
                Ok(())
            }
        };
        stop_loops.cancel();
        let ended = async { while loops.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            tracing::warn!(name, "a background tick did not end in time");
        }
        served
    }
}

/// Tells health whether a part is there, until `stop`.
async fn tell_of(
    part: &'static str,
    mut is_there: watch::Receiver<bool>,
    health: HealthReporter,
    stop: CancellationToken,
) {
    loop {
        let status =
            if *is_there.borrow_and_update() { ServingStatus::Serving } else { ServingStatus::NotServing };
        health.set_service_status(part, status).await;
        tokio::select! {
            () = stop.cancelled() => return,
            changed = is_there.changed() => if changed.is_err() { return },
        }
    }
}

/// Ticks until `stop`: again at once while there is more to do, else after [`PAUSE`].
async fn tick_until(participant: &'static str, background: Arc<dyn Background>, stop: CancellationToken) {
    let name = background.name();
    while !stop.is_cancelled() {
        let tick = AssertUnwindSafe(background.tick(SystemClock.now_ms())).catch_unwind();
        let progress = match tokio::time::timeout(TICK, tick).await {
            Ok(ended) => ended.unwrap_or_else(|_| Progress::failed("the tick panicked")),
            Err(_) => Progress::failed("the tick did not end in time"),
        };
        if progress.done > 0 {
            let done = u64::try_from(progress.done).unwrap_or(u64::MAX);
            counter!(names::BACKGROUND_DONE, "service" => participant, "name" => name).increment(done);
        }
        if let Some(problem) = &progress.problem {
            tracing::warn!(participant, name, problem, "a background tick met a problem");
        } else if progress.more {
            // Others get a turn, and `stop` is looked at.
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// What a caller hears of a panic: no verdict, so it may have happened.
fn panicked(_: Box<dyn Any + Send + 'static>) -> http::Response<tonic::body::Body> {
    tonic::Status::unknown("the handler panicked").into_http()
}

/// The full names of the services in the package of `participant`, for health and reflection.
fn services(participant: &str) -> Result<Vec<String>, String> {
    let described = FileDescriptorSet::decode(backstitch_proto::DESCRIPTORS).map_err(|e| e.to_string())?;
    let package = format!("backstitch.{participant}.v1");
    let files = described.file.iter().filter(|file| file.package() == package);
    Ok(files.flat_map(|f| f.service.iter().map(|s| format!("{package}.{}", s.name()))).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Hangs {
        ticks: AtomicUsize,
        stop: CancellationToken,
    }

    #[async_trait]
    impl Background for Hangs {
        fn name(&self) -> &'static str {
            "hangs"
        }

        async fn tick(&self, _now_ms: i64) -> Progress {
            if self.ticks.fetch_add(1, Ordering::Relaxed) == 0 {
                std::future::pending::<()>().await;
            }
            self.stop.cancel();
            Progress::idle()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tick_that_hangs_is_given_up_and_the_next_one_comes() {
        let stop = CancellationToken::new();
        let hangs = Arc::new(Hangs { ticks: AtomicUsize::new(0), stop: stop.clone() });
        let ticking = tick_until("some", hangs.clone(), stop);
        tokio::time::timeout(2 * TICK, ticking).await.expect("it ticks again and stops");
        assert_eq!(hangs.ticks.load(Ordering::Relaxed), 2);
    }
}
