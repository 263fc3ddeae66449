//! The transactor: many queued operations in one commit, and answers only after it.
//!
//! One task owns the writing connection. It takes what is queued, runs it as one transaction with a savepoint for each
//! operation, commits, and answers. The flush trigger is "the previous commit returned": batches grow with load, and
//! an idle participant pays one commit per operation.

mod batch;
mod company;
mod operation;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{counter, histogram};
use sqlx::{AnyConnection, Connection as _};
use tokio::sync::{Notify, mpsc, oneshot};

use self::batch::{Abandoned, Batch};
pub(crate) use self::company::Company;
use self::company::together;
pub(crate) use self::operation::{Body, Remains};
use self::operation::{Operation, Typed};
use crate::barrier::row::RowKey;
use crate::clock::Clock;
use crate::database::postgres::is_worth_another_try;
use crate::database::{Database, Dialect};
use crate::lock::LockKey;
use crate::metrics as names;
use crate::outcome::{Fault, OpError};

/// The most operations in one commit: bounds how long the first of them waits for the last.
const MAX_BATCH: usize = 256;
/// How long an operation that rides waits for others at most.
const RIDE: Duration = Duration::from_millis(250);
/// The most operations that wait for their turn; whoever comes later waits to be queued.
const MAX_QUEUED: usize = 1024;
/// How often an operation is run alone, at most, when others get in its way or the server goes away.
const TRIES: u32 = 3;
/// How long it rests before, the more the more often: those who waited for what it held go first.
const REST: Duration = Duration::from_millis(20);
/// How long a transaction on a server may take. Longer than what the server itself allows a statement, so this is for
/// one that says nothing any more.
const LONGEST: Duration = Duration::from_secs(20);

/// What the transactor has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transactions committed.
    pub commits: u64,
    /// Operations answered, however they ended.
    pub operations: u64,
    /// Round trips to the database, the operations' own included.
    pub statements: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    operations: AtomicU64,
    statements: AtomicU64,
}

impl Counters {
    pub(crate) fn statements(&self, more: u64) {
        self.statements.fetch_add(more, Ordering::Relaxed);
    }
}

/// The handle to the task that writes. The task ends when the last clone is dropped and the queue is empty.
#[derive(Clone)]
pub(crate) struct Transactor {
    queue: mpsc::Sender<Box<dyn Operation>>,
    counters: Arc<Counters>,
    wake: Arc<Notify>,
}

impl Transactor {
    /// Starts the task; `conn` is the writing connection, `database` where to get another one.
    pub(crate) fn start(
        service: &'static str,
        database: Database,
        conn: AnyConnection,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (queue, queued) = mpsc::channel(MAX_QUEUED);
        let (counters, wake) = (Arc::new(Counters::default()), Arc::new(Notify::new()));
        let writer = Writer {
            service,
            database,
            conn: Some(conn),
            clock,
            counters: counters.clone(),
            wake: wake.clone(),
        };
        tokio::spawn(writer.run(queued));
        Self { queue, counters, wake }
    }

    /// Queues an operation and waits for its commit. Dropping the future does not take it back. `row` is the barrier
    /// row it looks at; how it leaves that row, or `remains` says of a refusal, is written with its effect.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        locks: Vec<LockKey>,
        row: Option<RowKey>,
        body: Body<T>,
        remains: Option<Remains>,
    ) -> Result<T, OpError> {
        self.queue(Typed::boxed(locks, row, body, remains, Company::Anybody)).await
    }

    /// The same for an operation that nobody is in a hurry for: it rides in the next commit, or has one of its own after
    /// [`RIDE`].
    pub(crate) async fn ride<T: Send + 'static>(&self, body: Body<T>) -> Result<T, OpError> {
        self.run_in(Company::Awaited, Vec::new(), body).await
    }

    /// The same for one that looks at no barrier row of its own, in the company that it names.
    pub(crate) async fn run_in<T: Send + 'static>(
        &self,
        company: Company,
        locks: Vec<LockKey>,
        body: Body<T>,
    ) -> Result<T, OpError> {
        self.queue(Typed::boxed(locks, None, body, None, company)).await
    }

    async fn queue<T>(
        &self,
        (operation, answer): (Box<dyn Operation>, oneshot::Receiver<Result<T, OpError>>),
    ) -> Result<T, OpError> {
        if self.queue.send(operation).await.is_err() {
            return Err(OpError::not_now(Fault::SOON, "the transactor has ended"));
        }
        answer.await.unwrap_or_else(|_| Err(OpError::Unknown("the transactor ended meanwhile".into())))
    }

    /// Notified after each commit with an event in it.
    pub(crate) fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    pub(crate) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { commits, operations, statements } = &*self.counters;
        Counts { commits: read(commits), operations: read(operations), statements: read(statements) }
    }
}

