//! What is shown of payments, refunds, attempts, webhooks and the provider's objects: rows to messages, and pages of them.

use std::collections::HashMap;

use backstitch_proto::money::Money;
use backstitch_proto::payment::{
    AttemptDocument, GetProviderObjectRequest, ListPaymentsRequest, ListPaymentsResponse,
    ListProviderObjectsRequest, ListProviderObjectsResponse, PaymentDocument, ProviderObject, RefundDocument,
    UnreadableObject, Webhook,
};
use participant_kit::{OpError, status, text};
use sqlx::{AnyConnection, Row as _};
use tonic::Status;
use uuid::Uuid;

use crate::cases;
use crate::desk::Desk;
use crate::gateway::{
    GatewayError, Listed, ProviderId, ProviderRefund, ProviderState, RefundState, Unreadable,
};
use crate::ledger::{self, Which};
use crate::payment::Payment;
use crate::place::Place;
use crate::refunds::{self, Refund};
use crate::webhooks::inbox::Kept;

/// Payments on a page unless told, and at most.
const PAGE: i32 = 100;
const LARGEST_PAGE: i32 = 1_000;

/// The longest token of a provider's page, or id of its object.
const TOKEN_CHARACTERS: usize = 500;

/// A page of payments, oldest first. Its token is its last payment, which is kept for ever.
pub(crate) async fn payments(
    desk: &Desk,
    request: ListPaymentsRequest,
) -> Result<ListPaymentsResponse, Status> {
    let ListPaymentsRequest { page_size: size, page_token, created_from_unix_ms: from_ms, open, provider_id } =
        request;
    let size = page_size(size)?;
    if from_ms < 0 {
        return Err(status::invalid("created_from_unix_ms", "must not be negative"));
    }
    text::optional(&provider_id, TOKEN_CHARACTERS).map_err(|why| status::invalid("provider_id", why))?;
    let mut conn = desk.kit.reads().acquire().await.map_err(OpError::from)?;
    if !provider_id.is_empty() {
        let object = ProviderId::new(provider_id);
        let found = ledger::by_object(&mut conn, desk.gateway.name(), &object).await?;
        let payments = shown(&mut conn, found.as_slice(), Which::Open).await?;
        return Ok(ListPaymentsResponse { payments, next_page_token: String::new() });
    }
    let mut after = Place::before(from_ms);
    if !page_token.is_empty() {
        let id = text::uuid(&page_token).map_err(|why| status::invalid("page_token", why))?;
        let last = ledger::load(&mut conn, id).await?;
        let last = last.ok_or_else(|| status::invalid("page_token", "is no payment"))?;
        after = after.max(Place { at_ms: last.created_at_ms, id: last.id.to_string() });
    }
    let which = if open { Which::Open } else { Which::All };
    let payments = ledger::list(&mut conn, which, &after, i64::from(size)).await?;
    let full = i32::try_from(payments.len()).is_ok_and(|count| count == size);
    let next = payments.last().filter(|_| full).map(|last| last.id.to_string());
    Ok(ListPaymentsResponse {
        payments: shown(&mut conn, &payments, which).await?,
        next_page_token: next.unwrap_or_default(),
    })
}

/// Payments of a list with their refunds and cases.
async fn shown(
    conn: &mut AnyConnection,
    payments: &[Payment],
    which: Which,
) -> Result<Vec<PaymentDocument>, OpError> {
    let mut refunds: HashMap<Uuid, Vec<Refund>> = HashMap::new();
    match (which, payments) {
        // All that were created in this time: one read.
        (Which::All, [first, .., last]) => {
            for refund in refunds::of_page(conn, first, last).await? {
                refunds.entry(refund.payment).or_default().push(refund);
            }
        }
        // A few of those: one read each.
        _ => {
            for payment in payments {
                refunds.insert(payment.id, refunds::of_payment(conn, payment.id).await?);
            }
        }
    }
    let mut documents = Vec::with_capacity(payments.len());
    for one in payments {
        let refunds = refunds.remove(&one.id).unwrap_or_default();
        documents.push(with_cases(conn, one, &refunds).await?);
    }
    Ok(documents)
}

