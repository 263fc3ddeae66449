//! Copies of carts in a real Redis: what they answer, how long they live, and that nothing is decided by them.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_services::{On, Redis, Service as _, each_database, redis_url};
use common::{DAY_MS, Saga, Shop, lines};
use participant_cart::RedisOptions;
use redis::Connection;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

each_database!(
    a_cart_is_read_from_its_copy_and_a_change_replaces_it,
    a_deleted_cart_has_no_copy_and_neither_has_a_merged_guest_s,
    a_copy_follows_who_holds_the_cart,
    a_copy_that_lies_changes_no_checkout,
    two_processes_share_copies,
    a_process_without_redis_takes_every_copy_out_of_use,
    a_change_that_was_marked_where_nobody_looks_any_more_takes_every_copy_out_of_use,
);

fn connect(url: &str) -> Connection {
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

/// Every key of this cart, of whatever shop.
fn keys(redis: &mut Connection, id: &str) -> Vec<String> {
    redis::cmd("KEYS").arg(format!("cart:{{{id}}}:*")).query(redis).unwrap()
}

/// The cart's copies in all keyspaces, with their keys.
fn copies(redis: &mut Connection, id: &str) -> Vec<(String, String)> {
    let found = keys(redis, id).into_iter().map(|key| {
        let bytes: Option<String> = redis::cmd("GET").arg(&key).query(redis).unwrap();
        (key, bytes.unwrap_or_default())
    });
    found.filter(|(_, bytes)| bytes.starts_with('C')).collect()
}

/// The cart's copy and its key.
fn copy(redis: &mut Connection, id: &str) -> Option<(String, String)> {
    copies(redis, id).pop()
}

/// What FLUSHALL does, to this cart alone: the server may be everybody's.
fn forget(redis: &mut Connection, id: &str) {
    redis::cmd("DEL").arg(keys(redis, id)).exec(redis).unwrap();
}

/// Changes what the copy says, and leaves its time.
fn falsify(redis: &mut Connection, id: &str, from: &str, to: &str) {
    let (key, bytes) = copy(redis, id).unwrap();
    let false_bytes = bytes.replace(from, to);
    assert_ne!(bytes, false_bytes);
    redis::cmd("SET").arg(key).arg(false_bytes).arg("KEEPTTL").exec(redis).unwrap();
}

fn ttl_ms(redis: &mut Connection, id: &str) -> i64 {
    let (key, _) = copy(redis, id).unwrap();
    redis::cmd("PTTL").arg(key).query(redis).unwrap()
}

/// A shop with copies, a connection of one's own, and a cart id that nobody else on this server has.
async fn shop(on: On, url: &str) -> (Shop, Connection, String) {
    let shop = Shop::open_on(on, Some(RedisOptions::new(url))).await;
    shop.look_after_copies().await;
    let id = format!("c-{}", Saga::new().0.simple());
    (shop, connect(url), id)
}

async fn a_cart_is_read_from_its_copy_and_a_change_replaces_it(on: On) {
    let (shop, mut redis, id) = shop(on, &redis_url()).await;
    let put = shop.put(&id, &[("A", 1)]).await;
    falsify(&mut redis, &id, "\"A\"", "\"FALSE\"");
    assert_eq!(shop.get(&id).await.items, lines(&[("FALSE", 1)]));
    assert_eq!(shop.fresh(&id).await, Some(put));
    let put = shop.put(&id, &[("B", 1)]).await;
    assert_eq!(shop.get(&id).await, put);
    // A reader puts it as well.
    forget(&mut redis, &id);
    assert_eq!(shop.get(&id).await, put);
    falsify(&mut redis, &id, "\"B\"", "\"FALSE\"");
    assert_eq!(shop.get(&id).await.items, lines(&[("FALSE", 1)]));
}

async fn a_deleted_cart_has_no_copy_and_neither_has_a_merged_guest_s(on: On) {
    let (shop, mut redis, id) = shop(on, &redis_url()).await;
    shop.put(&id, &[("A", 1)]).await;
    shop.delete(&id).await.unwrap();
    assert_eq!((copy(&mut redis, &id), shop.try_get(&id).await), (None, None));

    let into = format!("{id}-ann");
    shop.put(&id, &[("A", 1)]).await;
    let merged = shop.merge(&id, &into, "ann").await.unwrap();
    assert_eq!((copy(&mut redis, &id), shop.try_get(&id).await), (None, None));
    assert!(copy(&mut redis, &into).is_some());
    assert_eq!(shop.get(&into).await, merged);
}

async fn a_copy_follows_who_holds_the_cart(on: On) {
    let (shop, _, id) = shop(on, &redis_url()).await;
    let cart = shop.put(&id, &[("A", 2)]).await;
    let (first, second) = (Saga::new(), Saga::new());
    shop.hold(first, &id, cart.version).await.unwrap();
    for _ in 0..2 {
        assert_eq!(shop.get(&id).await.held_by, first.0.to_string());
    }
    shop.free(first, &id).await.unwrap();
    assert_eq!(shop.get(&id).await.held_by, "");
    shop.hold(second, &id, cart.version).await.unwrap();
    shop.clear(second, &id, &[("A", 1)]).await.unwrap();
    let after = shop.get(&id).await;
    assert_eq!((after.items, after.held_by.as_str()), (lines(&[("A", 1)]), ""));
}

#[tokio::test]
async fn a_copy_lives_as_long_as_its_cart() {
    let (shop, mut redis, id) = shop(On::Sqlite, &redis_url()).await;
    let near = |ms: i64, exact: i64| ms <= exact && ms > exact - 60_000;
    shop.put(&id, &[("A", 1)]).await;
    let guests = ttl_ms(&mut redis, &id);
    assert!(near(guests, DAY_MS), "{guests}");
    // A guest who becomes a customer.
    shop.try_put(&id, "ann", &[("A", 1)]).await.unwrap();
    let customers = ttl_ms(&mut redis, &id);
    assert!(near(customers, 7 * DAY_MS), "{customers}");
    // A copy that a reader puts lives no longer than the cart.
    forget(&mut redis, &id);
    shop.clock.advance(3 * DAY_MS);
    shop.get(&id).await;
    let rest = ttl_ms(&mut redis, &id);
    assert!(near(rest, 4 * DAY_MS), "{rest}");
    // And to the millisecond by the clock that the database goes by, whatever Redis's own says.
    falsify(&mut redis, &id, "\"A\"", "\"FALSE\"");
    shop.clock.advance(4 * DAY_MS - 1);
    assert_eq!(shop.get(&id).await.items, lines(&[("FALSE", 1)]));
    shop.clock.advance(1);
    assert_eq!(shop.get(&id).await.items, lines(&[("A", 1)]));
    shop.tick().await;
    assert_eq!(shop.try_get(&id).await, None);
}

async fn a_copy_that_lies_changes_no_checkout(on: On) {
    let (shop, mut redis, id) = shop(on, &redis_url()).await;
    let cart = shop.put(&id, &[("A", 2)]).await;
    let (version, wrong) = (format!("\"version\":{}", cart.version), cart.version + 1);
    falsify(&mut redis, &id, "\"A\"", "\"GOLD\"");
    falsify(&mut redis, &id, &version, &format!("\"version\":{wrong}"));
    let (liar, saga) = (Saga::new(), Saga::new());
    assert_eq!(shop.get(&id).await.version, wrong);
    assert_eq!(liar.refusal(&shop.hold(liar, &id, wrong).await).reason, "CART_CHANGED");
    assert_eq!(shop.fresh(&id).await, Some(cart.clone()));
    shop.hold(saga, &id, cart.version).await.unwrap();
    // Nor does one that denies the hold, at any point.
    shop.get(&id).await;
    falsify(&mut redis, &id, &saga.0.to_string(), &liar.0.to_string());
    let second = Saga::new();
    assert_eq!(second.refusal(&shop.hold(second, &id, cart.version).await).reason, "CART_IN_CHECKOUT");
    shop.get(&id).await;
    forget(&mut redis, &id);
    shop.clear(saga, &id, &[("A", 2)]).await.unwrap();
    assert_eq!(shop.get(&id).await.items, []);
}

#[tokio::test]
async fn what_is_no_copy_is_not_answered() {
    let (shop, mut redis, id) = shop(On::Sqlite, &redis_url()).await;
    let other = format!("{id}-other");
    let (cart, _) = (shop.put(&id, &[("A", 1)]).await, shop.put(&other, &[("B", 1)]).await);
    let (key, _) = copy(&mut redis, &id).unwrap();
    let (_, of_other) = copy(&mut redis, &other).unwrap();
    for nonsense in [of_other.as_str(), "", "C", "C{}", "nonsense", "W7:x", "Rx"] {
        redis::cmd("SET").arg(&key).arg(nonsense).exec(&mut redis).unwrap();
        assert_eq!(shop.get(&id).await, cart, "{nonsense}");
    }
    // The next change ends it, and another type of value costs no more than the connection.
    assert_eq!(shop.put(&id, &[("A", 2)]).await, shop.get(&id).await);
    redis::cmd("DEL").arg(&key).exec(&mut redis).unwrap();
    redis::cmd("LPUSH").arg(&key).arg("x").exec(&mut redis).unwrap();
    assert_eq!(shop.get(&id).await, shop.fresh(&id).await.unwrap());
}

#[tokio::test]
async fn a_server_that_remembers_what_was_true_long_ago_is_not_believed() {
    let server = Redis::start();
    let (shop, mut redis, id) = shop(On::Sqlite, &server.url()).await;
    let old = shop.put(&id, &[("A", 1)]).await;
    let (key, bytes) = copy(&mut redis, &id).unwrap();
    let new = shop.put(&id, &[("A", 2)]).await;
    server.restart();
    let mut redis = connect(&server.url());
    redis::cmd("SET").arg(&key).arg(&bytes).exec(&mut redis).unwrap();
    for _ in 0..3 {
        assert_eq!(shop.get(&id).await, new, "{old:?}");
        shop.look_after_copies().await;
    }
}

#[tokio::test]
async fn a_connection_that_broke_costs_no_copy() {
    let server = Redis::start();
    let (shop, mut redis, id) = shop(On::Sqlite, &server.url()).await;
    let cart = shop.put(&id, &[("A", 1)]).await;
    falsify(&mut redis, &id, "\"A\"", "\"FALSE\"");
    redis::cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .arg("SKIPME")
        .arg("yes")
        .exec(&mut redis)
        .unwrap();
    for _ in 0..3 {
        shop.look_after_copies().await;
    }
    assert_eq!(shop.get(&id).await.items, lines(&[("FALSE", 1)]));
    assert_eq!(shop.fresh(&id).await, Some(cart));
}

async fn two_processes_share_copies(on: On) {
    let (shop, mut redis, id) = shop(on, &redis_url()).await;
    let other = shop.beside(shop.redis.clone()).await;
    other.look_after_copies().await;
    shop.look_after_copies().await;
    for (writer, reader) in [(&shop, &other), (&other, &shop), (&shop, &other)] {
        let put = writer.put(&id, &[("A", 1)]).await;
        assert_eq!(reader.get(&id).await, put);
        assert!(copy(&mut redis, &id).is_some());
    }
}

async fn a_process_without_redis_takes_every_copy_out_of_use(on: On) {
    let (shop, mut redis, id) = shop(on, &redis_url()).await;
    let nowhere = RedisOptions::new("redis://127.0.0.1:9");
    let other = shop.beside(Some(nowhere)).await;
    other.look_after_copies().await;
    shop.put(&id, &[("A", 1)]).await;
    assert!(copy(&mut redis, &id).is_some());
    let put = other.put(&id, &[("A", 2)]).await;
    shop.look_after_copies().await;
    assert_eq!(shop.get(&id).await, put);
    let saga = Saga::new();
    other.hold(saga, &id, put.version).await.unwrap();
    shop.look_after_copies().await;
    assert_eq!(shop.get(&id).await.held_by, saga.0.to_string());
}

#[tokio::test]
async fn a_redis_that_hangs_is_waited_for_once_and_one_that_is_back_is_used() {
    let server = Redis::start();
    let patience = Duration::from_secs(1);
    let options = RedisOptions { patience, ..RedisOptions::new(server.url()) };
    let shop = Shop::open_on(On::Sqlite, Some(options)).await;
    shop.look_after_copies().await;
    let mut last = shop.put("c", &[("A", 1)]).await;
    server.freeze();
    let begun = std::time::Instant::now();
    for quantity in 2..30 {
        last = shop.put("c", &[("A", quantity)]).await;
        assert_eq!(shop.get("c").await, last);
    }
    // 56 calls; every one of them would have waited.
    assert!(begun.elapsed() < 10 * patience, "{:?}", begun.elapsed());
    shop.look_after_copies().await;
    server.thaw();
    while copy(&mut connect(&server.url()), "c").is_none_or(|(_, copy)| !copy.contains("29")) {
        shop.look_after_copies().await;
        assert_eq!(shop.get("c").await, last);
    }
}

#[tokio::test]
async fn without_redis_at_the_start_carts_work_and_use_it_once_it_is_there() {
    let server = Redis::start();
    server.kill();
    let shop = Shop::open_on(On::Sqlite, Some(RedisOptions::new(server.url()))).await;
    shop.look_after_copies().await;
    let cart = shop.put("c", &[("A", 1)]).await;
    assert_eq!(shop.get("c").await, cart);
    let saga = Saga::new();
    shop.hold(saga, "c", cart.version).await.unwrap();
    server.start_again();
    shop.look_after_copies().await;
    assert_eq!(shop.get("c").await.held_by, saga.0.to_string());
    assert!(copy(&mut connect(&server.url()), "c").is_some());
    shop.free(saga, "c").await.unwrap();
    assert_eq!(shop.get("c").await, cart);
}

#[tokio::test]
async fn a_change_that_was_not_marked_takes_every_copy_out_of_use() {
    let server = Redis::start();
    let (shop, mut redis, _) = shop(On::Sqlite, &server.url()).await;
    for id in ["c", "d"] {
        shop.put(id, &[("A", 1)]).await;
    }
    server.freeze();
    // Its mark may arrive when the server goes on; the next change sends none.
    shop.put("c", &[("A", 2)]).await;
    let put = shop.put("d", &[("A", 2)]).await;
    server.thaw();
    // The old copy is still there, on the same server.
    assert!(copy(&mut redis, "d").unwrap().1.contains(":1}"));
    for _ in 0..3 {
        shop.look_after_copies().await;
        assert_eq!(shop.get("d").await, put);
    }
    let all = copies(&mut redis, "d");
    assert!(all.iter().any(|(_, bytes)| bytes.contains(":2}")), "{all:?}");
}

#[tokio::test]
async fn while_a_cart_is_being_changed_its_own_process_puts_no_copy_of_it() {
    let (shop, mut redis, id) = shop(On::Sqlite, &redis_url()).await;
    let before = shop.put(&id, &[("A", 1)]).await;
    // Somebody holds the database, so that the change stays under way.
    let file = SqliteConnectOptions::new().filename(shop.directory.path().join("cart.db"));
    let mut holder = file.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut holder).await.unwrap();
    let put = shop.put(&id, &[("A", 2)]);
    let meanwhile = async {
        while copy(&mut redis, &id).is_some() {
            tokio::task::yield_now().await;
        }
        assert_eq!(shop.get(&id).await, before);
        forget(&mut redis, &id);
        assert_eq!(shop.get(&id).await, before);
        assert_eq!(keys(&mut redis, &id), [""; 0]);
        sqlx::query("ROLLBACK").execute(&mut holder).await.unwrap();
    };
    let (after, ()) = tokio::join!(put, meanwhile);
    assert_eq!(shop.get(&id).await, after);
}

