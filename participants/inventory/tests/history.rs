//! Any history of puts, reservations, releases, commits and restocks, repeated and out of order, agrees with a model of a few
//! lines, and the laws of the database hold after it.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use backstitch_proto::contract::{Op, Verdict};
use backstitch_proto::inventory::PutProductRequest;
use backstitch_services::On;
use common::{Back, Saga, Shop, product};
use proptest::prelude::*;
use tonic::Status;

const SKUS: [&str; 3] = ["A", "B", "C"];
const SAGAS: usize = 4;
/// Returns of each saga.
const BACKS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// A put that states this stock, with the current ETag or none.
    Put {
        sku: usize,
        stock: i64,
        with_etag: bool,
    },
    /// A reservation by a saga, whose wish is one of two.
    Reserve {
        saga: usize,
        wish: usize,
    },
    Release {
        saga: usize,
    },
    Commit {
        saga: usize,
    },
    /// What comes back of a saga's reservation by one of its returns, each of which always asks for the same.
    Restock {
        saga: usize,
        back: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let saga = 0..SAGAS;
    prop_oneof![
        2 => (0..SKUS.len(), 0..6i64, any::<bool>())
            .prop_map(|(sku, stock, with_etag)| Step::Put { sku, stock, with_etag }),
        4 => (saga.clone(), 0..2usize).prop_map(|(saga, wish)| Step::Reserve { saga, wish }),
        2 => saga.clone().prop_map(|saga| Step::Release { saga }),
        2 => saga.clone().prop_map(|saga| Step::Commit { saga }),
        4 => (saga, 0..BACKS).prop_map(|(saga, back)| Step::Restock { saga, back }),
    ]
}

/// Of SKU `C` there is often none at all.
fn wish(saga: usize, wish: usize) -> Vec<(&'static str, i64)> {
    match (saga, wish) {
        (0, _) => vec![("A", 1)],
        (1, 0) => vec![("A", 2), ("B", 1)],
        (1, _) => vec![("B", 1), ("A", 1), ("A", 1)],
        (2, 0) => vec![("C", 1), ("B", 2)],
        (2, _) => vec![("C", 1)],
        (_, 0) => vec![("A", 1), ("B", 1), ("C", 1)],
        (_, _) => vec![("B", 3)],
    }
}

fn back(back: usize) -> &'static [(&'static str, i64)] {
    match back {
        0 => &[("A", 1)],
        1 => &[("B", 1)],
        _ => &[("C", 1), ("A", 1)],
    }
}

