//! What a request says beside its meaning: body, path, query, headers. Every refusal names the place.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use backstitch_proto::cards;
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use uuid::Uuid;

use crate::fields;
use crate::problem::{Problem, kind};

/// The most bytes a body may have.
pub(super) const BODY_LIMIT: usize = 1 << 20;
/// How much of what is too large is read and thrown away.
const LINGER: usize = 8 << 20;
/// The longest time that a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// The longest wait that a client may ask for.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(30);

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// A body that is announced as JSON, or not announced at all.
pub(super) struct JsonBody(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if let Some(announced) = request.headers().get(header::CONTENT_TYPE)
            && !is_json(announced.as_bytes())
        {
            let detail = "A body is announced as application/json, or not at all.";
            return Err(Problem::new(&kind::UNSUPPORTED_MEDIA_TYPE, detail).at("Content-Type"));
        }
        Ok(Self(whole(request).await?))
    }
}

/// A body of any kind.
pub(super) struct RawBody(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        Ok(Self(whole(request).await?))
    }
}

/// `application/json` or `application/…+json`, with any parameters.
fn is_json(media_type: &[u8]) -> bool {
    let essence =
        media_type.split(|b| *b == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    essence.strip_prefix(b"application/").is_some_and(|sub| sub == b"json" || sub.ends_with(b"+json"))
}

async fn whole(request: Request) -> Result<Bytes, Problem> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    let announced = announced.and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
    let asks_first = request.headers().contains_key(header::EXPECT);
    // Who has not begun to send it is told at once.
    if announced > BODY_LIMIT as u64 && (asks_first || announced > (BODY_LIMIT + LINGER) as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIME, gather(request.into_body())).await {
        Ok(_) if announced > BODY_LIMIT as u64 => Err(too_large()),
        Ok(gathered) => gathered,
        Err(_) => Err(Problem::new(&kind::BODY_TIMEOUT, "The body did not arrive in time.")),
    }
}

/// Reads a body to its end and keeps it if it is not too large. A client that is still sending when it is answered
/// loses the answer with the connection, so that what is too large is read on for a while and thrown away.
async fn gather(mut body: Body) -> Result<Bytes, Problem> {
    let (mut first, mut rest, mut size) = (Bytes::new(), BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Problem::new(&kind::MALFORMED_JSON, format!("The body did not arrive whole: {error}.")).at("")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        size += data.len();
        if size > BODY_LIMIT + LINGER {
            break;
        } else if first.is_empty() {
            // Nearly every body is one frame, which is not copied.
            first = data;
        } else if size <= BODY_LIMIT {
            rest.extend_from_slice(&data);
        }
    }
    if size > BODY_LIMIT {
        return Err(too_large());
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(size);
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

fn too_large() -> Problem {
    Problem::new(&kind::BODY_TOO_LARGE, format!("The body has more than {BODY_LIMIT} bytes."))
        .at("")
        .with("limit_bytes", BODY_LIMIT)
}

/// The one parameter of a path.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        read.map(|Path(text)| Self(text)).map_err(|_| {
            Problem::new(&kind::INVALID_PARAMETER, "The path must be percent-encoded UTF-8.").at("path")
        })
    }
}

impl Segment {
    /// As a text of 1 to `most` characters.
    pub(super) fn words(self, name: &'static str, most: usize) -> Result<String, Problem> {
        fields::text(&kind::INVALID_PARAMETER, name, &self.0, most)?;
        Ok(self.0)
    }

    /// As a whole number between two bounds.
    pub(super) fn number(self, name: &'static str, least: i64, most: i64) -> Result<i64, Problem> {
        let number = self.0.parse::<i64>().ok().filter(|n| (least..=most).contains(n));
        number.ok_or_else(|| {
            let detail = format!("It must be a whole number {}.", fields::range(least, most));
            Problem::new(&kind::INVALID_PARAMETER, detail).at(name)
        })
    }

    /// As a UUID.
    pub(super) fn id(self, name: &'static str) -> Result<Uuid, Problem> {
        fields::id(name, &self.0)
    }
}

/// The two parameters of a path.
pub(super) struct Segments(pub(super) Segment, pub(super) Segment);

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<Path<(String, String)>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        read.map(|Path((first, second))| Self(Segment(first), Segment(second))).map_err(|_| {
            Problem::new(&kind::INVALID_PARAMETER, "The path must be percent-encoded UTF-8.").at("path")
        })
    }
}

/// The parameters of a query, taken one by one; what is left over was not asked for.
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::try_from_uri(&parts.uri)
            .map_err(|_| Problem::new(&kind::INVALID_PARAMETER, "The query cannot be read.").at("query"))?;
        Ok(Self { pairs, known: Vec::new() })
    }
}

