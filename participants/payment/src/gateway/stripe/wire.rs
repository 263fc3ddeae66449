//! The wire: one HTTP call, once, within limits, told as what is known about it.
//!
//! async-stripe builds the requests and reads the objects; its own client does not say whether a request was sent, when
//! Stripe wants to be asked again, or what an error was whose object it cannot read, so the calls go through this one.
//! It never repeats a call and never follows a redirect.

use std::error::Error;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use stripe_client_core::{CustomizedStripeRequest, StripeClient, StripeClientErr, StripeMethod};

use super::outcomes::{Answer, Failed, Said};
use super::settings::Settings;

/// The version of Stripe's API that requests and objects are written for.
pub(super) const VERSION: &str = "2026-09-30.endive";

const STRIPE_VERSION: HeaderName = HeaderName::from_static("stripe-version");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const LIMIT: HeaderName = HeaderName::from_static("stripe-rate-limited-reason");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// The largest answer that is read. A full page of a list stays far below.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// The longest that Stripe is believed to want to be left alone.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// For how long a connection is kept that nobody uses: shorter than Stripe keeps it, or a call could meet its end.
const IDLE: Duration = Duration::from_secs(20);

/// A client with its settings. Clones share its connections.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    settings: Arc<Settings>,
}

/// The envelope of an error.
#[derive(Deserialize)]
struct Envelope {
    error: Said,
}

impl StripeClientErr for Failed {
    fn deserialize_err(why: impl Display) -> Self {
        Failed::Unreadable(format!("Stripe's answer cannot be read: {why}"))
    }
}

impl StripeClient for Wire {
    type Err = Failed;

    async fn execute(&self, request: CustomizedStripeRequest) -> Result<Bytes, Failed> {
        let total = self.settings.limits.total;
        match tokio::time::timeout(total, self.call(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failed::NoAnswer(format!("Stripe has not answered within {total:?}"))),
        }
    }
}

impl Wire {
    pub(super) fn new(settings: Settings) -> Self {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(settings.limits.connect));
        http.set_nodelay(true);
        http.enforce_http(false);
        // The provider is named: what others in this process have installed for the whole of it does not matter.
        let https = HttpsConnectorBuilder::new().with_tls_config(tls()).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(https.wrap_connector(http));
        Self { client, settings: Arc::new(settings) }
    }

    async fn call(&self, request: CustomizedStripeRequest) -> Result<Bytes, Failed> {
        let request = self.request(request)?;
        let response = self.client.request(request).await.map_err(|error| match error.is_connect() {
            true => Failed::NotSent(chain(&error)),
            false => Failed::NoAnswer(chain(&error)),
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body =
            body.map_err(|error| Failed::NoAnswer(format!("the answer broke off: {}", chain(&*error))))?;
        let body = body.to_bytes();
        if !status.is_success() {
            return Err(Failed::Said(Box::new(Answer {
                status: status.as_u16(),
                error: serde_json::from_slice::<Envelope>(&body).ok().map(|envelope| envelope.error),
                retry_after: retry_after(&headers),
                limit: text(&headers, &LIMIT).map(str::to_owned),
                replayed: text(&headers, &REPLAYED) == Some("true"),
                request: text(&headers, &REQUEST_ID).map(str::to_owned),
            })));
        }
        match text(&headers, &STRIPE_VERSION) {
            Some(version) if version != VERSION => Err(Failed::Unreadable(format!(
                "Stripe answered in version {version} of its API, where {VERSION} was asked for"
            ))),
            _ => Ok(body),
        }
    }

    fn request(&self, request: CustomizedStripeRequest) -> Result<Request<Full<Bytes>>, Failed> {
        let (request, config) = request.into_pieces();
        let mut uri = format!("{}/v1{}", self.settings.url.as_str(), request.path);
        if let Some(query) = request.query.filter(|query| !query.is_empty()) {
            uri.push('?');
            uri.push_str(&query);
        }
        let method = match request.method {
            StripeMethod::Get => Method::GET,
            StripeMethod::Post => Method::POST,
            StripeMethod::Delete => Method::DELETE,
        };
        let agent = concat!("backstitch/", env!("CARGO_PKG_VERSION"));
        let mut builder = Request::builder()
            .method(method)
            .uri(uri)
            .header(AUTHORIZATION, self.settings.key.header())
            .header(STRIPE_VERSION, HeaderValue::from_static(VERSION))
            .header(USER_AGENT, HeaderValue::from_static(agent))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Some(key) = config.request_strategy.and_then(|strategy| strategy.get_key()) {
            builder = builder.header(IDEMPOTENCY_KEY, key.as_str());
        }
        let body = Full::new(Bytes::from(request.body.unwrap_or_default()));
        builder.body(body).map_err(|error| Failed::Unreadable(format!("the call cannot be written: {error}")))
    }
}

/// TLS with the authorities of webpki-roots.
fn tls() -> rustls::ClientConfig {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the versions of TLS that it is built with");
    config.with_root_certificates(roots).with_no_client_auth()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// In whole seconds, as Stripe writes it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = text(headers, &RETRY_AFTER)?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push_str(&format!(": {error}"));
        cause = error.source();
    }
    told
}
