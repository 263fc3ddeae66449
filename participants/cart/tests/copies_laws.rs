//! No history of changes, reads, checkouts, flushed, killed and frozen servers and killed processes lets a cart be read
//! older than it was answered or acknowledged before; at rest a copy says what the database says.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstitch_services::{On, Redis, Service as _};
use common::{DAY_MS, Saga, Shop};
use futures::future::join_all;
use participant_cart::RedisOptions;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::{Builder, Runtime};

const CARTS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    Put {
        cart: usize,
        quantity: i64,
    },
    Delete {
        cart: usize,
    },
    Merge {
        guest: usize,
        into: usize,
    },
    Hold {
        cart: usize,
    },
    Free {
        cart: usize,
    },
    Clear {
        cart: usize,
    },
    LetGo {
        cart: usize,
    },
    Expire {
        days: i64,
    },
    /// Everything of this at once.
    AtOnce(Vec<Act>),
    Flush,
    RestartRedis,
    KillRedis,
    StartRedis,
    /// It ends every connection.
    Disconnect,
    /// It does not answer during this.
    Freeze(Vec<Act>),
    LookAfter,
    /// The process is killed this far into a put.
    KillProcess {
        cart: usize,
        after: u32,
    },
}

#[derive(Clone, Debug)]
enum Act {
    Put { cart: usize, quantity: i64 },
    Read { cart: usize },
    ReadFresh { cart: usize },
    Flush,
    LookAfter,
}

fn cart() -> impl Strategy<Value = usize> {
    0..CARTS.len()
}

fn an_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (cart(), 1..9i64).prop_map(|(cart, quantity)| Act::Put { cart, quantity }),
        4 => cart().prop_map(|cart| Act::Read { cart }),
        2 => cart().prop_map(|cart| Act::ReadFresh { cart }),
        1 => Just(Act::Flush),
        1 => Just(Act::LookAfter),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (cart(), 1..4i64).prop_map(|(cart, quantity)| Step::Put { cart, quantity }),
        2 => cart().prop_map(|cart| Step::Delete { cart }),
        2 => (cart(), cart()).prop_map(|(guest, into)| Step::Merge { guest, into }),
        3 => cart().prop_map(|cart| Step::Hold { cart }),
        2 => cart().prop_map(|cart| Step::Free { cart }),
        2 => cart().prop_map(|cart| Step::Clear { cart }),
        1 => cart().prop_map(|cart| Step::LetGo { cart }),
        1 => (1..9i64).prop_map(|days| Step::Expire { days }),
        8 => prop::collection::vec(an_act(), 2..12).prop_map(Step::AtOnce),
        2 => Just(Step::Flush),
        1 => Just(Step::RestartRedis),
        1 => Just(Step::KillRedis),
        2 => Just(Step::StartRedis),
        1 => prop::collection::vec(an_act(), 1..4).prop_map(Step::Freeze),
        2 => Just(Step::Disconnect),
        4 => Just(Step::LookAfter),
        2 => (cart(), 0..2000u32).prop_map(|(cart, after)| Step::KillProcess { cart, after }),
    ]
}

/// A process of its own: its tasks end where they are when it is killed.
struct Process {
    runtime: Runtime,
    shop: Arc<Shop>,
}

impl Process {
    fn start(open: impl Future<Output = Shop>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let shop = Arc::new(runtime.block_on(open));
        Self { runtime, shop }
    }

    /// `kill -9`, and another one over the same database.
    fn killed(self) -> Self {
        self.runtime.shutdown_background();
        let shop = self.shop;
        Self::start(async move { shop.beside(shop.redis.clone()).await })
    }
}

/// The highest version of each cart that anybody was told of.
type Told = Arc<Mutex<[i64; CARTS.len()]>>;

struct World<'a> {
    on: On,
    process: Process,
    server: &'a Redis,
    told: Told,
    /// How many copies were there when they were looked for.
    copies: Arc<AtomicU64>,
    holders: [Option<Saga>; CARTS.len()],
}

