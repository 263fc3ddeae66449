//! The gRPC face: parses, calls, converts. Decides nothing.

use backstitch_proto::cart::carts_server::Carts;
use backstitch_proto::cart::{
    Cart as CartMessage, ClearCartRequest, ClearCartResponse, DeleteCartRequest, DeleteCartResponse,
    FreeCartRequest, FreeCartResponse, GetCartRequest, HoldCartRequest, HoldCartResponse, LetGoCartRequest,
    LetGoCartResponse, MergeCartsRequest, PutCartRequest,
};
use participant_kit::{Kit, status};
use tonic::{Request, Response, Status};

use crate::actions::{Clear, Free, Hold, LetGo};
use crate::copies::{Changing, Copies};
use crate::domain::{Cart, CartId, Invalid, Lifetimes};
use crate::doors::{Delete, Merge, Put};
use crate::store;

pub(crate) struct Service {
    kit: Kit,
    lifetimes: Lifetimes,
    copies: Copies,
}

impl Service {
    pub(crate) fn new(kit: Kit, lifetimes: Lifetimes, copies: Copies) -> Self {
        Self { kit, lifetimes, copies }
    }

    async fn find(&self, id: &CartId) -> Result<Option<Cart>, Status> {
        let mut reader = self.kit.reads().acquire().await.map_err(unavailable)?;
        store::find(&mut reader, id).await.map_err(unavailable)
    }
}

#[tonic::async_trait]
impl Carts for Service {
    async fn get(&self, request: Request<GetCartRequest>) -> Result<Response<CartMessage>, Status> {
        let GetCartRequest { cart_id, fresh } = request.into_inner();
        let id = CartId::parse("cart_id", &cart_id).map_err(invalid)?;
        let cart = match fresh {
            true => self.find(&id).await?,
            false => self.copies.read(&id, self.find(&id)).await?,
        };
        let cart = cart.ok_or_else(|| status::not_found("cart", id.as_str()))?;
        Ok(Response::new(cart.to_proto()))
    }

    async fn put(&self, request: Request<PutCartRequest>) -> Result<Response<CartMessage>, Status> {
        let put = Put::try_from(request.into_inner()).map_err(invalid)?;
        let (kit, lifetimes) = (self.kit.clone(), self.lifetimes);
        let changing = self.copies.changing(put.carts(), move |mark| async move {
            let cart = put.run(&kit, lifetimes, mark).await?;
            Ok((cart.to_proto(), Some(cart)))
        });
        Ok(Response::new(changing.await?))
    }

    async fn delete(
        &self,
        request: Request<DeleteCartRequest>,
    ) -> Result<Response<DeleteCartResponse>, Status> {
        let delete = Delete::try_from(request.into_inner()).map_err(invalid)?;
        let kit = self.kit.clone();
        let changing = self.copies.changing(delete.carts(), move |mark| async move {
            delete.run(&kit, mark).await?;
            Ok((DeleteCartResponse {}, None))
        });
        Ok(Response::new(changing.await?))
    }

    async fn merge(&self, request: Request<MergeCartsRequest>) -> Result<Response<CartMessage>, Status> {
        let merge = Merge::try_from(request.into_inner()).map_err(invalid)?;
        let (kit, lifetimes) = (self.kit.clone(), self.lifetimes);
        let changing = self.copies.changing(merge.carts(), move |mark| async move {
            let cart = merge.run(&kit, lifetimes, mark).await?;
            Ok((cart.to_proto(), Some(cart)))
        });
        Ok(Response::new(changing.await?))
    }

    async fn hold(&self, request: Request<HoldCartRequest>) -> Result<Response<HoldCartResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        let hold = Hold::try_from(message).map_err(|e| e.to_string());
        let (kit, carts) = (self.kit.clone(), hold.iter().map(Hold::cart).collect());
        let changing = self.copies.changing(carts, move |mark| async move {
            let held = kit.act(&meta, hold.map(|inner| Changing { inner, mark })).await?;
            Ok((held, None))
        });
        changing.await
    }

    async fn free(&self, request: Request<FreeCartRequest>) -> Result<Response<FreeCartResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        let free = Free::parse(&message, self.lifetimes).map_err(|e| e.to_string());
        let (kit, carts) = (self.kit.clone(), free.iter().map(Free::cart).collect());
        let changing = self.copies.changing(carts, move |mark| async move {
            let freed = kit.take_back(&meta, free.map(|inner| Changing { inner, mark })).await?;
            Ok((freed, None))
        });
        changing.await
    }

    async fn clear(&self, request: Request<ClearCartRequest>) -> Result<Response<ClearCartResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        let clear = Clear::parse(&message, self.lifetimes).map_err(|e| e.to_string());
        let (kit, carts) = (self.kit.clone(), clear.iter().map(Clear::cart).collect());
        let changing = self.copies.changing(carts, move |mark| async move {
            let cleared = kit.act(&meta, clear.map(|inner| Changing { inner, mark })).await?;
            Ok((cleared, None))
        });
        changing.await
    }

    async fn let_go(
        &self,
        request: Request<LetGoCartRequest>,
    ) -> Result<Response<LetGoCartResponse>, Status> {
        let (meta, _, message) = request.into_parts();
        let let_go = LetGo::parse(&message, self.lifetimes).map_err(|e| e.to_string());
        let (kit, carts) = (self.kit.clone(), let_go.iter().map(LetGo::cart).collect());
        let changing = self.copies.changing(carts, move |mark| async move {
            let gone = kit.act(&meta, let_go.map(|inner| Changing { inner, mark })).await?;
            Ok((gone, None))
        });
        changing.await
    }
}

fn invalid(error: Invalid) -> Status {
    status::invalid(&error.field, error.why)
}

fn unavailable(error: sqlx::Error) -> Status {
    Status::unavailable(format!("database: {error}"))
}
