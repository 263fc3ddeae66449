//! Copies of carts in Redis, for reading. The database stays the truth: nothing is decided by a copy.
//!
//! A copy is out of use before a change of its cart is committed, and comes back after it:
//! - *A change marks the cart first*, which takes its copy away, commits, and settles the mark. Killed in between, it
//!   leaves a mark and no copy. Only a change that was alone puts its own copy; after two at once the next reader does.
//! - *A reader that finds nothing takes a lease*, reads the database, and puts the copy if its lease is still there.
//!   A change that began meanwhile has taken it away, so that an old copy never comes after a newer one.
//! - *A change that cannot mark* (Redis is away) empties the keyspace in its own transaction; see [`keyspace`]. So does
//!   one that finds its mark in a keyspace that is not the one in use any more. *A change that cannot settle* ends the
//!   keyspace before it is acknowledged: its mark may be gone, and an old copy put in its place.
//!
//! So a process never answers an older cart than was answered or acknowledged before, whatever is flushed, killed or
//! frozen. Of several processes over one database, one may answer from a copy for as long as it believes the
//! keyspace without looking ([`link::BELIEF`]) after another has lost Redis. FLUSHALL takes marks away too: until a change
//! that was under way then has ended, other processes may put and answer what was before it; where it could not be
//! settled, for as long as they believe the keyspace after that.

mod change;
mod copy;
mod keeper;
mod keyspace;
mod link;
mod scripts;
mod underway;

pub(crate) use change::{Changing, Mark};
pub(crate) use keeper::Keeper;
pub use link::RedisOptions;

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use metrics::counter;
use participant_kit::{Kit, OpenError};
use tokio::sync::watch;
use tonic::{Code, Status};

use crate::domain::{Cart, CartId};
use crate::metrics as names;
use change::Marked;
use copy::Copy;
use link::{Link, Live};
use scripts::{Look, Token};
use underway::UnderWay;

/// The copies of a cart participant; none where it was given no Redis.
#[derive(Clone)]
pub(crate) struct Copies(Option<Arc<Inner>>);

struct Inner {
    kit: Kit,
    link: Link,
    under_way: UnderWay,
    /// See [`keyspace::proof`].
    proof: &'static str,
}

impl Copies {
    /// Copies on this Redis, which nobody reaches before the [`Keeper`] has.
    pub(crate) fn open(
        kit: &Kit,
        database_url: &str,
        redis: Option<&RedisOptions>,
    ) -> Result<Self, OpenError> {
        let Some(options) = redis else { return Ok(Self(None)) };
        let inner = Inner {
            kit: kit.clone(),
            link: Link::new(options)?,
            under_way: UnderWay::default(),
            proof: keyspace::proof(database_url),
        };
        Ok(Self(Some(Arc::new(inner))))
    }

    /// What keeps them going, and whether they are used, as it changes. None where there is no Redis.
    pub(crate) fn keeper(&self) -> Option<(Keeper, watch::Receiver<bool>)> {
        self.0.clone().map(|inner| (Keeper::new(inner.clone()), inner.link.in_use()))
    }

    /// Answers the copy of a cart, or what `database` says, and keeps that as the copy.
    pub(crate) async fn read<E>(
        &self,
        id: &CartId,
        database: impl Future<Output = Result<Option<Cart>, E>>,
    ) -> Result<Option<Cart>, E> {
        let Some(inner) = &self.0 else { return database.await };
        let now_ms = || inner.kit.clock().now_ms();
        let (live, look) = inner.look(id).await;
        if let Look::Copy(bytes) = &look
            && let Some(cart) = Copy::read(bytes, id, now_ms())
        {
            counter!(names::READS, "from" => "copy").increment(1);
            return Ok(Some(cart));
        }
        counter!(names::READS, "from" => "database").increment(1);
        let cart = database.await?;
        if let (Some(live), Look::Leased(lease), Some(cart)) = (live, look, &cart)
            && let Some(copy) = Copy::of(cart, now_ms())
        {
            inner.link.ask(&live, scripts::fill(&live, id, &lease, &copy)).await;
        }
        Ok(cart)
    }

