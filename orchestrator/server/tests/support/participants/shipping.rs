//! Shipping, where every parcel leaves.

use backstitch_proto::shipping;
use tonic::{Request, Response};

use super::{Answer, Participants, done, money};

#[tonic::async_trait]
impl shipping::shipping_server::Shipping for Participants {
    async fn quote(&self, request: Request<shipping::QuoteRequest>) -> Answer<shipping::QuoteResponse> {
        let request = request.into_inner();
        let price = money(295);
        let answer = shipping::QuoteResponse {
            quote_id: request.quote_id,
            price,
            method: request.method,
            valid_for_seconds: 3600,
        };
        Ok(Response::new(answer))
    }

    async fn create_shipment(
        &self,
        request: Request<shipping::CreateShipmentRequest>,
    ) -> Answer<shipping::CreateShipmentResponse> {
        self.sane(request.metadata(), "shipping", "create_shipment")?;
        let shipment_id = request.into_inner().shipment_id;
        Ok(Response::new(shipping::CreateShipmentResponse { shipment_id, tracking_number: "TRACK-1".into() }))
    }

    async fn cancel_shipment(
        &self,
        _: Request<shipping::CancelShipmentRequest>,
    ) -> Answer<shipping::CancelShipmentResponse> {
        done()
    }

    async fn mark_shipped(&self, _: Request<shipping::MarkShippedRequest>) -> Answer<shipping::Shipment> {
        done()
    }

    async fn get_shipment(&self, _: Request<shipping::GetShipmentRequest>) -> Answer<shipping::Shipment> {
        done()
    }

    async fn list_methods(
        &self,
        _: Request<shipping::ListMethodsRequest>,
    ) -> Answer<shipping::ListMethodsResponse> {
        done()
    }

    async fn take_back(&self, _: Request<shipping::TakeBackRequest>) -> Answer<shipping::TakeBackResponse> {
        done()
    }
}
