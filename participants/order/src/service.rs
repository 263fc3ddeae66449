//! The gRPC face: parse, call, convert.

use backstitch_proto::order::orders_server::Orders;
use backstitch_proto::order::{
    CancelOrderRequest, CancelOrderResponse, CancelReturnRequest, CancelReturnResponse,
    CompleteReturnRequest, CompleteReturnResponse, ConfirmOrderRequest, ConfirmOrderResponse,
    CreateOrderRequest, CreateOrderResponse, CreateReturnRequest, CreateReturnResponse, GetOrderRequest,
    ListOrdersRequest, ListOrdersResponse, Order,
};
use participant_kit::{Kit, OpError, status, text};
use tonic::{Request, Response, Status};

use crate::create::Create;
use crate::list;
use crate::returns::{CancelReturn, CompleteReturn, CreateReturn};
use crate::settle::{Cancel, Confirm};
use crate::store::read;

/// The order service.
pub(crate) struct Service {
    pub(crate) kit: Kit,
    /// How long after its confirmation an order may come back, in milliseconds.
    pub(crate) return_window_ms: i64,
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
        let order = read::find(&mut conn, id).await.map_err(OpError::from)?;
        order.map(Response::new).ok_or_else(|| status::not_found("order", &asked))
    }

    async fn list(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        list::list(&self.kit, request.into_inner()).await.map(Response::new)
    }

    async fn create_return(
        &self,
        request: Request<CreateReturnRequest>,
    ) -> Result<Response<CreateReturnResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        let parsed = CreateReturn::parse(request, self.return_window_ms);
        self.kit.act(&meta, parsed.map_err(|e| e.to_string())).await
    }

    async fn cancel_return(
        &self,
        request: Request<CancelReturnRequest>,
    ) -> Result<Response<CancelReturnResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.kit.take_back(&meta, CancelReturn::parse(&request).map_err(|e| e.to_string())).await
    }

    async fn complete_return(
        &self,
        request: Request<CompleteReturnRequest>,
    ) -> Result<Response<CompleteReturnResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.kit.act(&meta, CompleteReturn::parse(&request).map_err(|e| e.to_string())).await
    }
}
