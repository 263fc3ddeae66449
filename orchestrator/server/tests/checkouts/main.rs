//! Checkouts over HTTP, from the request to the end of the saga.

#![allow(clippy::unwrap_used)]

mod accepted;
mod admission;
mod cancelling;
mod holds;
mod keys;
#[path = "../support/mod.rs"]
mod support;
mod waiting;

use serde_json::Value;
use support::World;

const NOBODY: &str = "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90";

/// A world with product A and a cart of two of it.
async fn world() -> World {
    stocked(World::new().await)
}

fn stocked(world: World) -> World {
    world.participants.product("A", "GBP");
    world.participants.cart("cart-1", &[("A", 2)]);
    world
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}
