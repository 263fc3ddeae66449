//! Who is alive and who has which shard, by this database's clock.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sqlx::sqlite::SqliteRow;

use super::{lookup::get, rows::Binds, writer::Writer};
use crate::{Lease, Member, ShardRow, StoreError, Tended};

pub(super) async fn join(
    writer: &mut Writer,
    node: &str,
    address: &str,
    term_ms: i64,
) -> Result<Member, StoreError> {
    let mut binds = Binds::default();
    binds.text(node);
    binds.text(address);
    binds.int(term_ms);
    let rows = writer.run(include_str!("sql/join.sql"), binds).await?;
    // The fence of a commit is the counter that was drawn from.
    writer.learn_counters().await?;
    let row =
        rows.first().ok_or_else(|| StoreError::Fatal("a member that was written is not there".into()))?;
    Ok(Member { node: node.to_owned(), run: get(row, 0)?, address: address.to_owned() })
}

pub(super) async fn tend(
    writer: &mut Writer,
    member: &Member,
    held: &[Lease],
    term_ms: i64,
) -> Result<Tended, StoreError> {
    let mut binds = of(member);
    binds.text(&member.address);
    binds.int(term_ms);
    binds.text(&leases_as_json(held));
    let rows = writer.run(include_str!("sql/tend.sql"), binds).await?;
    let mut tended = Tended { replaced: false, held: Vec::new(), members: Vec::new(), shards: Vec::new() };
    for row in &rows {
        match get::<i64>(row, 0)? {
            0 => tended.replaced = get::<i64>(row, 1)? == 0,
            1 => tended.held.push(lease(row, 1)?),
            2 => tended.members.push(Member { node: get(row, 1)?, run: get(row, 2)?, address: get(row, 3)? }),
            _ => tended.shards.push(ShardRow {
                shard: shard(row, 1)?,
                owner: get(row, 2)?,
                epoch: get(row, 3)?,
                free: get::<i64>(row, 4)? != 0,
            }),
        }
    }
    tended.held.sort_unstable();
    Ok(tended)
}

pub(super) async fn claim(
    writer: &mut Writer,
    member: &Member,
    shards: &BTreeSet<u16>,
    term_ms: i64,
) -> Result<Vec<Lease>, StoreError> {
    let mut binds = of(member);
    binds.int(term_ms);
    binds.text(&json(shards));
    let rows = writer.run(include_str!("sql/claim.sql"), binds).await?;
    writer.learn_counters().await?;
    let mut leases = rows.iter().map(|row| lease(row, 0)).collect::<Result<Vec<_>, _>>()?;
    leases.sort_unstable();
    Ok(leases)
}

pub(super) async fn give_back(writer: &mut Writer, held: &[Lease]) -> Result<(), StoreError> {
    let mut binds = Binds::default();
    binds.text(&leases_as_json(held));
    writer.run(include_str!("sql/give_back.sql"), binds).await.map(drop)
}

pub(super) async fn leave(writer: &mut Writer, member: &Member) -> Result<(), StoreError> {
    writer.run(include_str!("sql/leave.sql"), of(member)).await.map(drop)
}

fn of(member: &Member) -> Binds {
    let mut binds = Binds::default();
    binds.text(&member.node);
    binds.int(member.run);
    binds
}

/// Numbers as a JSON array.
pub(super) fn json<'a>(numbers: impl IntoIterator<Item = &'a u16>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(u16::to_string).collect();
    format!("[{}]", numbers.join(","))
}

fn leases_as_json(leases: &[Lease]) -> String {
    let mut text = "[".to_owned();
    for (at, Lease { shard, epoch }) in leases.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}[{shard},{epoch}]");
    }
    text + "]"
}

fn lease(row: &SqliteRow, at: usize) -> Result<Lease, StoreError> {
    Ok(Lease { shard: shard(row, at)?, epoch: get(row, at + 1)? })
}

pub(super) fn shard(row: &SqliteRow, at: usize) -> Result<u16, StoreError> {
    let shard: i64 = get(row, at)?;
    u16::try_from(shard).map_err(|error| StoreError::Fatal(format!("shard {shard}: {error}")))
}