impl Parameters {
    /// A parameter, if it is there.
    pub(super) fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let position = self.pairs.iter().position(|(n, _)| n == name)?;
        Some(self.pairs.remove(position).1)
    }

    /// A parameter that is a whole number between two bounds, if it is there.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        least: i64,
        most: i64,
    ) -> Result<Option<i64>, Problem> {
        let Some(text) = self.take(name) else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(n) if (least..=most).contains(&n) => Ok(Some(n)),
            _ => {
                let detail = format!("It must be a whole number {}.", fields::range(least, most));
                Err(Problem::new(&kind::INVALID_PARAMETER, detail).at(name))
            }
        }
    }

    /// Refuses what was not taken.
    pub(super) fn finish(self) -> Result<(), Problem> {
        let Some((name, _)) = self.pairs.into_iter().next() else { return Ok(()) };
        let short = fields::unknown(&name);
        let detail = if self.known.contains(&short.as_str()) {
            format!("`{short}` is there twice.")
        } else {
            format!("`{short}` is not known here; known are {}.", self.known.join(", "))
        };
        Err(Problem::new(&kind::INVALID_PARAMETER, detail).at(short))
    }
}

/// The header `Idempotency-Key`, if it is there.
pub(super) fn optional_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let invalid = |why| Problem::new(&kind::INVALID_HEADER, why).at(IDEMPOTENCY_KEY);
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid("It is there twice."));
    }
    let key = std::str::from_utf8(value.as_bytes()).map_err(|_| invalid("It must be UTF-8."))?;
    fields::key(&kind::INVALID_HEADER, IDEMPOTENCY_KEY, key)?;
    Ok(Some(key))
}

/// The header `Idempotency-Key`.
pub(super) fn key(headers: &HeaderMap) -> Result<&str, Problem> {
    optional_key(headers)?.ok_or_else(|| {
        let detail =
            "A checkout needs a key of 1 to 255 characters, so that it can be sent twice and happen once.";
        Problem::new(&kind::MISSING_HEADER, detail).at(IDEMPOTENCY_KEY)
    })
}

/// How long the client would like to wait (`Prefer: wait=N`, RFC 7240), at most [`MAX_WAIT`]. A preference is never
/// an error: one that cannot be read is none.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all("Prefer").iter().filter_map(|v| v.to_str().ok());
    let mut waits = preferences.flat_map(|v| v.split(',')).filter_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let seconds = || value.trim().trim_matches('"').parse::<u32>().ok();
        if name.trim().eq_ignore_ascii_case("wait") { seconds() } else { None }
    });
    waits.next().map(|seconds| Duration::from_secs(seconds.into()).min(MAX_WAIT))
}

