//! The gRPC face: parse, act, convert.

use backstitch_proto::money::Money;
use backstitch_proto::payment::payment_server::Payment;
use backstitch_proto::payment::{
    AuthorizeRequest, AuthorizeResponse, CaptureRequest, CaptureResponse, GetPaymentRequest, PaymentDocument,
    RefundRequest, RefundResponse, VoidRequest, VoidResponse,
};
use participant_kit::{OpError, status, text};
use tonic::{Request, Response, Status, async_trait};

use crate::authorize::Authorize;
use crate::capture::Capture;
use crate::desk::Desk;
use crate::ledger;
use crate::refund::Refund;
use crate::void::Void;

/// The payment service.
pub(crate) struct Service {
    pub(crate) desk: Desk,
}

#[async_trait]
impl Payment for Service {
    async fn authorize(
        &self,
        request: Request<AuthorizeRequest>,
    ) -> Result<Response<AuthorizeResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.desk.kit.act_outside(&meta, Authorize::parse(&self.desk, request)).await
    }

    async fn void(&self, request: Request<VoidRequest>) -> Result<Response<VoidResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.desk.kit.take_back_outside(&meta, Void::parse(&self.desk, &request)).await
    }

    async fn capture(&self, request: Request<CaptureRequest>) -> Result<Response<CaptureResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.desk.kit.act_outside(&meta, Capture::parse(&self.desk, request)).await
    }

    async fn refund(&self, request: Request<RefundRequest>) -> Result<Response<RefundResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.desk.kit.act_outside(&meta, Refund::parse(&self.desk, &request)).await
    }

    async fn get_payment(
        &self,
        request: Request<GetPaymentRequest>,
    ) -> Result<Response<PaymentDocument>, Status> {
        let id = request.into_inner().payment_id;
        let uuid = text::uuid(&id).map_err(|why| status::invalid("payment_id", why))?;
        let mut conn = self.desk.kit.reads().acquire().await.map_err(OpError::from)?;
        let payment =
            ledger::load(&mut conn, uuid).await?.ok_or_else(|| status::not_found("payment", &id))?;
        Ok(Response::new(PaymentDocument {
            payment_id: payment.id.to_string(),
            status: payment.status.as_str().to_owned(),
            amount: Some(Money::to_proto(payment.amount)),
            captured_minor: payment.captured_minor,
            refunded_minor: payment.refunded_minor,
            provider_id: payment.provider_id.map(|id| id.to_string()).unwrap_or_default(),
            ..Default::default()
        }))
    }

    async fn list_payments(
        &self,
        _: Request<backstitch_proto::payment::ListPaymentsRequest>,
    ) -> Result<Response<backstitch_proto::payment::ListPaymentsResponse>, Status> {
        Err(Status::unimplemented("list_payments"))
    }

    async fn list_provider_objects(
        &self,
        _: Request<backstitch_proto::payment::ListProviderObjectsRequest>,
    ) -> Result<Response<backstitch_proto::payment::ListProviderObjectsResponse>, Status> {
        Err(Status::unimplemented("list_provider_objects"))
    }

    async fn take_back_object(
        &self,
        _: Request<backstitch_proto::payment::TakeBackObjectRequest>,
    ) -> Result<Response<backstitch_proto::payment::TakeBackObjectResponse>, Status> {
        Err(Status::unimplemented("take_back_object"))
    }

    async fn settle_case(
        &self,
        _: Request<backstitch_proto::payment::SettleCaseRequest>,
    ) -> Result<Response<backstitch_proto::payment::SettleCaseResponse>, Status> {
        Err(Status::unimplemented("settle_case"))
    }

    async fn resolve_case(
        &self,
        _: Request<backstitch_proto::payment::ResolveCaseRequest>,
    ) -> Result<Response<backstitch_proto::payment::Case>, Status> {
        Err(Status::unimplemented("resolve_case"))
    }

    async fn list_cases(
        &self,
        _: Request<backstitch_proto::payment::ListCasesRequest>,
    ) -> Result<Response<backstitch_proto::payment::ListCasesResponse>, Status> {
        Err(Status::unimplemented("list_cases"))
    }
}
