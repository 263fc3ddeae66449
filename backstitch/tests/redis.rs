//! A shop whose carts are read from Redis: what it does while Redis is away, is emptied or lies, and what it says.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use backstitch_services::{Redis, Service as _};
use common::{Process, Shop, item, order_of, program, run, until};
use serde_json::json;
use tempfile::TempDir;

/// A shop that sells A and B, with its participants in one process and the orchestrator in another.
async fn shop_with(redis: &str) -> Shop {
    let mut shop = Shop::closed();
    let args = ["--listen", "127.0.0.1:0", "--redis", redis];
    let addresses = shop.start_beside(&[("participants", &args)]).await;
    let at: BTreeMap<_, _> =
        addresses.into_iter().map(|(name, address)| (name, format!("http://{address}"))).collect();
    shop.start_orchestrator(&at).await;
    shop.put_a_and_b().await;
    shop
}

async fn is_ready(shop: &Shop, body: serde_json::Value) {
    until(&format!("readiness says {body}"), async || {
        let answer = shop.get("/readyz").await;
        (answer.status == 200 && answer.body == body).then_some(())
    })
    .await;
}

fn degraded() -> serde_json::Value {
    let why = "does without its redis, slower; nothing is lost";
    json!({"status": "degraded", "parts": [{"part": "cart", "why": why}]})
}

/// The cart's copy once there is one: its key and what it says.
async fn copy(redis: &mut redis::Connection, shop: &Shop, cart: &str) -> (String, String) {
    until("the cart has a copy", async || {
        shop.get(&format!("/api/v1/carts/{cart}")).await.ok();
        let keys = redis::cmd("KEYS").arg(format!("cart:{{{cart}}}:*")).query::<Vec<String>>(redis).unwrap();
        keys.into_iter().find_map(|key| {
            let value: String = redis::cmd("GET").arg(&key).query(redis).unwrap();
            value.starts_with('C').then_some((key, value))
        })
    })
    .await
}

fn connect(server: &Redis) -> redis::Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

#[tokio::test]
async fn a_copy_that_lies_is_shown_and_never_bought() {
    let server = Redis::start();
    let shop = shop_with(&server.url()).await;
    shop.fill("cart", &[("A", 2)]).await;
    let mut redis = connect(&server);
    let (key, value) = copy(&mut redis, &shop, "cart").await;
    let lie = value.replace("\"A\"", "\"B\"").replace("\"quantity\":2", "\"quantity\":7");
    redis::cmd("SET").arg(&key).arg(&lie).exec(&mut redis).unwrap();
    let shown = shop.get("/api/v1/carts/cart").await.ok();
    assert_eq!((shown.text("/items/0/sku"), shown.int("/items/0/quantity")), ("B", 7));

    let done = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    assert_eq!(shop.stock("A").await, (98, 0, 2));
    assert_eq!(shop.stock("B").await, (100, 0, 0));
    // What the checkout left is what the cart is.
    assert_eq!(shop.get("/api/v1/carts/cart").await.ok().body["items"], json!([]));
    shop.close().await;
}

#[tokio::test]
async fn flushed_in_the_middle_a_checkout_ends_as_it_began() {
    let server = Redis::start();
    let shop = shop_with(&server.url()).await;
    shop.fill("cart", &[("A", 2)]).await;
    copy(&mut connect(&server), &shop, "cart").await;
    // The customer has to act first, so that it is in the middle.
    let begun = shop.begin("k", &order_of("cart", "tok_3ds_ok")).await.ok();
    let id = begun.text("/checkout_id").to_owned();
    shop.reaches(&id, &["waiting"]).await;
    server.flush();
    shop.fill("cart", &[("A", 2), ("B", 1)]).await;
    server.flush();
    assert_eq!(shop.rested(&id).await.text("/status"), "completed");
    // What was put in meanwhile is still there.
    let left = shop.get("/api/v1/carts/cart").await.ok();
    assert_eq!(left.body["items"], json!([item("B", 1)]));
    assert_eq!(shop.stock("A").await, (98, 0, 2));
    shop.close().await;
}

