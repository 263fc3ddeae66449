//! Parts that are not there, at the start or later: `/readyz` names each, the log names the option, and what can be done
//! without them is done.

use std::collections::BTreeMap;

use backstitch_faults::{Break, TcpProxy, Weather};
use backstitch_services::Redis;

use crate::common::{Answer, Shop, program, run, until};
use crate::outage::{blocking, meanwhile};
use crate::postgres::OnPostgres;
use crate::stage;

/// A proxy that lets nobody in.
async fn away(upstream: &str) -> TcpProxy {
    let proxy = TcpProxy::before(upstream).await.unwrap();
    proxy.set(Weather::Refusing);
    until("nobody is let in", async || {
        tokio::net::TcpStream::connect(proxy.address()).await.is_err().then_some(())
    })
    .await;
    proxy
}

/// Parts with trouble, and what is told of each.
fn parts(ready: &Answer) -> BTreeMap<String, String> {
    let parts = ready.body["parts"].as_array().into_iter().flatten();
    let text = |part: &serde_json::Value, key: &str| part[key].as_str().unwrap().to_owned();
    parts.map(|part| (text(part, "part"), text(part, "why"))).collect()
}

/// Waits until exactly these parts have trouble.
async fn troubled(shop: &Shop, status: u16, wanted: &[&str]) -> BTreeMap<String, String> {
    until(&format!("{wanted:?} are named"), async || {
        let ready = shop.get("/readyz").await;
        let named = parts(&ready);
        (ready.status == status && named.keys().eq(wanted)).then_some(named)
    })
    .await
}

#[tokio::test]
async fn every_part_that_is_away_is_named_at_the_start_and_later_and_nothing_accepted_is_lost() {
    let redis = blocking(Redis::start).await;
    let (to_redis, to_kafka) =
        (away(&format!("127.0.0.1:{}", redis.port())).await, away("127.0.0.1:9").await);
    let (redis_url, brokers) = (format!("redis://{}", to_redis.address()), to_kafka.address().to_string());
    let on = OnPostgres::open_with(&["--redis", &redis_url], &["--kafka", &brokers]).await;
    let mut customers = Vec::new();

    // Away at the start: it starts, says so, and sells.
    let named = troubled(&on.shop, 200, &["cart", "kafka"]).await;
    assert!(named["cart"].contains("redis") && named["kafka"].contains(&brokers), "{named:?}");
    let option = format!("--kafka {brokers}");
    until("the log names the option", async || on.shop.up().said().contains(&option).then_some(())).await;
    meanwhile(&on.shop, &mut customers, 10, async {}).await;

    // One comes, and the other one's trouble stays.
    to_redis.set(Weather::Clear);
    troubled(&on.shop, 200, &["kafka"]).await;
    to_redis.set(Weather::Refusing);
    to_redis.break_all(Break::Reset);
    troubled(&on.shop, 200, &["cart", "kafka"]).await;
    to_redis.set(Weather::Clear);

    // Without its store a node is not ready, and says why; it is alive all the same.
    let [store, theirs] = &on.between;
    store.set(Weather::Refusing);
    store.break_all(Break::Reset);
    let named = until("the store is named", async || {
        let ready = on.shop.get("/readyz").await;
        (ready.status == 503 && parts(&ready).contains_key("store")).then(|| parts(&ready))
    })
    .await;
    assert!(named["store"].contains("does not answer"), "{named:?}");
    assert_eq!(on.shop.get("/healthz").await.status, 200);
    // New work is not kept waiting, whether the store turns us away or says nothing.
    for weather in [Weather::Refusing, Weather::Frozen] {
        store.set(weather);
        let sent = customers[0].request(&on.shop).timeout(stage::PATIENCE).send().await.unwrap();
        assert_eq!(sent.status(), 503, "{weather:?}");
    }
    store.set(Weather::Clear);
    troubled(&on.shop, 200, &["kafka"]).await;

    // Participants without their databases are told of by those who call them.
    theirs.set(Weather::Refusing);
    theirs.break_all(Break::Reset);
    let outage = async {
        until("somebody is told that a database is away", async || {
            let answer = on.shop.put_product("A", 1, 1).await;
            (answer.status == 503 && answer.text("/part") == "inventory").then_some(())
        })
        .await;
        theirs.set(Weather::Clear);
    };
    meanwhile(&on.shop, &mut customers, 10, outage).await;
    let away = "Redis, Kafka, the store, the participants' databases, one after the other".to_owned();
    on.close("every part refused, at the start or later", &customers, away).await;
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_is_named_with_its_option() {
    let nobody = away("127.0.0.1:9").await;
    let url = format!("postgres://shop:hunter2@{}/shop", nobody.address());
    let uri = "http://127.0.0.1:9";
    let all = ["inventory", "shipping", "payment", "order", "cart", "notification"];
    let at: Vec<String> =
        all.iter().flat_map(|name| ["--participant".to_owned(), format!("{name}={uri}")]).collect();
    let doors = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"].map(str::to_owned).to_vec();
    let here = tempfile::tempdir().unwrap();
    for (role, args) in [
        ("orchestrator", [at, doors].concat()),
        ("cart", vec!["--listen".to_owned(), "127.0.0.1:0".to_owned()]),
        ("migrate", Vec::new()),
    ] {
        let mut command = program(here.path());
        command.arg(role).args(args).args(["--database-url", &url]);
        let said = blocking(move || run(&mut command)).await;
        assert_eq!(said.code, Some(1), "{role}: {said:?}");
        let address = nobody.address().to_string();
        for wanted in [address.as_str(), "--database-url"] {
            assert!(said.err.contains(wanted), "{role}: no {wanted:?} in {}", said.err);
        }
        assert!(!said.err.contains("hunter2"), "{role} tells the password: {}", said.err);
    }
}