    /// Runs a change of these carts to its end, whether or not its caller goes away, with their copies out of use. It
    /// answers, beside its own answer, the cart as it is after it where it knows that.
    pub(crate) async fn changing<T, F>(
        &self,
        ids: Vec<CartId>,
        change: impl FnOnce(Mark) -> F + Send + 'static,
    ) -> Result<T, Status>
    where
        T: Send + 'static,
        F: Future<Output = Result<(T, Option<Cart>), Status>> + Send,
    {
        let Some(inner) = self.0.clone() else {
            return change(Mark::not_needed()).await.map(|(answer, _)| answer);
        };
        // A caller that goes away must not leave a mark behind, nor end what protects the readers beside it.
        let task = tokio::spawn(async move { inner.change(ids, change).await });
        task.await.unwrap_or_else(|error| Err(Status::unknown(format!("the change ended early: {error}"))))
    }
}

impl Inner {
    /// What there is of a cart, and where it was found.
    async fn look(&self, id: &CartId) -> (Option<Live>, Look) {
        // A mark may be flushed; what this process itself is changing it knows all the same.
        let Some(live) = self.link.live().filter(|_| !self.under_way.has(id)) else {
            return (None, Look::Nothing);
        };
        let lease = Token::new(&live);
        let found = self.link.ask(&live, scripts::look(&live, id, &lease)).await;
        (Some(live), Look::of(found, lease))
    }

    async fn change<T, F>(&self, ids: Vec<CartId>, change: impl FnOnce(Mark) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<(T, Option<Cart>), Status>>,
    {
        let _under_way = self.under_way.enter(&ids);
        let marked = self.mark(&ids).await;
        let ended = change(marked.mark()).await;
        if marked.forsook() {
            // Before this change is acknowledged: what was read in between must not be put in the old keyspace's name.
            self.link.forget_keyspace();
        }
        // What may still happen leaves its mark, which ends by itself.
        let unknown = matches!(&ended, Err(status) if status.code() == Code::Unknown);
        if let (Some((live, token)), false) = (&marked.at, unknown) {
            let after = ended.as_ref().ok().and_then(|(_, cart)| cart.as_ref());
            if !self.settle(live, token, &ids, after).await {
                self.end_keyspace(live).await;
            }
        }
        ended.map(|(answer, _)| answer)
    }

    /// Marks every one of these carts, or none that counts.
    async fn mark(&self, ids: &[CartId]) -> Marked {
        let since = Instant::now();
        let Some(live) = self.link.live() else { return Marked::new(None, since, self.proof) };
        let token = Token::new(&live);
        let mut all = true;
        for id in ids {
            all = all && self.link.ask(&live, scripts::mark(&live, id, &token)).await.is_some();
        }
        Marked::new(all.then_some((live, token)), since, self.proof)
    }

    /// Whether every mark is settled.
    async fn settle(&self, live: &Live, token: &Token, ids: &[CartId], after: Option<&Cart>) -> bool {
        let now_ms = self.kit.clock().now_ms();
        for id in ids {
            let copy = after.filter(|cart| cart.id == *id).and_then(|cart| Copy::of(cart, now_ms));
            // Whoever does not answer one does not get the next.
            if self.link.ask(live, scripts::settle(live, id, token, copy.as_ref())).await.is_none() {
                return false;
            }
        }
        true
    }

    /// What was put since the mark may be older than the change, if the mark was lost.
    async fn end_keyspace(&self, live: &Live) {
        // First here, so that this process draws a new one even if the database does not take it now.
        self.link.forget_keyspace();
        if let Err(error) = keyspace::end(&self.kit, live.keyspace()).await {
            tracing::warn!(
                "copies of carts may be old in other processes until Redis and the database are there: {error}"
            );
        }
    }
}
