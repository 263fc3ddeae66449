//! Carts, each held by one saga at a time.

use backstitch_proto::cart;
use backstitch_proto::contract::{CallMeta, Refusal};
use tonic::{Request, Response, Status};

use super::{Answer, Participants, done, not_found, precondition, refused};

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
