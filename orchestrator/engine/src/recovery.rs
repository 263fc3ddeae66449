//! Taking up what the store says is unfinished.
//!
//! Start-up and normal running are the same path: a tick compares the store's list with what is in memory and adopts
//! the difference. Each saga is isolated: one that cannot be read is parked alone and its bytes are kept.

use std::time::Duration;

use backstitch_failpoint::hit;
use backstitch_store::{Lease, ListFilter, Purge, Purged, Status, StoreError};
use futures::stream::{self, StreamExt as _};
use metrics::{counter, gauge};
use tokio::time::Instant;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::engine::{Engine, channels};
use crate::metrics as names;
use crate::registry::Command;
use crate::runner::Runner;
use crate::shards::Tenure;
use crate::view::{History, ReadError};

/// What one pass of recovery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Sagas taken up.
    pub adopted: usize,
    /// Sagas parked because they cannot be read.
    pub parked: usize,
    /// Sagas left alone because this node lacks their definition.
    pub stranded: usize,
    /// Sagas that the store did not give out; the next pass asks again.
    pub unread: usize,
}

enum Adoption {
    Adopted,
    /// It ended or parked meanwhile, or is in memory.
    NotNeeded,
    Stranded,
    Parked,
    /// The store did not give it out.
    Unread(StoreError),
}