/// Only a refund that failed can have a case.
async fn with_cases(
    conn: &mut AnyConnection,
    found: &Payment,
    refunds: &[Refund],
) -> Result<PaymentDocument, OpError> {
    let mut document = payment(found, refunds);
    if refunds.iter().any(|refund| refund.status == refunds::Status::Failed) {
        document.cases = cases::of_payment(conn, found.id).await?;
    }
    Ok(document)
}

/// How many a page has, as a request says it.
pub(crate) fn page_size(asked: i32) -> Result<i32, Status> {
    match asked {
        0 => Ok(PAGE),
        size if (1..=LARGEST_PAGE).contains(&size) => Ok(size),
        size => Err(status::invalid("page_size", format!("must be from 1 to {LARGEST_PAGE}, not {size}"))),
    }
}

/// One payment with everything there is to tell.
pub(crate) async fn whole(conn: &mut AnyConnection, found: &Payment) -> Result<PaymentDocument, OpError> {
    let refunds = refunds::of_payment(conn, found.id).await?;
    let document = with_cases(conn, found, &refunds).await?;
    Ok(PaymentDocument { attempts: attempts(conn, found.id).await?, ..document })
}

fn payment(payment: &Payment, refunds: &[Refund]) -> PaymentDocument {
    PaymentDocument {
        payment_id: payment.id.to_string(),
        status: payment.status.as_str().to_owned(),
        amount: Some(Money::to_proto(payment.amount)),
        captured_minor: payment.captured_minor,
        refunded_minor: payment.refunded_minor,
        provider_id: payment.provider_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        saga_id: payment.saga.to_string(),
        order_id: payment.order_id.clone(),
        provider: payment.provider.clone(),
        capture_before_unix_ms: payment.capture_before_ms,
        created_at_unix_ms: payment.created_at_ms,
        updated_at_unix_ms: payment.updated_at_ms,
        refunds: refunds.iter().map(refund).collect(),
        authorized_minor: payment.authorized_minor,
        root_id: payment.root.to_string(),
        voided_minor: payment.voided_minor,
        released_minor: payment.released_minor,
        attempts: Vec::new(),
        cases: Vec::new(),
    }
}

fn refund(refund: &Refund) -> RefundDocument {
    RefundDocument {
        refund_id: refund.id.to_string(),
        status: refund.status.as_str().to_owned(),
        amount_minor: refund.amount_minor,
        provider_id: refund.provider_id.clone(),
        saga_id: refund.saga.to_string(),
    }
}

async fn attempts(conn: &mut AnyConnection, payment: Uuid) -> Result<Vec<AttemptDocument>, OpError> {
    let query = sqlx::query(include_str!("sql/attempts/of_payment.sql")).bind(payment.to_string());
    let rows = query.fetch_all(conn).await?;
    let attempt = |row: &sqlx::any::AnyRow| {
        Ok(AttemptDocument {
            verb: row.try_get("verb")?,
            result: row.try_get("result")?,
            why: row.try_get("why")?,
            saga_id: row.try_get("saga_id")?,
            step: row.try_get("step")?,
            began_at_unix_ms: row.try_get("began_at_ms")?,
            ended_at_unix_ms: row.try_get("ended_at_ms")?,
        })
    };
    rows.iter().map(attempt).collect()
}

