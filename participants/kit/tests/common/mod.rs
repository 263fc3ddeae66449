//! A toy participant: a shop with one product and a provider in memory.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod operations;
pub mod provider;

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_proto::contract::Verdict;
use backstitch_proto::inventory::{ReleaseResponse, ReserveResponse};
use backstitch_services::On;
pub use participant_kit::testing::call;
use participant_kit::{
    Action, CallMeta, Identity, Kit, LockKey, ManualClock, Op, OpError, Refusal, Schema, Tx, Undo,
};
use sqlx::Row as _;
use sqlx::migrate::Migrator;
use tempfile::TempDir;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

pub static TOY: Migrator = sqlx::migrate!("tests/migrations");
pub static SCHEMA: Schema = Schema::new("toy", &[&TOY]);

/// A participant over a database of its own.
pub struct Shop {
    pub kit: Kit,
    pub clock: ManualClock,
    pub url: String,
    /// Of the file, if it is one.
    pub directory: TempDir,
}

impl Shop {
    pub async fn open(on: On) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = on.url(directory.path(), "toy");
        Self::open_at(url, directory).await
    }

    /// Over the database at `url`, which is migrated first.
    pub async fn open_at(url: String, directory: TempDir) -> Self {
        SCHEMA.migrate(&url).await.unwrap();
        let clock = ManualClock::new(1_700_000_000_000);
        let kit = open_at(&url, &clock).await;
        Self { kit, clock, url, directory }
    }

    /// What a crash leaves, and another process is: another participant over the same database.
    pub async fn reopen(&self) -> Kit {
        open_at(&self.url, &self.clock).await
    }

    pub async fn stock(&self, sku: &str, left: i64) {
        let sku = sku.to_owned();
        let put = self.kit.run(vec![], move |tx| {
            let sku = sku.clone();
            Box::pin(async move {
                sqlx::query("INSERT INTO stock (sku, left_over) VALUES ($1, $2)")
                    .bind(sku)
                    .bind(left)
                    .execute(tx.conn())
                    .await?;
                Ok(())
            })
        });
        put.await.unwrap();
    }

    pub async fn left(&self, sku: &str) -> i64 {
        let row =
            sqlx::query("SELECT left_over FROM stock WHERE sku = $1").bind(sku).fetch_one(self.kit.reads());
        row.await.unwrap().get(0)
    }

    /// How many effects called `what` are committed.
    pub async fn effects(&self, what: &str) -> i64 {
        effects(&self.kit, what).await
    }

    /// The barrier row's state and aim, `absent` if there is none.
    pub async fn row(&self, saga: Uuid, step: &str) -> String {
        let row = sqlx::query("SELECT state, aim FROM barrier WHERE saga_id = $1 AND step = $2")
            .bind(saga.to_string())
            .bind(step)
            .fetch_optional(self.kit.reads());
        row.await.unwrap().map_or("absent".into(), |row| {
            format!("{} {}", row.get::<String, _>(0), row.get::<String, _>(1)).trim().to_owned()
        })
    }
}

pub async fn effects(kit: &Kit, what: &str) -> i64 {
    let count = sqlx::query("SELECT COUNT(*) FROM effects WHERE what = $1").bind(what).fetch_one(kit.reads());
    count.await.unwrap().get(0)
}

async fn open_at(url: &str, clock: &ManualClock) -> Kit {
    Kit::open(&SCHEMA, url, Arc::new(clock.clone())).await.unwrap()
}

pub fn meta(saga: Uuid, step: &str, op: Op) -> MetadataMap {
    let mut map = MetadataMap::new();
    call(saga, step, op).write(&mut map);
    map
}

/// How a call ended, in a word: `done`, a verdict, or `unknown`; a refusal with its reason.
pub fn word<T>(saga: Uuid, step: &str, op: Op, ended: &Result<tonic::Response<T>, tonic::Status>) -> String {
    match ended {
        Ok(_) => "done".into(),
        Err(status) => match Verdict::from_status(status, "toy", &call(saga, step, op).key()) {
            Some(Verdict::Refused(refusal)) => format!("refused {}", refusal.reason),
            Some(Verdict::NotNow { .. }) => "not now".into(),
            Some(Verdict::Broken(_)) => "broken".into(),
            Some(Verdict::Superseded(_)) => "superseded".into(),
            None => "unknown".into(),
        },
    }
}

