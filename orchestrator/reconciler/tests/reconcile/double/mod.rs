//! The payment service, the orders and the orchestrator in one double: answers from facts that a test may change at any
//! call, so that every race can be played.
//!
//! Speaks gRPC in plain bytes, by the names of methods.

mod facts;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard};

use backstitch_proto::operator::{
    AcknowledgeFindingRequest, Acknowledgement, FindAcknowledgementsRequest, FindAcknowledgementsResponse,
    GetSagaRequest, NoteSagaRequest, RepairObjectRequest, TakeBackAcknowledgementRequest,
    TakeBackAcknowledgementResponse,
};
use backstitch_proto::order::{GetOrderRequest, ListOrdersRequest, ListOrdersResponse};
use backstitch_proto::payment::{
    GetPaymentRequest, GetProviderObjectRequest, ListCasesRequest, ListCasesResponse, ListPaymentsRequest,
    ListPaymentsResponse, ListProviderObjectsRequest, ListProviderObjectsResponse, PaymentDocument,
};
use backstitch_reconciler::{At, Shop};
use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};

pub(crate) use facts::{DAY, Facts, NOW, begun, detail, gbp, is_open, made_ms, saga};

/// What is done before a call is answered, which is the so-manieth of its method.
type Script = dyn FnMut(&str, usize, &mut Facts) + Send;

/// The double. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Double {
    stage: Arc<Mutex<Stage>>,
    pub(crate) shop: Shop,
}

struct Stage {
    facts: Facts,
    script: Box<Script>,
    calls: Vec<String>,
    /// Methods that answer nothing but this.
    broken: Vec<(String, Code)>,
}

impl Double {
    pub(crate) async fn of(facts: Facts) -> Self {
        Self::moving(facts, |_, _, _| {}).await
    }

    /// With a script that moves things.
    pub(crate) async fn moving(
        facts: Facts,
        script: impl FnMut(&str, usize, &mut Facts) + Send + 'static,
    ) -> Self {
        let stage = Stage { facts, script: Box::new(script), calls: Vec::new(), broken: Vec::new() };
        let stage = Arc::new(Mutex::new(stage));
        let channel = wire::serve(stage.clone()).await;
        let at = |name: &str| At { address: format!("http://{name}"), channel: channel.clone() };
        Self { stage, shop: Shop::new(at("p"), at("o"), at("s")) }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.stage().facts);
    }

    /// Every later call of this method fails with this.
    pub(crate) fn breaks(&self, method: &str, code: Code) {
        self.stage().broken.push((method.to_owned(), code));
    }

    pub(crate) fn mend(&self) {
        self.stage().broken.clear();
    }

    /// How often a method was called.
    pub(crate) fn calls(&self, method: &str) -> usize {
        self.stage().calls.iter().filter(|call| *call == method).count()
    }

    pub(crate) fn notes(&self) -> Vec<(String, String)> {
        self.stage().facts.notes.clone()
    }

    pub(crate) fn repairs(&self) -> Vec<RepairObjectRequest> {
        self.stage().facts.repairs.clone()
    }
}

