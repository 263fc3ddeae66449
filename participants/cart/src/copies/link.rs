//! The connection to Redis: it is there and quick, or nobody waits for it.
//!
//! The first answer that is missing or wrong ends the connection, and with it every use of copies until the keeper has
//! made another one. So a Redis that hangs slows the calls that were waiting for it then, once, and nobody after them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::gauge;
use participant_kit::OpenError;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo as _, RedisError, ScriptInvocation,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::metrics as names;

/// How long the keyspace is believed after it was last read from the database.
pub(super) const BELIEF: Duration = Duration::from_secs(3);

/// How long a new connection may take, with everything that is asked before it is used.
const CONNECT: Duration = Duration::from_secs(1);

/// Where Redis is, and how long it is waited for.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[[user]:password@]host[:port][/number]`, or `rediss://…` for TLS. May hold a password.
    pub url: String,
    /// How long one answer may take before carts are read from the database alone.
    pub patience: Duration,
}

impl RedisOptions {
    /// A Redis that has a quarter of a second for an answer.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), patience: Duration::from_millis(250) }
    }

    /// Refuses an URL that cannot be one. Never repeats it, and asks nobody.
    ///
    /// # Errors
    /// [`OpenError::Config`].
    pub fn check(&self) -> Result<(), OpenError> {
        self.client().map(drop)
    }

    fn client(&self) -> Result<Client, OpenError> {
        let wrong = |why: &str| OpenError::Config {
            option: "redis",
            why: format!(
                "{why}; give it as redis://HOST:PORT, redis://:PASSWORD@HOST:PORT or rediss://… for TLS"
            ),
        };
        if !(self.url.starts_with("redis://") || self.url.starts_with("rediss://")) {
            return Err(wrong("must begin with redis:// or rediss://"));
        }
        let info = self.url.as_str().into_connection_info().map_err(|error| wrong(error.category()))?;
        Client::open(info).map_err(|error| wrong(error.category()))
    }
}

pub(super) struct Link {
    client: Client,
    /// Host and port, for people.
    shown: String,
    patience: Duration,
    process: Arc<str>,
    state: Mutex<State>,
    in_use: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    /// Whether a keyspace was believed, and nothing is left unsettled in it.
    goes_on: bool,
    /// Goes up whenever a connection or a keyspace is given up.
    losses: u64,
    /// What was last said about it.
    told: Option<String>,
}

/// A connection that may be used, for copies of this keyspace.
#[derive(Clone)]
pub(super) struct Live {
    connection: MultiplexedConnection,
    process: Arc<str>,
    /// The server's name of its run; empty if it does not tell.
    server: Arc<str>,
    keyspace: Arc<str>,
    believed_until: Instant,
    losses: u64,
}

impl Live {
    pub(super) fn keyspace(&self) -> &str {
        &self.keyspace
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn process(&self) -> &str {
        &self.process
    }

    /// How much had been given up when it was got.
    pub(super) fn losses(&self) -> u64 {
        self.losses
    }
}

impl Link {
    pub(super) fn new(options: &RedisOptions) -> Result<Self, OpenError> {
        // The workspace has one provider of cryptography; that somebody installed it already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = options.client()?;
        Ok(Self {
            shown: client.get_connection_info().addr().to_string(),
            client,
            patience: options.patience,
            process: Uuid::now_v7().simple().to_string().into(),
            state: Mutex::default(),
            in_use: watch::Sender::new(false),
        })
    }

