//! Returns over gRPC: parses, calls, converts.

use std::sync::Arc;
use std::time::Duration;

use backstitch_proto::checkout::{ParkedStep, Refusal};
use backstitch_proto::returns::returns_server::Returns;
use backstitch_proto::returns::{GetReturnRequest, Return, StartReturnRequest};
use tonic::{Request, Response, Status};

use crate::app::App;
use crate::faces::http::parse::{MAX_WAIT, traceparent};
use crate::fields;
use crate::peers::Asker;
use crate::problem::kind;
use crate::return_document::ReturnDocument;
use crate::return_request::ReturnRequest;
use crate::returns;

pub(super) struct ReturnsFace(pub(super) Arc<App>);

impl From<ReturnDocument> for Return {
    fn from(document: ReturnDocument) -> Self {
        Return {
            return_id: document.return_id.to_string(),
            order_id: document.order_id,
            status: document.status.to_owned(),
            items: document.items,
            refund: document.refund,
            credit_note_number: document.credit_note_number.unwrap_or_default(),
            refusal: document.refusal.map(Refusal::from),
            parked: document.parked.into_iter().map(ParkedStep::from).collect(),
            waits_for: document.waits_for.unwrap_or_default(),
        }
    }
}

#[tonic::async_trait]
impl Returns for ReturnsFace {
    async fn start(&self, request: Request<StartReturnRequest>) -> Result<Response<Return>, Status> {
        let traceparent = traceparent(request.metadata().get("traceparent").map(|v| v.as_bytes()));
        let asker = Asker::of(request.metadata());
        let mut message = request.into_inner();
        let key = std::mem::take(&mut message.idempotency_key);
        fields::key(&kind::INVALID_FIELD, "idempotency_key", &key)?;
        let most = i64::try_from(MAX_WAIT.as_secs()).unwrap_or(i64::MAX);
        fields::number("wait_seconds", message.wait_seconds.into(), 0, most)?;
        let wait = Duration::from_secs(u64::try_from(message.wait_seconds).unwrap_or(0));
        let accepted =
            returns::start(&self.0, &key, ReturnRequest::check(message)?, traceparent, asker).await?;

        let id = accepted.id();
        let seen = if wait.is_zero() {
            returns::get(&self.0, id).await
        } else {
            returns::settled(&self.0, accepted, wait).await
        };
        Ok(Response::new(match seen {
            Ok(seen) => seen.document.into(),
            // It is accepted, whatever keeps us from seeing how it goes on.
            Err(_) => {
                Return { return_id: id.to_string(), status: "running".to_owned(), ..Default::default() }
            }
        }))
    }

    async fn get(&self, request: Request<GetReturnRequest>) -> Result<Response<Return>, Status> {
        let id = fields::id("return_id", &request.into_inner().return_id)?;
        Ok(Response::new(returns::get(&self.0, id).await?.document.into()))
    }
}
