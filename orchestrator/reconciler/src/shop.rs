//! Whom the reconciler asks: the payment service, the orders, the orchestrator. It changes nothing by asking, and acts
//! only by the orchestrator's verbs.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use backstitch_proto::ids::born_ms;
use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::operator::{
    AcknowledgeFindingRequest, Acknowledgement, FindAcknowledgementsRequest, FindAcknowledgementsResponse,
    GetSagaRequest, NoteSagaRequest, RepairObjectRequest, SagaDetail, TakeBackAcknowledgementRequest,
};
use backstitch_proto::order::orders_client::OrdersClient;
use backstitch_proto::order::{self, GetOrderRequest, ListOrdersRequest};
use backstitch_proto::payment::payment_client::PaymentClient;
use backstitch_proto::payment::{
    self, GetPaymentRequest, GetProviderObjectRequest, ListCasesRequest, ListPaymentsRequest,
    ListProviderObjectsRequest, PaymentDocument, ProviderObject, UnreadableObject,
};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use uuid::Uuid;

use crate::finding::Finding;
use crate::lines::Unreadable;
use crate::sagas::{Saga, Standing};

/// The longest message that is read: a page of large orders.
const MESSAGE: usize = 16 * 1024 * 1024;

/// Payments on a page.
const PAYMENTS: i32 = 500;

/// Orders on a page; one may have hundreds of lines.
const ORDERS: i32 = 100;

/// Cases on a page.
const CASES: i32 = 1_000;

/// Findings that are asked for at once.
const FINDINGS: usize = 1_000;

/// How long an answer may take. The provider's list is the slowest: the payment service asks outside for it.
const ANSWER: Duration = Duration::from_secs(30);

/// Why the books could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Somebody did not answer.
    #[error("{who} at {at} did not answer {asked}: {why}")]
    Unanswered {
        /// payment, order or orchestrator.
        who: &'static str,
        /// Where.
        at: String,
        /// The call.
        asked: &'static str,
        /// What was said instead.
        why: String,
    },
    /// Somebody answered what cannot be.
    #[error("{who} at {at} answered what cannot be read: {why}")]
    Unreadable {
        /// Who.
        who: &'static str,
        /// Where.
        at: String,
        /// What.
        why: String,
    },
    /// Lines could not be put away for sorting.
    #[error("lines cannot be put away in the directory for temporary files (TMPDIR): {0}")]
    Scratch(#[from] std::io::Error),
}

/// Somebody who is asked.
#[derive(Clone, Debug)]
struct Part {
    who: &'static str,
    at: String,
}

impl Part {
    fn unanswered(&self, asked: &'static str, status: &Status) -> Failed {
        let code = format!("{:?}", status.code());
        let why = if status.message().is_empty() { code } else { format!("{code}, {}", status.message()) };
        Failed::Unanswered { who: self.who, at: self.at.clone(), asked, why }
    }

    fn unreadable(&self, error: &Unreadable) -> Failed {
        Failed::Unreadable { who: self.who, at: self.at.clone(), why: error.to_string() }
    }

    async fn ask<T>(
        &self,
        asked: &'static str,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failed> {
        match tokio::time::timeout(ANSWER, call).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.unanswered(asked, &status)),
            Err(_) => {
                Err(self.unanswered(asked, &Status::deadline_exceeded(format!("nothing within {ANSWER:?}"))))
            }
        }
    }

    /// As [`Part::ask`] for something by its id; what is not found, or cannot be an id there, is None.
    async fn find<T>(
        &self,
        asked: &'static str,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<Option<T>, Failed> {
        let call = async {
            match call.await {
                Err(status) if matches!(status.code(), Code::NotFound | Code::InvalidArgument) => {
                    Ok(Response::new(None))
                }
                answer => answer.map(|answer| answer.map(Some)),
            }
        };
        self.ask(asked, call).await
    }

    /// The token of the next page, None at the end. One that leads back to the same page would never end.
    fn next(&self, asked: &'static str, token: &str, next: String) -> Result<Option<String>, Failed> {
        match next.as_str() {
            "" => Ok(None),
            same if same == token => {
                let why = format!("{asked} leads from a page to itself");
                Err(Failed::Unreadable { who: self.who, at: self.at.clone(), why })
            }
            _ => Ok(Some(next)),
        }
    }
}

/// Connections to everybody who is asked.
#[derive(Clone, Debug)]
pub struct Shop {
    payment: (Part, PaymentClient<Channel>),
    orders: (Part, OrdersClient<Channel>),
    operator: (Part, OperatorClient<Channel>),
}

/// A page of the provider's list.
pub(crate) struct Listed {
    pub(crate) objects: Vec<ProviderObject>,
    /// What somebody else made and cannot be read.
    pub(crate) unreadable: Vec<UnreadableObject>,
    /// The token of the next.
    pub(crate) next: Option<String>,
    /// Whose list it is; empty where that is not told.
    pub(crate) provider: String,
}