/// Waits for an operation that has to be committed now, at most [`RIDE`]; takes along who comes with it.
async fn company(queued: &mut mpsc::Receiver<Box<dyn Operation>>, operations: &mut Vec<Box<dyn Operation>>) {
    let arrives = async {
        while operations.len() < MAX_BATCH {
            let (known, room) = (operations.len(), MAX_BATCH - operations.len());
            let ended = queued.recv_many(operations, room).await == 0;
            if ended || operations[known..].iter().any(|operation| operation.company() != Company::Awaited) {
                break;
            }
        }
    };
    // Nothing is lost when the time is up: what was received is in `operations`.
    let _ = tokio::time::timeout(RIDE, arrives).await;
}

struct Writer {
    service: &'static str,
    database: Database,
    /// `None` after trouble: the next batch begins with a new connection, so no half-open transaction survives.
    conn: Option<AnyConnection>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    /// Rung when events were committed.
    wake: Arc<Notify>,
}

impl Writer {
    async fn run(mut self, mut queued: mpsc::Receiver<Box<dyn Operation>>) {
        let mut again = Vec::new();
        loop {
            let mut operations = std::mem::take(&mut again);
            if operations.is_empty() {
                if queued.recv_many(&mut operations, MAX_BATCH).await == 0 {
                    break;
                }
                if operations.iter().all(|operation| operation.company() == Company::Awaited) {
                    company(&mut queued, &mut operations).await;
                }
            } else {
                // Those that come back with another lock go first, and take along whoever is waiting.
                let room = MAX_BATCH.saturating_sub(operations.len());
                operations.extend(std::iter::from_fn(|| queued.try_recv().ok()).take(room));
            }
            while !operations.is_empty() {
                let rest = operations.split_off(together(&operations, self.database.dialect()));
                self.settle(operations, &mut again).await;
                operations = rest;
            }
        }
        if let Some(conn) = self.conn.take() {
            let _ = conn.close().await;
        }
    }

    /// Runs operations together, or else alone, until each is answered or put into `again`.
    async fn settle(&mut self, mut operations: Vec<Box<dyn Operation>>, again: &mut Vec<Box<dyn Operation>>) {
        if operations.len() == 1 {
            return self.one_by_one(operations, None, again).await;
        }
        match self.commit(&mut operations).await {
            Ok(ends) => self.answer_all(operations, ends, again),
            Err(Abandoned::Unknown(why)) => {
                let ends = operations.iter().map(|_| Err(OpError::Unknown(why.clone()))).collect();
                self.answer_all(operations, ends, again);
            }
            Err(Abandoned::NotBegun { why, .. }) => {
                let ends = operations.iter().map(|_| Err(OpError::not_now(Fault::SOON, &why))).collect();
                self.answer_all(operations, ends, again);
            }
            Err(Abandoned::RolledBack { index, error }) => {
                tracing::warn!(service = self.service, %error, operations = operations.len(), "a batch is run one by one");
                let lost = index.filter(|_| matches!(error, OpError::Unknown(_))).map(|index| (index, error));
                self.one_by_one(operations, lost, again).await;
            }
        }
    }

    /// Runs each alone, except one that lost the transaction and is answered with that.
    async fn one_by_one(
        &mut self,
        operations: Vec<Box<dyn Operation>>,
        mut lost: Option<(usize, OpError)>,
        again: &mut Vec<Box<dyn Operation>>,
    ) {
        for (index, operation) in operations.into_iter().enumerate() {
            let mut alone = vec![operation];
            if let Some((_, error)) = lost.take_if(|(at, _)| *at == index) {
                self.answer_all(alone, vec![Err(error)], again);
                continue;
            }
            let ends = match self.commit_alone(&mut alone).await {
                Ok(ends) => ends,
                Err(Abandoned::Unknown(why)) => vec![Err(OpError::Unknown(why))],
                Err(Abandoned::NotBegun { why, .. }) => vec![Err(OpError::not_now(Fault::SOON, why))],
                Err(Abandoned::RolledBack { error, .. }) => vec![Err(error)],
            };
            self.answer_all(alone, ends, again);
        }
    }

