//! Calls that may change something at the provider, each on record: the row is committed before the call is made, its
//! result after it. Reading is no attempt. Says what is still unknown; decides nothing.

use async_trait::async_trait;
use backstitch_failpoint::hit_of;
use participant_kit::{Background, CallMeta, Kit, OpError, Progress, Tx, patiently};
use sqlx::{AnyConnection, Row as _};

use crate::desk::{Desk, GONE_AFTER_MS, Trouble, key};
use crate::gateway::GatewayError;

const BEGIN: &str = include_str!("sql/attempts/begin.sql");
const END: &str = include_str!("sql/attempts/end.sql");
const OF_VERB: &str = include_str!("sql/attempts/of_verb.sql");
const OPEN_CAPTURE: &str = include_str!("sql/attempts/open_capture.sql");
const PURGE: [&str; 2] = [include_str!("sql/attempts/purge.sql"), include_str!("sql/webhooks/purge.sql")];

/// The result of a call that surely had no effect.
const NOT_EXECUTED: &str = "unavailable";

/// How long after it was put on record a call may still leave: together with the longest that a gateway waits for its
/// provider, no longer than until another process holds it to be gone.
const LEAVES_WITHIN_MS: i64 = GONE_AFTER_MS / 2;

/// The most rows of a table that one tick forgets.
const MOST: i64 = 1_000;
/// How often it is looked for old rows, in milliseconds.
const EVERY_MS: i64 = 60 * 60 * 1_000;

/// What is asked of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Confirm,
    Capture,
    Cancel,
    Refund,
}

impl Verb {
    /// The word in the ledger and in the provider's key.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Confirm => "confirm",
            Verb::Capture => "capture",
            Verb::Cancel => "cancel",
            Verb::Refund => "refund",
        }
    }
}

/// Writes that a call of this step is about to be made, and answers when. `payment` and `reference` (a refund's id) may be
/// empty.
pub(crate) async fn begin(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    verb: Verb,
    payment: &str,
    reference: &str,
) -> Result<i64, OpError> {
    let now_ms = tx.now_ms();
    sqlx::query(BEGIN)
        .bind(call.saga.to_string())
        .bind(&call.step)
        .bind(payment)
        .bind(verb.as_str())
        .bind(key(call, verb))
        .bind(reference)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(now_ms)
}

/// Writes how the call of this step ended that is open.
pub(crate) async fn end(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    verb: Verb,
    result: &str,
    why: &str,
) -> Result<(), OpError> {
    write(tx, call, verb.as_str(), result, why).await
}

/// The step is settled by what the provider showed: nothing of it is unknown any more.
pub(crate) async fn settled(tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
    write(tx, call, "", "settled", "").await
}

/// Whether the provider surely executed none of the calls of this verb that the step has made, and there was one: each
/// ended with that very answer. Such a call may be made again under its key; one that has no result may not.
pub(crate) async fn none_executed(
    conn: &mut AnyConnection,
    call: &CallMeta,
    verb: Verb,
) -> Result<bool, OpError> {
    let query = sqlx::query(OF_VERB).bind(call.saga.to_string()).bind(&call.step).bind(verb.as_str());
    let mut made = false;
    for row in query.fetch_all(conn).await? {
        let result: &str = row.try_get("result")?;
        if result != NOT_EXECUTED {
            return Ok(false);
        }
        made = true;
    }
    Ok(made)
}

/// When the newest capture of a payment began that has no result; None: every one has its result.
pub(crate) async fn open_capture(conn: &mut AnyConnection, payment: &str) -> Result<Option<i64>, OpError> {
    let query = sqlx::query(OPEN_CAPTURE).bind(payment);
    Ok(query.fetch_one(conn).await?.try_get("began_at_ms")?)
}

