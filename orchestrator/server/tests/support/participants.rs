//! Participants in memory, all behind one address. They keep the contract's words and forget its barrier: nothing
//! here is called twice unless a test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use backstitch_proto::common::{Item, Money, PricedItem};
use backstitch_proto::contract::{CallMeta, Refusal, Verdict};
use backstitch_proto::{cart, inventory, noop, notification, order, payment, shipping};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

#[derive(Default)]
pub struct State {
    pub products: BTreeMap<String, inventory::Product>,
    pub carts: BTreeMap<String, cart::Cart>,
    pub orders: BTreeMap<String, order::Order>,
    /// Refuse to reserve.
    pub out_of_stock: bool,
    /// What the inventory answers instead of the truth.
    pub lie: Option<Vec<PricedItem>>,
    /// What authorization answers first: wait for the customer.
    pub customer_acts: bool,
    /// Refunds are refused.
    pub no_refunds: bool,
    /// Cases, and how they were resolved.
    pub cases: BTreeMap<String, payment::Case>,
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
            .add_service(inventory::inventory_server::InventoryServer::new(this.clone()))
            .add_service(cart::carts_server::CartsServer::new(this.clone()))
            .add_service(shipping::shipping_server::ShippingServer::new(this.clone()))
            .add_service(payment::payment_server::PaymentServer::new(this.clone()))
            .add_service(order::orders_server::OrdersServer::new(this.clone()))
            .add_service(notification::notifications_server::NotificationsServer::new(this.clone()))
            .add_service(noop::noop_server::NoopServer::new(this.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        (this, at)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A product at 5.00 of the currency, 100 g.
    pub fn product(&self, sku: &str, currency: &str) {
        let price = Some(Money { amount_minor: 500, currency: currency.into() });
        let product = inventory::Product {
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
        let cart = cart::Cart { cart_id: id.into(), items, version: 1, ..Default::default() };
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

#[tonic::async_trait]
impl inventory::inventory_server::Inventory for Participants {
    async fn put_product(
        &self,
        request: Request<inventory::PutProductRequest>,
    ) -> Answer<inventory::Product> {
        self.trace(&request);
        let put = request.into_inner();
        let mut state = self.state();
        let known = state.products.get(&put.sku).cloned();
        let counted = known.as_ref().is_some_and(|p| p.stated_stock != put.stock);
        let etag = known.as_ref().map_or("0", |p| p.etag.as_str()).to_owned();
        if counted && put.if_match.is_empty() {
            return Err(precondition("PRECONDITION_REQUIRED", &[]));
        }
        if !put.if_match.is_empty() && put.if_match.trim_matches('"') != etag {
            return Err(precondition("ETAG_MISMATCH", &[("etag", &etag)]));
        }
        let product = inventory::Product {
            sku: put.sku.clone(),
            name: put.name,
            price: put.price,
            weight_grams: put.weight_grams,
            on_hand: put.stock,
            stated_stock: put.stock,
            etag: (etag.parse::<u32>().unwrap() + 1).to_string(),
            ..Default::default()
        };
        state.products.insert(put.sku, product.clone());
        Ok(Response::new(product))
    }

    async fn get_product(
        &self,
        request: Request<inventory::GetProductRequest>,
    ) -> Answer<inventory::Product> {
        let found = self.state().products.get(&request.into_inner().sku).cloned();
        found.map(Response::new).ok_or_else(|| not_found("product"))
    }

    async fn list_products(
        &self,
        request: Request<inventory::ListProductsRequest>,
    ) -> Answer<inventory::ListProductsResponse> {
        let request = request.into_inner();
        let size = usize::try_from(request.page_size).unwrap();
        let state = self.state();
        let mut after =
            state.products.range(request.page_token.clone()..).filter(|(k, _)| **k > request.page_token);
        let products: Vec<_> = after.by_ref().take(size).map(|(_, p)| p.clone()).collect();
        let more = after.next().is_some();
        let next_page_token = if more { products.last().unwrap().sku.clone() } else { String::new() };
        Ok(Response::new(inventory::ListProductsResponse { products, next_page_token }))
    }

    async fn validate_items(
        &self,
        request: Request<inventory::ValidateItemsRequest>,
    ) -> Answer<inventory::ValidateItemsResponse> {
        let state = self.state();
        let mut answer = inventory::ValidateItemsResponse::default();
        for (item, index) in request.into_inner().items.into_iter().zip(0..) {
            match state.products.get(&item.sku) {
                Some(product) => answer.items.push(PricedItem {
                    sku: item.sku,
                    quantity: item.quantity,
                    name: product.name.clone(),
                    unit_price: product.price.clone(),
                    unit_weight_grams: product.weight_grams,
                }),
                None => answer.problems.push(inventory::ItemProblem {
                    index,
                    sku: item.sku,
                    reason: "UNKNOWN_SKU".into(),
                    detail: String::new(),
                }),
            }
        }
        if let Some(lie) = &state.lie {
            answer.items.clone_from(lie);
        }
        Ok(Response::new(answer))
    }

    async fn reserve(
        &self,
        request: Request<inventory::ReserveRequest>,
    ) -> Answer<inventory::ReserveResponse> {
        self.enter("reserve").await;
        if self.state().out_of_stock {
            let refusal = Refusal::new("OUT_OF_STOCK", "only 2 left").with("sku", "A");
            return Err(refused(request.metadata(), "inventory", refusal));
        }
        done()
    }

    async fn release(
        &self,
        request: Request<inventory::ReleaseRequest>,
    ) -> Answer<inventory::ReleaseResponse> {
        self.sane(request.metadata(), "inventory", "release")?;
        done()
    }

    async fn commit(&self, _: Request<inventory::CommitRequest>) -> Answer<inventory::CommitResponse> {
        done()
    }

    async fn restock(
        &self,
        request: Request<inventory::RestockRequest>,
    ) -> Answer<inventory::RestockResponse> {
        self.enter("restock").await;
        self.sane(request.metadata(), "inventory", "restock")?;
        Ok(Response::new(inventory::RestockResponse { restock_id: request.into_inner().restock_id }))
    }
}

#[tonic::async_trait]
impl cart::carts_server::Carts for Participants {
    async fn get(&self, request: Request<cart::GetCartRequest>) -> Answer<cart::Cart> {
        self.enter("get_cart").await;
        let found = self.state().carts.get(&request.into_inner().cart_id).cloned();
        found.map(Response::new).ok_or_else(|| not_found("cart"))
    }

    async fn put(&self, request: Request<cart::PutCartRequest>) -> Answer<cart::Cart> {
        self.trace(&request);
        let put = request.into_inner();
        let mut state = self.state();
        let cart = state.carts.entry(put.cart_id.clone()).or_default();
        if !cart.customer_id.is_empty() && cart.customer_id != put.customer_id {
            return Err(precondition("CART_OF_ANOTHER_CUSTOMER", &[]));
        }
        (cart.cart_id, cart.customer_id, cart.items) = (put.cart_id, put.customer_id, put.items);
        cart.version += 1;
        Ok(Response::new(cart.clone()))
    }

    async fn delete(&self, request: Request<cart::DeleteCartRequest>) -> Answer<cart::DeleteCartResponse> {
        let id = request.into_inner().cart_id;
        let mut state = self.state();
        let cart = state.carts.get(&id).ok_or_else(|| not_found("cart"))?;
        if !cart.held_by.is_empty() {
            return Err(precondition("CART_IN_CHECKOUT", &[("holder", &cart.held_by)]));
        }
        state.carts.remove(&id);
        done()
    }

    async fn merge(&self, _: Request<cart::MergeCartsRequest>) -> Answer<cart::Cart> {
        Err(Status::unimplemented("no face offers it"))
    }

    async fn hold(&self, request: Request<cart::HoldCartRequest>) -> Answer<cart::HoldCartResponse> {
        let (meta, _, message) = request.into_parts();
        let saga = CallMeta::read(&meta).unwrap().saga.to_string();
        {
            let mut state = self.state();
            let cart = state.carts.get_mut(&message.cart_id).ok_or_else(|| not_found("cart"))?;
            if !cart.held_by.is_empty() && cart.held_by != saga {
                let refusal = Refusal::new("CART_IN_CHECKOUT", "held").with("holder", &cart.held_by);
                return Err(refused(&meta, "cart", refusal));
            }
            cart.held_by = saga;
        }
        self.enter("hold_cart").await;
        done()
    }

    async fn free(&self, request: Request<cart::FreeCartRequest>) -> Answer<cart::FreeCartResponse> {
        if let Some(cart) = self.state().carts.get_mut(&request.into_inner().cart_id) {
            cart.held_by.clear();
        }
        done()
    }

    async fn clear(&self, request: Request<cart::ClearCartRequest>) -> Answer<cart::ClearCartResponse> {
        if let Some(cart) = self.state().carts.get_mut(&request.into_inner().cart_id) {
            cart.held_by.clear();
            cart.items.clear();
        }
        done()
    }

    async fn let_go(&self, request: Request<cart::LetGoCartRequest>) -> Answer<cart::LetGoCartResponse> {
        self.enter("let_go_cart").await;
        let (meta, _, message) = request.into_parts();
        let checkout = CallMeta::read(&meta).unwrap().root.to_string();
        let mut state = self.state();
        if let Some(cart) = state.carts.get_mut(&message.cart_id).filter(|cart| cart.held_by == checkout) {
            cart.held_by.clear();
            cart.version += 1;
        }
        done()
    }
}

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
            Authorization::Authorized(payment::Authorized { amount, capturable_for_seconds: 86_400 })
        };
        let answer = payment::AuthorizeResponse { payment_id: message.payment_id, result: Some(result) };
        Ok(Response::new(answer))
    }

    async fn void(&self, _: Request<payment::VoidRequest>) -> Answer<payment::VoidResponse> {
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

#[tonic::async_trait]
impl order::orders_server::Orders for Participants {
    async fn create(
        &self,
        request: Request<order::CreateOrderRequest>,
    ) -> Answer<order::CreateOrderResponse> {
        let request = request.into_inner();
        let mut state = self.state();
        let order_number = format!("BS-{:06}", state.orders.len() + 1);
        let order = order::Order {
            order_id: request.order_id.clone(),
            order_number: order_number.clone(),
            checkout_id: request.checkout_id,
            customer_id: request.customer_id,
            email: request.email,
            status: "pending".into(),
            items: request.items,
            shipping_address: request.shipping_address,
            shipping_method: request.shipping_method,
            shipping_price: request.shipping_price,
            total: request.total,
            payment_id: request.payment_id,
            history: vec![order::StatusChange { at_unix_ms: 1, status: "pending".into() }],
            returns: Vec::new(),
        };
        state.orders.insert(request.order_id.clone(), order);
        Ok(Response::new(order::CreateOrderResponse { order_id: request.order_id, order_number }))
    }

    async fn cancel(
        &self,
        request: Request<order::CancelOrderRequest>,
    ) -> Answer<order::CancelOrderResponse> {
        if let Some(order) = self.state().orders.get_mut(&request.into_inner().order_id) {
            order.status = "cancelled".into();
        }
        done()
    }

    async fn confirm(
        &self,
        request: Request<order::ConfirmOrderRequest>,
    ) -> Answer<order::ConfirmOrderResponse> {
        let mut state = self.state();
        let order = state.orders.get_mut(&request.into_inner().order_id).ok_or_else(|| not_found("order"))?;
        order.status = "confirmed".into();
        Ok(Response::new(order::ConfirmOrderResponse { order_number: order.order_number.clone() }))
    }

    async fn get(&self, request: Request<order::GetOrderRequest>) -> Answer<order::Order> {
        let found = self.state().orders.get(&request.into_inner().order_id).cloned();
        found.map(Response::new).ok_or_else(|| not_found("order"))
    }

    async fn list(&self, _: Request<order::ListOrdersRequest>) -> Answer<order::ListOrdersResponse> {
        done()
    }

    async fn create_return(
        &self,
        request: Request<order::CreateReturnRequest>,
    ) -> Answer<order::CreateReturnResponse> {
        self.enter("create_return").await;
        self.sane(request.metadata(), "order", "create_return")?;
        let (meta, _, message) = request.into_parts();
        let mut state = self.state();
        let order = state.orders.get_mut(&message.order_id).ok_or_else(|| not_found("order"))?;
        if order.status != "confirmed" && !message.make_good {
            return Err(refused(&meta, "order", Refusal::new("ORDER_NOT_CONFIRMED", "it does not stand")));
        }
        let claimed = |sku: &str| {
            let live = order.returns.iter().filter(|back| back.status != "cancelled");
            let lines = live.flat_map(|back| &back.items).filter(|item| item.sku == sku);
            lines.map(|item| item.quantity).sum::<i64>()
        };
        let mut items = Vec::new();
        for line in &order.items {
            let asked = message.items.iter().find(|item| item.sku == line.sku).map(|item| item.quantity);
            let left = line.quantity - claimed(&line.sku);
            let quantity = if message.items.is_empty() { left } else { asked.unwrap_or(0) };
            if quantity > left {
                let refusal = Refusal::new("MORE_THAN_BOUGHT", "more than is left").with("left", left);
                return Err(refused(&meta, "order", refusal));
            }
            if quantity > 0 {
                items.push(PricedItem { quantity, ..line.clone() });
            }
        }
        let worth = items.iter().map(|item| item.quantity * item.unit_price.as_ref().unwrap().amount_minor);
        let refund = money(worth.sum());
        let plain = |item: &PricedItem| Item { sku: item.sku.clone(), quantity: item.quantity };
        order.returns.push(order::OrderReturn {
            return_id: message.return_id.clone(),
            status: "claimed".into(),
            items: items.iter().map(plain).collect(),
            refund: refund.clone(),
            reason: message.reason,
            ..Default::default()
        });
        Ok(Response::new(order::CreateReturnResponse {
            return_id: message.return_id,
            order_number: order.order_number.clone(),
            payment_id: order.payment_id.clone(),
            items,
            refund,
            whole: false,
            email: order.email.clone(),
            name: "Ada".into(),
            ordered: order.items.iter().map(plain).collect(),
        }))
    }

    async fn cancel_return(
        &self,
        request: Request<order::CancelReturnRequest>,
    ) -> Answer<order::CancelReturnResponse> {
        self.settle_return(&request.into_inner().return_id, "cancelled", "");
        done()
    }

    async fn complete_return(
        &self,
        request: Request<order::CompleteReturnRequest>,
    ) -> Answer<order::CompleteReturnResponse> {
        let credit_note_number = "CN-000001".to_owned();
        self.settle_return(&request.into_inner().return_id, "completed", &credit_note_number);
        Ok(Response::new(order::CompleteReturnResponse { credit_note_number }))
    }
}

#[tonic::async_trait]
impl notification::notifications_server::Notifications for Participants {
    async fn notify(
        &self,
        request: Request<notification::NotifyRequest>,
    ) -> Answer<notification::NotifyResponse> {
        let notification_id = request.into_inner().notification_id;
        Ok(Response::new(notification::NotifyResponse { notification_id }))
    }

    async fn list(
        &self,
        _: Request<notification::ListNotificationsRequest>,
    ) -> Answer<notification::ListNotificationsResponse> {
        done()
    }
}

#[tonic::async_trait]
impl noop::noop_server::Noop for Participants {
    async fn act(&self, request: Request<noop::ActRequest>) -> Answer<noop::ActResponse> {
        self.enter("act").await;
        Ok(Response::new(noop::ActResponse { payload: request.into_inner().payload }))
    }

    async fn undo(&self, _: Request<noop::UndoRequest>) -> Answer<noop::UndoResponse> {
        done()
    }
}