    /// A transaction of one operation, again where it was rolled back for a reason that does not lie in it.
    async fn commit_alone(
        &mut self,
        alone: &mut [Box<dyn Operation>],
    ) -> Result<Vec<Result<(), OpError>>, Abandoned> {
        let mut ended = self.commit(alone).await;
        for again in 1..TRIES {
            match &ended {
                Err(Abandoned::RolledBack { error: OpError::Database(error), .. })
                    if self.database.dialect() == Dialect::Postgres && is_worth_another_try(error) =>
                {
                    tracing::debug!(service = self.service, %error, "an operation is run again");
                    tokio::time::sleep(REST * again).await;
                    ended = self.commit(alone).await;
                }
                _ => break,
            }
        }
        ended
    }

    fn answer_all(
        &self,
        operations: Vec<Box<dyn Operation>>,
        ends: Vec<Result<(), OpError>>,
        again: &mut Vec<Box<dyn Operation>>,
    ) {
        for (mut operation, end) in operations.into_iter().zip(ends) {
            let end = match end {
                Err(OpError::Lock(keys)) => {
                    if operation.add_locks(&keys) {
                        again.push(operation);
                        continue;
                    }
                    Err(OpError::Broken(format!("asks for the locks {keys:?} that it holds")))
                }
                end => end,
            };
            self.counters.operations.fetch_add(1, Ordering::Relaxed);
            operation.answer(end);
        }
    }

    /// One transaction over all of `operations`: how each ended if it is committed, else why it is not. That a server
    /// has restarted shows in the first statement sent to it, and is met with a new connection.
    async fn commit(
        &mut self,
        operations: &mut [Box<dyn Operation>],
    ) -> Result<Vec<Result<(), OpError>>, Abandoned> {
        if let Some(conn) = self.conn.take() {
            match self.commit_on(conn, operations).await {
                Err(Abandoned::NotBegun { lost: true, .. }) => {}
                ended => return ended,
            }
        }
        let conn = self.database.connect().await;
        let conn = conn.map_err(|error| Abandoned::NotBegun { why: error.to_string(), lost: false })?;
        self.commit_on(conn, operations).await
    }

    async fn commit_on(
        &mut self,
        mut conn: AnyConnection,
        operations: &mut [Box<dyn Operation>],
    ) -> Result<Vec<Result<(), OpError>>, Abandoned> {
        let dialect = self.database.dialect();
        let mut batch = Batch::new(&mut conn, dialect, self.clock.now_ms());
        let ended = match dialect {
            Dialect::Sqlite => batch.run(operations).await,
            Dialect::Postgres => match tokio::time::timeout(LONGEST, batch.run(operations)).await {
                Ok(ended) => ended,
                Err(_) => {
                    // Not closed, which would wait for the server's word; dropped.
                    tracing::error!(service = self.service, "a transaction got no answer in time");
                    return Err(Abandoned::Unknown("the database did not answer in time".into()));
                }
            },
        };
        let (sound, statements, emitted) = (batch.is_sound(), batch.statements(), batch.emitted());
        self.counters.statements(statements);
        counter!(names::STATEMENTS, "service" => self.service).increment(statements);
        match &ended {
            Ok(_) => {
                self.counters.commits.fetch_add(1, Ordering::Relaxed);
                if emitted {
                    self.wake.notify_one();
                }
                counter!(names::COMMITS, "service" => self.service).increment(1);
                let operations = u32::try_from(operations.len()).unwrap_or(u32::MAX);
                histogram!(names::COMMIT_OPERATIONS, "service" => self.service).record(f64::from(operations));
            }
            Err(Abandoned::Unknown(why)) => {
                tracing::error!(service = self.service, why, "a transaction's fate is unknown");
            }
            Err(_) => {}
        }
        if sound {
            self.conn = Some(conn);
        } else {
            // Closing rolls back whatever may still be open, and returns only then.
            let _ = conn.close().await;
        }
        ended
    }
}