/// A page of the provider's own list.
pub(crate) async fn objects(
    desk: &Desk,
    request: ListProviderObjectsRequest,
) -> Result<ListProviderObjectsResponse, Status> {
    if request.created_from_unix_ms < 0 {
        return Err(status::invalid("created_from_unix_ms", "must not be negative"));
    }
    text::optional(&request.page_token, TOKEN_CHARACTERS)
        .map_err(|why| status::invalid("page_token", why))?;
    let token = (!request.page_token.is_empty()).then_some(request.page_token.as_str());
    let page = desk.gateway.list(request.created_from_unix_ms, token).await.map_err(unlisted)?;
    Ok(ListProviderObjectsResponse {
        objects: page.objects.into_iter().map(object).collect(),
        unreadable: page.unreadable.into_iter().map(unreadable).collect(),
        next_page_token: page.next.unwrap_or_default(),
        provider: desk.gateway.name().to_owned(),
    })
}

/// One object of the provider.
pub(crate) async fn provider_object(
    desk: &Desk,
    request: GetProviderObjectRequest,
) -> Result<ProviderObject, Status> {
    let id = request.provider_id;
    text::required(&id, TOKEN_CHARACTERS).map_err(|why| status::invalid("provider_id", why))?;
    let found = desk.gateway.find(&ProviderId::new(id.as_str())).await.map_err(unlisted)?;
    found.map(object).ok_or_else(|| status::not_found("object", &id))
}

fn unlisted(error: GatewayError) -> Status {
    match error {
        GatewayError::Unavailable { .. } | GatewayError::Unknown(_) => Status::unavailable(error.to_string()),
        GatewayError::Refused(_) => status::invalid("page_token", error.to_string()),
        GatewayError::Broken(_) => Status::internal(error.to_string()),
    }
}

fn unreadable(Unreadable { id, why }: Unreadable) -> UnreadableObject {
    UnreadableObject { provider_id: id, why }
}

fn object(listed: Listed) -> ProviderObject {
    let Listed { object, saga, order_id, created_at_ms, refunds, disputed } = listed;
    let capture_before_unix_ms = match object.state {
        ProviderState::Authorized { capture_before_ms } => capture_before_ms,
        _ => 0,
    };
    ProviderObject {
        provider_id: object.id.to_string(),
        payment_id: object.reference.map(|id| id.to_string()).unwrap_or_default(),
        saga_id: saga.map(|id| id.to_string()).unwrap_or_default(),
        order_id,
        amount: Some(object.amount.to_proto()),
        state: state(&object.state).to_owned(),
        authorized_minor: object.authorized_minor,
        captured_minor: object.captured_minor,
        refunded_minor: object.refunded_minor,
        created_at_unix_ms: created_at_ms,
        capture_before_unix_ms,
        refunds: refunds.iter().map(shown_refund).collect(),
        disputed,
    }
}

fn shown_refund(refund: &ProviderRefund) -> RefundDocument {
    let status = match refund.state {
        RefundState::Pending => refunds::Status::Pending,
        RefundState::Succeeded => refunds::Status::Done,
        RefundState::Failed => refunds::Status::Failed,
    };
    RefundDocument {
        refund_id: refund.reference.map(|id| id.to_string()).unwrap_or_default(),
        status: status.as_str().to_owned(),
        amount_minor: refund.amount.minor,
        provider_id: refund.id.clone(),
        saga_id: String::new(),
    }
}

/// The word for a state in documents. One that was declined and is open holds nothing, as one that was just made.
pub(crate) fn state(state: &ProviderState) -> &'static str {
    match state {
        ProviderState::Created | ProviderState::Declined(_) => "created",
        ProviderState::CustomerAction(_) => "customer_action",
        ProviderState::Authorized { .. } => "authorized",
        ProviderState::Captured => "captured",
        ProviderState::Cancelled => "cancelled",
        ProviderState::Refused(_) => "refused",
    }
}

/// A webhook that is not done.
pub(crate) fn webhook(kept: Kept) -> Webhook {
    Webhook {
        event_id: kept.event_id,
        kind: kept.kind,
        provider_id: kept.object,
        status: kept.status,
        why: kept.why,
        tries: kept.tries,
        received_at_unix_ms: kept.received_at_ms,
    }
}
