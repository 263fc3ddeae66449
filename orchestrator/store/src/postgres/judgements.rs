//! What people have judged of findings. Who writes locks them first, so that two at once have one order.

use sqlx::{SqlSafeStr as _, postgres::PgRow};
use uuid::Uuid;

use super::{
    fault::Fault,
    pool::Pool,
    values::{Id, Values, get, uuid},
};
use crate::{JUDGEMENT_LIFE_MS, Judged, Judgement, StoreError};

pub(super) async fn judge(pool: &Pool, word: &Judgement) -> Result<Judged, StoreError> {
    let mut old = Values::default();
    old.add(word.at_ms.saturating_sub(JUDGEMENT_LIFE_MS));
    let old = old.finish().map_err(StoreError::Invalid)?;
    let mut values = Values::default();
    values.add(Id(word.finding));
    values.add(word.is_acknowledged);
    values.add(word.what.as_str());
    values.add(word.who.as_str());
    values.add(word.why.as_str());
    values.add(word.at_ms);
    let arguments = values.finish().map_err(StoreError::Invalid)?;
    // Nothing is committed before the last step.
    let of_read = |error: sqlx::Error| Fault::of_read(&error);
    let mut transaction = pool.connections.begin().await.map_err(of_read)?;
    let lock = sqlx::query(include_str!("sql/lock_judgements.sql"));
    lock.execute(&mut *transaction).await.map_err(of_read)?;
    let forget = sqlx::query_with(include_str!("sql/forget_judgements.sql").into_sql_str(), old);
    forget.execute(&mut *transaction).await.map_err(of_read)?;
    let query = sqlx::query_with(include_str!("sql/judge.sql").into_sql_str(), arguments);
    let row = query.fetch_one(&mut *transaction).await.map_err(of_read)?;
    transaction.commit().await.map_err(|error| Fault::of(&error).into_store_error())?;
    if get(&row, 0)? {
        return Ok(Judged::Written);
    }
    match get::<Option<bool>>(&row, 2)? {
        Some(true) => judgement(&row, 1).map(Judged::Already),
        _ => Ok(Judged::NotAcknowledged),
    }
}

pub(super) async fn acknowledged(pool: &Pool, findings: &[Uuid]) -> Result<Vec<Judgement>, StoreError> {
    let mut values = Values::default();
    values.each(findings.iter().copied().map(Id));
    let rows = pool.read(include_str!("sql/judgements.sql"), values).await?;
    let all = rows.iter().map(|row| judgement(row, 0)).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|last| last.is_acknowledged).collect())
}

/// A judgement from `finding, is_acknowledged, what, who, why, at_ms`, which begin at a column.
fn judgement(row: &PgRow, at: usize) -> Result<Judgement, StoreError> {
    Ok(Judgement {
        finding: uuid(row, at)?,
        is_acknowledged: get(row, at + 1)?,
        what: get(row, at + 2)?,
        who: get(row, at + 3)?,
        why: get(row, at + 4)?,
        at_ms: get(row, at + 5)?,
    })
}
