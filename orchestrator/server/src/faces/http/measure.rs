//! Counts and times requests per route.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::Request;
use axum::response::Response;
use futures::future::BoxFuture;
use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};
use tower::{Layer, Service};
use tracing::debug;

use crate::problem::Problem;

const REQUESTS: &str = "http_requests_total";
const SECONDS: &str = "http_request_seconds";
const PROBLEMS: &str = "http_problems_total";

/// Describes this face's metrics to the installed recorder.
pub fn describe() {
    describe_counter!(REQUESTS, "HTTP requests, by method, route and class of status");
    describe_counter!(PROBLEMS, "Problems answered over HTTP, by kind");
    describe_histogram!(
        SECONDS,
        Unit::Seconds,
        "Time to the head of an answer, waits that were asked for included, by method and route"
    );
}

/// Counts a problem that is answered. What is not the caller's doing can be logged with its detail.
pub(super) fn problem(problem: &Problem) {
    let kind = problem.kind();
    counter!(PROBLEMS, "kind" => kind.slug).increment(1);
    if kind.status >= 500 {
        debug!(kind = kind.slug, detail = problem.detail(), "answered with a problem of our own");
    }
}

/// The counters of one route, looked up once. The faces answer with nothing but these three classes.
struct Meter {
    good: Counter,
    refused: Counter,
    failed: Counter,
    seconds: Histogram,
}

/// A layer that measures one route.
pub(super) fn layer(method: &'static str, path: &'static str) -> Measure {
    let class = |class| counter!(REQUESTS, "method" => method, "route" => path, "class" => class);
    Measure(Arc::new(Meter {
        good: class("2xx"),
        refused: class("4xx"),
        failed: class("5xx"),
        seconds: histogram!(SECONDS, "method" => method, "route" => path),
    }))
}

#[derive(Clone)]
pub(super) struct Measure(Arc<Meter>);

impl<S> Layer<S> for Measure {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, meter: self.0.clone() }
    }
}

#[derive(Clone)]
pub(super) struct Measured<S> {
    inner: S,
    meter: Arc<Meter>,
}

impl<S> Service<Request> for Measured<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let meter = self.meter.clone();
        let began = Instant::now();
        let answering = self.inner.call(request);
        Box::pin(async move {
            let response = answering.await?;
            let counter = match response.status().as_u16() {
                ..400 => &meter.good,
                400..500 => &meter.refused,
                500.. => &meter.failed,
            };
            counter.increment(1);
            meter.seconds.record(began.elapsed().as_secs_f64());
            Ok(response)
        })
    }
}
