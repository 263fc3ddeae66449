//! One relay per lane: a lease in the lane's own database, by that database's clock.
//!
//! The lease keeps two relays from doing the same work. Order does not rest on it: a relay sends a key's next row only
//! after the acknowledgement of the one before, its own or the one that is marked, so whoever else publishes at the same
//! time, stale or frozen, can repeat a row but never be the first with a later one. What the lease adds is that even the
//! repetitions end with a term: the owner counts it from *before* it asked, on a monotonic clock, starts nothing after
//! it, and nobody takes the lane before what it had started can no longer arrive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{AnyPool, AssertSqlSafe, Row as _};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::SourceError;
use crate::lent::Lent;

/// How long a lease lasts.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How long an owner publishes without a renewal. It renews after a third of it.
    pub term: Duration,
    /// The longest time that a row handed to the sink may still be on its way.
    pub in_flight: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { term: Duration::from_secs(5), in_flight: Duration::from_secs(12) }
    }
}

/// The right to publish from one lane, as its relay sees it. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Tenure(Arc<Right>);

#[derive(Debug)]
struct Right {
    until: watch::Sender<Option<Instant>>,
    /// Why it could not be asked for, the last time.
    trouble: Mutex<Option<String>>,
}

impl Default for Tenure {
    /// Not held.
    fn default() -> Self {
        Self(Arc::new(Right { until: watch::Sender::new(None), trouble: Mutex::default() }))
    }
}

impl Tenure {
    /// Held for good, for a source that nobody else can open.
    #[must_use]
    pub fn forever() -> Self {
        let tenure = Self::default();
        tenure.until(Some(Instant::now() + Duration::from_secs(100 * 365 * 24 * 3600)));
        tenure
    }

    /// Whether a row may be handed to the sink now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.0.until.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until it is held.
    pub async fn held(&self) {
        let mut seen = self.0.until.subscribe();
        while !self.holds() {
            // This value holds the sender, so the channel does not close while somebody waits.
            if seen.changed().await.is_err() {
                return;
            }
        }
    }

    fn until(&self, moment: Option<Instant>) {
        self.0.until.send_if_modified(|until| std::mem::replace(until, moment) != moment);
    }

    /// Why nobody knows whose it is; none when the database answered.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, trouble: Option<&str>) {
        *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble.map(str::to_owned);
    }
}

/// The leases of one database.
#[derive(Debug, Clone)]
pub struct Leases {
    /// For logs: whose database.
    name: String,
    pool: AnyPool,
    owner: String,
    lanes: BTreeMap<String, Tenure>,
    terms: Terms,
}

impl Leases {
    /// Leases for `lanes` of the database `pool`, of which none is held yet. `owner` must be new for every run.
    pub fn new(
        name: impl Into<String>,
        pool: AnyPool,
        owner: impl Into<String>,
        lanes: impl IntoIterator<Item = String>,
        terms: Terms,
    ) -> Self {
        let lanes = lanes.into_iter().map(|lane| (lane, Tenure::default())).collect();
        Self { name: name.into(), pool, owner: owner.into(), lanes, terms }
    }

    /// The tenure of a lane, for its relay. One that is not among these is never held.
    #[must_use]
    pub fn tenure(&self, lane: &str) -> Tenure {
        self.lanes.get(lane).cloned().unwrap_or_default()
    }

    /// Takes what is free and renews what is held, in one statement that commits by itself, so that a process
    /// which freezes meanwhile keeps no lock; answers how many lanes are held after it. Lanes that
    /// another relay has are let go at once.
    ///
    /// # Errors
    /// When the database does not answer: what was held runs out by itself.
    pub async fn renew(&self) -> Result<usize, SourceError> {
        // Before asking: the database counts from some moment after this one.
        let asked = Instant::now();
        let keep = self.terms.term + self.terms.in_flight;
        let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let mut epochs = BTreeMap::new();
        if !self.lanes.is_empty() {
            let mut conn = Lent::of(&self.pool).await?;
            // In the order of their names: two relays that take the same rows wait for each other, never in a circle.
            let sql = take_lease(clock(conn.backend_name()), self.lanes.len());
            let mut query = sqlx::query(AssertSqlSafe(sql)).bind(&self.owner).bind(keep);
            for lane in self.lanes.keys() {
                query = query.bind(lane);
            }
            for row in query.fetch_all(&mut *conn).await? {
                epochs.insert(row.try_get::<String, _>("lane")?, row.try_get::<i64, _>("epoch")?);
            }
            conn.give_back();
        }
        for (lane, tenure) in &self.lanes {
            let epoch = epochs.get(lane).copied();
            match (epoch, tenure.holds()) {
                (Some(epoch), false) => {
                    tracing::info!(database = self.name, lane, epoch, "this relay publishes the lane");
                }
                (None, true) => {
                    tracing::warn!(database = self.name, lane, "another relay has taken the lane")
                }
                _ => {}
            }
            tenure.until(epoch.map(|_| asked + self.terms.term));
        }
        Ok(epochs.len())
    }

    /// Lets every lane go, so that another relay may take it at once. Only after this one's relays have ended.
    ///
    /// # Errors
    /// When the database does not answer: the leases run out by themselves.
    pub async fn release(&self) -> Result<(), SourceError> {
        self.lanes.values().for_each(|tenure| tenure.until(None));
        let giving = async {
            let mut conn = Lent::of(&self.pool).await?;
            sqlx::query("UPDATE relay_leases SET until_ms = 0 WHERE owner = $1")
                .bind(&self.owner)
                .execute(&mut *conn)
                .await?;
            conn.give_back();
            Ok(())
        };
        within(self.terms.term, giving).await
    }

    /// Renews until `shutdown`. A database that does not answer costs the lanes when their term ends, and a warning.
    pub async fn keep(&self, shutdown: &CancellationToken) {
        let every = self.terms.term / 3;
        let mut waiting = false;
        while !shutdown.is_cancelled() {
            let renewed = within(every, self.renew()).await;
            let trouble = renewed.as_ref().err().map(|error| format!("its lease is not renewed: {error}"));
            self.lanes.values().for_each(|tenure| tenure.remember(trouble.as_deref()));
            match renewed {
                Ok(held) => {
                    if held < self.lanes.len() && !waiting {
                        tracing::info!(database = self.name, held, of = self.lanes.len(), "standing by");
                    }
                    waiting = held < self.lanes.len();
                }
                Err(error) => tracing::warn!(database = self.name, %error, "leases are not renewed"),
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }
}

/// What is asked, or that it was not answered in time; then its connection is closed.
async fn within<T>(
    limit: Duration,
    asking: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    let answer = tokio::time::timeout(limit, asking).await;
    answer.unwrap_or_else(|_| Err(SourceError::Unavailable(format!("no answer within {limit:?}"))))
}

/// One statement for so many lanes, whose names are $3, $4 …
fn take_lease(now: &str, lanes: usize) -> String {
    let row = |number: usize| format!("(${number}, $1, 1, {now} + $2)");
    let rows: Vec<String> = (3..lanes + 3).map(row).collect();
    include_str!("sql/take_lease.sql").replace("{rows}", &rows.join(", ")).replace("{now}", now)
}

/// The database's clock in Unix milliseconds, as SQL.
fn clock(backend: &str) -> &'static str {
    match backend {
        "SQLite" => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        _ => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    }
}
