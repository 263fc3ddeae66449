//! What people and the reconciler ask.

use backstitch_proto::payment::{
    Case, GetPaymentRequest, GetProviderObjectRequest, ListCasesRequest, ListCasesResponse,
    ListPaymentsRequest, ListPaymentsResponse, ListProviderObjectsRequest, ListProviderObjectsResponse,
    ListWebhooksRequest, PaymentDocument, ProviderObject, ResolveCaseRequest, Webhook,
};
use tonic::{Response, Status};

use super::Shop;

impl Shop {
    pub fn resolve_case(&self, case: &str, resolution: &str) -> Result<Case, Status> {
        let request = ResolveCaseRequest { case_id: case.into(), resolution: resolution.into() };
        let mut client = self.process().client.clone();
        self.block_on(async move { client.resolve_case(request).await }).map(Response::into_inner)
    }

    pub fn cases(&self, open: bool) -> Vec<Case> {
        self.case_page(open, 0, "").unwrap().cases
    }

    pub fn case_page(&self, open: bool, size: i32, token: &str) -> Result<ListCasesResponse, Status> {
        let request = ListCasesRequest { open, page_size: size, page_token: token.into() };
        let mut client = self.process().client.clone();
        self.block_on(async move { client.list_cases(request).await }).map(Response::into_inner)
    }

    pub fn webhooks(&self) -> Vec<Webhook> {
        let mut client = self.process().client.clone();
        let listed = self.block_on(async move { client.list_webhooks(ListWebhooksRequest {}).await });
        listed.unwrap().into_inner().webhooks
    }

    pub fn payments(&self, page_size: i32, page_token: &str) -> Result<ListPaymentsResponse, Status> {
        self.payments_of(ListPaymentsRequest {
            page_size,
            page_token: page_token.into(),
            ..Default::default()
        })
    }

    pub fn payments_of(&self, request: ListPaymentsRequest) -> Result<ListPaymentsResponse, Status> {
        let mut client = self.process().client.clone();
        self.block_on(async move { client.list_payments(request).await }).map(Response::into_inner)
    }

    pub fn objects(&self, page_token: &str) -> Result<ListProviderObjectsResponse, Status> {
        let request = ListProviderObjectsRequest { created_from_unix_ms: 0, page_token: page_token.into() };
        let mut client = self.process().client.clone();
        self.block_on(async move { client.list_provider_objects(request).await }).map(Response::into_inner)
    }

    pub fn provider_object(&self, id: &str) -> Result<ProviderObject, Status> {
        let request = GetProviderObjectRequest { provider_id: id.into() };
        let mut client = self.process().client.clone();
        self.block_on(async move { client.get_provider_object(request).await }).map(Response::into_inner)
    }

    pub fn get(&self) -> Result<PaymentDocument, Status> {
        self.get_by(&self.payment.to_string())
    }

    pub fn get_by(&self, id: &str) -> Result<PaymentDocument, Status> {
        let request = GetPaymentRequest { payment_id: id.to_owned() };
        let mut client = self.process().client.clone();
        self.block_on(async move { client.get_payment(request).await }).map(Response::into_inner)
    }

    pub fn status(&self) -> String {
        self.get().map_or_else(|status| format!("{:?}", status.code()), |document| document.status)
    }
}
