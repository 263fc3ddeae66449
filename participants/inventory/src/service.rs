//! The gRPC face: parses, calls, converts. Decides nothing.

use std::collections::{BTreeSet, HashMap};

use backstitch_proto::common::PricedItem;
use backstitch_proto::contract::keys;
use backstitch_proto::inventory::inventory_server::Inventory;
use backstitch_proto::inventory::{
    CommitRequest, CommitResponse, GetProductRequest, ItemProblem, ListProductsRequest, ListProductsResponse,
    Product as ProductMessage, PutProductRequest, ReleaseRequest, ReleaseResponse, ReserveRequest,
    ReserveResponse, RestockRequest, RestockResponse, ValidateItemsRequest, ValidateItemsResponse,
};
use participant_kit::{Kit, status};
use tonic::{Request, Response, Status};

use crate::actions::{Commit, Release, Reserve, Restock};
use crate::domain::{Invalid, Line, Product, Put, Sku, parse_items};
use crate::put_product::put_product;
use crate::store;

const DEFAULT_PAGE: i32 = 100;
const LARGEST_PAGE: i32 = 1000;

pub(crate) struct Service {
    kit: Kit,
}

impl Service {
    pub(crate) fn new(kit: Kit) -> Self {
        Self { kit }
    }

    async fn reader(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Any>, Status> {
        self.kit.reads().acquire().await.map_err(unavailable)
    }
}

#[tonic::async_trait]
impl Inventory for Service {
    async fn put_product(
        &self,
        request: Request<PutProductRequest>,
    ) -> Result<Response<ProductMessage>, Status> {
        let traceparent = request.metadata().get(keys::TRACEPARENT).and_then(|v| v.to_str().ok());
        let traceparent = traceparent.unwrap_or_default().to_owned();
        let put = Put::try_from(request.into_inner()).map_err(invalid)?;
        let product = put_product(&self.kit, put, traceparent).await?;
        Ok(Response::new(product.to_proto()))
    }

    async fn get_product(
        &self,
        request: Request<GetProductRequest>,
    ) -> Result<Response<ProductMessage>, Status> {
        let sku = Sku::parse("sku", &request.into_inner().sku).map_err(invalid)?;
        let found = store::find_product(&mut *self.reader().await?, &sku).await.map_err(unavailable)?;
        let product = found.ok_or_else(|| status::not_found("product", sku.as_str()))?;
        Ok(Response::new(product.to_proto()))
    }

    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let ListProductsRequest { page_size, page_token } = request.into_inner();
        let size = match page_size {
            0 => DEFAULT_PAGE,
            1..=LARGEST_PAGE => page_size,
            _ => return Err(status::invalid("page_size", "must be from 1 to 1000, or 0 for 100")),
        };
        if !page_token.is_empty() {
            Sku::parse("page_token", &page_token).map_err(invalid)?;
        }
        // One more than the page tells whether there is another page.
        let mut reader = self.reader().await?;
        let mut products =
            store::list_products(&mut reader, &page_token, i64::from(size) + 1).await.map_err(unavailable)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = products.len() > size;
        products.truncate(size);
        let last = products.last().filter(|_| more);
        Ok(Response::new(ListProductsResponse {
            next_page_token: last.map(|product| product.sku.to_string()).unwrap_or_default(),
            products: products.iter().map(Product::to_proto).collect(),
        }))
    }

    async fn validate_items(
        &self,
        request: Request<ValidateItemsRequest>,
    ) -> Result<Response<ValidateItemsResponse>, Status> {
        let lines = parse_items(&request.into_inner().items).map_err(invalid)?;
        let skus: BTreeSet<&Sku> = lines.iter().map(|line| &line.sku).collect();
        let products = store::products_of(&mut *self.reader().await?, skus.into_iter()).await;
        let products = products.map_err(unavailable)?;
        let by_sku = products.iter().map(|product| (&product.sku, product)).collect();
        Ok(Response::new(validated(&lines, &by_sku)))
    }

    async fn reserve(&self, request: Request<ReserveRequest>) -> Result<Response<ReserveResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        self.kit.act(&meta, Reserve::try_from(message).map_err(|e| e.to_string())).await
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        self.kit.take_back(&meta, Release::try_from(message).map_err(|e| e.to_string())).await
    }

    async fn commit(&self, request: Request<CommitRequest>) -> Result<Response<CommitResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        self.kit.act(&meta, Commit::try_from(message).map_err(|e| e.to_string())).await
    }

    async fn restock(&self, request: Request<RestockRequest>) -> Result<Response<RestockResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        self.kit.act(&meta, Restock::try_from(message).map_err(|e| e.to_string())).await
    }
}

/// Every line priced, or else every line that cannot be.
fn validated(lines: &[Line], products: &HashMap<&Sku, &Product>) -> ValidateItemsResponse {
    let mut answer = ValidateItemsResponse::default();
    for (index, line) in (0..).zip(lines) {
        match products.get(&line.sku) {
            Some(product) => answer.items.push(PricedItem {
                sku: line.sku.to_string(),
                quantity: line.quantity,
                name: product.terms.name.clone(),
                unit_price: Some(product.terms.price.to_proto()),
                unit_weight_grams: product.terms.weight_grams,
            }),
            None => answer.problems.push(ItemProblem {
                index,
                sku: line.sku.to_string(),
                reason: "UNKNOWN_SKU".into(),
                detail: format!("there is no product {}", line.sku),
            }),
        }
    }
    if !answer.problems.is_empty() {
        answer.items.clear();
    }
    answer
}

fn invalid(error: Invalid) -> Status {
    status::invalid(&error.field, error.why)
}

fn unavailable(error: sqlx::Error) -> Status {
    Status::unavailable(format!("database: {error}"))
}