/// The caller's trace context, if it has the W3C form. It goes into logs and traces, so one with a card number is none.
pub(crate) fn traceparent(value: Option<&[u8]>) -> String {
    let Some(value) = value.filter(|v| v.len() == 55) else { return String::new() };
    let dash = |i: usize| matches!(i, 2 | 35 | 52);
    let legal =
        |(i, b): (usize, &u8)| if dash(i) { *b == b'-' } else { matches!(b, b'0'..=b'9' | b'a'..=b'f') };
    match std::str::from_utf8(value) {
        Ok(text) if value.iter().enumerate().all(legal) && !cards::is_one_in(text) => text.to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    fn post(body: Vec<u8>, pairs: &[(&'static str, &[u8])]) -> Request {
        let mut request = Request::new(Body::from(body));
        *request.headers_mut() = headers(pairs);
        request
    }

    #[tokio::test]
    async fn a_body_may_have_one_mebibyte_and_not_one_byte_more() {
        let read = |n: usize| JsonBody::from_request(post(vec![b' '; n], &[]), &());
        assert_eq!(read(BODY_LIMIT).await.ok().unwrap().0.len(), BODY_LIMIT);
        assert_eq!(read(BODY_LIMIT + 1).await.err().unwrap().kind().status, 413);
        let chunked = |n: usize| {
            let chunks = vec![vec![b' '; n / 4]; 4].into_iter().map(Ok::<_, std::io::Error>);
            Request::new(Body::from_stream(futures::stream::iter(chunks)))
        };
        let whole = JsonBody::from_request(chunked(BODY_LIMIT), &()).await;
        assert_eq!(whole.ok().unwrap().0.len(), BODY_LIMIT);
        for too_large in [BODY_LIMIT + 4, BODY_LIMIT + LINGER, 2 * LINGER] {
            let refused = JsonBody::from_request(chunked(too_large), &()).await;
            assert_eq!(refused.err().unwrap().kind().status, 413);
        }
        let announced = post(Vec::new(), &[("content-length", b"1048577")]);
        assert_eq!(JsonBody::from_request(announced, &()).await.err().unwrap().kind().status, 413);
    }

    #[tokio::test]
    async fn a_body_is_json_or_not_announced() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            let request = post(b"{}".to_vec(), &[("content-type", good.as_bytes())]);
            assert!(JsonBody::from_request(request, &()).await.is_ok(), "{good}");
        }
        assert!(JsonBody::from_request(post(b"{}".to_vec(), &[]), &()).await.is_ok());
        for bad in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "json"] {
            let request = post(b"{}".to_vec(), &[("content-type", bad.as_bytes())]);
            let problem = JsonBody::from_request(request, &()).await.err().unwrap();
            assert_eq!((problem.kind().status, problem.field()), (415, Some("Content-Type")), "{bad}");
        }
    }

    #[test]
    fn a_key_has_1_to_255_characters() {
        let long = "k".repeat(255);
        let longer = "k".repeat(256);
        let wide = "ß".repeat(255);
        for good in ["k", "a key with spaces", &long, &wide] {
            assert_eq!(key(&headers(&[("idempotency-key", good.as_bytes())])).ok(), Some(good));
        }
        for bad in [&b""[..], longer.as_bytes(), b"a\tb", b"\xff\xfe", "\u{85}".as_bytes()] {
            let problem = key(&headers(&[("idempotency-key", bad)])).unwrap_err();
            assert_eq!((problem.kind().slug, problem.field()), ("invalid-header", Some("Idempotency-Key")));
        }
        let twice = headers(&[("idempotency-key", b"a"), ("idempotency-key", b"a")]);
        assert_eq!(key(&twice).unwrap_err().kind().slug, "invalid-header");
        assert_eq!(key(&headers(&[])).unwrap_err().kind().slug, "missing-header");
        assert_eq!(optional_key(&headers(&[])).unwrap(), None);
    }

    #[test]
    fn a_wait_is_found_among_preferences_and_bounded() {
        let cases: [(&[&[u8]], Option<u64>); 12] = [
            (&[], None),
            (&[b"wait=0"], Some(0)),
            (&[b"wait=10"], Some(10)),
            (&[b"wait=30"], Some(30)),
            (&[b"wait=31"], Some(30)),
            (&[b"wait=4294967296"], None),
            (&[b"respond-async, Wait = \"7\"; x=y"], Some(7)),
            (&[b"return=minimal", b"wait=5"], Some(5)),
            (&[b"wait=5, wait=6"], Some(5)),
            (&[b"wait"], None),
            (&[b"wait=-1"], None),
            (&[b"await=5"], None),
        ];
        for (values, expected) in cases {
            let pairs: Vec<_> = values.iter().map(|v| ("prefer", *v)).collect();
            assert_eq!(wait(&headers(&pairs)).map(|d| d.as_secs()), expected, "{values:?}");
        }
    }

    #[test]
    fn a_query_has_known_names_once() {
        let parse = |query: &str| {
            let uri = format!("/x?{query}").parse().unwrap();
            let Query(pairs) = Query::try_from_uri(&uri).unwrap();
            let mut parameters = Parameters { pairs, known: Vec::new() };
            let status = parameters.take("status");
            let limit = parameters.number("limit", 1, 500);
            limit.and_then(|limit| parameters.finish().map(|()| (status, limit)))
        };
        assert_eq!(parse("").unwrap(), (None, None));
        assert_eq!(parse("limit=500&status=a%20b").unwrap(), (Some("a b".into()), Some(500)));
        for (bad, field) in [
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=", "limit"),
            ("limit=1.5", "limit"),
            ("status=a&status=b", "status"),
            ("Status=a", "Status"),
        ] {
            let problem = parse(bad).unwrap_err();
            assert_eq!((problem.kind().slug, problem.field()), ("invalid-parameter", Some(field)), "{bad}");
        }
    }

    #[test]
    fn a_trace_context_is_kept_only_in_its_form() {
        let good = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(Some(good)).as_bytes(), good);
        let card = b"00-4bf92f3577b34da6a3ce929d0e0e4736-4242424242424242-01";
        let capitals = b"00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for bad in [&b""[..], b"00", &good[1..], capitals, card] {
            assert_eq!(traceparent(Some(bad)), "");
        }
        assert_eq!(traceparent(None), "");
    }
}
