//! The participant's one handle: its database, its transactor, its clock, and the doors that sagas' calls come through.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use backstitch_proto::contract::{CallMeta, Op, keys};
use backstitch_proto::trace;
use futures::future::BoxFuture;
use metrics::{counter, histogram};
use sqlx::AnyPool;
use tonic::metadata::MetadataMap;
use tonic::{Response, Status};
use tracing::Instrument as _;

use crate::action::{Action, OutsideAction, OutsideUndo, Undo};
use crate::barrier::open::Claims;
use crate::barrier::{forget, local, outside};
use crate::clock::Clock;
use crate::database::{Database, OpenError, Schema};
use crate::lock::LockKey;
use crate::metrics as names;
use crate::outcome::{Fault, OpError};
use crate::places;
use crate::told::Told;
use crate::transactor::{Counts, Transactor};
use crate::tx::Tx;

/// One participant's database, transactor and clock. Clones are the same one.
#[derive(Clone)]
pub struct Kit(Arc<Inner>);

struct Inner {
    service: &'static str,
    reads: AnyPool,
    transactor: Transactor,
    clock: Arc<dyn Clock>,
    claims: Claims,
    told: Told,
}

impl Kit {
    /// Opens the database of the schema's service: a SQLite file (`sqlite:/path/file.db`), created when missing and
    /// migrated, or one on a Postgres server (`postgres://…`), which somebody has migrated before
    /// ([`Schema::migrate`]).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(schema: &Schema, database_url: &str, clock: Arc<dyn Clock>) -> Result<Kit, OpenError> {
        let service = schema.service();
        let database = Database::new(service, database_url)?;
        let mut conn = database.connect().await?;
        schema.prepare(&database, &mut conn).await?;
        let reads = database.readers().await?;
        let transactor = Transactor::start(service, database, conn, clock.clone());
        Ok(Self(Arc::new(Inner {
            service,
            reads,
            transactor,
            clock,
            claims: Claims::default(),
            told: Told::default(),
        })))
    }

    /// The service's name in the contract.
    pub fn service(&self) -> &'static str {
        self.0.service
    }

    /// For reading, outside any operation. Writing goes through [`run`](Self::run) or an action.
    pub fn reads(&self) -> &AnyPool {
        &self.0.reads
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// What the transactor has done since this participant was opened.
    pub fn counts(&self) -> Counts {
        self.0.transactor.counts()
    }

    pub(crate) fn transactor(&self) -> &Transactor {
        &self.0.transactor
    }

    pub(crate) fn told(&self) -> &Told {
        &self.0.told
    }

    pub(crate) fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// Runs an operation that belongs to no saga in the transactor: many operations share a commit, and this returns
    /// after it. `op` may be run several times, of which at most one is committed.
    ///
    /// ```no_run
    /// # async fn forget(kit: &participant_kit::Kit, sku: String) -> Result<(), participant_kit::OpError> {
    /// use participant_kit::LockKey;
    ///
    /// kit.run(vec![LockKey::new("sku", &sku)], move |tx| {
    ///     let sku = sku.clone();
    ///     Box::pin(async move {
    ///         sqlx::query("DELETE FROM products WHERE sku = $1").bind(sku).execute(tx.conn()).await?;
    ///         Ok(())
    ///     })
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// What the operation said, with everything it wrote rolled back; or [`OpError::Unknown`].
    pub async fn run<T, F>(&self, locks: Vec<LockKey>, op: F) -> Result<T, OpError>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, OpError>> + Send + Sync + 'static,
    {
        self.0.transactor.run(locks, None, Box::new(op), None).await
    }

    /// Handles `do` and `close` of a local action. An action that could not be parsed is Broken.
    ///
    /// # Errors
    /// A status that carries the contract's verdict, or none where the outcome is not known.
    pub async fn act<A: Action>(
        &self,
        meta: &MetadataMap,
        action: Result<A, String>,
    ) -> Result<Response<A::Answer>, Status> {
        self.answer(meta, &[Op::Do, Op::Close], action, |kit, action, call| async move {
            local::act(&kit, action, call).await
        })
        .await
    }

    /// Handles `undo` of a local action.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub async fn take_back<U: Undo>(
        &self,
        meta: &MetadataMap,
        undo: Result<U, String>,
    ) -> Result<Response<U::Answer>, Status> {
        self.answer(meta, &[Op::Undo], undo, |kit, undo, call| async move {
            local::take_back(&kit, undo, call).await
        })
        .await
    }

    /// Handles `do` and `close` of an action at an outside provider.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub async fn act_outside<O: OutsideAction>(
        &self,
        meta: &MetadataMap,
        action: Result<O, String>,
    ) -> Result<Response<O::Answer>, Status> {
        self.answer(meta, &[Op::Do, Op::Close], action, |kit, action, call| async move {
            kit.outside(action, call).await
        })
        .await
    }

    /// Handles `undo` by a call to an outside provider.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub async fn take_back_outside<U: OutsideUndo>(
        &self,
        meta: &MetadataMap,
        undo: Result<U, String>,
    ) -> Result<Response<U::Answer>, Status> {
        self.answer(
            meta,
            &[Op::Undo],
            undo,
            |kit, undo, call| async move { kit.outside_undo(undo, call).await },
        )
        .await
    }

    /// A do or close at a provider, in a task that a dropped request does not cancel.
    pub(crate) async fn outside<O: OutsideAction>(
        &self,
        action: O,
        call: CallMeta,
    ) -> Result<O::Answer, Fault> {
        let kit = self.clone();
        uncancelled(async move { outside::act(&kit, action, call).await }).await
    }

    /// An undo at a provider, likewise.
    pub(crate) async fn outside_undo<U: OutsideUndo>(
        &self,
        undo: U,
        call: CallMeta,
    ) -> Result<U::Answer, Fault> {
        let kit = self.clone();
        uncancelled(async move { outside::take_back(&kit, undo, call).await }).await
    }

    /// What every door does: read the metadata, check the op, run, convert, tell.
    async fn answer<P, T, F>(
        &self,
        meta: &MetadataMap,
        ops: &[Op],
        parsed: Result<P, String>,
        run: impl FnOnce(Kit, P, CallMeta) -> F,
    ) -> Result<Response<T>, Status>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let service = self.service();
        let mut call = match CallMeta::read(meta) {
            Ok(call) => call,
            Err(error) => {
                tracing::error!(service, %error, "a call without the contract's metadata");
                // The caller's own key, unread, so that it finds itself addressed.
                let key = meta.get(keys::IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok()).unwrap_or("");
                return Err(Fault::Broken(error.to_string()).into_status(service, key));
            }
        };
        let (key, op) = (call.key(), call.op);
        let span = tracing::info_span!(
            parent: None,
            "serve",
            otel.kind = "server",
            service,
            saga = %call.saga,
            step = call.step,
            op = %op,
            attempt = call.attempt,
            outcome = tracing::field::Empty,
        );
        trace::follow(&span, &call.traceparent);
        if let Some(here) = trace::of(&span) {
            call.traceparent = here;
        }
        let began = Instant::now();
        let ended = async {
            if !ops.contains(&op) {
                return Err(Fault::Broken(format!("this method is not for op {op}")));
            }
            let parsed = parsed.map_err(|why| Fault::Broken(format!("the request cannot be read: {why}")))?;
            let label = places::label(&call);
            let ended = run(self.clone(), parsed, call).await;
            label.hit("participant.before_reply");
            ended
        }
        .instrument(span.clone())
        .await;
        // Only now: whoever forgets by it finds this call's own row.
        self.told().hear(meta, self.clock().now_ms());
        let outcome = ended.as_ref().map_or_else(Fault::word, |_| "done");
        span.record("outcome", outcome);
        counter!(names::CALLS, "service" => service, "op" => op.as_str(), "outcome" => outcome).increment(1);
        histogram!(names::CALL_SECONDS, "service" => service, "op" => op.as_str())
            .record(began.elapsed().as_secs_f64());
        if let Err(fault @ (Fault::Broken(_) | Fault::Unknown { .. })) = &ended {
            span.in_scope(|| tracing::warn!(?fault, "a call ended badly"));
        }
        ended.map(Response::new).map_err(|fault| fault.into_status(service, &key))
    }

    /// The least id of the sagas whose calls are answered from the table: those of older ones are Expired in every process
    /// on this database, unless one of their steps is open. `None` while nothing was ever forgotten.
    ///
    /// # Errors
    /// A database error.
    pub async fn answers_from(&self) -> Result<Option<String>, OpError> {
        forget::answers_from(self).await
    }

    /// Deletes the barrier rows of sagas born before `before_ms` (Unix milliseconds, at least a day ago), each saga's all
    /// together, until `limit` rows are reached, and from now on answers calls of sagas that old that have none as Expired.
    /// A saga with an open row keeps all of its rows, and is served. Returns how many rows went; call again while it is
    /// `limit` or more.
    ///
    /// No saga born before may have anything to do yet; [`Retention`](crate::Retention) sees to that.
    ///
    /// # Errors
    /// A database error; nothing was deleted.
    pub async fn purge(&self, before_ms: i64, limit: u32) -> Result<u64, OpError> {
        forget::purge(self, before_ms, limit).await
    }
}

/// Runs `work` to its end even if the caller goes away.
async fn uncancelled<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    tokio::spawn(work.in_current_span()).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a call's task ended early");
        Err(Fault::unknown("the call's task ended early"))
    })
}
