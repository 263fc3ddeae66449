//! One queued operation: what the transactor runs, and how its caller hears of it.

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use backstitch_proto::contract::Refusal;

use super::company::Company;
use crate::barrier::row::{Row, RowKey};
use crate::lock::LockKey;
use crate::outcome::OpError;
use crate::tx::Tx;

/// The body of an operation: re-runnable, so it captures what it needs and clones it.
pub(crate) type Body<T> =
    Box<dyn for<'a> Fn(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, OpError>> + Send + Sync + 'static>;

/// What remains of a refused operation after its effect was rolled back: how it leaves its barrier row.
pub(crate) type Remains = Box<dyn Fn(&Refusal) -> Row + Send + Sync + 'static>;

/// An operation of any type, as the transactor sees it.
pub(crate) trait Operation: Send {
    /// The keys to hold, sorted.
    fn locks(&self) -> &[LockKey];

    /// Adds keys that turned out to be needed; false if all are there already.
    fn add_locks(&mut self, keys: &[LockKey]) -> bool;

    /// The barrier row that it looks at, if any.
    fn row(&self) -> Option<&RowKey>;

    /// Whom it shares its commit with.
    fn company(&self) -> Company;

    /// Runs it. May be called again after everything it wrote was rolled back.
    fn run<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), OpError>>;

    /// How a refusal leaves the barrier row, once the effect is rolled back.
    fn remains(&self, refusal: &Refusal) -> Option<Row>;

    /// Tells the caller how it ended. `Ok` means that it is committed.
    fn answer(self: Box<Self>, ended: Result<(), OpError>);
}

/// An operation that answers a `T`.
pub(crate) struct Typed<T> {
    locks: Vec<LockKey>,
    row: Option<RowKey>,
    body: Body<T>,
    remains: Option<Remains>,
    company: Company,
    result: Option<T>,
    caller: oneshot::Sender<Result<T, OpError>>,
}

impl<T: Send + 'static> Typed<T> {
    pub(crate) fn boxed(
        mut locks: Vec<LockKey>,
        row: Option<RowKey>,
        body: Body<T>,
        remains: Option<Remains>,
        company: Company,
    ) -> (Box<dyn Operation>, oneshot::Receiver<Result<T, OpError>>) {
        locks.extend(row.as_ref().map(RowKey::lock));
        locks.sort_unstable();
        locks.dedup();
        let (caller, answer) = oneshot::channel();
        (Box::new(Self { locks, row, body, remains, company, result: None, caller }), answer)
    }
}

impl<T: Send + 'static> Operation for Typed<T> {
    fn locks(&self) -> &[LockKey] {
        &self.locks
    }

    fn add_locks(&mut self, keys: &[LockKey]) -> bool {
        let held = self.locks.len();
        self.locks.extend_from_slice(keys);
        self.locks.sort_unstable();
        self.locks.dedup();
        self.locks.len() > held
    }

    fn row(&self) -> Option<&RowKey> {
        self.row.as_ref()
    }

    fn company(&self) -> Company {
        self.company
    }

    fn run<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), OpError>> {
        self.result = None;
        Box::pin(async move {
            self.result = Some((self.body)(tx).await?);
            Ok(())
        })
    }

    fn remains(&self, refusal: &Refusal) -> Option<Row> {
        self.remains.as_ref().map(|remains| remains(refusal))
    }

    fn answer(self: Box<Self>, ended: Result<(), OpError>) {
        let answer = match (ended, self.result) {
            (Ok(()), Some(value)) => Ok(value),
            (Ok(()), None) => Err(OpError::Unknown("the operation ended without a result".into())),
            (Err(error), _) => Err(error),
        };
        // A caller that went away does not want to know; what it asked for has happened all the same.
        let _ = self.caller.send(answer);
    }
}