/// What is done beside other things. A read is never older than what anybody was told of before it began.
async fn act(shop: &Shop, act: Act, told: &Told, server: &str) {
    let floor = |cart: usize| told.lock().unwrap()[cart];
    let tell = |cart: usize, version: i64| {
        let mut told = told.lock().unwrap();
        told[cart] = told[cart].max(version);
    };
    match act {
        Act::Put { cart, quantity } => {
            let put = shop.put(CARTS[cart], &[("A", quantity)]).await;
            tell(cart, put.version);
        }
        Act::Read { cart } | Act::ReadFresh { cart } => {
            let floor = floor(cart);
            let fresh = matches!(act, Act::ReadFresh { .. });
            let read = if fresh { shop.fresh(CARTS[cart]).await } else { shop.try_get(CARTS[cart]).await };
            if let Some(read) = read {
                assert!(read.version >= floor, "{} was read at {} after {floor}", CARTS[cart], read.version);
                tell(cart, read.version);
            }
        }
        Act::Flush => drop(command(server, "FLUSHALL", &[])),
        Act::LookAfter => drop(shop.look_after_copies().await),
    }
}

fn command(server: &str, name: &str, args: &[&str]) -> redis::RedisResult<()> {
    let mut connection = redis::Client::open(server)?.get_connection_with_timeout(Duration::from_secs(5))?;
    redis::cmd(name).arg(args).exec(&mut connection)
}

impl World<'_> {
    fn at_once(&self, acts: Vec<Act>) {
        let tasks: Vec<_> = acts
            .into_iter()
            .map(|one| {
                let (shop, told, url) = (self.process.shop.clone(), self.told.clone(), self.server.url());
                self.process.runtime.spawn(async move { act(&shop, one, &told, &url).await })
            })
            .collect();
        for ended in self.process.runtime.block_on(join_all(tasks)) {
            ended.unwrap();
        }
    }

    fn started(&self) {
        if self.server.answers().is_err() {
            self.server.start_again();
        }
    }

    /// One step to its end.
    fn step(mut self, step: Step) -> Self {
        let shop = self.process.shop.clone();
        let done = |future: std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>>| {
            self.process.runtime.block_on(future);
        };
        match step {
            Step::Put { cart, quantity } => self.at_once(vec![Act::Put { cart, quantity }]),
            Step::Delete { cart } => done(Box::pin(async {
                drop(shop.delete(CARTS[cart]).await);
            })),
            Step::Merge { guest, into } => done(Box::pin(async {
                drop(shop.merge(CARTS[guest], CARTS[into], "ann").await);
            })),
            Step::Hold { cart } => {
                let saga = Saga::new();
                let held = self.process.runtime.block_on(async {
                    let version = shop.try_get(CARTS[cart]).await.map_or(1, |cart| cart.version);
                    shop.hold(saga, CARTS[cart], version).await.is_ok()
                });
                if held {
                    assert_eq!(self.holders[cart].replace(saga), None, "two hold one cart");
                }
            }
            Step::Free { cart } => {
                if let Some(saga) = self.holders[cart].take() {
                    done(Box::pin(async { shop.free(saga, CARTS[cart]).await.unwrap() }));
                }
            }
            Step::Clear { cart } => {
                if let Some(saga) = self.holders[cart].take() {
                    done(Box::pin(async { shop.clear(saga, CARTS[cart], &[("A", 2)]).await.unwrap() }));
                }
            }
            Step::LetGo { cart } => {
                if let Some(saga) = self.holders[cart].take() {
                    done(Box::pin(async { shop.let_go(Saga::new(), saga, CARTS[cart]).await.unwrap() }));
                }
            }
            Step::Expire { days } => {
                shop.clock.advance(days * DAY_MS);
                done(Box::pin(async { drop(shop.tick().await) }));
            }
            Step::AtOnce(acts) => self.at_once(acts),
            Step::Flush => drop(command(&self.server.url(), "FLUSHALL", &[])),
            Step::Disconnect => drop(command(&self.server.url(), "CLIENT", &["KILL", "TYPE", "normal"])),
            Step::RestartRedis => {
                self.server.kill();
                self.server.start_again();
            }
            Step::KillRedis => self.server.kill(),
            Step::StartRedis => self.started(),
            Step::Freeze(acts) => {
                self.started();
                self.server.freeze();
                // Nobody else waits for it either.
                self.at_once(acts.into_iter().filter(|act| !matches!(act, Act::Flush)).collect());
                self.server.thaw();
            }
            Step::LookAfter => self.at_once(vec![Act::LookAfter]),
            Step::KillProcess { cart, after } => {
                let putting = shop.clone();
                let put = async move { drop(putting.try_put(CARTS[cart], "", &[("KILLED", 1)]).await) };
                let put = self.process.runtime.spawn(put);
                match self.on {
                    On::Sqlite => (0..after).for_each(|_| std::thread::yield_now()),
                    // A server may commit what a client that is gone has asked for, and there is no telling when.
                    On::Postgres => self.process.runtime.block_on(put).unwrap(),
                }
                drop(shop);
                self.process = self.process.killed();
            }
        }
        self
    }

    /// Nothing happens any more: whoever reads is told what is in the database, and who holds what.
    fn at_rest(&self) {
        let shop = &self.process.shop;
        self.process.runtime.block_on(async {
            // What a killed process had begun has ended once somebody else has written.
            shop.put("barrier", &[("A", 1)]).await;
            for (at, id) in CARTS.iter().enumerate() {
                let fresh = shop.fresh(id).await;
                for _ in 0..2 {
                    assert_eq!(shop.try_get(id).await, fresh, "{id}");
                }
                let holder = self.holders[at].map(|saga| saga.0.to_string()).unwrap_or_default();
                assert_eq!(fresh.as_ref().map_or("", |cart| &cart.held_by), holder);
                if let Some(cart) = fresh {
                    let mut told = self.told.lock().unwrap();
                    assert!(cart.version >= told[at], "{id} is at {} after {}", cart.version, told[at]);
                    told[at] = cart.version;
                }
            }
        });
        if self.server.answers().is_ok() {
            self.copies.fetch_add(copies_at(&self.server.url()), Ordering::Relaxed);
        }
    }
}

