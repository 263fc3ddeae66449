//! What every face shares.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use backstitch_engine::Engine;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::clients::Clients;
use crate::peers::Peers;
use crate::under_way::UnderWay;

/// Whose keys they are, until callers are told apart.
pub(crate) const KEY_SCOPE: &str = "global";

/// Settings of the faces. The defaults are what `backstitch up` uses.
#[derive(Clone, Debug)]
pub struct Options {
    /// Offer `POST /bench/v1/sagas`, which starts the synthetic saga of the benchmark.
    pub bench: bool,
    /// At shutdown, how long open connections may take to finish.
    pub drain_patience: Duration,
    /// How long readiness waits for a part to answer.
    pub probe_patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { bench: false, drain_patience: Duration::from_secs(10), probe_patience: Duration::from_secs(1) }
    }
}

/// A part outside of the core that readiness tells of: its name, and what is wrong with it now.
pub(crate) type Beside = (&'static str, Arc<dyn Fn() -> Option<String> + Send + Sync>);

/// The one core that the faces are faces of.
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) clients: Clients,
    pub(crate) peers: Peers,
    pub(crate) options: Options,
    pub(crate) under_way: UnderWay,
    pub(crate) metrics: Option<PrometheusHandle>,
    pub(crate) beside: Vec<Beside>,
    /// No new connections; whoever waits is answered with what is known now.
    pub(crate) stopping: CancellationToken,
}

/// Unix milliseconds by the system's clock.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
