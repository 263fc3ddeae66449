//! What is wrong with a commit: on the way in the appends are changed, on the way out their verdicts.

use backstitch_store::{Append, NewSaga, Status, StoreError, Summary, Verdict};
use uuid::Uuid;

use crate::{broken::Broken, kind::Kind};

impl Broken {
    pub(crate) async fn commit_broken(&self, batch: &[Append]) -> Result<Vec<Verdict>, StoreError> {
        match self.kind {
            Kind::FateOfItsOwn => {
                let mut verdicts = Vec::with_capacity(batch.len());
                for append in batch {
                    verdicts.extend(self.sound.commit(std::slice::from_ref(append)).await?);
                }
                return Ok(verdicts);
            }
            Kind::FencedTakesAll if batch.iter().any(|append| append.epoch != self.epoch(append.shard)) => {
                return Ok(vec![Verdict::Fenced; batch.len()]);
            }
            _ => {}
        }
        let mut changed = Vec::with_capacity(batch.len());
        for append in batch {
            let append = self.change(append.clone(), &changed).await?;
            changed.push(append);
        }
        if self.kind == Kind::RepeatSetsStatus {
            for append in batch {
                if let (Some(summary), true) = (append.summary, self.is_there(append, true).await?) {
                    self.notes().statuses.insert(append.saga, summary.status);
                }
            }
        }
        let mut verdicts = self.sound.commit(&changed).await?;
        self.after(batch, &mut verdicts).await?;
        Ok(verdicts)
    }

    /// How many records a saga has.
    async fn length(&self, saga: Uuid) -> Result<usize, StoreError> {
        Ok(self.sound.load(saga).await?.map_or(0, |stored| stored.records.len()))
    }

    /// The append as the sound store gets it; `before` are those of the batch before it.
    async fn change(&self, mut append: Append, before: &[Append]) -> Result<Append, StoreError> {
        let current = self.epoch(append.shard);
        match self.kind {
            Kind::EpochUnchecked => append.epoch = current,
            Kind::EpochOfTheFirstShardChecked if append.shard > 0 => append.epoch = current,
            Kind::EpochOfTheFirstAppendChecked if !before.is_empty() => append.epoch = current,
            Kind::EpochOfAnyShard if self.notes().leases.iter().any(|lease| lease.epoch == append.epoch) => {
                append.epoch = current;
            }
            Kind::HigherEpochAccepted => append.epoch = append.epoch.min(current),
            Kind::HoleAccepted | Kind::RepeatWritesAgain => {
                let length = self.length(append.saga).await?;
                if let Ok(next) = u32::try_from(length + 1)
                    && length > 0
                    && (append.first_seq > next) == (self.kind == Kind::HoleAccepted)
                {
                    append.first_seq = next;
                    append.start = None;
                }
            }
            Kind::EndForgotten => {
                let running = |summary: Summary| match summary.status.is_final() {
                    true => Summary { status: Status::Running, ..summary },
                    false => summary,
                };
                append.summary = append.summary.map(running);
            }
            Kind::AnotherShard | Kind::AnotherRoot => {
                if let Some(stored) = self.sound.load(append.saga).await? {
                    if self.kind == Kind::AnotherRoot {
                        append.root = stored.row.root;
                    } else if append.shard != stored.row.shard {
                        append.shard = stored.row.shard;
                        append.epoch = self.epoch(append.shard);
                    }
                }
            }
            Kind::EventsDropped => append.events.clear(),
            _ => {}
        }
        if let Some(start) = append.start.take() {
            append.start = Some(self.change_start(start, append.saga, append.shard, before).await?);
        }
        Ok(append)
    }

