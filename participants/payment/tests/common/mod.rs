//! A payment participant that can be killed: a runtime of its own on a real database and a real bank's file, with a wire
//! to the provider that can be cut at any call.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub, unused_imports)]

mod books;
mod calls;
mod desk;
mod hooks;
mod other_side;
mod said;
mod shop;
mod standing;
mod stripe;
mod time;
mod wire;

use backstitch_proto::money::{Currency, Money};

pub use self::calls::in_the_end;
pub use self::hooks::{SECRET, signature};
pub use self::said::Said;
pub use self::shop::{GONE_AFTER_MS, Shop};
pub use self::stripe::Stripe;
pub use self::wire::{Fault, Lie, LieOfRefunds};

pub const AMOUNT: i64 = 1_000;

pub fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::parse("GBP").unwrap())
}