#[tokio::test]
async fn redis_may_go_and_come() {
    let server = Redis::start();
    let shop = shop_with(&server.url()).await;
    is_ready(&shop, json!({"status": "ready"})).await;
    shop.fill("cart", &[("A", 1)]).await;

    server.kill();
    is_ready(&shop, degraded()).await;
    shop.fill("cart", &[("A", 2)]).await;
    assert_eq!(shop.get("/api/v1/carts/cart").await.ok().int("/items/0/quantity"), 2);
    let done = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");

    server.start_again();
    is_ready(&shop, json!({"status": "ready"})).await;
    server.freeze();
    is_ready(&shop, degraded()).await;
    shop.fill("cart", &[("B", 3)]).await;
    let done = shop.check_out("k2", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    server.thaw();
    is_ready(&shop, json!({"status": "ready"})).await;
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((98, 0, 2), (97, 0, 3)));
    shop.close().await;
}

#[test]
fn an_url_that_cannot_be_one_is_refused_and_not_repeated() {
    let directory = TempDir::new().unwrap();
    for url in [
        "host:6379",
        "http://:secret@host",
        "redis://:secret@host:port",
        "redis://:secret@",
        "redis+unix:///x",
    ] {
        for role in ["up", "participants", "cart"] {
            let said = run(program(directory.path()).args([role, "--redis", url]));
            assert_eq!(said.code, Some(1), "{said:?}");
            assert!(said.err.contains("--redis") && said.err.contains("redis://HOST:PORT"), "{}", said.err);
            assert!(!said.err.contains("secret"), "{}", said.err);
        }
    }
    assert!(std::fs::read_dir(directory.path()).unwrap().next().is_none());
}

/// Starts the carts alone with this Redis, and waits until they say all of `words` about it.
async fn says(url: &str, words: &[&str]) {
    let directory = TempDir::new().unwrap();
    let args = ["cart", "--listen", "127.0.0.1:0", "--redis", url];
    let process = Process::start("cart", &args, directory.path()).await;
    until(&format!("it says {words:?}"), async || {
        let said = process.said();
        words.iter().all(|word| said.contains(word)).then_some(())
    })
    .await;
    let said = process.said();
    // A busy machine may let it be silent for once, which is something else to say.
    let told: Vec<_> =
        said.lines().filter_map(|line| line.split_once("--redis")).map(|(_, why)| why).collect();
    assert!(told.windows(2).all(|two| two[0] != two[1]) && !said.contains("secret"), "{said}");
    process.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_redis_is_said_once_with_the_way_out() {
    let server = Redis::start();
    let (url, at) = (server.url(), format!("--redis 127.0.0.1:{}", server.port()));
    let secret = url.replace("redis://", "redis://:secret@");
    says(&secret, &[&at, "password"]).await;

    let mut redis = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    let set = |redis: &mut redis::Connection, name: &str, value: &str| {
        redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec(redis).unwrap();
    };
    set(&mut redis, "requirepass", "right");
    says(&secret, &[&at, "refuses the user or the password"]).await;
    says(&url, &[&at, "wants a password", "redis://:PASSWORD@HOST:PORT"]).await;
    set(&mut redis, "requirepass", "");
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg("9").exec(&mut redis).unwrap();
    says(&url, &[&at, "replica", "primary"]).await;
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut redis).unwrap();
    set(&mut redis, "maxmemory", "1");
    says(&url, &[&at, "memory"]).await;

    server.kill();
    says(&url, &[&at, "cannot be reached", "database"]).await;
    server.start_again();
    server.freeze();
    says(&url, &[&at, "does not answer in time"]).await;
    server.thaw();
}

#[tokio::test]
async fn another_service_at_the_address_is_not_taken_for_redis() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 64]);
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    says(&format!("redis://{address}"), &[&format!("--redis {address}"), "another service"]).await;
}
