//! Checkouts over gRPC: parses, calls, converts.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backstitch_proto::checkout::checkouts_server::Checkouts;
use backstitch_proto::checkout::{
    CancelCheckoutRequest, Checkout, GetCheckoutRequest, NextAction, ParkedStep, Refusal,
    StartCheckoutRequest,
};
use futures::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use crate::admission;
use crate::app::App;
use crate::checkouts::{self, Seen};
use crate::document::{self, CheckoutDocument};
use crate::faces::http::parse::{MAX_WAIT, traceparent};
use crate::fields;
use crate::peers::{Asker, CancelledBy};
use crate::problem::{Problem, kind};
use crate::request::CheckoutRequest;

pub(super) struct CheckoutsFace(pub(super) Arc<App>);

impl From<CheckoutDocument> for Checkout {
    fn from(document: CheckoutDocument) -> Self {
        Checkout {
            checkout_id: document.checkout_id.to_string(),
            status: document.status.to_owned(),
            order_id: document.order_id.map(|id| id.to_string()).unwrap_or_default(),
            order_number: document.order_number.unwrap_or_default(),
            total: document.total,
            refusal: document.refusal.map(Refusal::from),
            next_action: document.next_action.map(|action| NextAction {
                kind: action.kind,
                url: action.url,
                client_secret: action.client_secret,
                until_unix_ms: action.until_unix_ms,
            }),
            made_good: document.made_good.map(|id| id.to_string()).unwrap_or_default(),
            waits_for: document.waits_for.unwrap_or_default(),
            parked: document.parked.into_iter().map(ParkedStep::from).collect(),
        }
    }
}

impl From<document::Refusal> for Refusal {
    fn from(document::Refusal { step, reason, detail, metadata }: document::Refusal) -> Self {
        Refusal { step: step.unwrap_or_default().to_owned(), reason, detail, metadata }
    }
}

impl From<document::ParkedStep> for ParkedStep {
    fn from(document::ParkedStep { step, why, since_unix_ms }: document::ParkedStep) -> Self {
        ParkedStep { step: step.unwrap_or_default().to_owned(), why, since_unix_ms }
    }
}

fn answer(seen: Seen) -> Response<Checkout> {
    Response::new(seen.document.into())
}

#[tonic::async_trait]
impl Checkouts for CheckoutsFace {
    async fn start(&self, request: Request<StartCheckoutRequest>) -> Result<Response<Checkout>, Status> {
        let traceparent = traceparent(request.metadata().get("traceparent").map(|v| v.as_bytes()));
        let mut message = request.into_inner();
        let key = std::mem::take(&mut message.idempotency_key);
        fields::key(&kind::INVALID_FIELD, "idempotency_key", &key)?;
        let most = i64::try_from(MAX_WAIT.as_secs()).unwrap_or(i64::MAX);
        fields::number("wait_seconds", message.wait_seconds.into(), 0, most)?;
        let wait = Duration::from_secs(u64::try_from(message.wait_seconds).unwrap_or(0));
        let accepted = admission::start(&self.0, &key, CheckoutRequest::check(message)?, traceparent).await?;

        let (id, fresh) = (accepted.id(), accepted.is_new());
        let seen = if wait.is_zero() {
            checkouts::get(&self.0, id).await
        } else {
            checkouts::settled(&self.0, accepted, wait).await
        };
        match seen {
            Ok(seen) => Ok(answer(seen)),
            Err(problem) if !fresh => Err(problem.into()),
            // It was accepted, whatever keeps us from seeing how it goes on.
            Err(_) => {
                let status = "running".to_owned();
                Ok(Response::new(Checkout { checkout_id: id.to_string(), status, ..Default::default() }))
            }
        }
    }

    async fn get(&self, request: Request<GetCheckoutRequest>) -> Result<Response<Checkout>, Status> {
        let id = fields::id("checkout_id", &request.into_inner().checkout_id)?;
        Ok(answer(checkouts::get(&self.0, id).await?))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<Checkout, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<GetCheckoutRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let id = fields::id("checkout_id", &request.into_inner().checkout_id)?;
        let documents = checkouts::watch(self.0.clone(), id).await?;
        let told = |seen: Result<Seen, Problem>| Ok(seen?.document.into());
        Ok(Response::new(Box::pin(documents.map(told))))
    }

    async fn cancel(&self, request: Request<CancelCheckoutRequest>) -> Result<Response<Checkout>, Status> {
        let (by, asker) = (CancelledBy::of(request.metadata()), Asker::of(request.metadata()));
        let id = fields::id("checkout_id", &request.into_inner().checkout_id)?;
        Ok(answer(checkouts::cancel(&self.0, id, by, asker).await?))
    }

    async fn wake(&self, request: Request<GetCheckoutRequest>) -> Result<Response<Checkout>, Status> {
        let asker = Asker::of(request.metadata());
        let id = fields::id("checkout_id", &request.into_inner().checkout_id)?;
        Ok(answer(checkouts::wake(&self.0, id, asker).await?))
    }
}
