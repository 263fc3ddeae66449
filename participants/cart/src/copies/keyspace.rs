//! Which copies may be believed, as the database says it.

use participant_kit::{Kit, LockKey, OpError, Tx};
use sqlx::Row as _;

/// The row as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keyspace {
    /// Empty while no copy may be believed.
    pub(super) name: String,
    /// The run of the server that it was drawn for.
    pub(super) server: String,
}

/// What emptying and drawing contend for.
pub(super) fn lock() -> LockKey {
    LockKey::new("copies", "keyspace")
}

/// What a change asks for the keyspace that it is marked in. On Postgres the row stays locked until the change is
/// committed, so that no reader puts under a newer name what was true before it.
pub(super) fn proof(database_url: &str) -> &'static str {
    match database_url.starts_with("postgres") {
        true => "SELECT keyspace FROM cart_copies WHERE only_row = 1 FOR SHARE",
        false => "SELECT keyspace FROM cart_copies WHERE only_row = 1",
    }
}

/// The row as it is committed now.
pub(super) async fn read(kit: &Kit) -> Result<Keyspace, sqlx::Error> {
    const SQL: &str = "SELECT keyspace, server FROM cart_copies WHERE only_row = 1";
    let row = sqlx::query(SQL).fetch_one(kit.reads()).await?;
    Ok(Keyspace { name: row.try_get("keyspace")?, server: row.try_get("server")? })
}

/// Replaces the row if it still is as it was `seen`. Answers whether it was.
pub(super) async fn draw(kit: &Kit, seen: Keyspace, new: Keyspace) -> Result<bool, OpError> {
    const SQL: &str = "UPDATE cart_copies SET keyspace = $1, server = $2 \
                       WHERE only_row = 1 AND keyspace = $3 AND server = $4";
    kit.run(vec![lock()], move |tx| {
        let (seen, new) = (seen.clone(), new.clone());
        Box::pin(async move {
            let query = sqlx::query(SQL).bind(new.name).bind(new.server).bind(seen.name).bind(seen.server);
            Ok(query.execute(tx.conn()).await?.rows_affected() == 1)
        })
    })
    .await
}

/// No copy in the keyspace of this name may be believed any more, whoever looks.
pub(super) async fn end(kit: &Kit, name: &str) -> Result<(), OpError> {
    const SQL: &str = "UPDATE cart_copies SET keyspace = '' WHERE only_row = 1 AND keyspace = $1";
    let name = name.to_owned();
    kit.run(vec![lock()], move |tx| {
        let name = name.clone();
        Box::pin(async move {
            sqlx::query(SQL).bind(name).execute(tx.conn()).await?;
            Ok(())
        })
    })
    .await
}

/// No copy may be believed from this transaction on. Also where none may be already: somebody who is just drawing a
/// new name has to wait until the change is committed.
pub(super) async fn empty(tx: &mut Tx<'_>) -> Result<(), OpError> {
    const SQL: &str = "UPDATE cart_copies SET keyspace = '' WHERE only_row = 1";
    tx.lock([lock()])?;
    sqlx::query(SQL).execute(tx.conn()).await?;
    Ok(())
}
