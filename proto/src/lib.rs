//! The wire: messages and services generated from `proto/backstitch`, the participant contract that travels as
//! call metadata and statuses, its trace context, and the words that every door parses (money, addresses).
//!
//! Knows no orchestrator and no participant: both sides of every call depend on it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod address;
pub mod cards;
pub mod contract;
mod currencies;
pub mod ids;
pub mod money;
pub mod plain;
mod secrets;
pub mod services;
pub mod trace;

/// Generated code, one module per proto package.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, clippy::unwrap_used)]
mod generated {
    macro_rules! packages {
        ($($name:ident),* $(,)?) => {$(
            pub mod $name {
                pub mod v1 {
                    include!(concat!(env!("OUT_DIR"), "/backstitch.", stringify!($name), ".v1.rs"));
                }
            }
        )*};
    }
    packages!(
        cart,
        checkout,
        common,
        events,
        inventory,
        journal,
        noop,
        notification,
        operator,
        order,
        payment,
        returns,
        shipping
    );
}

pub use generated::{
    cart::v1 as cart, checkout::v1 as checkout, common::v1 as common, events::v1 as events,
    inventory::v1 as inventory, journal::v1 as journal, noop::v1 as noop, notification::v1 as notification,
    operator::v1 as operator, order::v1 as order, payment::v1 as payment, returns::v1 as returns,
    shipping::v1 as shipping,
};

/// The encoded `FileDescriptorSet` of every proto file, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
