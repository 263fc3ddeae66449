//! Repairs and refund cases over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use backstitch_proto::common::Money;
use backstitch_proto::operator::RepairObjectRequest;
use backstitch_proto::payment::{Case, ListCasesRequest};
use serde::Serialize;

use super::parse::{JsonBody, Parameters, Segment};
use super::reply;
use crate::app::App;
use crate::peers::Asker;
use crate::problem::{Problem, kind};
use crate::repairs::{self, Repair};
use crate::{cases, fields, json};

/// A case as it is told.
#[derive(Serialize)]
struct Document {
    case_id: String,
    payment_id: String,
    order_id: String,
    /// The checkout that was paid.
    checkout_id: String,
    amount: Option<Money>,
    why: String,
    opened_at_unix_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at_unix_ms: Option<i64>,
}

impl From<Case> for Document {
    fn from(case: Case) -> Self {
        let resolved = !case.resolution.is_empty();
        Self {
            case_id: case.case_id,
            payment_id: case.payment_id,
            order_id: case.order_id,
            checkout_id: case.root_id,
            amount: case.amount,
            why: case.why,
            opened_at_unix_ms: case.opened_at_unix_ms,
            resolution: resolved.then_some(case.resolution),
            resolved_at_unix_ms: resolved.then_some(case.resolved_at_unix_ms),
        }
    }
}

#[derive(Serialize)]
struct Cases {
    cases: Vec<Document>,
    #[serde(skip_serializing_if = "String::is_empty")]
    next_cursor: String,
}

/// `POST /operator/v1/repairs`
pub(super) async fn start(
    State(app): State<Arc<App>>,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let mut o = json::object(&body)?;
    let message = RepairObjectRequest {
        provider_id: o.text("provider_id")?,
        state: o.text("state")?,
        saga_id: o.optional_text("saga_id")?,
        reason: o.text("reason")?,
    };
    o.finish()?;
    let repair = repairs::start(&app, Repair::check(message)?, Asker::Client).await?;
    Ok(reply::json(StatusCode::ACCEPTED, &repair))
}

/// `GET /operator/v1/cases`
pub(super) async fn cases(State(app): State<Arc<App>>, mut query: Parameters) -> Result<Response, Problem> {
    let open = match query.take("open").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::new(&kind::INVALID_PARAMETER, "It must be true or false.").at("open")),
    };
    let page_size = query.number("page_size", 1, 1000)?.unwrap_or(100);
    let page_token = query.take("cursor").unwrap_or_default();
    query.finish()?;
    if !page_token.is_empty() {
        fields::id("cursor", &page_token)?;
    }
    let page_size = i32::try_from(page_size).unwrap_or(i32::MAX);
    let page = cases::list(&app, ListCasesRequest { open, page_size, page_token }).await?;
    let cases = page.cases.into_iter().map(Document::from).collect();
    Ok(reply::json(StatusCode::OK, &Cases { cases, next_cursor: page.next_page_token }))
}

/// `POST /operator/v1/cases/{case_id}/resolution`
pub(super) async fn resolve(
    State(app): State<Arc<App>>,
    case_id: Segment,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let case = case_id.id("case_id")?;
    let mut o = json::object(&body)?;
    let resolution = o.text("resolution")?;
    o.finish()?;
    Ok(reply::json(StatusCode::OK, &Document::from(cases::resolve(&app, case, &resolution).await?)))
}
