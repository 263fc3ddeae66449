//! The gRPC face: parses, calls, converts. Decides nothing.

use backstitch_proto::cart::carts_server::Carts;
use backstitch_proto::cart::{
    Cart as CartMessage, ClearCartRequest, ClearCartResponse, DeleteCartRequest, DeleteCartResponse,
    FreeCartRequest, FreeCartResponse, GetCartRequest, HoldCartRequest, HoldCartResponse, MergeCartsRequest,
    PutCartRequest,
};
use participant_kit::{Kit, status};
use tonic::{Request, Response, Status};

use crate::actions::{Clear, Free, Hold};
use crate::domain::{CartId, Invalid, Lifetimes};
use crate::doors::{Delete, Merge, Put};
use crate::store;

pub(crate) struct Service {
    kit: Kit,
    lifetimes: Lifetimes,
}

impl Service {
    pub(crate) fn new(kit: Kit, lifetimes: Lifetimes) -> Self {
        Self { kit, lifetimes }
    }
}

#[tonic::async_trait]
impl Carts for Service {
    async fn get(&self, request: Request<GetCartRequest>) -> Result<Response<CartMessage>, Status> {
        let id = CartId::parse("cart_id", &request.into_inner().cart_id).map_err(invalid)?;
        let mut reader = self.kit.reads().acquire().await.map_err(unavailable)?;
        let cart = store::find(&mut reader, &id).await.map_err(unavailable)?;
        let cart = cart.ok_or_else(|| status::not_found("cart", id.as_str()))?;
        Ok(Response::new(cart.to_proto()))
    }

    async fn put(&self, request: Request<PutCartRequest>) -> Result<Response<CartMessage>, Status> {
        let put = Put::try_from(request.into_inner()).map_err(invalid)?;
        let cart = put.run(&self.kit, self.lifetimes).await?;
        Ok(Response::new(cart.to_proto()))
    }

    async fn delete(
        &self,
        request: Request<DeleteCartRequest>,
    ) -> Result<Response<DeleteCartResponse>, Status> {
        let delete = Delete::try_from(request.into_inner()).map_err(invalid)?;
        delete.run(&self.kit).await?;
        Ok(Response::new(DeleteCartResponse {}))
    }

    async fn merge(&self, request: Request<MergeCartsRequest>) -> Result<Response<CartMessage>, Status> {
        let merge = Merge::try_from(request.into_inner()).map_err(invalid)?;
        let cart = merge.run(&self.kit, self.lifetimes).await?;
        Ok(Response::new(cart.to_proto()))
    }

    async fn hold(&self, request: Request<HoldCartRequest>) -> Result<Response<HoldCartResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        self.kit.act(&meta, Hold::try_from(message).map_err(|e| e.to_string())).await
    }

    async fn free(&self, request: Request<FreeCartRequest>) -> Result<Response<FreeCartResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        let free = Free::parse(&message, self.lifetimes).map_err(|e| e.to_string());
        self.kit.take_back(&meta, free).await
    }

    async fn clear(&self, request: Request<ClearCartRequest>) -> Result<Response<ClearCartResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        let clear = Clear::parse(&message, self.lifetimes).map_err(|e| e.to_string());
        self.kit.act(&meta, clear).await
    }
}

fn invalid(error: Invalid) -> Status {
    status::invalid(&error.field, error.why)
}

fn unavailable(error: sqlx::Error) -> Status {
    Status::unavailable(format!("database: {error}"))
}
