//! Versions of definitions: what nodes announce, and the switch. Who changes them locks them first, in a transaction of
//! several statements, so that each statement sees all that was changed before.

use std::collections::HashSet;

use sqlx::{
    SqlSafeStr as _,
    postgres::{PgRow, PgTransaction},
};

use super::{
    fault::Fault,
    pool::Pool,
    values::{Values, counted, get, shard, version},
};
use crate::{
    Announced, Announcement, DefinitionRow, InFlight, StoreError, Switch, SwitchRow, Switched,
    definitions::FIRST,
};

async fn step(
    transaction: &mut PgTransaction<'_>,
    text: &'static str,
    values: Values,
) -> Result<Vec<PgRow>, StoreError> {
    let arguments = values.finish().map_err(StoreError::Invalid)?;
    let rows = sqlx::query_with(text.into_sql_str(), arguments).fetch_all(&mut **transaction).await;
    // Nothing is committed before the last step.
    rows.map_err(|error| Fault::of_read(&error))
}

async fn begin(pool: &Pool) -> Result<PgTransaction<'static>, StoreError> {
    let mut transaction = pool.connections.begin().await.map_err(|error| Fault::of_read(&error))?;
    step(&mut transaction, include_str!("sql/lock_definitions.sql"), Values::default()).await?;
    Ok(transaction)
}

async fn commit(transaction: PgTransaction<'_>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(|error| Fault::of(&error).into_store_error())
}

pub(super) async fn announce(pool: &Pool, told: &Announcement) -> Result<Vec<Announced>, StoreError> {
    let mut transaction = begin(pool).await?;
    let mut values = Values::default();
    values.add(told.node.as_str());
    values.add(told.live_since_ms);
    step(&mut transaction, include_str!("sql/announce_gone.sql"), values).await?;

    let mut values = Values::default();
    values.add(told.node.as_str());
    values.add(told.now_ms);
    step(&mut transaction, include_str!("sql/announce_node.sql"), values).await?;

    let versions = || {
        let mut values = Values::default();
        values.each(told.definitions.iter().map(|definition| definition.name.as_str()));
        values.each(told.definitions.iter().map(|definition| i64::from(definition.version)));
        values.each(told.definitions.iter().map(|definition| definition.fingerprint.as_slice()));
        values
    };
    let mut values = versions();
    values.add(told.now_ms);
    step(&mut transaction, include_str!("sql/announce_new.sql"), values).await?;

    let mut values = versions();
    values.add(told.node.as_str());
    let able = step(&mut transaction, include_str!("sql/announce_definitions.sql"), values).await?;
    let able = able.iter().map(|row| get(row, 0)).collect::<Result<HashSet<i64>, _>>()?;

    let mut values = Values::default();
    values.add(told.now_ms);
    values.add(FIRST);
    step(&mut transaction, include_str!("sql/announce_first.sql"), values).await?;
    commit(transaction).await?;
    let refused = (1..).zip(&told.definitions).filter(|(place, _)| !able.contains(place));
    Ok(refused.map(|(_, definition)| definition.clone()).collect())
}

pub(super) async fn withdraw(pool: &Pool, node: &str) -> Result<(), StoreError> {
    let mut transaction = begin(pool).await?;
    let mut values = Values::default();
    values.add(node);
    step(&mut transaction, include_str!("sql/withdraw.sql"), values).await?;
    commit(transaction).await
}

pub(super) async fn switch(pool: &Pool, switch: &Switch) -> Result<Switched, StoreError> {
    let mut transaction = begin(pool).await?;
    let mut values = Values::default();
    values.add(switch.name.as_str());
    values.add(i64::from(switch.version));
    values.add(switch.on);
    values.add(switch.now_ms);
    values.add(switch.why.as_str());
    values.add(switch.live_since_ms);
    let rows = step(&mut transaction, include_str!("sql/switch.sql"), values).await?;
    commit(transaction).await?;
    let row = rows.first().ok_or_else(|| StoreError::Fatal("a switching was not answered".to_owned()))?;
    let (switched, known, was_so): (bool, bool, bool) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
    Ok(match (known, switched, was_so) {
        (false, ..) => Switched::Unknown,
        (true, true, _) => Switched::Switched,
        (true, false, true) => Switched::Already,
        (true, false, false) => Switched::Lacking(get(row, 3)?),
    })
}

pub(super) async fn all(pool: &Pool) -> Result<Vec<DefinitionRow>, StoreError> {
    let rows = pool.read(include_str!("sql/definitions.sql"), Values::default()).await?;
    let mut all: Vec<DefinitionRow> = Vec::new();
    for row in &rows {
        let read = definition(row)?;
        match all.last_mut().filter(|last| last.definition == read.definition) {
            Some(last) => last.nodes.extend(read.nodes),
            None => all.push(read),
        }
    }
    Ok(all)
}

/// A version from `name, version, fingerprint, announced_at_ms, is_on, at_ms, why, node, seen_at_ms`.
fn definition(row: &PgRow) -> Result<DefinitionRow, StoreError> {
    let fingerprint: &[u8] = get(row, 2)?;
    let definition = Announced {
        name: get(row, 0)?,
        version: version(get(row, 1)?)?,
        fingerprint: fingerprint
            .try_into()
            .map_err(|_| StoreError::Fatal("a fingerprint is damaged".to_owned()))?,
    };
    let switch = match get::<Option<bool>>(row, 4)? {
        None => None,
        Some(on) => Some(SwitchRow { on, at_ms: get(row, 5)?, why: get(row, 6)? }),
    };
    let nodes = match get::<Option<String>>(row, 7)? {
        None => Vec::new(),
        Some(node) => vec![(node, get(row, 8)?)],
    };
    Ok(DefinitionRow { definition, announced_at_ms: get(row, 3)?, nodes, switch })
}

pub(super) async fn in_flight(pool: &Pool) -> Result<Vec<InFlight>, StoreError> {
    let rows = pool.read(include_str!("sql/in_flight.sql"), Values::default()).await?;
    let count = |row: &PgRow| {
        Ok(InFlight {
            name: get(row, 0)?,
            version: version(get(row, 1)?)?,
            shard: shard(get(row, 2)?)?,
            sagas: counted(row, 3)?,
        })
    };
    rows.iter().map(count).collect()
}