/// The step of [`act`] and [`undo`].
pub const STEP: &str = "reserve_stock";

/// A saga born at so many Unix milliseconds.
pub fn born(ms: u64) -> Uuid {
    let nanos = u32::try_from(ms % 1000).unwrap() * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, ms / 1000, nanos))
}

/// How a do or a close of the toy action ended.
pub async fn act(kit: &Kit, saga: Uuid, op: Op, action: Reserve) -> String {
    word(saga, STEP, op, &kit.act(&meta(saga, STEP, op), Ok(action)).await)
}

/// How an undo of it ended.
pub async fn undo(kit: &Kit, saga: Uuid, undo: Release) -> String {
    word(saga, STEP, Op::Undo, &kit.take_back(&meta(saga, STEP, Op::Undo), Ok(undo)).await)
}

/// What the toy action does after it has written its effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Then {
    Finish,
    Refuse,
    NotNow,
    BadSql,
    Panic,
}

/// Takes some of a SKU.
#[derive(Clone, Debug)]
pub struct Reserve {
    pub quantity: i64,
    pub then: Then,
}

impl Reserve {
    pub fn of(quantity: i64) -> Self {
        Self { quantity, then: Then::Finish }
    }

    pub fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }
}

pub async fn effect(tx: &mut Tx<'_>, call: &CallMeta, what: &str) -> Result<(), OpError> {
    sqlx::query("INSERT INTO effects (saga_id, step, what, filler) VALUES ($1, $2, $3, '')")
        .bind(call.saga.to_string())
        .bind(&call.step)
        .bind(what)
        .execute(tx.conn())
        .await?;
    Ok(())
}

#[async_trait]
impl Action for Reserve {
    type Answer = ReserveResponse;

    fn identity(&self) -> Identity {
        Identity::new("Reserve").int("quantity", self.quantity)
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![LockKey::new("sku", "tea")]
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<ReserveResponse, OpError> {
        effect(tx, call, "reserve").await?;
        let taken =
            sqlx::query("UPDATE stock SET left_over = left_over - $1 WHERE sku = 'tea' AND left_over >= $1")
                .bind(self.quantity)
                .execute(tx.conn())
                .await?;
        if taken.rows_affected() == 0 {
            return Err(Refusal::new("OUT_OF_STOCK", "not enough tea").with("sku", "tea").into());
        }
        match self.then {
            Then::Finish => {}
            Then::Refuse => return Err(Refusal::new("CHANGED_ITS_MIND", "after writing").into()),
            Then::NotNow => return Err(OpError::not_now(std::time::Duration::from_secs(1), "later")),
            Then::BadSql => {
                sqlx::query("INSERT INTO nowhere VALUES (1)").execute(tx.conn()).await?;
            }
            Then::Panic => panic!("the toy panics"),
        }
        Ok(ReserveResponse { reservation_id: format!("{} of {}", self.quantity, call.saga) })
    }
}

/// Puts it back.
#[derive(Clone, Debug)]
pub struct Release {
    pub quantity: i64,
    pub fails: bool,
}

impl Release {
    pub fn of(quantity: i64) -> Self {
        Self { quantity, fails: false }
    }
}

#[async_trait]
impl Undo for Release {
    type Answer = ReleaseResponse;

    fn locks(&self) -> Vec<LockKey> {
        vec![LockKey::new("sku", "tea")]
    }

    async fn take_back(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        effect(tx, call, "release").await?;
        sqlx::query("UPDATE stock SET left_over = left_over + $1 WHERE sku = 'tea'")
            .bind(self.quantity)
            .execute(tx.conn())
            .await?;
        if self.fails {
            return Err(Refusal::new("WILL_NOT", "an undo that refuses").into());
        }
        Ok(())
    }
}
