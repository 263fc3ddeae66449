//! Cases: refunds that failed after they had been reported as done, or that an undo needed. A saga stays parked until a
//! person has written down how the customer got the money: one of the case's own, or the one that is being undone.

use std::collections::BTreeMap;

use async_trait::async_trait;
use backstitch_proto::money::{Currency, Money};
use backstitch_proto::payment::{
    Case, ListCasesRequest, ListCasesResponse, ResolveCaseRequest, SettleCaseRequest, SettleCaseResponse,
};
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx, status, text};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};
use tonic::Status;
use uuid::Uuid;

use crate::documents::page_size;
use crate::payment::Payment;
use crate::place::Place;
use crate::refunds::Refund;

const LOAD: &str = include_str!("sql/cases/load.sql");
const LIST: &str = include_str!("sql/cases/list.sql");
const LIST_OPEN: &str = include_str!("sql/cases/list_open.sql");

/// The longest resolution.
const CHARACTERS: usize = 500;

/// What everything about a case contends for.
fn lock(id: Uuid) -> LockKey {
    LockKey::new("case", &id.to_string())
}

/// Opens the case of a refund that failed.
pub(crate) async fn open(
    tx: &mut Tx<'_>,
    refund: &Refund,
    payment: &Payment,
    why: &str,
) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    sqlx::query(include_str!("sql/cases/open.sql"))
        .bind(refund.id.to_string())
        .bind(payment.id.to_string())
        .bind(&payment.order_id)
        .bind(payment.root.to_string())
        .bind(refund.amount_minor)
        .bind(payment.amount.currency.as_str())
        .bind(why)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Opens the case of a refund that an undo needs, and finds it: what the person is asked to do, or None once it is done.
pub(crate) async fn of_undo(
    tx: &mut Tx<'_>,
    refund: &Refund,
    payment: &Payment,
) -> Result<Option<String>, OpError> {
    open(tx, refund, payment, &refund.why).await?;
    let case = load(tx.conn(), refund.id).await?;
    Ok(case.and_then(|case| wanted(&case)))
}

/// What a person has to do about a case that is not resolved.
fn wanted(case: &Case) -> Option<String> {
    let (refund, why) = (&case.case_id, &case.why);
    case.resolution.is_empty().then(|| {
        format!(
            "the refund {refund} failed ({why}): give the customer the money another way, resolve the case with what was \
             done, then resume"
        )
    })
}

async fn load(conn: &mut AnyConnection, id: Uuid) -> Result<Option<Case>, OpError> {
    let row = sqlx::query(LOAD).bind(id.to_string()).fetch_optional(conn).await?;
    row.map(|row| case(&row)).transpose()
}

/// The cases of a payment's refunds, oldest first.
pub(crate) async fn of_payment(conn: &mut AnyConnection, payment: Uuid) -> Result<Vec<Case>, OpError> {
    let query = sqlx::query(include_str!("sql/cases/of_payment.sql")).bind(payment.to_string());
    query.fetch_all(conn).await?.iter().map(case).collect()
}

/// A page of the cases, oldest first. Its token is its last case, which is kept for ever.
pub(crate) async fn list(
    conn: &mut AnyConnection,
    request: &ListCasesRequest,
) -> Result<ListCasesResponse, Status> {
    let size = page_size(request.page_size)?;
    let after = match request.page_token.as_str() {
        "" => Place::before(i64::MIN),
        token => {
            let id = text::uuid(token).map_err(|why| status::invalid("page_token", why))?;
            let last = load(conn, id).await?.ok_or_else(|| status::invalid("page_token", "is no case"))?;
            Place { at_ms: last.opened_at_unix_ms, id: last.case_id }
        }
    };
    let sql = if request.open { LIST_OPEN } else { LIST };
    let query = sqlx::query(sql).bind(after.at_ms).bind(&after.id).bind(i64::from(size));
    let rows = query.fetch_all(conn).await.map_err(OpError::from)?;
    let cases = rows.iter().map(case).collect::<Result<Vec<_>, _>>()?;
    let full = i32::try_from(cases.len()).is_ok_and(|count| count == size);
    let next = cases.last().filter(|_| full).map(|last| last.case_id.clone());
    Ok(ListCasesResponse { cases, next_page_token: next.unwrap_or_default() })
}

fn case(row: &AnyRow) -> Result<Case, OpError> {
    let currency: &str = row.try_get("currency")?;
    let currency = Currency::parse(currency).map_err(|e| OpError::broken(e.to_string()))?;
    Ok(Case {
        case_id: row.try_get("case_id")?,
        payment_id: row.try_get("payment_id")?,
        order_id: row.try_get("order_id")?,
        root_id: row.try_get("root_id")?,
        amount: Some(Money::new(row.try_get("amount_minor")?, currency).to_proto()),
        why: row.try_get("why")?,
        opened_at_unix_ms: row.try_get("opened_at_ms")?,
        resolution: row.try_get("resolution")?,
        resolved_at_unix_ms: row.try_get("resolved_at_ms")?,
    })
}

/// A person's word about a case.
pub(crate) struct Resolution {
    case: Uuid,
    words: String,
}

impl Resolution {
    pub(crate) fn parse(request: ResolveCaseRequest) -> Result<Self, Status> {
        let case = text::uuid(&request.case_id).map_err(|why| status::invalid("case_id", why))?;
        text::required(&request.resolution, CHARACTERS).map_err(|why| status::invalid("resolution", why))?;
        Ok(Self { case, words: request.resolution })
    }

    pub(crate) fn locks(&self) -> Vec<LockKey> {
        vec![lock(self.case)]
    }

    /// Writes it down once; the case as it is then.
    pub(crate) async fn write(&self, tx: &mut Tx<'_>) -> Result<Case, OpError> {
        let (id, now_ms) = (self.case.to_string(), tx.now_ms());
        let resolve =
            sqlx::query(include_str!("sql/cases/resolve.sql")).bind(&id).bind(&self.words).bind(now_ms);
        resolve.execute(tx.conn()).await?;
        match load(tx.conn(), self.case).await? {
            None => Err(OpError::Status(status::not_found("case", &id))),
            Some(case) if case.resolution == self.words => Ok(case),
            Some(case) => {
                let facts = BTreeMap::from([("resolution".to_owned(), case.resolution)]);
                let why = "the case is resolved already, in other words; nothing was changed";
                Err(OpError::Status(status::precondition("ALREADY_RESOLVED", why, facts)))
            }
        }
    }
}

/// The action of a case's saga: done once the case is resolved.
#[derive(Clone)]
pub(crate) struct SettleCase {
    case: Uuid,
}

impl SettleCase {
    /// Parses a request; the words say which field is wrong.
    pub(crate) fn parse(request: &SettleCaseRequest) -> Result<Self, String> {
        Ok(Self { case: text::uuid(&request.case_id).map_err(|e| format!("case_id {e}"))? })
    }
}

#[async_trait]
impl Action for SettleCase {
    type Answer = SettleCaseResponse;

    fn identity(&self) -> Identity {
        Identity::new("SettleCase").text("case_id", &self.case.to_string())
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![lock(self.case)]
    }

    async fn perform(&self, tx: &mut Tx<'_>, _call: &CallMeta) -> Result<SettleCaseResponse, OpError> {
        let Some(case) = load(tx.conn(), self.case).await? else {
            return Err(OpError::broken(format!("there is no case {}", self.case)));
        };
        match wanted(&case) {
            Some(wanted) => Err(OpError::broken(wanted)),
            None => Ok(SettleCaseResponse { resolution: case.resolution }),
        }
    }
}