/// How many copies there are.
fn copies_at(server: &str) -> u64 {
    let mut connection = redis::Client::open(server).unwrap().get_connection().unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("cart:*").query(&mut connection).unwrap();
    let is_copy = |key: &&String| {
        let kind: Vec<u8> = redis::cmd("GETRANGE").arg(*key).arg(0).arg(0).query(&mut connection).unwrap();
        kind == b"C"
    };
    keys.iter().filter(is_copy).count().try_into().unwrap()
}

#[test]
fn no_history_lets_a_cart_be_read_older_than_it_was() {
    no_history(On::Sqlite, 40, 500);
}

#[test]
fn nor_does_any_with_the_database_on_a_server() {
    no_history(On::Postgres, 12, 100);
}

/// So many histories, in which this many copies have been there at least.
fn no_history(on: On, cases: u32, at_least: u64) {
    // A law about copies says nothing where there are none.
    let copies = Arc::new(AtomicU64::new(0));
    let server = Redis::start();
    // As short as a busy machine allows: a Redis that is frozen is waited for once in every step that freezes it.
    let patience = Duration::from_millis(100);
    let options = RedisOptions { patience, ..RedisOptions::new(server.url()) };
    let histories = prop::collection::vec(step(), 1..40);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let law = runner.run(&histories, |steps| {
        if server.answers().is_err() {
            server.start_again();
        }
        let options = options.clone();
        let process = Process::start(async move {
            let shop = Shop::open_on(on, Some(options)).await;
            shop.look_after_copies().await;
            shop
        });
        let mut world = World {
            on,
            process,
            server: &server,
            told: Told::default(),
            copies: copies.clone(),
            holders: [None; CARTS.len()],
        };
        for step in steps {
            world = world.step(step);
            world.at_rest();
        }
        Ok(())
    });
    law.unwrap_or_else(|failed| panic!("{failed}"));
    let copies = copies.load(Ordering::Relaxed);
    assert!(copies > at_least, "only {copies} copies were ever there");
}
