//! The checks at the door: what no store may be asked to write, told before anything is written.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use uuid::Uuid;

use crate::{
    Announcement, Append, Judgement, LONGEST_TERM, MAX_RECORD_BYTES, MAX_RECORDS_PER_APPEND, Member,
    NewEvent, NewSaga, Switch,
};

/// The longest name (scope, key, definition, kind, topic, node), in characters.
const MAX_NAME: usize = 255;
/// The longest reason, in characters.
const MAX_REASON: usize = 500;
/// The longest trace context, in bytes.
const MAX_TRACEPARENT: usize = 512;

/// Why an append that is well formed can never be committed: the same words in every store.
pub(crate) mod reason {
    pub(crate) const NOT_STARTED: &str = "record 1 is missing";
    pub(crate) const ELSEWHERE: &str = "it has another shard or root";
    pub(crate) const OTHER_BYTES: &str = "other records are there under these numbers";
    pub(crate) const HOLE: &str = "a record before these is missing";
    pub(crate) const FINISHED: &str = "it is finished";
}

/// The appends of one saga in one batch, as indices in batch order; they share one fate.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) members: Vec<usize>,
}

/// The batch by saga, in the order in which it first names them.
pub(crate) fn groups(batch: &[Append]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::with_capacity(batch.len());
    let mut place: HashMap<Uuid, usize> = HashMap::with_capacity(batch.len());
    for (index, append) in batch.iter().enumerate() {
        match place.get(&append.saga) {
            Some(&at) => groups[at].members.push(index),
            None => {
                place.insert(append.saga, groups.len());
                groups.push(Group { members: vec![index] });
            }
        }
    }
    groups
}

/// Whether the appends of one group can be considered at all; else why not.
pub(crate) fn check_group(batch: &[Append], group: &Group, shards: u16) -> Result<(), String> {
    let first = &batch[group.members[0]];
    for &index in &group.members {
        let append = &batch[index];
        check(append, shards).map_err(|why| refusal(append.saga, &why))?;
        if (append.shard, append.epoch, append.root) != (first.shard, first.epoch, first.root) {
            return Err(refusal(append.saga, "its appends in one batch disagree about shard, epoch or root"));
        }
    }
    Ok(())
}

/// A refusal's text: it names the saga.
pub(crate) fn refusal(saga: Uuid, why: &str) -> String {
    format!("saga {saga}: {why}")
}

/// Whether a scope and key may be stored.
pub(crate) fn check_key(scope: &str, key: &str) -> Result<(), String> {
    name("the scope", scope, 0)?;
    name("the idempotency key", key, 1)
}

/// Whether a node's name may be stored.
pub(crate) fn check_node(node: &str) -> Result<(), String> {
    name("the node", node, 1)
}

/// Whether a member may be stored, for so long; that in milliseconds.
pub(crate) fn check_member(node: &str, address: &str, term: Duration) -> Result<i64, String> {
    check_node(node)?;
    name("the node's address", address, 0)?;
    match i64::try_from(term.as_millis()) {
        Ok(term_ms) if term <= LONGEST_TERM => Ok(term_ms),
        _ => Err(format!("a lease of {term:?} is too long; at most {LONGEST_TERM:?}")),
    }
}

/// The shards to claim, each once and in order, and the term in milliseconds; or why they cannot be claimed.
pub(crate) fn check_claim(
    member: &Member,
    shards: &[u16],
    term: Duration,
    there: u16,
) -> Result<(BTreeSet<u16>, i64), String> {
    let term_ms = check_member(&member.node, &member.address, term)?;
    match shards.iter().find(|shard| **shard >= there) {
        Some(shard) => Err(format!("there is no shard {shard}")),
        None => Ok((shards.iter().copied().collect(), term_ms)),
    }
}

