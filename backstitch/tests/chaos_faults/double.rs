//! A double of the inventory that keeps no barrier: it does what it is told as often as it is told.

use std::collections::BTreeMap;
use std::sync::Mutex;

use backstitch_proto::common::{Item, PricedItem};
use backstitch_proto::inventory::inventory_server::{Inventory, InventoryServer};
use backstitch_proto::inventory::{
    CommitRequest, CommitResponse, GetProductRequest, ListProductsRequest, ListProductsResponse, Product,
    PutProductRequest, ReleaseRequest, ReleaseResponse, ReserveRequest, ReserveResponse,
    ValidateItemsRequest, ValidateItemsResponse,
};
use tonic::{Request, Response, Status};

#[derive(Default)]
struct Careless {
    products: Mutex<BTreeMap<String, Product>>,
    /// The lines of each reservation.
    reservations: Mutex<BTreeMap<String, Vec<Item>>>,
}

/// Starts it; its address.
pub(crate) async fn inventory_without_a_barrier() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let (health, serving) = tonic_health::server::health_reporter();
    health.set_serving::<InventoryServer<Careless>>().await;
    let server = tonic::transport::Server::builder();
    let routes = server.clone().add_service(InventoryServer::new(Careless::default())).add_service(serving);
    tokio::spawn(routes.serve_with_incoming(incoming));
    address
}

impl Careless {
    /// Moves each line's quantity, which the double never doubts.
    fn each(&self, reservation: &str, moved: impl Fn(&mut Product, i64)) {
        let lines = self.reservations.lock().unwrap().get(reservation).cloned().unwrap_or_default();
        let mut products = self.products.lock().unwrap();
        for line in lines {
            moved(products.get_mut(&line.sku).unwrap(), line.quantity);
        }
    }
}

#[tonic::async_trait]
impl Inventory for Careless {
    async fn put_product(&self, request: Request<PutProductRequest>) -> Result<Response<Product>, Status> {
        let put = request.into_inner();
        let product = Product {
            sku: put.sku.clone(),
            name: put.name,
            price: put.price,
            weight_grams: put.weight_grams,
            on_hand: put.stock,
            stated_stock: put.stock,
            etag: "1".into(),
            ..Product::default()
        };
        self.products.lock().unwrap().insert(put.sku, product.clone());
        Ok(Response::new(product))
    }

    async fn get_product(&self, request: Request<GetProductRequest>) -> Result<Response<Product>, Status> {
        let found = self.products.lock().unwrap().get(&request.into_inner().sku).cloned();
        found.map(Response::new).ok_or_else(|| Status::not_found("no such product"))
    }

    async fn list_products(
        &self,
        _: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let products = self.products.lock().unwrap().values().cloned().collect();
        Ok(Response::new(ListProductsResponse { products, next_page_token: String::new() }))
    }

    async fn validate_items(
        &self,
        request: Request<ValidateItemsRequest>,
    ) -> Result<Response<ValidateItemsResponse>, Status> {
        let products = self.products.lock().unwrap();
        let priced = |item: Item| {
            let product = &products[&item.sku];
            PricedItem {
                sku: item.sku,
                name: product.name.clone(),
                quantity: item.quantity,
                unit_price: product.price.clone(),
                unit_weight_grams: product.weight_grams,
            }
        };
        let items = request.into_inner().items.into_iter().map(priced).collect();
        Ok(Response::new(ValidateItemsResponse { items, problems: Vec::new() }))
    }

    async fn reserve(&self, request: Request<ReserveRequest>) -> Result<Response<ReserveResponse>, Status> {
        let ReserveRequest { reservation_id, items } = request.into_inner();
        self.reservations.lock().unwrap().insert(reservation_id.clone(), items);
        self.each(&reservation_id, |product, n| {
            product.on_hand -= n;
            product.reserved += n;
        });
        Ok(Response::new(ReserveResponse { reservation_id }))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        self.each(&request.into_inner().reservation_id, |product, n| {
            product.on_hand += n;
            product.reserved -= n;
        });
        Ok(Response::new(ReleaseResponse {}))
    }

    async fn commit(&self, request: Request<CommitRequest>) -> Result<Response<CommitResponse>, Status> {
        self.each(&request.into_inner().reservation_id, |product, n| {
            product.reserved -= n;
            product.sold += n;
        });
        Ok(Response::new(CommitResponse {}))
    }

    async fn restock(
        &self,
        _: Request<backstitch_proto::inventory::RestockRequest>,
    ) -> Result<Response<backstitch_proto::inventory::RestockResponse>, Status> {
        Err(Status::unimplemented("nothing comes back to it"))
    }
}
