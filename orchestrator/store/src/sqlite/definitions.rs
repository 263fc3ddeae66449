//! Versions of definitions: what nodes announce, and the switch.

use sqlx::{SqlSafeStr as _, SqlitePool, sqlite::SqliteRow};

use super::{
    fault::Fault,
    leases::shard,
    lookup::get,
    outbox::counted,
    rows::Binds,
    session::{Failed, Session},
    statements,
    writer::Writer,
};
use crate::{
    Announced, Announcement, DefinitionRow, InFlight, StoreError, Switch, SwitchRow, Switched,
    definitions::FIRST,
};

/// As [`Store::announce`](crate::Store::announce), on a session that is settled: several executions, one commit.
pub(super) async fn announce(
    session: &mut Session,
    announcement: &Announcement,
) -> Result<Vec<Announced>, Failed> {
    session.begin(statements::BEGIN.into_sql_str(), Binds::default()).await?;
    let mut binds = Binds::default();
    binds.text(&announcement.node);
    binds.int(announcement.now_ms);
    binds.int(announcement.live_since_ms);
    session.step(include_str!("sql/announce_node.sql").into_sql_str(), binds).await?;
    let mut refused = Vec::new();
    for definition in &announcement.definitions {
        let mut binds = Binds::default();
        binds.text(&announcement.node);
        binds.text(&definition.name);
        binds.int(i64::from(definition.version));
        binds.blob(&definition.fingerprint);
        binds.int(announcement.now_ms);
        let text = include_str!("sql/announce_definition.sql").into_sql_str();
        if session.step(text, binds).await?.is_empty() {
            refused.push(definition.clone());
        }
    }
    let mut binds = Binds::default();
    binds.int(announcement.now_ms);
    binds.text(FIRST);
    session.step(include_str!("sql/announce_first.sql").into_sql_str(), binds).await?;
    session.end(statements::COMMIT.into_sql_str()).await?;
    Ok(refused)
}

pub(super) async fn withdraw(writer: &mut Writer, node: &str) -> Result<(), StoreError> {
    let mut binds = Binds::default();
    binds.text(node);
    writer.run("BEGIN IMMEDIATE; DELETE FROM nodes WHERE node = ?1; COMMIT;", binds).await.map(drop)
}

pub(super) async fn switch(writer: &mut Writer, switch: &Switch) -> Result<Switched, StoreError> {
    let mut binds = Binds::default();
    binds.text(&switch.name);
    binds.int(i64::from(switch.version));
    binds.int(i64::from(switch.on));
    binds.int(switch.now_ms);
    binds.text(&switch.why);
    binds.int(switch.live_since_ms);
    let rows = writer.run(include_str!("sql/switch.sql"), binds).await?;
    let (switched, known, is_so) = (counted(&rows, 0)? > 0, counted(&rows, 1)? > 0, counted(&rows, 2)? > 0);
    Ok(match (known, switched, is_so) {
        (false, ..) => Switched::Unknown,
        (true, true, _) => Switched::Switched,
        (true, false, true) => Switched::Already,
        (true, false, false) => {
            let lacking = rows.iter().skip(3).map(|row| get::<String>(row, 0));
            Switched::Lacking(lacking.collect::<Result<_, _>>()?)
        }
    })
}

pub(super) async fn all(readers: &SqlitePool) -> Result<Vec<DefinitionRow>, StoreError> {
    let query = sqlx::query(include_str!("sql/definitions.sql"));
    let rows = query.fetch_all(readers).await.map_err(|error| Fault::of_read(&error))?;
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
fn definition(row: &SqliteRow) -> Result<DefinitionRow, StoreError> {
    let damaged = |why: &str| StoreError::Fatal(why.to_owned());
    let fingerprint: &[u8] = get(row, 2)?;
    let definition = Announced {
        name: get(row, 0)?,
        version: version(row, 1)?,
        fingerprint: fingerprint.try_into().map_err(|_| damaged("a fingerprint is damaged"))?,
    };
    let switch = match get::<Option<i64>>(row, 4)? {
        None => None,
        Some(on) => Some(SwitchRow { on: on != 0, at_ms: get(row, 5)?, why: get(row, 6)? }),
    };
    let nodes = match get::<Option<String>>(row, 7)? {
        None => Vec::new(),
        Some(node) => vec![(node, get(row, 8)?)],
    };
    Ok(DefinitionRow { definition, announced_at_ms: get(row, 3)?, nodes, switch })
}

pub(super) async fn in_flight(readers: &SqlitePool) -> Result<Vec<InFlight>, StoreError> {
    let query = sqlx::query(include_str!("sql/in_flight.sql"));
    let rows = query.fetch_all(readers).await.map_err(|error| Fault::of_read(&error))?;
    let count = |row: &SqliteRow| {
        let sagas = u64::try_from(get::<i64>(row, 3)?).unwrap_or(0);
        Ok(InFlight { name: get(row, 0)?, version: version(row, 1)?, shard: shard(row, 2)?, sagas })
    };
    rows.iter().map(count).collect()
}

fn version(row: &SqliteRow, at: usize) -> Result<u32, StoreError> {
    let version: i64 = get(row, at)?;
    u32::try_from(version).map_err(|error| StoreError::Fatal(format!("version {version}: {error}")))
}
