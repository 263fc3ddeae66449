//! The participants that the faces themselves ask: inventory, carts and orders.
//!
//! None of these calls belongs to a saga. Channels connect when they are first used and again when they break, so
//! that the order in which processes start does not matter. Knows statuses, not what a face makes of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use backstitch_proto::cart::carts_client::CartsClient;
use backstitch_proto::contract::{keys, optional_parts};
use backstitch_proto::inventory::inventory_client::InventoryClient;
use backstitch_proto::order::orders_client::OrdersClient;
use backstitch_proto::payment::payment_client::PaymentClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_types::StatusExt as _;

/// Longest wait for a TCP connection to a participant.
const CONNECT: Duration = Duration::from_secs(2);

/// An address that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{address}` is not an address such as http://127.0.0.1:50051: {why}")]
pub struct BadAddress {
    /// As given.
    pub address: String,
    /// What is wrong with it.
    pub why: String,
}

/// A channel to `address` that connects on first use. Shared by everybody who clones it.
///
/// # Errors
/// An address that cannot be one; never that nobody is there.
pub fn channel(address: &str) -> Result<Channel, BadAddress> {
    let bad = |why: String| BadAddress { address: address.to_owned(), why };
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|e| bad(e.to_string()))?;
    if endpoint.uri().host().is_none() || endpoint.uri().scheme().is_none() {
        return Err(bad("it needs a scheme and a host".to_owned()));
    }
    let endpoint = endpoint.connect_timeout(CONNECT).tcp_nodelay(true);
    Ok(endpoint.http2_keep_alive_interval(Duration::from_secs(20)).connect_lazy())
}

/// Clients of the participants that the faces ask, and all participants that readiness looks at.
#[derive(Clone)]
pub struct Clients {
    inventory: InventoryClient<Channel>,
    carts: CartsClient<Channel>,
    orders: OrdersClient<Channel>,
    payments: PaymentClient<Channel>,
    probed: Vec<(String, Channel)>,
    deadline: Duration,
}

impl Clients {
    /// Over these channels; a call may take 5 seconds. Readiness looks at nobody until [`Clients::probing`].
    pub fn new(inventory: Channel, carts: Channel, orders: Channel, payments: Channel) -> Self {
        Self {
            inventory: InventoryClient::new(inventory),
            carts: CartsClient::new(carts),
            orders: OrdersClient::new(orders),
            payments: PaymentClient::new(payments),
            probed: Vec::new(),
            deadline: Duration::from_secs(5),
        }
    }

    /// Adds a participant that readiness asks for its health.
    #[must_use]
    pub fn probing(mut self, name: impl Into<String>, channel: Channel) -> Self {
        self.probed.push((name.into(), channel));
        self
    }

    pub(crate) fn probes(&self, participant: &str) -> bool {
        self.probed.iter().any(|(name, _)| name == participant)
    }

    /// Another longest time for one call.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    pub(crate) fn inventory(&self) -> InventoryClient<Channel> {
        self.inventory.clone()
    }

    pub(crate) fn carts(&self) -> CartsClient<Channel> {
        self.carts.clone()
    }

    pub(crate) fn orders(&self) -> OrdersClient<Channel> {
        self.orders.clone()
    }

    pub(crate) fn payments(&self) -> PaymentClient<Channel> {
        self.payments.clone()
    }

    /// Calls once: for what changes something. The caller's trace context goes along.
    pub(crate) async fn change<Q, A, F>(
        &self,
        part: &'static str,
        message: Q,
        traceparent: &str,
        call: impl FnOnce(Request<Q>) -> F,
    ) -> Result<A, CallError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut request = self.request(message);
        if let Ok(value) = traceparent.parse()
            && !traceparent.is_empty()
        {
            request.metadata_mut().insert(keys::TRACEPARENT, value);
        }
        let answered = tokio::time::timeout(self.deadline, call(request)).await;
        let answered = answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
        answered.map(Response::into_inner).map_err(|status| CallError::of(part, &status))
    }

    /// Calls, and once more when nobody answered: for reads, which may meet a connection that broke unnoticed.
    pub(crate) async fn read<Q: Clone, A, F>(
        &self,
        part: &'static str,
        message: Q,
        mut call: impl FnMut(Request<Q>) -> F,
    ) -> Result<A, CallError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let twice = async {
            match call(self.request(message.clone())).await {
                Err(status) if matches!(status.code(), Code::Unavailable | Code::Unknown) => {
                    call(self.request(message)).await
                }
                answered => answered,
            }
        };
        let answered = tokio::time::timeout(self.deadline, twice).await;
        let answered = answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
        answered.map(Response::into_inner).map_err(|status| CallError::of(part, &status))
    }

    fn request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline);
        request
    }

    /// Asks every probed participant for its health, all at once; those that are not well, or that do without a part
    /// of theirs, with what they say.
    pub(crate) async fn unwell(&self, within: Duration) -> Vec<(String, String)> {
        let ask = |(name, channel): (String, Channel)| async move {
            let mut client = HealthClient::new(channel);
            let asked = async {
                let whole = client.check(HealthCheckRequest::default()).await;
                if !whole.as_ref().is_ok_and(is_serving) {
                    return whole.map(|_| Some("is up and says that it is not serving".to_owned()));
                }
                for part in optional_parts::ALL {
                    // Who has no such part does not know its name.
                    let asked = client.check(HealthCheckRequest { service: part.to_owned() }).await;
                    if asked.is_ok_and(|answer| !is_serving(&answer)) {
                        return Ok(Some(format!("does without its {part}, slower; nothing is lost")));
                    }
                }
                Ok(None)
            };
            let said = match tokio::time::timeout(within, asked).await {
                Ok(Ok(said)) => said?,
                Ok(Err(status)) => format!("answers {:?}: {}", status.code(), status.message()),
                Err(_) => "does not answer".to_owned(),
            };
            Some((name, said))
        };
        let asked = futures::future::join_all(self.probed.iter().cloned().map(ask)).await;
        asked.into_iter().flatten().collect()
    }
}

