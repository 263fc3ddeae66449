//! What a saga calls.

use std::time::{Duration, Instant};

use backstitch_proto::contract::{CallMeta, Op};
use backstitch_proto::money::Money;
use backstitch_proto::payment::payment_client::PaymentClient;
use backstitch_proto::payment::{
    AuthorizeRequest, CaptureRequest, RefundRequest, SettleCaseRequest, TakeBackObjectRequest, VoidRequest,
    authorize_response,
};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::said::{Said, after, facts, said};
use super::{AMOUNT, Shop, gbp};

/// How long what is under way is waited for. A machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a call is answered once what is under way in its own process has ended; repeated as a saga does.
pub fn in_the_end(call: impl Fn() -> Said) -> Said {
    let began = Instant::now();
    let open = |said: &Said| matches!(said, Said::Unknown | Said::NotNow) && began.elapsed() < PATIENCE;
    std::iter::repeat_with(call).find(|said| !open(said)).unwrap()
}

impl Shop {
    pub fn meta(&self, step: &str, op: Op) -> CallMeta {
        CallMeta {
            saga: self.saga,
            root: self.saga,
            name: "checkout".into(),
            step: step.into(),
            op,
            attempt: 1,
            traceparent: String::new(),
        }
    }

    /// Makes a call, until it is answered or hangs at the provider. None: it hangs there; the caller has gone away.
    fn call<M, T, F>(
        &self,
        meta: &CallMeta,
        message: M,
        rpc: impl FnOnce(PaymentClient<Routes>, Request<M>) -> F,
    ) -> Option<Result<T, Said>>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut request = Request::new(message);
        meta.write(request.metadata_mut());
        let process = self.process();
        let key = meta.key();
        self.block_on(async {
            tokio::select! {
                biased;
                answer = rpc(process.client.clone(), request) => {
                    Some(answer.map(Response::into_inner).map_err(|status| {
                        *self.after.lock().unwrap() = after(&status, &key);
                        *self.facts.lock().unwrap() = facts(&status, &key);
                        said(&status, &key)
                    }))
                }
                () = process.wire.hung.notified() => None,
            }
        })
    }

    /// When the last call that did not end well is to be made again, by its answer.
    pub fn after(&self) -> Duration {
        *self.after.lock().unwrap()
    }

    /// What the last refusal said beside its reason.
    pub fn fact(&self, name: &str) -> String {
        self.facts.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    pub fn try_authorize(&self, op: Op, token: &str) -> Option<Said> {
        self.try_authorize_as("authorize_payment", self.payment, op, token, gbp(AMOUNT))
    }

    pub fn try_authorize_as(
        &self,
        step: &str,
        payment: Uuid,
        op: Op,
        token: &str,
        amount: Money,
    ) -> Option<Said> {
        let request = AuthorizeRequest {
            payment_id: payment.to_string(),
            amount: Some(amount.to_proto()),
            payment_method: self.token(token).into(),
            order_id: "an order".into(),
        };
        let meta = self.meta(step, op);
        let answer = self.call(&meta, request, |mut c, r| async move { c.authorize(r).await })?;
        Some(match answer {
            Ok(response) => match response.result.unwrap() {
                authorize_response::Result::Authorized(authorized) => {
                    assert_eq!(authorized.amount, Some(amount.to_proto()));
                    assert!(authorized.capturable_for_seconds > 0);
                    Said::Done
                }
                authorize_response::Result::Pending(action) => Said::Pending(action.url),
            },
            Err(said) => said,
        })
    }

    pub fn try_void(&self) -> Option<Said> {
        let meta = self.meta("authorize_payment", Op::Undo);
        let request = VoidRequest { payment_id: self.payment.to_string() };
        let answer = self.call(&meta, request, |mut c, r| async move { c.void(r).await })?;
        Some(answer.map_or_else(|said| said, |_| Said::Done))
    }

    pub fn try_capture(&self, op: Op, amount: Money) -> Option<Said> {
        self.try_capture_as("capture_payment", op, amount)
    }

    pub fn try_capture_as(&self, step: &str, op: Op, amount: Money) -> Option<Said> {
        let meta = self.meta(step, op);
        let request =
            CaptureRequest { payment_id: self.payment.to_string(), amount: Some(amount.to_proto()) };
        let answer = self.call(&meta, request, |mut c, r| async move { c.capture(r).await })?;
        Some(answer.map_or_else(
            |said| said,
            |response| {
                assert_eq!(response.captured, Some(amount.to_proto()));
                Said::Done
            },
        ))
    }

    pub fn try_refund(&self, op: Op, number: u8, amount: Money) -> Option<Said> {
        let meta = self.meta(&format!("refund_{number}"), op);
        let request = RefundRequest {
            refund_id: self.refund_id(number).to_string(),
            payment_id: self.payment.to_string(),
            amount: Some(amount.to_proto()),
        };
        let answer = self.call(&meta, request, |mut c, r| async move { c.refund(r).await })?;
        Some(answer.map_or_else(
            |said| said,
            |response| {
                assert_eq!(response.refunded, Some(amount.to_proto()));
                Said::Done
            },
        ))
    }

    /// A repair by another saga, under a step of its own.
    pub fn take_back(&self, op: Op, number: u8, object: &str, state: &str) -> Result<(String, i64), Said> {
        self.try_take_back(op, number, object, state).unwrap()
    }

    pub fn try_take_back(
        &self,
        op: Op,
        number: u8,
        object: &str,
        state: &str,
    ) -> Option<Result<(String, i64), Said>> {
        self.ask_back(&self.meta(&format!("repair_{number}"), op), number, object, state)
    }

    /// A repair in the family of another root.
    pub fn take_back_of(
        &self,
        root: Uuid,
        number: u8,
        object: &str,
        state: &str,
    ) -> Result<(String, i64), Said> {
        let meta = CallMeta { root, ..self.meta(&format!("repair_{number}"), Op::Do) };
        self.ask_back(&meta, number, object, state).unwrap()
    }

    fn ask_back(
        &self,
        meta: &CallMeta,
        number: u8,
        object: &str,
        state: &str,
    ) -> Option<Result<(String, i64), Said>> {
        let request = TakeBackObjectRequest {
            provider_id: object.into(),
            state: state.into(),
            refund_id: self.refund_id(number).to_string(),
        };
        let answer = self.call(meta, request, |mut c, r| async move { c.take_back_object(r).await })?;
        Some(answer.map(|answer| (answer.outcome, answer.amount.unwrap().amount_minor)))
    }

    pub fn settle_case(&self, case: Uuid) -> Result<String, Said> {
        let request = SettleCaseRequest { case_id: case.to_string() };
        let meta = self.meta("settle_case", Op::Do);
        let answer = self.call(&meta, request, |mut c, r| async move { c.settle_case(r).await });
        answer.unwrap().map(|answer| answer.resolution)
    }

    /// A call of `refund` that runs beside others.
    pub async fn refunding(&self, number: u8, minor: i64) -> Said {
        self.refunding_by(self.process().client.clone(), number, minor).await
    }

    /// The same of the other one of two processes.
    pub async fn refunding_in_the_other(&self, number: u8, minor: i64) -> Said {
        let client = self.second().client.clone();
        self.refunding_by(client, number, minor).await
    }

    async fn refunding_by(&self, mut client: PaymentClient<Routes>, number: u8, minor: i64) -> Said {
        let meta = self.meta(&format!("refund_{number}"), Op::Do);
        let mut request = Request::new(RefundRequest {
            refund_id: self.refund_id(number).to_string(),
            payment_id: self.payment.to_string(),
            amount: Some(gbp(minor).to_proto()),
        });
        meta.write(request.metadata_mut());
        let answer = client.refund(request).await;
        answer.map_or_else(|status| said(&status, &meta.key()), |_| Said::Done)
    }

    pub fn refund_id(&self, number: u8) -> Uuid {
        backstitch_proto::ids::derived(self.saga, &format!("refund-{number}"))
    }

    pub fn authorize(&self, op: Op, token: &str) -> Said {
        self.try_authorize(op, token).unwrap()
    }

    pub fn void(&self) -> Said {
        self.try_void().unwrap()
    }

    pub fn capture(&self, op: Op) -> Said {
        self.try_capture(op, gbp(AMOUNT)).unwrap()
    }

    pub fn refund(&self, op: Op, number: u8, minor: i64) -> Said {
        self.try_refund(op, number, gbp(minor)).unwrap()
    }
}