/// Whether an announcement may be stored.
pub(crate) fn check_announcement(announcement: &Announcement) -> Result<(), String> {
    check_node(&announcement.node)?;
    announcement.definitions.iter().try_for_each(|definition| name("the definition", &definition.name, 1))?;
    if announcement.now_ms < 0 {
        return Err("the time of the announcement is before 1970".to_owned());
    }
    Ok(())
}

/// Whether a switching may be stored.
pub(crate) fn check_switch(switch: &Switch) -> Result<(), String> {
    text("the reason", &switch.why, 1, MAX_REASON)?;
    if switch.now_ms < 0 {
        return Err("the time of the switching is before 1970".to_owned());
    }
    Ok(())
}

/// Whether a judgement may be stored.
pub(crate) fn check_judgement(word: &Judgement) -> Result<(), String> {
    text("what the finding says", &word.what, 1, MAX_REASON)?;
    name("who judges", &word.who, 1)?;
    text("the reason", &word.why, 1, MAX_REASON)?;
    if word.at_ms < 0 {
        return Err("the time of the judgement is before 1970".to_owned());
    }
    Ok(())
}

fn check(append: &Append, shards: u16) -> Result<(), String> {
    if append.shard >= shards {
        return Err(format!("there is no shard {}", append.shard));
    }
    if append.records.is_empty() || append.records.len() > MAX_RECORDS_PER_APPEND {
        return Err(format!(
            "an append has 1 to {MAX_RECORDS_PER_APPEND} records, not {}",
            append.records.len()
        ));
    }
    if append.first_seq == 0 || append.start.is_some() != (append.first_seq == 1) {
        return Err("the row of a saga comes with record 1 and only with it".to_owned());
    }
    if last_seq(append).is_none() {
        return Err("its record numbers run over".to_owned());
    }
    if let Some(record) = append.records.iter().find(|record| record.len() > MAX_RECORD_BYTES) {
        return Err(format!("a record has {} bytes, more than {MAX_RECORD_BYTES}", record.len()));
    }
    if let Some(start) = &append.start {
        check_start(start)?;
    }
    if append.summary.is_some_and(|summary| summary.updated_at_ms < 0) {
        return Err("its time of update is before 1970".to_owned());
    }
    append.events.iter().try_for_each(check_event)
}

/// The number of an append's last record.
pub(crate) fn last_seq(append: &Append) -> Option<u32> {
    append.first_seq.checked_add(u32::try_from(append.records.len()).ok()?.checked_sub(1)?)
}

fn check_start(start: &NewSaga) -> Result<(), String> {
    match &start.key {
        Some(key) => check_key(&start.scope, key)?,
        None => name("the scope", &start.scope, 0)?,
    }
    name("the definition", &start.definition, 1)?;
    if start.started_at_ms < 0 {
        return Err("its time of start is before 1970".to_owned());
    }
    Ok(())
}

fn check_event(event: &NewEvent) -> Result<(), String> {
    name("an event's kind", &event.kind, 1)?;
    name("an event's topic", &event.topic, 1)?;
    if event.traceparent.len() > MAX_TRACEPARENT || event.traceparent.chars().any(char::is_control) {
        return Err("an event's trace context is too long or has control characters".to_owned());
    }
    if event.payload.len() > MAX_RECORD_BYTES {
        return Err(format!("an event has {} bytes, more than {MAX_RECORD_BYTES}", event.payload.len()));
    }
    if event.at_ms < 0 {
        return Err("an event's time is before 1970".to_owned());
    }
    Ok(())
}

fn name(what: &str, name: &str, shortest: usize) -> Result<(), String> {
    text(what, name, shortest, MAX_NAME)
}

/// Control characters are refused here because databases differ in what they make of them (Postgres refuses
/// NUL in text, SQLite's C interface stops at it).
fn text(what: &str, text: &str, shortest: usize, longest: usize) -> Result<(), String> {
    let length = text.chars().count();
    if length < shortest || length > longest {
        return Err(format!("{what} has {length} characters, not {shortest} to {longest}"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} has control characters"));
    }
    Ok(())
}