/// A channel and the address that it is named by where somebody does not answer.
#[derive(Clone, Debug)]
pub struct At {
    /// For people.
    pub address: String,
    /// To call.
    pub channel: Channel,
}

impl Shop {
    /// Asks these.
    pub fn new(payment: At, order: At, orchestrator: At) -> Self {
        let part = |who, at: &At| Part { who, at: at.address.clone() };
        let (p, o, s) =
            (part("payment", &payment), part("order", &order), part("orchestrator", &orchestrator));
        Self {
            payment: (p, PaymentClient::new(payment.channel).max_decoding_message_size(MESSAGE)),
            orders: (o, OrdersClient::new(order.channel).max_decoding_message_size(MESSAGE)),
            operator: (s, OperatorClient::new(orchestrator.channel).max_decoding_message_size(MESSAGE)),
        }
    }

    /// A page of the provider's list.
    pub(crate) async fn objects(&self, from_ms: i64, token: &str) -> Result<Listed, Failed> {
        let (part, mut client) = self.payment.clone();
        let request =
            ListProviderObjectsRequest { created_from_unix_ms: from_ms.max(0), page_token: token.into() };
        let page = part.ask("ListProviderObjects", client.list_provider_objects(request)).await?;
        let next = part.next("ListProviderObjects", token, page.next_page_token)?;
        Ok(Listed { objects: page.objects, unreadable: page.unreadable, next, provider: page.provider })
    }

    /// Nothing can be said of a payment whose object cannot be read.
    pub(crate) fn unreadable(&self, object: &UnreadableObject) -> Failed {
        let (what, id, why) = ("object", object.provider_id.clone(), object.why.clone());
        self.payment.0.unreadable(&Unreadable { what, id, why })
    }

    /// An object of the provider.
    pub(crate) async fn object(&self, id: &str) -> Result<Option<ProviderObject>, Failed> {
        let (part, mut client) = self.payment.clone();
        let request = GetProviderObjectRequest { provider_id: id.to_owned() };
        part.find("GetProviderObject", client.get_provider_object(request)).await
    }

    /// A page of our ledger, oldest first: what was written at or after a time, all of it or what is open.
    pub(crate) async fn payments(
        &self,
        from_ms: i64,
        open: bool,
        token: &str,
    ) -> Result<(Vec<PaymentDocument>, Option<String>), Failed> {
        let (part, mut client) = self.payment.clone();
        let request = ListPaymentsRequest {
            page_size: PAYMENTS,
            page_token: token.into(),
            created_from_unix_ms: from_ms,
            open,
            ..Default::default()
        };
        let page = part.ask("ListPayments", client.list_payments(request)).await?;
        Ok((page.payments, part.next("ListPayments", token, page.next_page_token)?))
    }

    /// The payment of our ledger that has an object of the provider.
    pub(crate) async fn payment_of(&self, object: &str) -> Result<Option<PaymentDocument>, Failed> {
        let (part, mut client) = self.payment.clone();
        let request = ListPaymentsRequest { provider_id: object.to_owned(), ..Default::default() };
        let page = part.ask("ListPayments", client.list_payments(request)).await?;
        Ok(page.payments.into_iter().find(|payment| payment.provider_id == object))
    }

    /// One payment of our ledger.
    pub(crate) async fn payment(&self, id: &str) -> Result<Option<PaymentDocument>, Failed> {
        let (part, mut client) = self.payment.clone();
        let request = GetPaymentRequest { payment_id: id.to_owned() };
        part.find("GetPayment", client.get_payment(request)).await
    }

    /// A page of the cases that nobody has resolved.
    pub(crate) async fn open_cases(
        &self,
        token: &str,
    ) -> Result<(Vec<payment::Case>, Option<String>), Failed> {
        let (part, mut client) = self.payment.clone();
        let request = ListCasesRequest { open: true, page_size: CASES, page_token: token.into() };
        let page = part.ask("ListCases", client.list_cases(request)).await?;
        Ok((page.cases, part.next("ListCases", token, page.next_page_token)?))
    }

    /// A page of the orders, oldest first: what was written at or after a time.
    pub(crate) async fn orders(
        &self,
        from_ms: i64,
        token: &str,
    ) -> Result<(Vec<order::Order>, Option<String>), Failed> {
        let (part, mut client) = self.orders.clone();
        let request =
            ListOrdersRequest { page_size: ORDERS, page_token: token.into(), created_from_unix_ms: from_ms };
        let page = part.ask("List", client.list(request)).await?;
        Ok((page.orders, part.next("List", token, page.next_page_token)?))
    }

