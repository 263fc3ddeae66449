//! Decides a batch: which appends are written, and the verdict of the others. Pure; what it is told about the
//! database is what the writer has read or knows.

use std::collections::HashMap;

use uuid::Uuid;

use crate::{
    Append, KeyRow, Status, Verdict,
    door::{self, Group, reason},
};

/// Where a saga stands in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) root: Uuid,
    pub(crate) shard: u16,
    pub(crate) status: Status,
    pub(crate) last_seq: u32,
    /// The sequence of its last event.
    pub(crate) events: i64,
}

/// What is known about the saga of one group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) tail: Option<Tail>,
    /// Who has the key that its start brings, if anybody.
    pub(crate) key: Option<KeyRow>,
    /// So many leading appends of the group are there already, with the same bytes.
    pub(crate) there: usize,
    /// It cannot be written whatever else is true, and what of it is there is not looked for.
    pub(crate) refused: Option<String>,
    /// Why the database does not take what is new of it.
    pub(crate) broken: Option<String>,
}

/// A saga that is written to.
#[derive(Debug)]
pub(crate) struct Winner {
    /// Its place among the groups.
    pub(crate) group: usize,
    /// Its new appends, as indices in batch order.
    pub(crate) members: Vec<usize>,
    pub(crate) before: Option<Tail>,
    pub(crate) after: Tail,
    /// The row of its key is there already, from a time when it was not purged yet.
    pub(crate) has_key: bool,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) winners: Vec<Winner>,
    /// A saga that was taken for new, with its key for free, was refused for another reason: read before telling.
    pub(crate) rash: bool,
}

/// The decision. `facts[i]` is about `groups[i]`; `epochs[s]` is the current epoch of shard `s`.
pub(crate) fn decide(batch: &[Append], groups: &[Group], facts: &[Facts], epochs: &[i64]) -> Plan {
    let mut plan = Plan {
        verdicts: vec![Verdict::Committed; batch.len()],
        winners: Vec::with_capacity(groups.len()),
        rash: false,
    };
    let mut keys: HashMap<(&str, &str), KeyRow> = HashMap::new();
    for (place, (group, facts)) in groups.iter().zip(facts).enumerate() {
        let first = &batch[group.members[0]];
        let fenced = epochs.get(usize::from(first.shard)) != Some(&first.epoch);
        let (from, verdict) = if let Some(why) = &facts.refused {
            (0, Verdict::Refused(why.clone()))
        } else if fenced {
            (0, Verdict::Fenced)
        } else {
            let new = &group.members[facts.there..];
            match follow(batch, new, facts, &mut keys) {
                Ok(Some(after)) => {
                    let members = new.to_vec();
                    let (before, has_key) = (facts.tail, facts.key.is_some());
                    plan.winners.push(Winner { group: place, members, before, after, has_key });
                    continue;
                }
                Ok(None) => continue,
                Err(verdict) => {
                    plan.rash |= facts.tail.is_none() && first.start.is_some();
                    (facts.there, verdict)
                }
            }
        };
        for &index in &group.members[from..] {
            plan.verdicts[index] = verdict.clone();
        }
    }
    plan
}

/// Where the saga stands after its new appends; none if there are none.
fn follow<'a>(
    batch: &'a [Append],
    new: &[usize],
    facts: &Facts,
    keys: &mut HashMap<(&'a str, &'a str), KeyRow>,
) -> Result<Option<Tail>, Verdict> {
    if let Some(why) = facts.broken.as_ref().filter(|_| !new.is_empty()) {
        return Err(Verdict::Refused(why.clone()));
    }
    let mut tail = facts.tail;
    let mut taken = None;
    for &index in new {
        let append = &batch[index];
        let refused = |why| Err(Verdict::Refused(door::refusal(append.saga, why)));
        let mut at = match (tail, &append.start) {
            (Some(tail), _) => tail,
            (None, None) => return refused(reason::NOT_STARTED),
            (None, Some(start)) => {
                if let Some(key) = &start.key {
                    let name = (start.scope.as_str(), key.as_str());
                    if let Some(row) = facts.key.as_ref().or(keys.get(&name))
                        && row.saga != Some(append.saga)
                    {
                        return Err(Verdict::KeyTaken(*row));
                    }
                    let row = KeyRow {
                        saga: Some(append.saga),
                        request_hash: start.request_hash,
                        created_at_ms: start.started_at_ms,
                    };
                    taken = Some((name, row));
                }
                let (root, shard) = (append.root, append.shard);
                Tail { root, shard, status: Status::Running, last_seq: 0, events: 0 }
            }
        };
        if (at.shard, at.root) != (append.shard, append.root) {
            return refused(reason::ELSEWHERE);
        }
        if append.first_seq <= at.last_seq {
            return refused(reason::OTHER_BYTES);
        }
        if append.first_seq - 1 != at.last_seq {
            return refused(reason::HOLE);
        }
        if at.status.is_final() {
            return refused(reason::FINISHED);
        }
        at.last_seq = door::last_seq(append).unwrap_or(u32::MAX);
        at.status = append.summary.map_or(at.status, |summary| summary.status);
        at.events += i64::try_from(append.events.len()).unwrap_or(i64::MAX);
        tail = Some(at);
    }
    if let Some((name, row)) = taken {
        keys.insert(name, row);
    }
    Ok(tail.filter(|_| !new.is_empty()))
}
