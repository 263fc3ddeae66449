//! No history of puts, deletes, merges, checkouts and expiries uses one version of a cart id for two states of it.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;

use backstitch_proto::cart::Cart;
use backstitch_proto::common::Item;
use backstitch_services::On;
use common::{DAY_MS, Saga, Shop};
use proptest::prelude::*;

const CARTS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    Put { cart: usize, quantity: i64 },
    Delete { cart: usize },
    Merge { guest: usize, into: usize },
    Hold { cart: usize },
    Free { cart: usize },
    Clear { cart: usize },
    Expire { days: i64 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let cart = 0..CARTS.len();
    prop_oneof![
        6 => (cart.clone(), 1..4i64).prop_map(|(cart, quantity)| Step::Put { cart, quantity }),
        3 => cart.clone().prop_map(|cart| Step::Delete { cart }),
        2 => (cart.clone(), cart.clone()).prop_map(|(guest, into)| Step::Merge { guest, into }),
        3 => cart.clone().prop_map(|cart| Step::Hold { cart }),
        1 => cart.clone().prop_map(|cart| Step::Free { cart }),
        2 => cart.prop_map(|cart| Step::Clear { cart }),
        1 => (1..9i64).prop_map(|days| Step::Expire { days }),
        1 => Just(Step::Reopen),
    ]
}

/// What a version stands for.
type State = (String, Vec<Item>);

#[derive(Default)]
struct Seen {
    states: HashMap<(usize, i64), State>,
    highest: [i64; CARTS.len()],
}

impl Seen {
    /// A version is either one that was seen with this very state, or higher than any that was seen.
    fn look(&mut self, cart: usize, found: Cart) {
        let state = (found.customer_id, found.items);
        match self.states.get(&(cart, found.version)) {
            Some(before) => assert_eq!(*before, state, "version {} of {} again", found.version, CARTS[cart]),
            None => assert!(found.version > self.highest[cart], "version {} goes back", found.version),
        }
        self.highest[cart] = found.version;
        self.states.insert((cart, found.version), state);
    }
}

async fn run(on: On, steps: Vec<Step>) {
    let mut shop = Shop::open(on).await;
    let mut seen = Seen::default();
    let mut holders: [Option<Saga>; CARTS.len()] = [None; CARTS.len()];
    for step in steps {
        match step {
            Step::Put { cart, quantity } => drop(shop.put(CARTS[cart], &[("A", quantity)]).await),
            Step::Delete { cart } => {
                let gone = shop.delete(CARTS[cart]).await.is_ok();
                assert!(!gone || holders[cart].is_none(), "a held cart was deleted");
            }
            Step::Merge { guest, into } => {
                let merged = shop.merge(CARTS[guest], CARTS[into], "ann").await.is_ok();
                assert!(
                    !merged || holders[guest].is_none() && holders[into].is_none(),
                    "a held cart was merged"
                );
            }
            Step::Hold { cart } => {
                let saga = Saga::new();
                let version = shop.try_get(CARTS[cart]).await.map_or(1, |cart| cart.version);
                if shop.hold(saga, CARTS[cart], version).await.is_ok() {
                    assert_eq!(holders[cart].replace(saga), None, "two hold one cart");
                }
            }
            Step::Free { cart } => {
                if let Some(saga) = holders[cart].take() {
                    shop.free(saga, CARTS[cart]).await.unwrap();
                }
            }
            Step::Clear { cart } => {
                if let Some(saga) = holders[cart].take() {
                    shop.clear(saga, CARTS[cart], &[("A", 2)]).await.unwrap();
                }
            }
            Step::Expire { days } => {
                shop.clock.advance(days * DAY_MS);
                shop.tick().await;
            }
            Step::Reopen => shop = shop.reopen().await,
        }
        for cart in 0..CARTS.len() {
            let found = shop.try_get(CARTS[cart]).await;
            let holder = holders[cart].map(|saga| saga.0.to_string()).unwrap_or_default();
            match found {
                Some(found) => {
                    assert_eq!(found.held_by, holder);
                    seen.look(cart, found);
                }
                None => assert_eq!(holder, "", "a held cart is gone"),
            }
        }
    }
}

fn check(on: On, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(on, steps));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_version_is_never_used_twice(steps in prop::collection::vec(step(), 1..40)) {
        check(On::Sqlite, steps);
    }
}

proptest! {
    // The same law; a database on a server takes longer to make.
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_version_is_never_used_twice_on_a_server(steps in prop::collection::vec(step(), 1..40)) {
        check(On::Postgres, steps);
    }
}
