//! The operator's view over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::parse::{JsonBody, Parameters, Segment};
use super::reply;
use crate::app::App;
use crate::json;
use crate::peers::Asker;
use crate::problem::Problem;
use crate::sagas::{self, MAX_PAGE, Wanted};

/// `GET /operator/v1/sagas`
pub(super) async fn list(State(app): State<Arc<App>>, mut query: Parameters) -> Result<Response, Problem> {
    let wanted = Wanted {
        status: query.take("status").unwrap_or_default(),
        definition: query.take("definition").unwrap_or_default(),
        started_from_unix_ms: query.number("started_from_unix_ms", i64::MIN, i64::MAX)?,
        started_until_unix_ms: query.number("started_until_unix_ms", i64::MIN, i64::MAX)?,
        page_size: query.number("page_size", 1, MAX_PAGE)?,
        cursor: query.take("cursor").unwrap_or_default(),
    };
    query.finish()?;
    Ok(reply::json(StatusCode::OK, &sagas::list(&app, wanted).await?))
}

/// `GET /operator/v1/sagas/{saga_id}`
pub(super) async fn get(State(app): State<Arc<App>>, saga_id: Segment) -> Result<Response, Problem> {
    Ok(reply::json(StatusCode::OK, &sagas::get(&app, saga_id.id("saga_id")?).await?))
}

/// `POST /operator/v1/sagas/{saga_id}/resume`
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    saga_id: Segment,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let id = saga_id.id("saga_id")?;
    let (reason, seq) = decision(&body)?;
    Ok(reply::json(StatusCode::OK, &sagas::resume(&app, id, &reason, seq, Asker::Client).await?))
}

/// `POST /operator/v1/sagas/{saga_id}/make-good`
pub(super) async fn make_good(
    State(app): State<Arc<App>>,
    saga_id: Segment,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let id = saga_id.id("saga_id")?;
    let (reason, seq) = decision(&body)?;
    Ok(reply::json(StatusCode::OK, &sagas::make_good(&app, id, &reason, seq, Asker::Client).await?))
}

/// A person's reason, and the record that they saw last.
fn decision(body: &[u8]) -> Result<(String, i64), Problem> {
    let mut decision = json::object(body)?;
    let told = (decision.text("reason")?, decision.int("seq")?);
    decision.finish()?;
    Ok(told)
}

/// `POST /operator/v1/sagas/{saga_id}/notes`
pub(super) async fn note(
    State(app): State<Arc<App>>,
    saga_id: Segment,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let id = saga_id.id("saga_id")?;
    let mut note = json::object(&body)?;
    let text = note.text("text")?;
    note.finish()?;
    Ok(reply::json(StatusCode::OK, &sagas::note(&app, id, &text, Asker::Client).await?))
}