/// The wish as a request's identity has it.
fn sums(lines: &[(&'static str, i64)]) -> BTreeMap<&'static str, i64> {
    let mut sums = BTreeMap::new();
    for (sku, quantity) in lines {
        *sums.entry(*sku).or_default() += quantity;
    }
    sums
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Reservation {
    #[default]
    Absent,
    Refused(BTreeMap<&'static str, i64>),
    /// What it was asked for, and what it still holds.
    Reserved(BTreeMap<&'static str, i64>, BTreeMap<&'static str, i64>),
    Sold(BTreeMap<&'static str, i64>, BTreeMap<&'static str, i64>),
    Closed,
    /// Released after some of it came back: its commit has nothing to sell.
    Empty,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Stock {
    stated: i64,
    on_hand: i64,
    reserved: i64,
    sold: i64,
}

#[derive(Debug, Default)]
struct Model {
    stock: BTreeMap<&'static str, Stock>,
    sagas: [Reservation; SAGAS],
    /// What is done for good.
    restocked: [[bool; BACKS]; SAGAS],
    committed: [bool; SAGAS],
}

/// What a call answers, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Done,
    Refused,
    Broken,
    Superseded,
}

impl Model {
    fn put(&mut self, sku: &'static str, stock: i64, with_etag: bool) -> Answer {
        let Some(known) = self.stock.get_mut(sku) else {
            self.stock.insert(sku, Stock { stated: stock, on_hand: stock, ..Stock::default() });
            return Answer::Done;
        };
        if known.stated != stock {
            if !with_etag {
                return Answer::Refused;
            }
            known.stated = stock;
            known.on_hand = stock;
        }
        Answer::Done
    }

    fn reserve(&mut self, saga: usize, wish: BTreeMap<&'static str, i64>) -> Answer {
        match &self.sagas[saga] {
            Reservation::Absent => {}
            Reservation::Closed | Reservation::Empty => return Answer::Superseded,
            Reservation::Refused(before) if *before == wish => return Answer::Refused,
            Reservation::Reserved(before, _) | Reservation::Sold(before, _) if *before == wish => {
                return Answer::Done;
            }
            _ => return Answer::Broken,
        }
        let fits =
            |(sku, quantity): (&&str, &i64)| self.stock.get(*sku).is_some_and(|s| s.on_hand >= *quantity);
        if !wish.iter().all(fits) {
            self.sagas[saga] = Reservation::Refused(wish);
            return Answer::Refused;
        }
        for (sku, quantity) in &wish {
            let stock = self.stock.get_mut(sku).unwrap();
            stock.on_hand -= quantity;
            stock.reserved += quantity;
        }
        self.sagas[saga] = Reservation::Reserved(wish.clone(), wish);
        Answer::Done
    }

    fn release(&mut self, saga: usize) -> Answer {
        match std::mem::take(&mut self.sagas[saga]) {
            sold @ Reservation::Sold(..) => {
                self.sagas[saga] = sold;
                return Answer::Broken;
            }
            // The stored refusal stays: there is nothing to take back.
            refused @ Reservation::Refused(_) => self.sagas[saga] = refused,
            Reservation::Reserved(_, held) => {
                for (sku, quantity) in &held {
                    let stock = self.stock.get_mut(sku).unwrap();
                    stock.reserved -= quantity;
                    stock.on_hand += quantity;
                }
                let back = self.restocked[saga].contains(&true);
                self.sagas[saga] = if back { Reservation::Empty } else { Reservation::Closed };
            }
            Reservation::Absent | Reservation::Closed => self.sagas[saga] = Reservation::Closed,
            Reservation::Empty => self.sagas[saga] = Reservation::Empty,
        }
        Answer::Done
    }

    fn commit(&mut self, saga: usize) -> Answer {
        if self.committed[saga] {
            return Answer::Done;
        }
        match std::mem::take(&mut self.sagas[saga]) {
            Reservation::Reserved(wish, held) if held.values().any(|quantity| *quantity > 0) => {
                for (sku, quantity) in &held {
                    let stock = self.stock.get_mut(sku).unwrap();
                    stock.reserved -= quantity;
                    stock.sold += quantity;
                }
                self.sagas[saga] = Reservation::Sold(wish, held);
            }
            // All of it came back before: there is nothing to sell.
            nothing @ (Reservation::Reserved(..) | Reservation::Empty) => self.sagas[saga] = nothing,
            other => {
                self.sagas[saga] = other;
                return Answer::Broken;
            }
        }
        self.committed[saga] = true;
        Answer::Done
    }

    fn restock(&mut self, saga: usize, which: usize) -> Answer {
        if self.restocked[saga][which] {
            return Answer::Done;
        }
        let sold = matches!(self.sagas[saga], Reservation::Sold(..));
        let (Reservation::Reserved(_, held) | Reservation::Sold(_, held)) = &mut self.sagas[saga] else {
            return Answer::Broken;
        };
        if back(which).iter().any(|(sku, quantity)| held.get(sku).is_none_or(|held| held < quantity)) {
            return Answer::Broken;
        }
        for (sku, quantity) in back(which) {
            *held.get_mut(sku).unwrap() -= quantity;
            let stock = self.stock.get_mut(sku).unwrap();
            *if sold { &mut stock.sold } else { &mut stock.reserved } -= quantity;
            stock.on_hand += quantity;
        }
        self.restocked[saga][which] = true;
        Answer::Done
    }
}

fn answer(saga: Saga, step: &str, op: Op, result: &Result<(), Status>) -> Answer {
    if result.is_ok() {
        return Answer::Done;
    }
    match saga.verdict(step, op, result) {
        Verdict::Refused(_) => Answer::Refused,
        Verdict::Broken(_) => Answer::Broken,
        Verdict::Superseded(_) => Answer::Superseded,
        Verdict::NotNow { why, .. } => panic!("not now: {why}"),
    }
}

async fn both(
    shop: &Shop,
    model: &mut Model,
    sagas: &[Saga],
    backs: &[[Back; BACKS]],
    step: &Step,
) -> (Answer, Answer) {
    match *step {
        Step::Put { sku, stock, with_etag } => {
            let sku = SKUS[sku];
            let mut request = product(sku, stock);
            if with_etag && model.stock.contains_key(sku) {
                request = PutProductRequest { if_match: shop.get(sku).await.etag, ..request };
            }
            let real = if shop.put(request).await.is_ok() { Answer::Done } else { Answer::Refused };
            (real, model.put(sku, stock, with_etag))
        }
        Step::Reserve { saga, wish: which } => {
            let lines = wish(saga, which);
            let result = shop.reserve(&sagas[saga], &lines).await;
            let real = answer(sagas[saga], "reserve_stock", Op::Do, &result);
            (real, model.reserve(saga, sums(&lines)))
        }
        Step::Release { saga } => {
            let result = shop.release(&sagas[saga]).await;
            (answer(sagas[saga], "reserve_stock", Op::Undo, &result), model.release(saga))
        }
        Step::Commit { saga } => {
            let result = shop.commit(&sagas[saga]).await;
            (answer(sagas[saga], "commit_stock", Op::Do, &result), model.commit(saga))
        }
        Step::Restock { saga, back: which } => {
            let caller = backs[saga][which];
            let real = match shop.restock(&caller, back(which)).await {
                Ok(()) => Answer::Done,
                answer @ Err(_) => {
                    caller.broken(&answer);
                    Answer::Broken
                }
            };
            (real, model.restock(saga, which))
        }
    }
}

fn check(on: On, steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let shop = Shop::open(on).await;
        let sagas: Vec<_> = (0..SAGAS).map(|_| Saga::new()).collect();
        let backs: Vec<_> = sagas.iter().map(|saga| [(); BACKS].map(|()| Back::of(*saga))).collect();
        let mut model = Model::default();
        for step in steps {
            let (real, expected) = both(&shop, &mut model, &sagas, &backs, step).await;
            assert_eq!(real, expected, "{step:?}");
        }
        for (sku, stock) in &model.stock {
            let Stock { on_hand, reserved, sold, .. } = *stock;
            assert_eq!(shop.stock(sku).await, (on_hand, reserved, sold), "{sku}");
        }
        shop.audit().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_history_agrees_with_the_model(steps in prop::collection::vec(step(), 1..40)) {
        check(On::Sqlite, &steps);
    }
}

proptest! {
    // The same law; a database on a server takes longer to make.
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn any_history_on_a_server_agrees_with_the_model(steps in prop::collection::vec(step(), 1..40)) {
        check(On::Postgres, &steps);
    }
}
