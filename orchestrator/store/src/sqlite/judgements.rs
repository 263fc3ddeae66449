//! What people have judged of findings.

use sqlx::{SqlitePool, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    fault::Fault,
    lookup::{get, uuid},
    outbox::counted,
    rows::Binds,
    writer::Writer,
};
use crate::{JUDGEMENT_LIFE_MS, Judged, Judgement, StoreError};

pub(super) async fn judge(writer: &mut Writer, word: &Judgement) -> Result<Judged, StoreError> {
    let mut binds = Binds::default();
    binds.id(word.finding);
    binds.int(i64::from(word.is_acknowledged));
    binds.text(&word.what);
    binds.text(&word.who);
    binds.text(&word.why);
    binds.int(word.at_ms);
    binds.int(word.at_ms.saturating_sub(JUDGEMENT_LIFE_MS));
    let rows = writer.run(include_str!("sql/judge.sql"), binds).await?;
    if counted(&rows, 0)? > 0 {
        return Ok(Judged::Written);
    }
    let last = rows.get(1).map(judgement).transpose()?;
    Ok(last.filter(|last| last.is_acknowledged).map_or(Judged::NotAcknowledged, Judged::Already))
}

/// One statement for each: they are few.
pub(super) async fn acknowledged(
    readers: &SqlitePool,
    findings: &[Uuid],
) -> Result<Vec<Judgement>, StoreError> {
    let mut all = Vec::new();
    for finding in findings {
        let query = sqlx::query(include_str!("sql/judgement.sql")).bind(finding.as_bytes().as_slice());
        let row = query.fetch_optional(readers).await.map_err(|error| Fault::of_read(&error))?;
        let last = row.as_ref().map(judgement).transpose()?;
        all.extend(last.filter(|last| last.is_acknowledged));
    }
    Ok(all)
}

/// A judgement from `finding, is_acknowledged, what, who, why, at_ms`.
fn judgement(row: &SqliteRow) -> Result<Judgement, StoreError> {
    Ok(Judgement {
        finding: uuid(row, 0)?,
        is_acknowledged: get::<i64>(row, 1)? != 0,
        what: get(row, 2)?,
        who: get(row, 3)?,
        why: get(row, 4)?,
        at_ms: get(row, 5)?,
    })
}
