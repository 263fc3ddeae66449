//! The benchmark's participant.

use backstitch_proto::noop;
use tonic::{Request, Response};

use super::{Answer, Participants, done};

#[tonic::async_trait]
impl noop::noop_server::Noop for Participants {
    async fn act(&self, request: Request<noop::ActRequest>) -> Answer<noop::ActResponse> {
        self.enter("act").await;
        Ok(Response::new(noop::ActResponse { payload: request.into_inner().payload }))
    }

    async fn undo(&self, _: Request<noop::UndoRequest>) -> Answer<noop::UndoResponse> {
        done()
    }
}
