//! Versions of definitions over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::parse::{JsonBody, Segments};
use super::reply;
use crate::app::App;
use crate::definitions::{self, MAX_NAME};
use crate::json;
use crate::problem::Problem;

/// `GET /operator/v1/definitions`
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok(reply::json(StatusCode::OK, &definitions::list(&app).await?))
}

/// `POST /operator/v1/definitions/{name}/versions/{version}`
pub(super) async fn switch(
    State(app): State<Arc<App>>,
    Segments(name, version): Segments,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let name = name.words("name", MAX_NAME)?;
    let version = version.number("version", 0, u32::MAX.into())?;
    let mut decision = json::object(&body)?;
    let (on, reason) = (decision.flag("on")?, decision.text("reason")?);
    decision.finish()?;
    Ok(reply::json(StatusCode::OK, &definitions::switch(&app, &name, version, on, &reason).await?))
}
