//! What the writer reads before it decides: tails, keys, and records that are there already.
//!
//! Nothing holds these facts until the batch is written. A journal only grows, so that what is read or remembered of
//! its end can only be too short; records that follow a too short one meet the primary key, and the batch is decided
//! again. A key that somebody takes meanwhile drops out in the statement itself.

use std::collections::HashMap;

use bytes::Bytes;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{
    session::Session,
    values::{Id, Values, get, key_row, shard, uuid},
};
use crate::{
    Append, Status, StoreError,
    door::{self, Group},
    plan::{Facts, Tail},
};

/// Where the sagas of these groups stand.
pub(super) async fn tails(
    session: &mut Session,
    batch: &[Append],
    groups: &[Group],
    asked: &[usize],
    facts: &mut [Facts],
) -> Result<(), StoreError> {
    if asked.is_empty() {
        return Ok(());
    }
    let places: HashMap<Uuid, usize> =
        asked.iter().map(|&place| (batch[groups[place].members[0]].saga, place)).collect();
    let mut values = Values::default();
    values.each(places.keys().map(|saga| Id(*saga)));
    for row in session.read(include_str!("sql/tails.sql"), values).await? {
        let saga = uuid(&row, 0)?;
        let Some(&place) = places.get(&saga) else { continue };
        match tail(&row) {
            Ok(tail) => facts[place].tail = Some(tail),
            Err(why) => facts[place].refused = Some(door::refusal(saga, &why)),
        }
    }
    Ok(())
}

fn tail(row: &PgRow) -> Result<Tail, String> {
    let text = |error: StoreError| error.to_string();
    Ok(Tail {
        root: uuid(row, 1).map_err(text)?,
        shard: get(row, 2).and_then(shard).map_err(text)?,
        status: Status::from_code(get::<i16>(row, 3).map_err(text)?.into())
            .map_err(|error| error.to_string())?,
        events: get(row, 4).map_err(text)?,
        last_seq: u32::try_from(get::<i64>(row, 5).map_err(text)?).map_err(|error| error.to_string())?,
    })
}

/// Who has the keys that the starts of the batch bring.
pub(super) async fn keys(
    session: &mut Session,
    batch: &[Append],
    groups: &[Group],
    facts: &mut [Facts],
) -> Result<(), StoreError> {
    let mut asked: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (place, group) in groups.iter().enumerate() {
        let start = group.members.iter().find_map(|&index| batch[index].start.as_ref());
        if let Some(start) = start
            && let Some(key) = &start.key
        {
            asked.entry((start.scope.as_str(), key.as_str())).or_default().push(place);
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    let mut values = Values::default();
    values.each(asked.keys().map(|(scope, _)| *scope));
    values.each(asked.keys().map(|(_, key)| *key));
    for row in session.read(include_str!("sql/keys.sql"), values).await? {
        let found = key_row(&row)?;
        let (scope, key): (&str, &str) = (get(&row, 3)?, get(&row, 4)?);
        for &place in asked.get(&(scope, key)).into_iter().flatten() {
            facts[place].key = Some(found);
        }
    }
    Ok(())
}

/// How many leading appends of each group are there already, with the same bytes.
pub(super) async fn repeated(
    session: &mut Session,
    batch: &[Append],
    groups: &[Group],
    facts: &mut [Facts],
) -> Result<(), StoreError> {
    let mut asked: Vec<(usize, &Append, u32)> = Vec::new();
    for (place, (group, facts)) in groups.iter().zip(&*facts).enumerate() {
        let Some(tail) = facts.tail else { continue };
        for append in group.members.iter().map(|&index| &batch[index]) {
            match door::last_seq(append).filter(|last| *last <= tail.last_seq) {
                Some(last) if (append.shard, append.root) == (tail.shard, tail.root) => {
                    asked.push((place, append, last));
                }
                _ => break,
            }
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    let mut values = Values::default();
    values.each(asked.iter().map(|(_, append, _)| Id(append.saga)));
    values.each(asked.iter().map(|(_, append, _)| i64::from(append.first_seq)));
    values.each(asked.iter().map(|(_, _, last)| i64::from(*last)));
    let mut there: HashMap<(Uuid, i64), Bytes> = HashMap::new();
    for row in session.read(include_str!("sql/records.sql"), values).await? {
        there.insert((uuid(&row, 0)?, get(&row, 1)?), Bytes::copy_from_slice(get(&row, 2)?));
    }
    let is_there = |append: &Append| {
        let mut records = (i64::from(append.first_seq)..).zip(&append.records);
        records.all(|(seq, record)| there.get(&(append.saga, seq)) == Some(record))
    };
    let mut broken = None;
    for (place, append, _) in asked {
        if broken != Some(place) && is_there(append) {
            facts[place].there += 1;
        } else {
            broken = Some(place);
        }
    }
    Ok(())
}