impl Stage {
    fn answer(&mut self, method: &str, request: Bytes) -> Result<Bytes, Status> {
        self.calls.push(method.to_owned());
        let nth = self.calls.iter().filter(|call| *call == method).count();
        (self.script)(method, nth, &mut self.facts);
        if let Some((_, code)) = self.broken.iter().find(|(broken, _)| broken == method) {
            return Err(Status::new(*code, "broken on purpose"));
        }
        let facts = &mut self.facts;
        match method {
            "ListProviderObjects" => {
                let ListProviderObjectsRequest { created_from_unix_ms, page_token } = read(request);
                let wanted = facts.objects.iter().filter(|o| o.created_at_unix_ms >= created_from_unix_ms);
                let (objects, next_page_token) = facts.page(wanted, &page_token);
                let unreadable = if page_token.is_empty() { facts.unreadable.clone() } else { Vec::new() };
                let provider = facts.provider.clone();
                say(&ListProviderObjectsResponse { objects, next_page_token, unreadable, provider })
            }
            "GetProviderObject" => {
                let GetProviderObjectRequest { provider_id } = read(request);
                found(facts.objects.iter().find(|object| object.provider_id == provider_id))
            }
            "ListPayments" => {
                let request: ListPaymentsRequest = read(request);
                let wanted = |payment: &&PaymentDocument| match request.provider_id.as_str() {
                    "" => {
                        payment.created_at_unix_ms >= request.created_from_unix_ms
                            && (!request.open || is_open(payment))
                    }
                    object => payment.provider_id == object,
                };
                let mut payments: Vec<_> = facts.payments.iter().filter(wanted).collect();
                payments.sort_by_key(|payment| payment.created_at_unix_ms);
                let (payments, next_page_token) = facts.page(payments.into_iter(), &request.page_token);
                let payments = payments.into_iter().map(|payment| facts.with_cases(payment)).collect();
                say(&ListPaymentsResponse { payments, next_page_token })
            }
            "GetPayment" => {
                let GetPaymentRequest { payment_id } = read(request);
                let payment = facts.payments.iter().find(|payment| payment.payment_id == payment_id);
                found(payment.map(|payment| facts.with_cases(payment.clone())).as_ref())
            }
            "ListCases" => {
                let ListCasesRequest { page_token, open, .. } = read(request);
                let wanted = facts.cases.iter().filter(|case| !open || case.resolution.is_empty());
                let (cases, next_page_token) = facts.page(wanted, &page_token);
                say(&ListCasesResponse { cases, next_page_token })
            }
            "List" => {
                let ListOrdersRequest { page_token, created_from_unix_ms: from_ms, .. } = read(request);
                let mut orders: Vec<_> = facts.orders.iter().filter(|o| made_ms(o) >= from_ms).collect();
                orders.sort_by_key(|order| made_ms(order));
                let (orders, next_page_token) = facts.page(orders.into_iter(), &page_token);
                say(&ListOrdersResponse { orders, next_page_token })
            }
            "Get" => {
                let GetOrderRequest { order_id } = read(request);
                found(facts.orders.iter().find(|order| order.order_id == order_id))
            }
            "GetSaga" => {
                let GetSagaRequest { saga_id } = read(request);
                found(facts.sagas.get(&saga_id).cloned().map(|summary| detail(&saga_id, summary)).as_ref())
            }
            "NoteSaga" => {
                let NoteSagaRequest { saga_id, text } = read(request);
                facts.notes.push((saga_id.clone(), text));
                say(&detail(&saga_id, ("running".into(), 0)))
            }
            "RepairObject" => {
                let wanted: RepairObjectRequest = read(request);
                facts.repairs.push(wanted);
                say(&detail("repair", ("running".into(), 0)))
            }
            "FindAcknowledgements" => {
                let FindAcknowledgementsRequest { finding_ids } = read(request);
                let found = finding_ids.iter().filter_map(|id| facts.acknowledged.get(id).cloned());
                say(&FindAcknowledgementsResponse { acknowledgements: found.collect() })
            }
            "AcknowledgeFinding" => {
                let AcknowledgeFindingRequest { finding_id, what, by, reason } = read(request);
                let word = Acknowledgement { finding_id, what, by, reason, at_unix_ms: NOW };
                say(facts.acknowledged.entry(word.finding_id.clone()).or_insert(word))
            }
            "TakeBackAcknowledgement" => {
                let TakeBackAcknowledgementRequest { finding_id, .. } = read(request);
                found(
                    facts
                        .acknowledged
                        .remove(&finding_id)
                        .map(|_| TakeBackAcknowledgementResponse {})
                        .as_ref(),
                )
            }
            other => Err(Status::unimplemented(other)),
        }
    }
}

fn read<M: Message + Default>(bytes: Bytes) -> M {
    M::decode(bytes).unwrap()
}

fn say(message: &impl Message) -> Result<Bytes, Status> {
    Ok(message.encode_to_vec().into())
}

fn found(message: Option<&impl Message>) -> Result<Bytes, Status> {
    message.map_or_else(|| Err(Status::not_found("there is none")), say)
}
