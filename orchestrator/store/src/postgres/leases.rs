//! Who is alive and who has which shard, by this database's clock.

use std::collections::BTreeSet;

use sqlx::postgres::PgRow;

use super::{
    values::{Values, get, shard},
    writer::Writer,
};
use crate::{Lease, Member, ShardRow, StoreError, Tended};

pub(super) async fn acquire(writer: &mut Writer, node: &str) -> Result<Vec<Lease>, StoreError> {
    let values = || {
        let mut values = Values::default();
        values.add(node);
        values
    };
    let rows = writer.draw(include_str!("sql/acquire.sql"), values).await?;
    leases(&rows)
}

pub(super) async fn join(
    writer: &mut Writer,
    node: &str,
    address: &str,
    term_ms: i64,
) -> Result<Member, StoreError> {
    let values = || {
        let mut values = Values::default();
        values.add(node);
        values.add(address);
        values.add(term_ms);
        values
    };
    let rows = writer.run(include_str!("sql/join.sql"), values).await?;
    let row =
        rows.first().ok_or_else(|| StoreError::Fatal("a member that was written is not there".into()))?;
    Ok(Member { node: node.to_owned(), run: get(row, 0)?, address: address.to_owned() })
}

/// Three statements: what the last two tell is a moment later than what was renewed.
pub(super) async fn tend(
    writer: &mut Writer,
    member: &Member,
    held: &[Lease],
    term_ms: i64,
) -> Result<Tended, StoreError> {
    let values = || {
        let mut values = of(member);
        values.add(member.address.as_str());
        values.add(term_ms);
        add_leases(&mut values, held);
        values
    };
    let rows = writer.run(include_str!("sql/tend.sql"), values).await?;
    let row = rows.first().ok_or_else(|| StoreError::Fatal("a member's life was not answered".into()))?;
    let (shards, epochs): (Vec<i32>, Vec<i64>) = (get(row, 1)?, get(row, 2)?);
    let lease = |(number, epoch)| Ok(Lease { shard: shard(number)?, epoch });
    let held = shards.into_iter().zip(epochs).map(lease).collect::<Result<_, StoreError>>()?;
    let replaced = !get::<bool>(row, 0)?;

    let rows = writer.run(include_str!("sql/members.sql"), Values::default).await?;
    let member = |row: &PgRow| Ok(Member { node: get(row, 0)?, run: get(row, 1)?, address: get(row, 2)? });
    let members = rows.iter().map(member).collect::<Result<_, StoreError>>()?;

    let rows = writer.run(include_str!("sql/shards.sql"), Values::default).await?;
    let row = |(shard, row): (u16, &PgRow)| {
        Ok(ShardRow { shard, owner: get(row, 0)?, epoch: get(row, 1)?, free: get(row, 2)? })
    };
    let shards = (0..).zip(&rows).map(row).collect::<Result<_, StoreError>>()?;
    Ok(Tended { replaced, held, members, shards })
}

pub(super) async fn claim(
    writer: &mut Writer,
    member: &Member,
    shards: &BTreeSet<u16>,
    term_ms: i64,
) -> Result<Vec<Lease>, StoreError> {
    let values = || {
        let mut values = of(member);
        values.add(term_ms);
        values.each(shards.iter().map(|shard| i32::from(*shard)));
        values
    };
    let rows = writer.draw(include_str!("sql/claim.sql"), values).await?;
    leases(&rows)
}

pub(super) async fn give_back(writer: &mut Writer, held: &[Lease]) -> Result<(), StoreError> {
    let values = || {
        let mut values = Values::default();
        add_leases(&mut values, held);
        values
    };
    writer.run(include_str!("sql/give_back.sql"), values).await.map(drop)
}

pub(super) async fn leave(writer: &mut Writer, member: &Member) -> Result<(), StoreError> {
    writer.run(include_str!("sql/leave.sql"), || of(member)).await.map(drop)
}

fn of(member: &Member) -> Values {
    let mut values = Values::default();
    values.add(member.node.as_str());
    values.add(member.run);
    values
}

fn add_leases(values: &mut Values, leases: &[Lease]) {
    values.each(leases.iter().map(|lease| i32::from(lease.shard)));
    values.each(leases.iter().map(|lease| lease.epoch));
}

/// Leases from `shard, epoch`, by shard.
fn leases(rows: &[PgRow]) -> Result<Vec<Lease>, StoreError> {
    let lease = |row: &PgRow| Ok(Lease { shard: shard(get(row, 0)?)?, epoch: get(row, 1)? });
    let mut leases = rows.iter().map(lease).collect::<Result<Vec<_>, StoreError>>()?;
    leases.sort_unstable();
    Ok(leases)
}
