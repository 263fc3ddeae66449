//! Participants in memory, all behind one address, each in its file. They keep the contract's words and forget its
//! barrier: nothing here is called twice unless a test says so.

mod cart;
mod inventory;
mod noop;
mod notification;
mod order;
mod payment;
mod shipping;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use backstitch_proto as proto;
use backstitch_proto::common::{Item, Money, PricedItem};
use backstitch_proto::contract::{CallMeta, Refusal, Verdict};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

#[derive(Default)]
pub struct State {
    pub products: BTreeMap<String, proto::inventory::Product>,
    pub carts: BTreeMap<String, proto::cart::Cart>,
    pub orders: BTreeMap<String, proto::order::Order>,
    /// Refuse to reserve.
    pub out_of_stock: bool,
    /// What the inventory answers instead of the truth.
    pub lie: Option<Vec<PricedItem>>,
    /// What authorization answers first: wait for the customer.
    pub customer_acts: bool,
    /// How long a hold can be captured, if not for a day; seconds.
    pub holds_for: Option<i64>,
    /// Refunds are refused.
    pub no_refunds: bool,
    /// Cases, and how they were resolved.
    pub cases: BTreeMap<String, proto::payment::Case>,
    /// Actions that fail of a bug.
    pub broken: BTreeSet<&'static str>,
    /// Actions that nobody here serves.
    pub unserved: BTreeSet<&'static str>,
    /// Traces of changes at the doors.
    pub traces: Vec<String>,
}

/// Which actions wait.
#[derive(Default)]
struct Held {
    all: BTreeSet<&'static str>,
    /// The next call waits.
    next: BTreeSet<&'static str>,
    /// One call waits, others pass.
    caught: BTreeSet<&'static str>,
}

/// The handle of a test.
#[derive(Clone)]
pub struct Participants {
    state: Arc<Mutex<State>>,
    held: Arc<watch::Sender<Held>>,
    arrived: Arc<watch::Sender<BTreeMap<&'static str, usize>>>,
}

impl Participants {
    pub async fn serve() -> (Self, String) {
        let this = Self {
            state: Arc::default(),
            held: Arc::new(watch::channel(Held::default()).0),
            arrived: Arc::new(watch::channel(BTreeMap::new()).0),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let (_, health) = tonic_health::server::health_reporter();
        let server = tonic::transport::Server::builder()
            .add_service(health)
            .add_service(proto::inventory::inventory_server::InventoryServer::new(this.clone()))
            .add_service(proto::cart::carts_server::CartsServer::new(this.clone()))
            .add_service(proto::shipping::shipping_server::ShippingServer::new(this.clone()))
            .add_service(proto::payment::payment_server::PaymentServer::new(this.clone()))
            .add_service(proto::order::orders_server::OrdersServer::new(this.clone()))
            .add_service(proto::notification::notifications_server::NotificationsServer::new(this.clone()))
            .add_service(proto::noop::noop_server::NoopServer::new(this.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        (this, at)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A product at 5.00 of the currency, 100 g.
    pub fn product(&self, sku: &str, currency: &str) {
        let price = Some(Money { amount_minor: 500, currency: currency.into() });
        let product = proto::inventory::Product {
            sku: sku.into(),
            name: sku.into(),
            price,
            weight_grams: 100,
            on_hand: 1000,
            etag: "1".into(),
            stated_stock: 1000,
            ..Default::default()
        };
        self.state().products.insert(sku.into(), product);
    }

    pub fn cart(&self, id: &str, items: &[(&str, i64)]) {
        let items =
            items.iter().map(|(sku, quantity)| Item { sku: (*sku).into(), quantity: *quantity }).collect();
        let cart = proto::cart::Cart { cart_id: id.into(), items, version: 1, ..Default::default() };
        self.state().carts.insert(id.into(), cart);
    }

    /// From now on calls of this action wait inside the participant.
    pub fn hold(&self, action: &'static str) {
        self.held.send_modify(|held| {
            held.all.insert(action);
        });
    }

    /// Only the next call of this action waits.
    pub fn hold_next(&self, action: &'static str) {
        self.held.send_modify(|held| {
            held.next.insert(action);
        });
    }

    /// They go on.
    pub fn release(&self, action: &'static str) {
        self.held.send_modify(|held| {
            held.all.remove(action);
            held.caught.remove(action);
        });
    }

    /// Waits until this action was called so many times in all.
    pub async fn called(&self, action: &'static str, times: usize) {
        let enough = |all: &BTreeMap<&'static str, usize>| all.get(action).copied().unwrap_or(0) >= times;
        self.arrived.subscribe().wait_for(enough).await.unwrap();
    }

    async fn enter(&self, action: &'static str) {
        let mut caught = false;
        self.held.send_if_modified(|held| {
            caught = held.next.remove(action) && held.caught.insert(action);
            caught
        });
        self.arrived.send_modify(|arrived| *arrived.entry(action).or_default() += 1);
        let waits = |held: &Held| held.all.contains(action) || (caught && held.caught.contains(action));
        self.held.subscribe().wait_for(|held| !waits(held)).await.unwrap();
    }

    /// Fails as the contract says for a bug, if this action was told to.
    fn sane(&self, meta: &MetadataMap, service: &str, action: &str) -> Result<(), Status> {
        if self.state().unserved.contains(action) {
            return Err(Status::unimplemented("no such method"));
        }
        if !self.state().broken.contains(action) {
            return Ok(());
        }
        let key = CallMeta::read(meta).unwrap().key();
        Err(Verdict::Broken("the ledger does not open".into()).into_status(service, &key))
    }

    fn settle_return(&self, id: &str, status: &str, credit_note_number: &str) {
        for order in self.state().orders.values_mut() {
            for back in order.returns.iter_mut().filter(|back| back.return_id == id) {
                (back.status, back.credit_note_number) = (status.into(), credit_note_number.into());
            }
        }
    }

    fn trace<T>(&self, request: &Request<T>) {
        let trace = request.metadata().get("traceparent").map(|v| v.to_str().unwrap().to_owned());
        self.state().traces.extend(trace);
    }
}

type Answer<T> = Result<Response<T>, Status>;

fn done<T: Default>() -> Answer<T> {
    Ok(Response::new(T::default()))
}

fn refused(meta: &MetadataMap, service: &str, refusal: Refusal) -> Status {
    Verdict::Refused(refusal).into_status(service, &CallMeta::read(meta).unwrap().key())
}

fn not_found(what: &str) -> Status {
    Status::not_found(format!("no such {what}"))
}

fn precondition(reason: &str, facts: &[(&str, &str)]) -> Status {
    let facts: std::collections::HashMap<_, _> =
        facts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let details = ErrorDetails::with_error_info(reason, "doors.backstitch", facts);
    Status::with_error_details(Code::FailedPrecondition, "the state does not allow it", details)
}

fn money(minor: i64) -> Option<Money> {
    Some(Money { amount_minor: minor, currency: "GBP".into() })
}
