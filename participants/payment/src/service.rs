//! The gRPC face: parse, act, convert.

use std::sync::Arc;

use backstitch_proto::payment::payment_server::Payment;
use backstitch_proto::payment::{
    AuthorizeRequest, AuthorizeResponse, CaptureRequest, CaptureResponse, Case, GetPaymentRequest,
    GetProviderObjectRequest, ListCasesRequest, ListCasesResponse, ListPaymentsRequest, ListPaymentsResponse,
    ListProviderObjectsRequest, ListProviderObjectsResponse, ListWebhooksRequest, ListWebhooksResponse,
    PaymentDocument, ProviderObject, RefundRequest, RefundResponse, ResolveCaseRequest, SettleCaseRequest,
    SettleCaseResponse, TakeBackObjectRequest, TakeBackObjectResponse, VoidRequest, VoidResponse,
};
use participant_kit::{OpError, status, text};
use tonic::{Request, Response, Status, async_trait};

use crate::authorize::Authorize;
use crate::capture::Capture;
use crate::cases::{self, Resolution, SettleCase};
use crate::desk::Desk;
use crate::refund::Refund;
use crate::take_back::TakeBack;
use crate::void::Void;
use crate::webhooks::inbox;
use crate::{documents, ledger};

/// The most webhooks that are listed.
const MOST_WEBHOOKS: i64 = 1_000;

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
        Ok(Response::new(documents::whole(&mut conn, &payment).await?))
    }

    async fn list_payments(
        &self,
        request: Request<ListPaymentsRequest>,
    ) -> Result<Response<ListPaymentsResponse>, Status> {
        Ok(Response::new(documents::payments(&self.desk, request.into_inner()).await?))
    }

    async fn list_provider_objects(
        &self,
        request: Request<ListProviderObjectsRequest>,
    ) -> Result<Response<ListProviderObjectsResponse>, Status> {
        Ok(Response::new(documents::objects(&self.desk, request.into_inner()).await?))
    }

    async fn get_provider_object(
        &self,
        request: Request<GetProviderObjectRequest>,
    ) -> Result<Response<ProviderObject>, Status> {
        Ok(Response::new(documents::provider_object(&self.desk, request.into_inner()).await?))
    }

    async fn take_back_object(
        &self,
        request: Request<TakeBackObjectRequest>,
    ) -> Result<Response<TakeBackObjectResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.desk.kit.act_outside(&meta, TakeBack::parse(&self.desk, &request)).await
    }

    async fn settle_case(
        &self,
        request: Request<SettleCaseRequest>,
    ) -> Result<Response<SettleCaseResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.desk.kit.act(&meta, SettleCase::parse(&request)).await
    }

    async fn resolve_case(&self, request: Request<ResolveCaseRequest>) -> Result<Response<Case>, Status> {
        let resolution = Arc::new(Resolution::parse(request.into_inner())?);
        let written = self.desk.kit.run(resolution.locks(), move |tx| {
            let resolution = resolution.clone();
            Box::pin(async move { resolution.write(tx).await })
        });
        Ok(Response::new(written.await?))
    }

    async fn list_cases(
        &self,
        request: Request<ListCasesRequest>,
    ) -> Result<Response<ListCasesResponse>, Status> {
        let mut conn = self.desk.kit.reads().acquire().await.map_err(OpError::from)?;
        Ok(Response::new(cases::list(&mut conn, request.get_ref()).await?))
    }

    async fn list_webhooks(
        &self,
        _: Request<ListWebhooksRequest>,
    ) -> Result<Response<ListWebhooksResponse>, Status> {
        let open = inbox::open(&self.desk.kit, MOST_WEBHOOKS).await?;
        Ok(Response::new(ListWebhooksResponse {
            webhooks: open.into_iter().map(documents::webhook).collect(),
        }))
    }
}
