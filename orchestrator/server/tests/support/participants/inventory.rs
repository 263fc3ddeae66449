//! The inventory: products that can be put and read, and reservations that succeed unless they are told not to.

use backstitch_proto::common::PricedItem;
use backstitch_proto::contract::Refusal;
use backstitch_proto::inventory;
use tonic::{Request, Response};

use super::{Answer, Participants, done, not_found, precondition, refused};

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
