//! What the store in memory holds, and how a batch changes it: append by append, told as plainly as possible.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use uuid::Uuid;

use super::{Fault, definitions::Definitions, lane::Lane, leases::Leases};
use crate::{
    Append, Judgement, KeyRow, OutboxRow, SagaRow, Status, StoreError, Verdict,
    door::{self, reason},
};

#[derive(Default)]
pub(super) struct State {
    pub(super) sagas: BTreeMap<Uuid, Saga>,
    pub(super) keys: BTreeMap<(String, String), KeyRow>,
    pub(super) leases: Leases,
    pub(super) lanes: Vec<Lane>,
    pub(super) definitions: Definitions,
    pub(super) judgements: Vec<Judgement>,
    pub(super) faults: VecDeque<Fault>,
    pub(super) poisoned: BTreeSet<Uuid>,
    /// After so many reads of sagas one fails.
    pub(super) good_reads: Option<usize>,
    pub(super) commits: u64,
    pub(super) restored_ms: Option<i64>,
    /// Leases and members are out of reach.
    pub(super) cut: bool,
}

#[derive(Clone)]
pub(super) struct Saga {
    pub(super) row: SagaRow,
    pub(super) records: Vec<Bytes>,
    pub(super) events: i64,
}

impl State {
    /// A read of sagas, unless it is to fail.
    pub(super) fn read(&mut self) -> Result<(), StoreError> {
        let fails = self.good_reads == Some(0);
        self.good_reads = self.good_reads.and_then(|good| good.checked_sub(1));
        if fails { Err(StoreError::Unavailable("injected".to_owned())) } else { Ok(()) }
    }

    /// Something about leases, unless they are out of reach.
    pub(super) fn reach(&self) -> Result<(), StoreError> {
        if self.cut { Err(StoreError::Unavailable("injected".to_owned())) } else { Ok(()) }
    }

    pub(super) fn lane(&mut self, shard: u16) -> Result<&mut Lane, StoreError> {
        self.lanes
            .get_mut(usize::from(shard))
            .ok_or_else(|| StoreError::Invalid(format!("there is no shard {shard}")))
    }

    pub(super) fn commit(&mut self, batch: &[Append]) -> Vec<Verdict> {
        let mut verdicts = vec![Verdict::Committed; batch.len()];
        for group in door::groups(batch) {
            let shards = self.leases.shards();
            let failed = match door::check_group(batch, &group, shards) {
                Err(why) => Some((0, Verdict::Refused(why))),
                Ok(()) => self.commit_group(batch, &group.members).err(),
            };
            if let Some((from, verdict)) = failed {
                for &index in &group.members[from..] {
                    verdicts[index] = verdict.clone();
                }
            }
        }
        verdicts
    }

    /// On failure: the verdict, and the place in the group from which it applies (before it, all was there).
    fn commit_group(&mut self, batch: &[Append], members: &[usize]) -> Result<(), (usize, Verdict)> {
        let first = &batch[members[0]];
        if self.leases.epoch(first.shard) != first.epoch {
            return Err((0, Verdict::Fenced));
        }
        let there = members.iter().take_while(|&&index| self.is_there(&batch[index])).count();
        let mut saga = self.sagas.get(&first.saga).cloned();
        let mut key = None;
        let mut events = Vec::new();
        for &index in &members[there..] {
            self.append(&batch[index], &mut saga, &mut key, &mut events)
                .map_err(|verdict| (there, verdict))?;
        }
        let Some(saga) = saga else { return Ok(()) };
        if let Some((name, row)) = key {
            self.keys.entry(name).or_insert(row);
        }
        let lane = &mut self.lanes[usize::from(first.shard)];
        events.into_iter().for_each(|row| lane.push(row));
        self.sagas.insert(first.saga, saga);
        Ok(())
    }

    fn is_there(&self, append: &Append) -> bool {
        let (Some(saga), Ok(from)) = (self.sagas.get(&append.saga), usize::try_from(append.first_seq - 1))
        else {
            return false;
        };
        saga.row.shard == append.shard
            && saga.row.root == append.root
            && saga
                .records
                .get(from..from + append.records.len())
                .is_some_and(|there| there == append.records)
    }

    fn append(
        &self,
        append: &Append,
        saga: &mut Option<Saga>,
        key: &mut Option<((String, String), KeyRow)>,
        events: &mut Vec<OutboxRow>,
    ) -> Result<(), Verdict> {
        let refused = |why: &str| Err(Verdict::Refused(door::refusal(append.saga, why)));
        if let Some(start) = &append.start
            && saga.is_none()
        {
            if let Some(name) = start.key.clone().map(|key| (start.scope.clone(), key)) {
                if let Some(taken) = self.keys.get(&name)
                    && taken.saga != Some(append.saga)
                {
                    return Err(Verdict::KeyTaken(*taken));
                }
                let row = KeyRow {
                    saga: Some(append.saga),
                    request_hash: start.request_hash,
                    created_at_ms: start.started_at_ms,
                };
                *key = Some((name, row));
            }
            let row = SagaRow {
                id: append.saga,
                root: append.root,
                shard: append.shard,
                definition: start.definition.clone(),
                version: start.version,
                status: Status::Running,
                started_at_ms: start.started_at_ms,
                updated_at_ms: start.started_at_ms,
            };
            *saga = Some(Saga { row, records: Vec::new(), events: 0 });
        }
        let Some(saga) = saga else { return refused(reason::NOT_STARTED) };
        if saga.row.shard != append.shard || saga.row.root != append.root {
            return refused(reason::ELSEWHERE);
        }
        if usize::try_from(append.first_seq).is_ok_and(|seq| seq <= saga.records.len()) {
            return refused(reason::OTHER_BYTES);
        }
        if usize::try_from(append.first_seq) != Ok(saga.records.len() + 1) {
            return refused(reason::HOLE);
        }
        if saga.row.status.is_final() {
            return refused(reason::FINISHED);
        }
        if self.poisoned.contains(&append.saga) {
            return refused("a constraint is broken");
        }
        saga.records.extend(append.records.iter().cloned());
        if let Some(summary) = append.summary {
            saga.row.status = summary.status;
            saga.row.updated_at_ms = saga.row.updated_at_ms.max(summary.updated_at_ms);
        }
        for event in &append.events {
            saga.events += 1;
            events.push(OutboxRow {
                shard: append.shard,
                number: 0,
                root: append.root,
                saga: append.saga,
                sequence: saga.events,
                event: event.clone(),
            });
        }
        Ok(())
    }
}
