//! Taking up what the store says is unfinished.
//!
//! Start-up and normal running are the same path: a tick compares the store's list with what is in memory and adopts
//! the difference. Each saga is isolated: one that cannot be read is parked alone and its bytes are kept.

use backstitch_failpoint::hit;
use backstitch_store::{ListFilter, Purge, Purged, Status, StoreError};
use metrics::{counter, gauge};
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::engine::{Engine, channels};
use crate::metrics as names;
use crate::registry::Command;
use crate::runner::Runner;
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
    /// One pass over everything unfinished.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        let mut done = Recovered::default();
        let mut after = None;
        let shards: Vec<u16> = self.shared.leases.iter().map(|lease| lease.shard).collect();
        loop {
            let page =
                self.shared.store.unfinished(&shards, after, self.shared.options.recovery_page).await?;
            let Some(last) = page.last().copied() else { break };
            for id in page {
                if self.shared.stopping.is_cancelled() {
                    return Ok(done);
                }
                if self.shared.registry.contains(id) {
                    continue;
                }
                match self.take_up(id, None, Status::is_unfinished).await {
                    Adoption::Adopted => done.adopted += 1,
                    Adoption::NotNeeded | Adoption::Unread(_) => {}
                    Adoption::Stranded => done.stranded += 1,
                    Adoption::Parked => done.parked += 1,
                }
            }
            after = Some(last);
        }
        counter!(names::RECOVERED).increment(done.adopted as u64);
        gauge!(names::STRANDED).set(done.stranded as f64);
        self.tell_stranded(done.stranded);
        Ok(done)
    }

    /// Takes up what is parked, once after a start: a saga is parked as soon as one of its steps is, and what else was
    /// under way when the process ended has to go on. One with nothing else to do rests again at once.
    ///
    /// On an error some were not taken up: ask again.
    pub async fn recover_parked(&self) -> Result<usize, StoreError> {
        let mut filter = ListFilter {
            status: Some(Status::Parked),
            limit: self.shared.options.recovery_page,
            ..ListFilter::default()
        };
        let (mut adopted, mut away) = (0, None);
        loop {
            let page = self.shared.store.list(&filter).await?;
            for row in page.sagas {
                if self.shared.stopping.is_cancelled() {
                    return Ok(adopted);
                }
                match self.take_up(row.id, None, |status| !status.is_final()).await {
                    Adoption::Adopted => adopted += 1,
                    Adoption::Unread(error @ StoreError::Unavailable(_)) => away = Some(error),
                    Adoption::NotNeeded | Adoption::Stranded | Adoption::Parked | Adoption::Unread(_) => {}
                }
            }
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return away.map_or(Ok(adopted), Err),
            }
        }
    }

    /// Recovers now and then until the engine drains.
    pub fn spawn_recovery(&self) {
        if let Some(back) = self.shared.flow.comings_back() {
            tokio::spawn(self.clone().revive(back));
        }
        let engine = self.clone();
        tokio::spawn(async move {
            let mut parked_too = false;
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
        if !wanted(stored.row.status) {
            return self.let_go(id, Adoption::NotNeeded);
        }
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
        let Some(lease) = self.shared.leases.iter().find(|lease| lease.shard == stored.row.shard) else {
            return self.let_go(id, Adoption::NotNeeded);
        };
        if let Some(command) = command {
            let _ = live.commands.send(command);
        }
        channels.durable.send_modify(|durable| {
            (durable.seq, durable.status) = (history.view.state.seq, history.view.state.status());
        });
        hit("recovery.take_up");
        let History { view, .. } = history;
        let runner = Runner::new(self.shared.clone(), view.definition, view.state, *lease, channels);
        self.spawn(runner, true, None);
        Adoption::Adopted
    }

    fn let_go(&self, id: Uuid, adoption: Adoption) -> Adoption {
        self.shared.registry.leave(id);
        adoption
    }
}