async fn write(tx: &mut Tx<'_>, call: &CallMeta, verb: &str, result: &str, why: &str) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    sqlx::query(END)
        .bind(call.saga.to_string())
        .bind(&call.step)
        .bind(verb)
        .bind(result)
        .bind(why)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

impl Desk {
    /// Makes a call that is on record before it, in a commit of its own, and after it.
    pub(crate) async fn attempt<T>(
        &self,
        call: &CallMeta,
        verb: Verb,
        (payment, reference): (&str, &str),
        ask: impl Future<Output = Result<T, GatewayError>>,
    ) -> Result<T, GatewayError> {
        self.not_early(None)?;
        let (owner, payment, reference) = (call.clone(), payment.to_owned(), reference.to_owned());
        let begun = self.kit.run(Vec::new(), move |tx| {
            let (call, payment, reference) = (owner.clone(), payment.clone(), reference.clone());
            Box::pin(async move { begin(tx, &call, verb, &payment, &reference).await })
        });
        let began_ms =
            begun.await.map_err(|error| GatewayError::unavailable(format!("not asked: {error}")))?;
        let answer = self.asked(call, verb, Some(began_ms), ask).await?;
        self.note(call, verb, "ok", "").await;
        Ok(answer)
    }

    /// Makes a call that [`begin`] has put on record at `began_ms`; what is not on record is not asked. What went well is
    /// written with what it comes to, by whoever records that; what did not is written here. A process that stood still
    /// in between does not make it: another one may hold it to be gone, and end what it is about.
    pub(crate) async fn asked<T>(
        &self,
        call: &CallMeta,
        verb: Verb,
        began_ms: Option<i64>,
        ask: impl Future<Output = Result<T, GatewayError>>,
    ) -> Result<T, GatewayError> {
        let Some(began_ms) = began_ms else {
            return Err(GatewayError::Broken("nothing is asked that is not on record".into()));
        };
        hit_of("payment.on_record", || verb.as_str().to_owned());
        let answer = match self.kit.clock().now_ms().saturating_sub(began_ms) {
            age_ms if age_ms > LEAVES_WITHIN_MS => {
                Err(GatewayError::unavailable(format!("not asked: {age_ms} ms late")))
            }
            _ => ask.await,
        };
        hit_of("payment.answered", || verb.as_str().to_owned());
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.note(call, verb, result(&error), &error.to_string()).await;
                Err(error)
            }
        }
    }

    /// As [`none_executed`], as it is committed now.
    pub(crate) async fn none_executed(&self, call: &CallMeta, verb: Verb) -> Result<bool, Trouble> {
        let asked = patiently(|| async {
            let mut conn = self.kit.reads().acquire().await?;
            none_executed(&mut conn, call, verb).await
        });
        Ok(asked.await?)
    }

    /// Whether another process may be about to send a capture of this payment, which a cancel must not overtake. No task of
    /// this process is: who cancels has the claim of its step, or the ledger's word that none is begun.
    pub(crate) async fn may_be_captured(&self, payment: &str) -> Result<bool, Trouble> {
        if self.alone {
            return Ok(false);
        }
        let began = patiently(|| async {
            let mut conn = self.kit.reads().acquire().await?;
            open_capture(&mut conn, payment).await
        });
        let now_ms = self.kit.clock().now_ms();
        Ok(began.await?.is_some_and(|began_ms| now_ms.saturating_sub(began_ms) <= GONE_AFTER_MS))
    }

    /// A result that cannot be written is not known, which is what the row says then.
    async fn note(&self, call: &CallMeta, verb: Verb, result: &'static str, why: &str) {
        let (owner, why) = (call.clone(), why.to_owned());
        let noted = self.kit.run(Vec::new(), move |tx| {
            let (call, why) = (owner.clone(), why.clone());
            Box::pin(async move { end(tx, &call, verb, result, &why).await })
        });
        if let Err(error) = noted.await {
            tracing::warn!(saga = %call.saga, step = call.step, verb = verb.as_str(), %error, "a result is not on record");
        }
    }
}

/// The word for an error.
fn result(error: &GatewayError) -> &'static str {
    match error {
        GatewayError::Refused(_) => "refused",
        GatewayError::Unavailable { .. } => NOT_EXECUTED,
        GatewayError::Unknown(_) => "unknown",
        GatewayError::Broken(_) => "broken",
    }
}

/// Forgets attempts and webhooks with the barrier rows of their time.
pub(crate) struct Forgetting {
    kit: Kit,
    next_ms: std::sync::atomic::AtomicI64,
}

impl Forgetting {
    pub(crate) fn new(kit: Kit) -> Self {
        Self { kit, next_ms: std::sync::atomic::AtomicI64::new(i64::MIN) }
    }

    async fn forget(&self) -> Result<u64, OpError> {
        let mut most = 0;
        for sql in PURGE {
            let purge = self.kit.run(Vec::new(), move |tx| {
                Box::pin(
                    async move { Ok(sqlx::query(sql).bind(MOST).execute(tx.conn()).await?.rows_affected()) },
                )
            });
            most = most.max(purge.await?);
        }
        Ok(most)
    }
}

#[async_trait]
impl Background for Forgetting {
    fn name(&self) -> &'static str {
        "forgetting attempts"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        use std::sync::atomic::Ordering::Relaxed;
        if now_ms < self.next_ms.load(Relaxed) {
            return Progress::idle();
        }
        let deleted = match self.forget().await {
            Ok(deleted) => deleted,
            Err(error) => return Progress::failed(format!("old attempts stay: {error}")),
        };
        let more = deleted >= MOST.unsigned_abs();
        if !more {
            self.next_ms.store(now_ms.saturating_add(EVERY_MS), Relaxed);
        }
        Progress::done(usize::try_from(deleted).unwrap_or(usize::MAX), more)
    }
}
