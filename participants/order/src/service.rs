//! The gRPC face: parse, call, convert.

use backstitch_proto::order::orders_server::Orders;
use backstitch_proto::order::{
    CancelOrderRequest, CancelOrderResponse, ConfirmOrderRequest, ConfirmOrderResponse, CreateOrderRequest,
    CreateOrderResponse, GetOrderRequest, Order,
};
use participant_kit::{Kit, OpError, status, text};
use tonic::{Request, Response, Status};

use crate::create::Create;
use crate::settle::{Cancel, Confirm};
use crate::store;

/// The order service.
pub(crate) struct Service {
    pub(crate) kit: Kit,
}

#[tonic::async_trait]
impl Orders for Service {
    async fn create(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.kit.act(&meta, Create::parse(request).map_err(|e| e.to_string())).await
    }

    async fn cancel(
        &self,
        request: Request<CancelOrderRequest>,
    ) -> Result<Response<CancelOrderResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.kit.take_back(&meta, Cancel::parse(&request).map_err(|e| e.to_string())).await
    }

    async fn confirm(
        &self,
        request: Request<ConfirmOrderRequest>,
    ) -> Result<Response<ConfirmOrderResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.kit.act(&meta, Confirm::parse(&request).map_err(|e| e.to_string())).await
    }

    async fn get(&self, request: Request<GetOrderRequest>) -> Result<Response<Order>, Status> {
        let asked = request.into_inner().order_id;
        let id = text::uuid(&asked).map_err(|why| status::invalid("order_id", why))?;
        let mut conn = self.kit.reads().acquire().await.map_err(OpError::from)?;
        let order = store::find(&mut conn, id).await.map_err(OpError::from)?;
        order.map(Response::new).ok_or_else(|| status::not_found("order", &asked))
    }

    async fn list(
        &self,
        _: Request<backstitch_proto::order::ListOrdersRequest>,
    ) -> Result<Response<backstitch_proto::order::ListOrdersResponse>, Status> {
        Err(Status::unimplemented("list"))
    }

    async fn create_return(
        &self,
        _: Request<backstitch_proto::order::CreateReturnRequest>,
    ) -> Result<Response<backstitch_proto::order::CreateReturnResponse>, Status> {
        Err(Status::unimplemented("create_return"))
    }

    async fn cancel_return(
        &self,
        _: Request<backstitch_proto::order::CancelReturnRequest>,
    ) -> Result<Response<backstitch_proto::order::CancelReturnResponse>, Status> {
        Err(Status::unimplemented("cancel_return"))
    }

    async fn complete_return(
        &self,
        _: Request<backstitch_proto::order::CompleteReturnRequest>,
    ) -> Result<Response<backstitch_proto::order::CompleteReturnResponse>, Status> {
        Err(Status::unimplemented("complete_return"))
    }
}
