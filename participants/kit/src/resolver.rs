//! Takes up *doing* and *closing* rows whose task is gone: after a crash, a panic, or a provider's silence.
//!
//! A row keeps its request as the participant encoded it; a participant registers, per RPC, how to build the action or
//! undo from it again. What is then done is what a repeated call would do, decided by the same table.

use std::collections::HashMap;

use async_trait::async_trait;
use backstitch_proto::contract::{CallMeta, Op};
use futures::StreamExt as _;
use futures::future::BoxFuture;

use crate::action::{OutsideAction, OutsideUndo};
use crate::barrier::open::{self, Due};
use crate::kit::Kit;
use crate::outcome::Fault;
use crate::server::{Background, Progress};

/// The most rows that one tick takes up.
const MOST: i64 = 64;
/// How many of them are at the provider at a time.
const AT_ONCE: usize = 16;

type Resume = Box<dyn Fn(Kit, CallMeta, &[u8]) -> BoxFuture<'static, Result<(), Fault>> + Send + Sync>;

/// The participant's own tick over its open barrier rows.
///
/// ```no_run
/// # use participant_kit::{Kit, OutsideAction, OutsideUndo, Resolver};
/// # fn resolver<A: OutsideAction, V: OutsideUndo>(
/// #     kit: &Kit,
/// #     authorize: fn(&[u8]) -> Result<A, String>,
/// #     void: fn(&[u8]) -> Result<V, String>,
/// # ) -> Resolver {
/// Resolver::new(kit.clone()).action("authorize", authorize).undo("void", void)
/// # }
/// ```
pub struct Resolver {
    kit: Kit,
    actions: HashMap<&'static str, Resume>,
    undos: HashMap<&'static str, Resume>,
}

impl Resolver {
    /// A resolver that knows no RPC yet.
    pub fn new(kit: Kit) -> Self {
        Self { kit, actions: HashMap::new(), undos: HashMap::new() }
    }

    /// How to build the action of [`kind`](OutsideAction::kind) again from what it encoded itself as.
    #[must_use]
    pub fn action<O: OutsideAction>(
        mut self,
        kind: &'static str,
        decode: impl Fn(&[u8]) -> Result<O, String> + Send + Sync + 'static,
    ) -> Self {
        let resume: Resume = Box::new(move |kit, call, bytes| {
            let action = decode(bytes);
            Box::pin(async move { kit.outside(action.map_err(Fault::Broken)?, call).await.map(drop) })
        });
        self.actions.insert(kind, resume);
        self
    }

    /// How to build the undo of [`kind`](OutsideUndo::kind) again from what it encoded itself as.
    #[must_use]
    pub fn undo<U: OutsideUndo>(
        mut self,
        kind: &'static str,
        decode: impl Fn(&[u8]) -> Result<U, String> + Send + Sync + 'static,
    ) -> Self {
        let resume: Resume = Box::new(move |kit, call, bytes| {
            let undo = decode(bytes);
            Box::pin(async move { kit.outside_undo(undo.map_err(Fault::Broken)?, call).await.map(drop) })
        });
        self.undos.insert(kind, resume);
        self
    }

    /// Takes one row up; whether that got anywhere: settled, or waiting for the customer.
    async fn take_up(&self, due: Due, now_ms: i64) -> Result<bool, String> {
        let known = match due.call.op {
            Op::Undo => self.undos.get(due.kind.as_str()),
            Op::Do | Op::Close => self.actions.get(due.kind.as_str()),
        };
        // Before anything else, so that a row nobody can go on with is not met again at once.
        if !open::take(&self.kit, &due, now_ms).await.map_err(|error| error.to_string())? {
            return Ok(false);
        }
        let what = format!("saga {} step {} op {}", due.call.saga, due.call.step, due.call.op);
        let Some(resume) = known else {
            return Err(format!("{what}: nobody knows how to go on with a {:?}", due.kind));
        };
        match resume(self.kit.clone(), due.call, &due.request).await {
            Ok(()) | Err(Fault::Refused(_) | Fault::Superseded(_)) => Ok(true),
            Err(Fault::NotNow { .. } | Fault::Unknown { .. }) => Ok(false),
            Err(Fault::Broken(why)) => Err(format!("{what}: {why}")),
            Err(Fault::Status(status)) => Err(format!("{what}: {status}")),
        }
    }
}

#[async_trait]
impl Background for Resolver {
    fn name(&self) -> &'static str {
        "resolver"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        let rows = match open::due(&self.kit, now_ms, MOST).await {
            Ok(rows) => rows,
            Err(error) => return Progress::failed(format!("open rows cannot be read: {error}")),
        };
        let more = i64::try_from(rows.len()).is_ok_and(|count| count == MOST);
        let ended: Vec<Result<bool, String>> = futures::stream::iter(rows)
            .map(|row| async move { self.take_up(row?, now_ms).await })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut progress = Progress::done(ended.iter().filter(|end| matches!(end, Ok(true))).count(), more);
        progress.problem = ended.into_iter().find_map(Result::err);
        progress
    }
}