impl Engine {
    /// One pass over everything unfinished in this node's shards.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        let shards: Vec<u16> = self.shared.shards.open().into_keys().collect();
        let done = self.recover_in(&shards).await?;
        gauge!(names::STRANDED).set(done.stranded as f64);
        self.tell_stranded(done.stranded);
        Ok(done)
    }

    async fn recover_in(&self, shards: &[u16]) -> Result<Recovered, StoreError> {
        let mut done = Recovered::default();
        let mut after = None;
        loop {
            let page = self.shared.store.unfinished(shards, after, self.shared.options.recovery_page).await?;
            let Some(last) = page.last().copied() else { break };
            let wanted = page.into_iter().filter(|id| !self.shared.registry.contains(*id));
            let adoptions = wanted.map(|id| self.take_up(id, None, Status::is_unfinished));
            let mut adoptions =
                stream::iter(adoptions).buffer_unordered(self.shared.options.recovery_readers);
            while let Some(adoption) = adoptions.next().await {
                match adoption {
                    Adoption::Adopted => done.adopted += 1,
                    Adoption::NotNeeded => {}
                    Adoption::Unread(_) => done.unread += 1,
                    Adoption::Stranded => done.stranded += 1,
                    Adoption::Parked => done.parked += 1,
                }
            }
            if self.shared.stopping.is_cancelled() {
                break;
            }
            after = Some(last);
        }
        counter!(names::RECOVERED).increment(done.adopted as u64);
        Ok(done)
    }

    /// Takes up what is parked in this node's shards, once after they were taken: a saga is parked as soon as one of its
    /// steps is, and what else was under way when its owner ended has to go on. One with nothing else to do rests again
    /// at once.
    ///
    /// On an error some were not taken up: ask again.
    pub async fn recover_parked(&self) -> Result<usize, StoreError> {
        let shards: Vec<u16> = self.shared.shards.open().into_keys().collect();
        self.recover_parked_in(&shards).await
    }

    async fn recover_parked_in(&self, shards: &[u16]) -> Result<usize, StoreError> {
        let mut filter = ListFilter {
            status: Some(Status::Parked),
            limit: self.shared.options.recovery_page,
            ..ListFilter::default()
        };
        let (mut adopted, mut away) = (0, None);
        loop {
            let page = self.shared.store.list(&filter).await?;
            let wanted = page.sagas.into_iter().filter(|row| shards.contains(&row.shard));
            let adoptions = wanted.map(|row| self.take_up(row.id, None, |status| !status.is_final()));
            let mut adoptions =
                stream::iter(adoptions).buffer_unordered(self.shared.options.recovery_readers);
            while let Some(adoption) = adoptions.next().await {
                match adoption {
                    Adoption::Adopted => adopted += 1,
                    Adoption::Unread(error @ StoreError::Unavailable(_)) => away = Some(error),
                    Adoption::NotNeeded | Adoption::Stranded | Adoption::Parked | Adoption::Unread(_) => {}
                }
            }
            if self.shared.stopping.is_cancelled() {
                return Ok(adopted);
            }
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return away.map_or(Ok(adopted), Err),
            }
        }
    }

    /// Takes up everything in shards that were just taken, once what an earlier tenure left in memory is gone, and until
    /// all of it could be read.
    pub(crate) async fn settle_in(self, mut taken: Vec<Tenure>) {
        let begun = Instant::now();
        let stale = |there: Lease| {
            taken.iter().map(Tenure::lease).any(|new| new.shard == there.shard && there.epoch < new.epoch)
        };
        self.shared.registry.until_gone(stale).await;
        loop {
            taken.retain(Tenure::is_open);
            if taken.is_empty() {
                return;
            }
            let shards: Vec<u16> = taken.iter().map(|tenure| tenure.lease().shard).collect();
            let (unfinished, parked) =
                tokio::join!(self.recover_in(&shards), self.recover_parked_in(&shards));
            let error = match (unfinished, parked) {
                (Ok(done), Ok(parked)) if done.unread == 0 => {
                    let took = begun.elapsed();
                    if done != Recovered::default() || parked > 0 {
                        info!(?shards, ?done, parked, ?took, "recovered what others left in these shards");
                    }
                    return;
                }
                (Err(error), _) | (_, Err(error)) => error.to_string(),
                (Ok(done), Ok(_)) => format!("{} sagas were not read", done.unread),
            };
            warn!(?shards, error, "shards that were taken could not be recovered whole; trying again");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Recovers now and then until the engine drains.
    pub fn spawn_recovery(&self) {
        if self.shared.shards.is_shared() {
            tokio::spawn(self.clone().keep());
        }
        if let Some(back) = self.shared.flow.comings_back() {
            tokio::spawn(self.clone().revive(back));
        }
        let engine = self.clone();
        tokio::spawn(async move {
            // Where the store is shared, what is taken is settled in by itself.
            let mut parked_too = engine.shared.shards.is_shared();
            loop {
                if !parked_too {
                    match engine.recover_parked().await {
                        Ok(_) => parked_too = true,
                        Err(error) => warn!(%error, "parked sagas could not be read; trying again"),
                    }
                }
                if let Err(error) = engine.renew().await {
                    warn!(%error, "this node could not announce itself or look at the switch; trying again");
                }
                engine.look_for_the_oldest().await;
                match engine.recover().await {
                    Ok(done) if done.adopted + done.parked > 0 => info!(?done, "recovered"),
                    Ok(_) => {}
                    Err(error) => warn!(%error, "recovery could not read the store; trying again"),
                }
                engine.forget().await;
                tokio::select! {
                    () = engine.shared.stopping.cancelled() => return,
                    () = tokio::time::sleep(engine.shared.options.recovery_interval) => {}
                }
            }
        });
    }

    /// Forgets some sagas that finished longer ago than the retention. Running and parked ones are never forgotten, and
    /// a key not before its own life is over.
    async fn forget(&self) {
        let after_ms = i64::try_from(self.shared.options.retention.as_millis()).unwrap_or(i64::MAX);
        let purge = Purge {
            now_ms: self.shared.clock.now().0,
            sagas_after_ms: after_ms,
            keys_after_ms: after_ms,
            limit: self.shared.options.recovery_page,
        };
        match self.shared.store.purge(&purge).await {
            Ok(purged) if purged != Purged::default() => info!(?purged, "forgot what is past its retention"),
            Ok(_) => {}
            Err(error) => warn!(%error, "finished sagas could not be forgotten; trying again"),
        }
    }

    /// Brings a saga into memory to hear a command, parked or not.
    pub(crate) async fn adopt(&self, id: Uuid, command: Option<Command>) {
        self.take_up(id, command, |status| !status.is_final()).await;
    }

    async fn take_up(&self, id: Uuid, command: Option<Command>, wanted: impl Fn(Status) -> bool) -> Adoption {
        let (channels, live) = channels(0);
        // Held from before it is read: what is read then was written by this tenure or before it, and by nobody else.
        let open = self.shared.shards.open();
        if open.is_empty() {
            return Adoption::NotNeeded;
        }
        // Entered before it is read: whoever finds it in memory waits for this task's view of it.
        if !self.shared.registry.enter(id, live.clone()) {
            return Adoption::NotNeeded;
        }
        let stored = match self.shared.store.load(id).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return self.let_go(id, Adoption::NotNeeded),
            Err(error) => {
                warn!(saga = %id, %error, "a saga could not be read");
                return self.let_go(id, Adoption::Unread(error));
            }
        };
        let tenure = open.get(&stored.row.shard).filter(|tenure| tenure.is_open());
        let Some(tenure) = tenure.filter(|_| wanted(stored.row.status)) else {
            return self.let_go(id, Adoption::NotNeeded);
        };
        let history = match self.shared.read(id, &stored.records) {
            Ok(history) => history,
            Err(ReadError::Definition { source, .. }) => {
                // At every pass, so it is told once in [`Engine::recover`].
                debug!(saga = %id, %source, "a saga waits for a node that has its definition");
                return self.let_go(id, Adoption::Stranded);
            }
            Err(error) => {
                self.let_go(id, Adoption::Parked);
                self.poison(id, &error.to_string()).await;
                return Adoption::Parked;
            }
        };
        if let Some(command) = command {
            let _ = live.commands.send(command);
        }
        channels.durable.send_modify(|durable| {
            (durable.seq, durable.status) = (history.view.state.seq, history.view.state.status());
        });
        hit("recovery.take_up");
        let History { mut view, .. } = history;
        view.state.restored = stored.restored;
        let runner = Runner::new(self.shared.clone(), view.definition, view.state, tenure.clone(), channels);
        self.shared.registry.lives_under(id, tenure.lease());
        self.spawn(runner, true, None);
        Adoption::Adopted
    }

    fn let_go(&self, id: Uuid, adoption: Adoption) -> Adoption {
        self.shared.registry.leave(id);
        adoption
    }
}
