//! Payments that succeed, wait for the customer or are refused as the test says; cases that a person settles.

use backstitch_proto::contract::{CallMeta, Refusal, Verdict};
use backstitch_proto::payment;
use tonic::{Request, Response};

use super::{Answer, Participants, done, money, not_found, precondition, refused};

#[tonic::async_trait]
impl payment::payment_server::Payment for Participants {
    async fn authorize(
        &self,
        request: Request<payment::AuthorizeRequest>,
    ) -> Answer<payment::AuthorizeResponse> {
        use payment::authorize_response::Result as Authorization;
        self.enter("authorize").await;
        self.sane(request.metadata(), "payment", "authorize")?;
        let (meta, _, message) = request.into_parts();
        if message.payment_method == "tok_declined" {
            return Err(refused(&meta, "payment", Refusal::new("CARD_DECLINED", "the card was declined")));
        }
        let result = if self.state().customer_acts {
            let url = "https://psp.example/3ds".into();
            Authorization::Pending(payment::CustomerAction {
                kind: "redirect".into(),
                url,
                ..Default::default()
            })
        } else {
            let amount = message.amount;
            let capturable_for_seconds = self.state().holds_for.unwrap_or(86_400);
            Authorization::Authorized(payment::Authorized { amount, capturable_for_seconds })
        };
        let answer = payment::AuthorizeResponse { payment_id: message.payment_id, result: Some(result) };
        Ok(Response::new(answer))
    }

    async fn void(&self, _: Request<payment::VoidRequest>) -> Answer<payment::VoidResponse> {
        self.enter("void").await;
        done()
    }

    async fn capture(&self, request: Request<payment::CaptureRequest>) -> Answer<payment::CaptureResponse> {
        self.enter("capture").await;
        self.sane(request.metadata(), "payment", "capture")?;
        let request = request.into_inner();
        let answer = payment::CaptureResponse { payment_id: request.payment_id, captured: request.amount };
        Ok(Response::new(answer))
    }

    async fn refund(&self, request: Request<payment::RefundRequest>) -> Answer<payment::RefundResponse> {
        self.enter("refund").await;
        self.sane(request.metadata(), "payment", "refund")?;
        let (meta, _, message) = request.into_parts();
        if self.state().no_refunds {
            return Err(refused(&meta, "payment", Refusal::new("REFUND_REFUSED", "the card is closed")));
        }
        let answer = payment::RefundResponse { refund_id: message.refund_id, refunded: message.amount };
        Ok(Response::new(answer))
    }

    async fn get_payment(&self, _: Request<payment::GetPaymentRequest>) -> Answer<payment::PaymentDocument> {
        done()
    }

    async fn list_payments(
        &self,
        _: Request<payment::ListPaymentsRequest>,
    ) -> Answer<payment::ListPaymentsResponse> {
        done()
    }

    async fn list_provider_objects(
        &self,
        _: Request<payment::ListProviderObjectsRequest>,
    ) -> Answer<payment::ListProviderObjectsResponse> {
        done()
    }

    async fn get_provider_object(
        &self,
        _: Request<payment::GetProviderObjectRequest>,
    ) -> Answer<payment::ProviderObject> {
        done()
    }

    async fn take_back_object(
        &self,
        _: Request<payment::TakeBackObjectRequest>,
    ) -> Answer<payment::TakeBackObjectResponse> {
        self.enter("take_back_object").await;
        let answer = payment::TakeBackObjectResponse { outcome: "refunded".into(), amount: money(500) };
        Ok(Response::new(answer))
    }

    async fn settle_case(
        &self,
        request: Request<payment::SettleCaseRequest>,
    ) -> Answer<payment::SettleCaseResponse> {
        let (meta, _, message) = request.into_parts();
        let case = self.state().cases.get(&message.case_id).cloned().unwrap_or_default();
        if case.resolution.is_empty() {
            let key = CallMeta::read(&meta).unwrap().key();
            return Err(Verdict::Broken("a person has to see to it".into()).into_status("payment", &key));
        }
        Ok(Response::new(payment::SettleCaseResponse { resolution: case.resolution }))
    }

    async fn resolve_case(&self, request: Request<payment::ResolveCaseRequest>) -> Answer<payment::Case> {
        let message = request.into_inner();
        let mut state = self.state();
        let case = state.cases.get_mut(&message.case_id).ok_or_else(|| not_found("case"))?;
        if !case.resolution.is_empty() && case.resolution != message.resolution {
            return Err(precondition("ALREADY_RESOLVED", &[]));
        }
        (case.resolution, case.resolved_at_unix_ms) = (message.resolution, 2);
        Ok(Response::new(case.clone()))
    }

    async fn list_webhooks(
        &self,
        _: Request<payment::ListWebhooksRequest>,
    ) -> Answer<payment::ListWebhooksResponse> {
        done()
    }

    async fn list_cases(
        &self,
        request: Request<payment::ListCasesRequest>,
    ) -> Answer<payment::ListCasesResponse> {
        let request = request.into_inner();
        let wanted = |case: &&payment::Case| {
            (!request.open || case.resolution.is_empty()) && case.case_id > request.page_token
        };
        let size = usize::try_from(request.page_size).unwrap();
        let cases: Vec<_> = self.state().cases.values().filter(wanted).take(size).cloned().collect();
        let next = cases.last().filter(|_| cases.len() == size).map(|last| last.case_id.clone());
        Ok(Response::new(payment::ListCasesResponse { cases, next_page_token: next.unwrap_or_default() }))
    }
}
