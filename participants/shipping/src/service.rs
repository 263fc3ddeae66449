//! The gRPC face: parse, call, convert.

use backstitch_proto::contract::keys;
use backstitch_proto::shipping::shipping_server::Shipping;
use backstitch_proto::shipping::{
    CancelShipmentRequest, CancelShipmentResponse, CreateShipmentRequest, CreateShipmentResponse,
    GetShipmentRequest, ListMethodsRequest, ListMethodsResponse, MarkShippedRequest, QuoteRequest,
    QuoteResponse, Shipment, TakeBackRequest, TakeBackResponse,
};
use participant_kit::{Kit, OpError, status, text};
use tonic::{Request, Response, Status};

use crate::departure::mark_shipped;
use crate::quote::Quote;
use crate::receipt::TakeBack;
use crate::shipment::{CancelShipment, CreateShipment};
use crate::store;

/// The shipping service.
pub(crate) struct Service {
    pub(crate) kit: Kit,
}

impl Service {
    async fn find(&self, asked: &str) -> Result<Response<Shipment>, Status> {
        let id = text::uuid(asked).map_err(|why| status::invalid("shipment_id", why))?;
        let mut conn = self.kit.reads().acquire().await.map_err(OpError::from)?;
        let shipment = store::find(&mut conn, id).await.map_err(OpError::from)?;
        shipment.map(Response::new).ok_or_else(|| status::not_found("shipment", asked))
    }
}

#[tonic::async_trait]
impl Shipping for Service {
    async fn quote(&self, request: Request<QuoteRequest>) -> Result<Response<QuoteResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.kit.act(&meta, Quote::parse(&request).map_err(|e| e.to_string())).await
    }

    async fn create_shipment(
        &self,
        request: Request<CreateShipmentRequest>,
    ) -> Result<Response<CreateShipmentResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.kit.act(&meta, CreateShipment::parse(&request).map_err(|e| e.to_string())).await
    }

    async fn cancel_shipment(
        &self,
        request: Request<CancelShipmentRequest>,
    ) -> Result<Response<CancelShipmentResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.kit.take_back(&meta, CancelShipment::parse(&request).map_err(|e| e.to_string())).await
    }

    async fn mark_shipped(&self, request: Request<MarkShippedRequest>) -> Result<Response<Shipment>, Status> {
        let traceparent = request.metadata().get(keys::TRACEPARENT).and_then(|value| value.to_str().ok());
        let traceparent = traceparent.unwrap_or_default().to_owned();
        let asked = request.into_inner().shipment_id;
        let id = text::uuid(&asked).map_err(|why| status::invalid("shipment_id", why))?;
        mark_shipped(&self.kit, id, traceparent).await?;
        self.find(&asked).await
    }

    async fn get_shipment(&self, request: Request<GetShipmentRequest>) -> Result<Response<Shipment>, Status> {
        self.find(&request.into_inner().shipment_id).await
    }

    async fn list_methods(
        &self,
        _: Request<ListMethodsRequest>,
    ) -> Result<Response<ListMethodsResponse>, Status> {
        let mut conn = self.kit.reads().acquire().await.map_err(OpError::from)?;
        let methods = store::methods(&mut conn).await.map_err(OpError::from)?;
        Ok(Response::new(ListMethodsResponse { methods }))
    }

    async fn take_back(
        &self,
        request: Request<TakeBackRequest>,
    ) -> Result<Response<TakeBackResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.kit.act(&meta, TakeBack::parse(&request).map_err(|e| e.to_string())).await
    }
}
