//! Its gRPC face.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use backstitch_proto::contract::{CallMeta, Op, Verdict, keys};
use backstitch_proto::inventory::inventory_server::Inventory;
use backstitch_proto::inventory::{
    CommitRequest, CommitResponse, GetProductRequest, ListProductsRequest, ListProductsResponse, Product,
    PutProductRequest, ReleaseRequest, ReleaseResponse, ReserveRequest, ReserveResponse,
    ValidateItemsRequest, ValidateItemsResponse,
};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

use super::Fault;
use super::rows::{Next, No, Rows, is_old, is_slow};

#[derive(Clone)]
pub(crate) struct Liar {
    pub(crate) rows: Arc<Mutex<Rows>>,
    pub(crate) fault: Fault,
}

impl Liar {
    pub(crate) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    fn call(&self, meta: &MetadataMap, ops: &[Op]) -> Result<CallMeta, Status> {
        let own = meta.get(keys::IDEMPOTENCY_KEY).map(|key| key.to_str().unwrap()).unwrap_or_default();
        let mut meta = meta.clone();
        let text = |meta: &MetadataMap, key: &str| {
            meta.get(key).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        if self.fault == Fault::ForgivesMissing && text(&meta, keys::SAGA_ATTEMPT).parse::<u32>().is_err() {
            meta.insert(keys::SAGA_ATTEMPT, "1".parse().unwrap());
        }
        if self.fault == Fault::ConfusesOps && !ops.iter().any(|op| op.as_str() == text(&meta, keys::SAGA_OP))
        {
            meta.insert(keys::SAGA_OP, ops[0].as_str().parse().unwrap());
        }
        if self.fault == Fault::OneRowPerRequestId {
            meta.insert(keys::TRACEPARENT, text(&meta, "x-request-id").parse().unwrap());
        }
        if matches!(self.fault, Fault::BelievesAnyKey | Fault::ConfusesOps) {
            let right = [keys::SAGA_ID, keys::SAGA_STEP, keys::SAGA_OP].map(|key| text(&meta, key)).join("/");
            meta.insert(keys::IDEMPOTENCY_KEY, right.parse().unwrap());
        }
        let broken = |why: String| self.status(No::Verdict(Verdict::Broken(why)), own);
        let call = CallMeta::read(&meta).map_err(|e| broken(e.to_string()))?;
        if !ops.contains(&call.op) {
            return Err(broken(format!("not for {}", call.op)));
        }
        if is_old(&call) && self.fault != Fault::NeverExpires {
            return Err(broken("expired".into()));
        }
        Ok(call)
    }

    fn status(&self, no: No, key: &str) -> Status {
        match (no, self.fault) {
            (No::Plain(status), _) => status,
            (No::Verdict(Verdict::Refused(r)), Fault::BareRefusals) => Status::failed_precondition(r.reason),
            (No::Verdict(verdict), Fault::DomainOfAnother) => verdict.into_status("warehouse", key),
            (No::Verdict(verdict), Fault::KeyOfAnother) => verdict.into_status("inventory", "some/other/key"),
            (No::Verdict(verdict), Fault::OtherCodes) => {
                let status = verdict.into_status("inventory", key);
                Status::with_details(Code::Unknown, status.message(), status.details().to_vec().into())
            }
            (No::Verdict(verdict), _) => verdict.into_status("inventory", key),
        }
    }

    async fn act(self, call: CallMeta, request: ReserveRequest) -> Result<ReserveResponse, No> {
        let next = self.rows().begin(&call, &request, self.fault);
        match next {
            Next::Answer(answer) => answer,
            Next::Go => {
                let early = self.fault == Fault::ActsBeforeItWrites;
                if early {
                    self.rows().act_early(&request);
                }
                let pause = if is_slow(&request) {
                    800
                } else if early || self.fault == Fault::DiesWithCaller {
                    50
                } else {
                    2
                };
                tokio::time::sleep(Duration::from_millis(pause)).await;
                self.rows().finish(&call, &request, self.fault)
            }
        }
    }
}

#[tonic::async_trait]
impl Inventory for Liar {
    async fn reserve(&self, request: Request<ReserveRequest>) -> Result<Response<ReserveResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        let call = self.call(&meta, &[Op::Do, Op::Close])?;
        let key = meta.get(keys::IDEMPOTENCY_KEY).unwrap().to_str().unwrap().to_owned();
        let work = self.clone().act(call, message);
        let answer = match self.fault {
            Fault::DiesWithCaller => work.await,
            _ => tokio::spawn(work).await.unwrap(),
        };
        answer.map(Response::new).map_err(|no| self.status(no, &key))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let call = self.call(request.metadata(), &[Op::Undo])?;
        if self.fault == Fault::UndoesBeforeItWrites {
            self.rows().undo_early(&call, self.fault);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let undone = self.rows().undo(&call, self.fault);
        undone.map(|()| Response::new(ReleaseResponse {})).map_err(|no| self.status(no, &call.key()))
    }

    async fn put_product(&self, request: Request<PutProductRequest>) -> Result<Response<Product>, Status> {
        let PutProductRequest { sku, stock, .. } = request.into_inner();
        Ok(Response::new(self.rows().put(&sku, stock)))
    }

    async fn get_product(&self, request: Request<GetProductRequest>) -> Result<Response<Product>, Status> {
        Ok(Response::new(self.rows().product(&request.into_inner().sku)))
    }

    async fn list_products(
        &self,
        _: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    async fn validate_items(
        &self,
        _: Request<ValidateItemsRequest>,
    ) -> Result<Response<ValidateItemsResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    async fn commit(&self, _: Request<CommitRequest>) -> Result<Response<CommitResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    async fn restock(
        &self,
        _: Request<backstitch_proto::inventory::RestockRequest>,
    ) -> Result<Response<backstitch_proto::inventory::RestockResponse>, Status> {
        Err(Status::unimplemented("not part of what it lies about"))
    }
}
