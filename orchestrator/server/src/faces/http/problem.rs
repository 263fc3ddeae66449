//! Problems as RFC 9457 `application/problem+json`, and the documentation of their kinds.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::{measure, reply};
use crate::problem::{ALL, Kind, Problem, kind};

/// The media type of every error body.
pub(super) const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A problem as it is written: the standard members first, then ours.
struct Written<'a>(&'a Problem);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let problem = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format_args!("/problems/{}", problem.kind().slug))?;
        map.serialize_entry("title", problem.kind().title)?;
        map.serialize_entry("status", &problem.kind().status)?;
        map.serialize_entry("detail", problem.detail())?;
        if let Some(field) = problem.field() {
            map.serialize_entry("field", field)?;
        }
        for (name, value) in problem.extras() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        measure::problem(&self);
        let status = StatusCode::from_u16(self.kind().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&Written(&self)).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, MEDIA_TYPE);
        if let Some(after) = self.after() {
            let seconds = after.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::try_from(seconds.to_string()) {
                headers.insert(header::RETRY_AFTER, value);
            }
        }
        if let Some(value) = self.place().and_then(|place| HeaderValue::try_from(place).ok()) {
            headers.insert(header::LOCATION, value);
        }
        response
    }
}

/// A kind as `/problems` documents it.
#[derive(Serialize)]
struct Documented {
    r#type: String,
    title: &'static str,
    status: u16,
    grpc_code: String,
    meaning: &'static str,
}

impl Documented {
    fn of(kind: &Kind) -> Self {
        Self {
            r#type: format!("/problems/{}", kind.slug),
            title: kind.title,
            status: kind.status,
            grpc_code: grpc_name(kind.code),
            meaning: kind.meaning,
        }
    }
}

/// `ResourceExhausted` as `RESOURCE_EXHAUSTED`.
fn grpc_name(code: tonic::Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

/// `GET /problems`
pub(super) async fn list() -> Response {
    let kinds: Vec<_> = ALL.iter().map(|kind| Documented::of(kind)).collect();
    reply::json(StatusCode::OK, &serde_json::json!({ "problems": kinds }))
}

/// `GET /problems/{slug}`
pub(super) async fn get(Path(slug): Path<String>) -> Result<Response, Problem> {
    match ALL.iter().find(|kind| kind.slug == slug) {
        Some(kind) => Ok(reply::json(StatusCode::OK, &Documented::of(kind))),
        None => Err(Problem::new(&kind::UNKNOWN_PROBLEM, "No kind of problem has this name.").at("slug")),
    }
}

/// A path that nothing is at.
pub(super) async fn unknown_path() -> Problem {
    Problem::new(
        &kind::UNKNOWN_PATH,
        "There is nothing at this path; GET /openapi.json lists those that there are.",
    )
}

/// A path that has other methods only; the router names them in `Allow`.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(&kind::METHOD_NOT_ALLOWED, "This path does not have this method.")
}

/// A handler panicked. The panic itself was reported by the panic hook.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    Problem::new(&kind::INTERNAL, "The request ended in a bug.").into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::to_bytes;

    use super::*;

    async fn body(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_is_written_with_its_standard_members_first() {
        let problem = Problem::new(&kind::UNKNOWN_SKU, "`X` is not a product.")
            .at("/items/3/sku")
            .with("sku", "X")
            .with("index", 3);
        let response = problem.into_response();
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(
            body(response).await,
            concat!(
                r#"{"type":"/problems/unknown-sku","title":"The cart has something that is not sold here.","#,
                r#""status":422,"detail":"`X` is not a product.","field":"/items/3/sku","sku":"X","index":3}"#
            )
        );
    }

    #[tokio::test]
    async fn a_hint_when_to_come_back_is_whole_seconds_and_never_none() {
        for (after, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (30_000, "30")] {
            let problem = Problem::new(&kind::BUSY, "Busy.").retry_after(Duration::from_millis(after));
            assert_eq!(problem.into_response().headers()["retry-after"], seconds);
        }
        let response = Problem::new(&kind::CART_IN_CHECKOUT, "Held.").location("/x".into()).into_response();
        assert_eq!(response.headers()["location"], "/x");
        assert!(response.headers().get("retry-after").is_none());
    }

    #[tokio::test]
    async fn every_kind_is_documented_under_its_type() {
        for kind in ALL {
            let response = get(Path(kind.slug.to_owned())).await.unwrap();
            let document: serde_json::Value = serde_json::from_str(&body(response).await).unwrap();
            assert_eq!(document["type"], format!("/problems/{}", kind.slug));
            assert_eq!(document["status"], kind.status);
        }
        assert_eq!(get(Path("nothing".into())).await.unwrap_err().kind().status, 404);
        let all: serde_json::Value = serde_json::from_str(&body(list().await).await).unwrap();
        assert_eq!(all["problems"].as_array().unwrap().len(), ALL.len());
        assert_eq!(grpc_name(tonic::Code::ResourceExhausted), "RESOURCE_EXHAUSTED");
    }
}
