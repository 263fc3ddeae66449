//! Starting the synthetic saga of the benchmark. Offered by option only; on its hot path nothing is done that the
//! measurement is not about.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use backstitch_engine::{NewRun, Started};
use backstitch_proto::noop::SyntheticInput;
use prost::Message as _;
use serde::Serialize;
use uuid::Uuid;

use super::parse::{self, RawBody};
use super::reply;
use crate::app::App;
use crate::failures;
use crate::problem::Problem;
use crate::request::Canonical;

const DEFINITION: &str = "synthetic";
/// Its keys never meet those of checkouts.
const KEY_SCOPE: &str = "bench";

#[derive(Serialize)]
struct Receipt {
    saga_id: Uuid,
    status: &'static str,
}

/// `POST /bench/v1/sagas`: the body is the payload that every step carries.
pub(super) async fn start(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawBody(payload): RawBody,
) -> Result<Response, Problem> {
    let key = parse::optional_key(&headers)?;
    let request_hash = match key {
        None => [0; 32],
        Some(_) => {
            let mut hash = Canonical::new("synthetic/1");
            hash.bytes(&payload);
            hash.finish()
        }
    };
    let run = NewRun {
        id: Uuid::now_v7(),
        root: None,
        definition: DEFINITION.to_owned(),
        scope: KEY_SCOPE.to_owned(),
        key: key.map(str::to_owned),
        request_hash,
        input: SyntheticInput { payload }.encode_to_vec().into(),
        traceparent: parse::traceparent(headers.get("traceparent").map(|v| v.as_bytes())),
    };
    let started = app.engine.start(run).await.map_err(|error| failures::start(&app.engine, error))?;
    let (saga_id, rested) = match (started, parse::wait(&headers)) {
        (Started::New(id, follow), Some(wait)) => (id, follow.rested(wait).await),
        (Started::Existing(id), Some(wait)) => {
            (id, app.engine.wait_final(id, wait).await.map_err(failures::read)?)
        }
        (Started::New(id, _), None) => (id, None),
        (Started::Existing(id), None) => (id, app.engine.view(id).await.map_err(failures::read)?),
    };
    let status = rested.map_or(backstitch_core::Status::Running, |view| view.state.status());
    let code = if status.is_final() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(reply::json(code, &Receipt { saga_id, status: status.as_str() }))
}