    /// One order.
    pub(crate) async fn order(&self, id: &str) -> Result<Option<order::Order>, Failed> {
        let (part, mut client) = self.orders.clone();
        part.find("Get", client.get(GetOrderRequest { order_id: id.to_owned() })).await
    }

    /// Where a saga stands. One that is not known and was begun before `forgotten_ms` may have been forgotten.
    pub(crate) async fn saga(&self, id: &str, forgotten_ms: i64) -> Result<Saga, Failed> {
        let unknown = Saga { standing: Standing::Unknown, moved_ms: 0 };
        // What is no id of ours is no saga of ours.
        let Ok(uuid) = id.parse::<Uuid>() else { return Ok(unknown) };
        let (part, mut client) = self.operator.clone();
        let request = GetSagaRequest { saga_id: uuid.to_string() };
        let Some(detail) = part.find("GetSaga", client.get_saga(request)).await? else {
            let is_old = born_ms(uuid).is_some_and(|begun| begun < forgotten_ms);
            let standing = if is_old { Standing::Forgotten } else { Standing::Unknown };
            return Ok(Saga { standing, moved_ms: 0 });
        };
        let summary = detail.summary.unwrap_or_default();
        let standing = match summary.status.as_str() {
            "completed" => Standing::Completed,
            "compensated" => Standing::Compensated,
            "parked" => Standing::Parked,
            "running" | "waiting" | "compensating" => Standing::Live,
            other => {
                let why = format!("saga {id} is `{other}`");
                return Err(Failed::Unreadable { who: part.who, at: part.at, why });
            }
        };
        Ok(Saga { standing, moved_ms: summary.updated_at_unix_ms })
    }

    /// Where sagas stand.
    pub(crate) async fn sagas<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a str>,
        forgotten_ms: i64,
    ) -> Result<BTreeMap<String, Saga>, Failed> {
        let mut told = BTreeMap::new();
        for id in ids {
            if !id.is_empty() && !told.contains_key(id) {
                told.insert(id.to_owned(), self.saga(id, forgotten_ms).await?);
            }
        }
        Ok(told)
    }

    /// Writes a note on a saga that has not ended.
    pub(crate) async fn note(&self, saga: &str, text: String) -> Result<(), Status> {
        let mut client = self.operator.1.clone();
        client.note_saga(NoteSagaRequest { saga_id: saga.to_owned(), text }).await.map(|_| ())
    }

    /// Starts the saga that takes an object back, or finds it.
    pub(crate) async fn repair(&self, request: RepairObjectRequest) -> Result<SagaDetail, Status> {
        let mut client = self.operator.1.clone();
        client.repair_object(request).await.map(Response::into_inner)
    }

    /// What people have acknowledged of these findings, by the finding's id. An orchestrator that is older than
    /// acknowledgements keeps none.
    pub(crate) async fn acknowledged(
        &self,
        findings: &[Finding],
    ) -> Result<BTreeMap<Uuid, Acknowledgement>, Failed> {
        let (part, mut client) = self.operator.clone();
        let mut all = BTreeMap::new();
        for some in findings.chunks(FINDINGS) {
            let finding_ids = some.iter().map(|finding| finding.id().to_string()).collect();
            let asked = client.find_acknowledgements(FindAcknowledgementsRequest { finding_ids });
            let known = async {
                match asked.await {
                    Err(status) if status.code() == Code::Unimplemented => {
                        Ok(Response::new(FindAcknowledgementsResponse::default()))
                    }
                    answer => answer,
                }
            };
            let found = part.ask("FindAcknowledgements", known).await?.acknowledgements;
            all.extend(found.into_iter().filter_map(|one| Some((one.finding_id.parse().ok()?, one))));
        }
        Ok(all)
    }

    /// Writes down that a finding is as it should be.
    pub(crate) async fn acknowledge(
        &self,
        request: AcknowledgeFindingRequest,
    ) -> Result<Acknowledgement, Status> {
        let mut client = self.operator.1.clone();
        client.acknowledge_finding(request).await.map(Response::into_inner)
    }

    /// Takes that back.
    pub(crate) async fn take_back(&self, request: TakeBackAcknowledgementRequest) -> Result<(), Status> {
        let mut client = self.operator.1.clone();
        client.take_back_acknowledgement(request).await.map(|_| ())
    }

    /// Parses a line of the payment service.
    pub(crate) fn of_payment<T>(&self, line: Result<T, Unreadable>) -> Result<T, Failed> {
        line.map_err(|error| self.payment.0.unreadable(&error))
    }

    /// Parses a line of the orders.
    pub(crate) fn of_orders<T>(&self, line: Result<T, Unreadable>) -> Result<T, Failed> {
        line.map_err(|error| self.orders.0.unreadable(&error))
    }
}