#[tokio::test]
async fn a_change_that_lost_its_mark_and_is_not_settled_takes_every_copy_out_of_use() {
    let server = Redis::start();
    let (shop, mut redis, id) = shop(On::Sqlite, &server.url()).await;
    let other = shop.beside(shop.redis.clone()).await;
    other.look_after_copies().await;
    shop.look_after_copies().await;
    let before = shop.put(&id, &[("A", 1)]).await;
    assert_eq!(other.get(&id).await, before);
    let (key, old) = copy(&mut redis, &id).unwrap();
    let file = SqliteConnectOptions::new().filename(shop.directory.path().join("cart.db"));
    let mut holder = file.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut holder).await.unwrap();
    let put = shop.put(&id, &[("A", 2)]);
    let meanwhile = async {
        while copy(&mut redis, &id).is_some() {
            tokio::task::yield_now().await;
        }
        // The mark is evicted, somebody else reads what is still so, and the settling will reach nobody.
        forget(&mut redis, &id);
        let look = redis::Script::new(include_str!("../lua/look.lua"));
        let found: Option<String> = look.key(&key).arg("Rlease").arg(600_000).invoke(&mut redis).unwrap();
        assert_eq!(found, None);
        assert_eq!(other.fresh(&id).await.as_ref(), Some(&before));
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes").exec(&mut redis).unwrap();
        sqlx::query("ROLLBACK").execute(&mut holder).await.unwrap();
    };
    let (after, ()) = tokio::join!(put, meanwhile);
    let fill = redis::Script::new(include_str!("../lua/fill.lua"));
    fill.key(&key).arg("Rlease").arg(&old).arg(600_000).invoke::<()>(&mut redis).unwrap();
    assert!(copies(&mut redis, &id).contains(&(key, old)), "the old copy is there");
    for _ in 0..3 {
        shop.look_after_copies().await;
        other.look_after_copies().await;
        assert_eq!(shop.get(&id).await, after);
        assert_eq!(other.get(&id).await, after);
    }
}

async fn a_change_that_was_marked_where_nobody_looks_any_more_takes_every_copy_out_of_use(on: On) {
    let (shop, _, id) = shop(on, &redis_url()).await;
    let old = shop.put(&id, &[("A", 1)]).await;
    // A process that begins draws a keyspace of its own, and the first one has not looked since.
    let other = shop.beside(shop.redis.clone()).await;
    other.look_after_copies().await;
    assert_eq!(other.get(&id).await, old);
    let put = shop.put(&id, &[("A", 2)]).await;
    other.look_after_copies().await;
    assert_eq!(other.get(&id).await, put);
}