fn is_serving(answer: &Response<HealthCheckResponse>) -> bool {
    answer.get_ref().status == ServingStatus::Serving as i32
}

/// Why a participant did not do what a face asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The request is wrong whatever the state.
    Invalid {
        /// As a JSON pointer.
        field: String,
        /// Goes after the field's name.
        why: String,
    },
    /// There is no such thing.
    NotFound,
    /// The state does not allow it, or somebody else was faster.
    Precondition {
        /// A stable word in capitals.
        reason: String,
        why: String,
        metadata: BTreeMap<String, String>,
    },
    /// Nobody answered in time. A change may have happened.
    Unavailable { part: &'static str, why: String },
    /// An answer that cannot be: a person has to look.
    Broken { part: &'static str, why: String },
}

impl CallError {
    fn of(part: &'static str, status: &Status) -> Self {
        let why = || status.message().to_owned();
        let details = status.get_error_details();
        match status.code() {
            Code::InvalidArgument => {
                let violation = details.bad_request().and_then(|b| b.field_violations.first());
                match violation {
                    Some(v) => CallError::Invalid { field: pointer(&v.field), why: v.description.clone() },
                    None => CallError::Broken { part, why: format!("an unexplained refusal: {}", why()) },
                }
            }
            Code::NotFound => CallError::NotFound,
            Code::FailedPrecondition | Code::Aborted if details.error_info().is_some() => {
                let (reason, metadata) = details.error_info().map_or_else(Default::default, |info| {
                    (info.reason.clone(), info.metadata.clone().into_iter().collect())
                });
                CallError::Precondition { reason, why: why(), metadata }
            }
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Aborted
            | Code::ResourceExhausted => CallError::Unavailable { part, why: why() },
            code => CallError::Broken { part, why: format!("{code:?}: {}", why()) },
        }
    }
}

/// `items[3].quantity` as `/items/3/quantity`.
fn pointer(field: &str) -> String {
    let mut pointer = String::with_capacity(field.len() + 1);
    pointer.push('/');
    for c in field.chars() {
        match c {
            '.' | '[' => pointer.push('/'),
            ']' => {}
            c => pointer.push(c),
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn detailed(code: Code, details: ErrorDetails) -> Status {
        Status::with_error_details(code, "why", details)
    }

    #[test]
    fn a_status_is_read_by_what_can_be_done_about_it() {
        let invalid = ErrorDetails::with_bad_request_violation("items[3].quantity", "must be positive");
        let info = ErrorDetails::with_error_info("CART_HELD", "doors.backstitch", HashMap::new());
        let expected =
            CallError::Invalid { field: "/items/3/quantity".into(), why: "must be positive".into() };
        assert_eq!(CallError::of("cart", &detailed(Code::InvalidArgument, invalid)), expected);
        assert_eq!(CallError::of("cart", &Status::not_found("none")), CallError::NotFound);
        for code in [Code::FailedPrecondition, Code::Aborted] {
            let read = CallError::of("cart", &detailed(code, info.clone()));
            assert!(matches!(read, CallError::Precondition { reason, .. } if reason == "CART_HELD"));
        }
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled, Code::Unknown, Code::Aborted]
        {
            let read = CallError::of("cart", &Status::new(code, "x"));
            assert!(matches!(read, CallError::Unavailable { part: "cart", .. }), "{code:?}");
        }
        // Without the details that our own participants send, a code alone proves nothing about the request.
        for code in [Code::InvalidArgument, Code::FailedPrecondition, Code::PermissionDenied, Code::Internal]
        {
            let read = CallError::of("cart", &Status::new(code, "x"));
            assert!(matches!(read, CallError::Broken { part: "cart", .. }), "{code:?}");
        }
    }

    #[tokio::test]
    async fn an_address_is_checked_and_nobody_is_called() {
        assert!(channel("http://127.0.0.1:1").is_ok());
        for bad in ["", "127.0.0.1:1", "http://", "not an address", "/path"] {
            assert!(channel(bad).is_err(), "{bad:?}");
        }
    }
}