    /// Whether copies are used now, as it changes.
    pub(super) fn in_use(&self) -> watch::Receiver<bool> {
        self.in_use.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What may be used now.
    pub(super) fn live(&self) -> Option<Live> {
        let believed = |live: &&Live| !live.keyspace.is_empty() && Instant::now() < live.believed_until;
        self.lock().live.as_ref().filter(believed).cloned()
    }

    /// The connection, whether or not its keyspace is believed.
    pub(super) fn connected(&self) -> Option<Live> {
        self.lock().live.clone()
    }

    /// How often something was given up.
    pub(super) fn losses(&self) -> u64 {
        self.lock().losses
    }

    /// Whether a keyspace that was believed may be believed again.
    pub(super) fn goes_on(&self) -> bool {
        self.lock().goes_on
    }

    /// Asks, and answers what Redis answered; without an answer in time the connection is given up.
    pub(super) async fn ask(&self, live: &Live, script: ScriptInvocation<'_>) -> Option<Option<Vec<u8>>> {
        let mut connection = live.connection.clone();
        match tokio::time::timeout(self.patience, script.invoke_async(&mut connection)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => self.lose(live.losses, &self.in_words(&error)),
            Err(_) => self.lose(live.losses, &self.silence()),
        }
    }

    /// Whether it still answers.
    pub(super) async fn ping(&self, live: &Live) -> Option<()> {
        let (mut connection, ping) = (live.connection.clone(), redis::cmd("PING"));
        match tokio::time::timeout(self.patience, ping.query_async::<()>(&mut connection)).await {
            Ok(Ok(())) => Some(()),
            Ok(Err(error)) => self.lose(live.losses, &self.in_words(&error)),
            Err(_) => self.lose(live.losses, &self.silence()),
        }
    }

    /// A new connection, for no keyspace yet; or why there is none.
    pub(super) async fn connect(&self) -> Result<Live, String> {
        let losses = self.losses();
        let connecting = async {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT))
                .set_response_timeout(Some(CONNECT));
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            let told: Result<String, _> = redis::cmd("INFO").arg("server").query_async(&mut connection).await;
            let told = match told {
                // One that may not tell its name is another one with every connection.
                Err(error) if error.code() == Some("NOPERM") => String::new(),
                told => told?,
            };
            let run = told.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
            Ok::<_, RedisError>(Live {
                connection,
                process: self.process.clone(),
                server: run.trim().into(),
                keyspace: "".into(),
                believed_until: Instant::now(),
                losses,
            })
        };
        let connected = tokio::time::timeout(CONNECT, connecting).await;
        connected.map_err(|_| self.silence())?.map_err(|error| self.in_words(&error))
    }

    /// From now on copies of this keyspace are used over this connection, as the database said at `looked`. Unless
    /// something was given up since that was asked.
    pub(super) fn believe(&self, live: Live, keyspace: &str, looked: Instant) {
        let mut state = self.lock();
        if state.losses != live.losses {
            return;
        }
        let keyspace: Arc<str> = keyspace.into();
        state.goes_on = true;
        state.live = Some(Live { keyspace, believed_until: looked + BELIEF, ..live });
        if state.told.take().is_some() {
            tracing::info!("--redis {}: is back; carts are read from it again", self.shown);
        }
        self.show(true);
    }

    /// Something was changed although its copies could not be marked or settled: this keyspace is over, and the next
    /// one that is believed is a new one.
    pub(super) fn forget_keyspace(&self) {
        let mut state = self.lock();
        state.goes_on = false;
        state.losses += 1;
        let losses = state.losses;
        if let Some(live) = &mut state.live {
            live.keyspace = "".into();
            live.losses = losses;
        }
        self.show(false);
    }

    /// Gives up the connection that was got after so many losses, and says why, once.
    pub(super) fn lose<T>(&self, losses: u64, why: &str) -> Option<T> {
        let mut state = self.lock();
        if state.losses == losses {
            state.losses += 1;
            state.live = None;
            self.show(false);
            if state.told.as_deref() != Some(why) {
                tracing::warn!(
                    "--redis {}: {why}; carts are read from the database, slower, until it is there",
                    self.shown
                );
                state.told = Some(why.to_owned());
            }
        }
        None
    }

    fn show(&self, in_use: bool) {
        gauge!(names::COPIES_IN_USE).set(if in_use { 1.0 } else { 0.0 });
        self.in_use.send_if_modified(|shown| std::mem::replace(shown, in_use) != in_use);
    }

    fn silence(&self) -> String {
        "does not answer in time".to_owned()
    }

    /// What went wrong, and the way out where there is one.
    fn in_words(&self, error: &RedisError) -> String {
        match (error.kind(), error.code()) {
            (_, Some("NOAUTH")) => "wants a password: give it as redis://:PASSWORD@HOST:PORT".to_owned(),
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => {
                "refuses the user or the password of the URL".to_owned()
            }
            (_, Some("READONLY")) => {
                "is a replica that takes no writes; give the address of its primary".to_owned()
            }
            (_, Some("MOVED" | "CLUSTERDOWN" | "CROSSSLOT")) => {
                "is one node of a cluster; give the address of a proxy that serves every key".to_owned()
            }
            (_, Some("NOPERM")) => {
                format!("does not let this user do what is needed: {}", error.detail().unwrap_or_default())
            }
            (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) => {
                "answers, but not as Redis does; is it another service's address?".to_owned()
            }
            _ if error.is_timeout() => self.silence(),
            _ if error.is_io_error() => format!("cannot be reached ({error})"),
            _ => format!("answers with an error ({error})"),
        }
    }
}
