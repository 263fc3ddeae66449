//! What the writer reads before it decides: tails, keys, and records that are there already. On the writing
//! connection and under its lock, so nothing changes between the reading and the writing.

use std::collections::HashMap;

use sqlx::{
    Row as _,
    sqlite::{SqliteConnection, SqliteRow},
};
use uuid::Uuid;

use super::{
    fault::Fault,
    rows::Binds,
    statements::{MAX_ROWS, over, places},
};
use crate::{
    Append, KeyRow, Status, StoreError,
    door::{self, Group},
    plan::{Facts, Tail},
};

/// Where the sagas of these groups stand.
pub(super) async fn tails(
    conn: &mut SqliteConnection,
    batch: &[Append],
    groups: &[Group],
    asked: &[usize],
    facts: &mut [Facts],
) -> Result<(), StoreError> {
    for chunk in asked.chunks(MAX_ROWS) {
        let mut binds = Binds::default();
        let mut place_of = HashMap::with_capacity(chunk.len());
        for &place in chunk {
            let saga = batch[groups[place].members[0]].saga;
            binds.id(saga);
            place_of.insert(saga, place);
        }
        let head = "SELECT s.id, s.root, s.shard, s.status, s.events, \
                    (SELECT max(seq) FROM journal WHERE saga_id = s.id) FROM (VALUES ";
        for row in read(conn, head, chunk.len(), 1, ") CROSS JOIN sagas s ON s.id = column1", binds).await? {
            let saga = uuid(&row, 0)?;
            let Some(&place) = place_of.get(&saga) else { continue };
            match tail(&row) {
                Ok(tail) => facts[place].tail = Some(tail),
                Err(why) => facts[place].refused = Some(door::refusal(saga, &why)),
            }
        }
    }
    Ok(())
}

/// Who has the keys that the starts of the batch bring.
pub(super) async fn keys(
    conn: &mut SqliteConnection,
    batch: &[Append],
    groups: &[Group],
    facts: &mut [Facts],
) -> Result<(), StoreError> {
    let mut asked: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (place, group) in groups.iter().enumerate() {
        let start = group.members.iter().find_map(|&index| batch[index].start.as_ref());
        if let Some(start) = start
            && let Some(key) = &start.key
            && facts[place].refused.is_none()
        {
            asked.entry((start.scope.as_str(), key.as_str())).or_default().push(place);
        }
    }
    let names: Vec<_> = asked.keys().copied().collect();
    for chunk in names.chunks(MAX_ROWS) {
        let mut binds = Binds::default();
        for (scope, key) in chunk {
            binds.text(scope);
            binds.text(key);
        }
        let head = "SELECT k.saga, k.request_hash, k.created_at_ms, k.scope, k.key FROM (VALUES ";
        let tail = ") CROSS JOIN keys k ON k.scope = column1 AND k.key = column2";
        for row in read(conn, head, chunk.len(), 2, tail, binds).await? {
            let found = key_row(&row)?;
            let (scope, key): (&str, &str) = (get(&row, 3)?, get(&row, 4)?);
            for &place in asked.get(&(scope, key)).into_iter().flatten() {
                facts[place].key = Some(found);
            }
        }
    }
    Ok(())
}

/// How many leading appends of each group are there already, with the same bytes.
pub(super) async fn repeated(
    conn: &mut SqliteConnection,
    batch: &[Append],
    groups: &[Group],
    facts: &mut [Facts],
) -> Result<(), StoreError> {
    for (group, facts) in groups.iter().zip(facts) {
        let Some(tail) = facts.tail.filter(|_| facts.refused.is_none()) else { continue };
        for &index in &group.members {
            let append = &batch[index];
            let last = door::last_seq(append).filter(|last| *last <= tail.last_seq);
            if last.is_none() || (append.shard, append.root) != (tail.shard, tail.root) {
                break;
            }
            if !is_there(conn, append).await? {
                break;
            }
            facts.there += 1;
        }
    }
    Ok(())
}

/// One saga at a time: it happens after an unknown commit, and never while things go well.
async fn is_there(conn: &mut SqliteConnection, append: &Append) -> Result<bool, StoreError> {
    let mut binds = Binds::default();
    binds.id(append.saga);
    binds.int(i64::from(append.first_seq));
    binds.int(i64::try_from(append.records.len()).unwrap_or(i64::MAX));
    let arguments = binds.finish().map_err(StoreError::Invalid)?;
    let text = "SELECT record FROM journal WHERE saga_id = ? AND seq >= ? ORDER BY seq LIMIT ?";
    let rows = sqlx::query_with(text, arguments).fetch_all(conn).await.map_err(|e| Fault::of_read(&e))?;
    let mut same = rows.len() == append.records.len();
    for (row, record) in rows.iter().zip(&append.records) {
        same = same && get::<&[u8]>(row, 0)? == record.as_ref();
    }
    Ok(same)
}

async fn read(
    conn: &mut SqliteConnection,
    head: &str,
    rows: usize,
    width: usize,
    tail: &str,
    mut binds: Binds,
) -> Result<Vec<SqliteRow>, StoreError> {
    let room = places(rows);
    binds.nulls((room - rows) * width);
    let arguments = binds.finish().map_err(StoreError::Invalid)?;
    let text = over(head, room, width, tail);
    sqlx::query_with(text, arguments).fetch_all(conn).await.map_err(|error| Fault::of_read(&error))
}

fn tail(row: &SqliteRow) -> Result<Tail, String> {
    let number = |at: usize| row.try_get::<i64, _>(at).map_err(|error| error.to_string());
    Ok(Tail {
        root: uuid(row, 1).map_err(|error| error.to_string())?,
        shard: u16::try_from(number(2)?).map_err(|error| error.to_string())?,
        status: Status::from_code(number(3)?).map_err(|error| error.to_string())?,
        events: number(4)?,
        last_seq: u32::try_from(number(5)?).map_err(|error| error.to_string())?,
    })
}

/// A key's row from `saga, request_hash, created_at_ms`.
pub(super) fn key_row(row: &SqliteRow) -> Result<KeyRow, StoreError> {
    let saga: Option<&[u8]> = get(row, 0)?;
    let saga =
        saga.map(Uuid::from_slice).transpose().map_err(|error| StoreError::Fatal(error.to_string()))?;
    let hash: &[u8] = get(row, 1)?;
    let request_hash =
        hash.try_into().map_err(|_| StoreError::Fatal("a request hash is damaged".to_owned()))?;
    Ok(KeyRow { saga, request_hash, created_at_ms: get(row, 2)? })
}

/// A 16-byte id.
pub(super) fn uuid(row: &SqliteRow, at: usize) -> Result<Uuid, StoreError> {
    Uuid::from_slice(get(row, at)?).map_err(|error| StoreError::Fatal(error.to_string()))
}

/// A column whose type the schema fixes: another type is a damaged file.
pub(super) fn get<'r, T>(row: &'r SqliteRow, at: usize) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(at).map_err(|error| StoreError::Fatal(error.to_string()))
}
