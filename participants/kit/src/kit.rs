//! The participant's one handle.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::AnyPool;
use sqlx::migrate::Migrator;
use tonic::metadata::MetadataMap;
use tonic::{Response, Status};

use crate::action::{Action, OutsideAction, OutsideUndo, Undo};
use crate::clock::Clock;
use crate::database::OpenError;
use crate::lock::LockKey;
use crate::outcome::OpError;
use crate::tx::Tx;

/// One participant's database, transactor and clock. Clones are the same one.
#[derive(Clone)]
pub struct Kit {
    service: &'static str,
    reads: AnyPool,
    clock: Arc<dyn Clock>,
}

impl Kit {
    /// Opens `service`'s database (`sqlite:/path/file.db`, created when missing, or `postgres://…`) and migrates it:
    /// barrier, outbox and the participant's `own`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        service: &'static str,
        database_url: &str,
        own: &'static [&'static Migrator],
        clock: Arc<dyn Clock>,
    ) -> Result<Kit, OpenError> {
        let _ = own;
        sqlx::any::install_default_drivers();
        let reads = AnyPool::connect_lazy(database_url)
            .map_err(|source| OpenError::Unreachable { service, source })?;
        Ok(Self { service, reads, clock })
    }

    /// The service's name in the contract.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// For reading. Writing goes through [`run`](Self::run) or an action.
    pub fn reads(&self) -> &AnyPool {
        &self.reads
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Runs an operation that belongs to no saga in the transactor: many operations share a commit, and this returns
    /// after it. `op` may be run several times, of which at most one is committed.
    ///
    /// ```ignore
    /// kit.run(vec![LockKey::new("sku", &sku)], move |tx| {
    ///     let sku = sku.clone();
    ///     Box::pin(async move { store::put(tx, &sku).await })
    /// })
    /// .await?
    /// ```
    ///
    /// # Errors
    /// What the operation said, with everything it wrote rolled back; or [`OpError::Unknown`].
    pub async fn run<T, F>(&self, _locks: Vec<LockKey>, _op: F) -> Result<T, OpError>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, OpError>> + Send + Sync + 'static,
    {
        Err(OpError::Unknown("the transactor is not running".into()))
    }

    /// Handles `do` and `close` of a local action. An action that could not be parsed is Broken.
    ///
    /// # Errors
    /// A status that carries the contract's verdict, or none where the outcome is not known.
    pub async fn act<A: Action>(
        &self,
        _meta: &MetadataMap,
        _action: Result<A, String>,
    ) -> Result<Response<A::Answer>, Status> {
        Err(Status::unknown("the transactor is not running"))
    }

    /// Handles `undo` of a local action.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub async fn take_back<U: Undo>(
        &self,
        _meta: &MetadataMap,
        _undo: Result<U, String>,
    ) -> Result<Response<U::Answer>, Status> {
        Err(Status::unknown("the transactor is not running"))
    }

    /// Handles `do` and `close` of an action at an outside provider.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub async fn act_outside<O: OutsideAction>(
        &self,
        _meta: &MetadataMap,
        _action: Result<O, String>,
    ) -> Result<Response<O::Answer>, Status> {
        Err(Status::unknown("the transactor is not running"))
    }

    /// Handles `undo` by a call to an outside provider.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub async fn take_back_outside<O: OutsideUndo>(
        &self,
        _meta: &MetadataMap,
        _undo: Result<O, String>,
    ) -> Result<Response<O::Answer>, Status> {
        Err(Status::unknown("the transactor is not running"))
    }
}
