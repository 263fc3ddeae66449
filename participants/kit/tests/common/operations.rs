//! Operations of no saga, for the transactor's laws.

use std::time::Duration;

use participant_kit::{Kit, LockKey, OpError, Refusal, Tx};

use super::{Reserve, Then};

pub type Ended = Result<(), OpError>;

pub async fn write(tx: &mut Tx<'_>, what: &str, filler: usize) -> Ended {
    sqlx::query("INSERT INTO effects (saga_id, step, what, filler) VALUES ('', '', $1, $2)")
        .bind(what)
        .bind("x".repeat(filler))
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub async fn write_then(tx: &mut Tx<'_>, what: String, then: Then) -> Ended {
    write(tx, &what, 0).await?;
    match then {
        Then::Finish => Ok(()),
        Then::Refuse => Err(Refusal::new("NO", "after writing").into()),
        Then::NotNow => Err(OpError::not_now(Duration::from_secs(1), "later")),
        Then::BadSql => {
            sqlx::query("INSERT INTO nowhere VALUES (1)").execute(tx.conn()).await?;
            Ok(())
        }
        Then::Panic => panic!("the operation panics"),
    }
}

pub async fn run(kit: &Kit, what: String, then: Then) -> Ended {
    kit.run(vec![LockKey::new("sku", "tea")], move |tx| Box::pin(write_then(tx, what.clone(), then))).await
}

pub type Acted = Result<tonic::Response<backstitch_proto::inventory::ReserveResponse>, tonic::Status>;

pub async fn shop_act(kit: &Kit, meta: &tonic::metadata::MetadataMap) -> Acted {
    kit.act(meta, Ok(Reserve::of(1))).await
}