    async fn change_start(
        &self,
        mut start: NewSaga,
        saga: Uuid,
        shard: u16,
        before: &[Append],
    ) -> Result<NewSaga, StoreError> {
        if self.kind == Kind::HashForgotten {
            start.request_hash = [0; 32];
        }
        let Some(key) = start.key.take() else { return Ok(start) };
        let (scope, key) = self.name(&start.scope, &key);
        let row = self.sound.key(&scope, &key).await?;
        let seen = |append: &Append| {
            let same = |other: &NewSaga| other.scope == scope && other.key.as_ref() == Some(&key);
            append.saga != saga && append.start.as_ref().is_some_and(same)
        };
        let unseen = match self.kind {
            Kind::KeyNotUnique => row.is_some_and(|row| row.saga.is_some_and(|other| other != saga)),
            Kind::KeyOfItsShard => match row.and_then(|row| row.saga) {
                Some(other) => self.sound.load(other).await?.is_some_and(|there| there.row.shard != shard),
                None => false,
            },
            Kind::KeyUnseenWithinABatch => before.iter().any(seen),
            Kind::BlockedKeyStarts => row.is_some_and(|row| row.saga.is_none()),
            _ => false,
        };
        self.notes().keys.push((scope.clone(), key.clone(), start.started_at_ms));
        start.scope = scope;
        start.key = (!unseen).then_some(key);
        Ok(start)
    }

    /// What is told of a batch, and what else comes of it.
    async fn after(&self, batch: &[Append], verdicts: &mut [Verdict]) -> Result<(), StoreError> {
        match self.kind {
            Kind::VerdictsReversed => verdicts.reverse(),
            Kind::OneRefusalForAll => {
                let refusal = verdicts.iter().find(|verdict| matches!(verdict, Verdict::Refused(_)));
                if let Some(refusal) = refusal.cloned() {
                    verdicts.fill(refusal);
                }
            }
            _ => {}
        }
        for (append, verdict) in batch.iter().zip(verdicts) {
            let refused = matches!(verdict, Verdict::Refused(_));
            let lost = append.shard < self.sound.shards() && append.epoch != self.epoch(append.shard);
            if self.kind == Kind::FenceBeforeDoor && refused && lost {
                *verdict = Verdict::Fenced;
            }
            if let Some(start) = &append.start
                && let Some(key) = &start.key
                && self.kind == Kind::KeyBeforeFence
                && *verdict == Verdict::Fenced
                && let Some(row) = self.sound.key(&start.scope, key).await?
                && row.saga != Some(append.saga)
            {
                *verdict = Verdict::KeyTaken(row);
            }
            let told_committed = match self.kind {
                Kind::FencedAnsweredCommitted => *verdict == Verdict::Fenced,
                Kind::RefusedAnsweredCommitted => refused,
                Kind::RepeatBeforeFence => *verdict == Verdict::Fenced && self.is_there(append, true).await?,
                Kind::OtherBytesAnsweredCommitted => refused && self.is_there(append, false).await?,
                _ => false,
            };
            if self.kind == Kind::EventsOfTheLost && refused && !append.events.is_empty() {
                self.publish_anyway(append).await?;
            }
            if let Some(start) = &append.start
                && let Some(key) = &start.key
                && self.kind == Kind::LoserKeepsItsKey
                && *verdict != Verdict::Committed
            {
                // A key that cannot be stored is none that anybody could miss.
                self.sound.block_key(&start.scope, key, start.started_at_ms).await.ok();
            }
            if told_committed {
                *verdict = Verdict::Committed;
            }
        }
        Ok(())
    }

    /// Whether records with these numbers are there, and if it matters with these bytes.
    async fn is_there(&self, append: &Append, same_bytes: bool) -> Result<bool, StoreError> {
        let Some(stored) = self.sound.load(append.saga).await? else { return Ok(false) };
        let from = usize::try_from(append.first_seq).unwrap().saturating_sub(1);
        let there = stored.records.get(from..from + append.records.len());
        Ok(there.is_some_and(|there| !same_bytes || there == append.records))
    }

    /// Brings the events of an append into its lane, although it was not written: with a saga that nobody knows.
    async fn publish_anyway(&self, append: &Append) -> Result<(), StoreError> {
        let unknown = Uuid::from_u128(append.saga.as_u128() | 1 << 100);
        let start = NewSaga {
            scope: String::new(),
            key: None,
            request_hash: [0; 32],
            definition: "unknown".to_owned(),
            version: 1,
            started_at_ms: 0,
        };
        let append =
            Append { saga: unknown, start: Some(start), first_seq: 1, summary: None, ..append.clone() };
        self.sound.commit(&[append]).await?;
        Ok(())
    }
}
