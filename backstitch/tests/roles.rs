//! What a role alone tells those who run it: its metrics, and that a part it was given is not there.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Process, Shop, order_of, program, run, until};
use futures::future::join_all;
use reqwest::Client;
use tempfile::TempDir;

async fn get(address: &str, path: &str) -> (u16, String) {
    let answer = Client::new().get(format!("http://{address}{path}")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn participants_count_what_they_do_and_tell_it_where_they_are_asked_to() {
    let mut shop = Shop::closed();
    let anywhere = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    let mut addresses = shop.start_beside(&[("participants", &anywhere)]).await;
    let metrics = addresses.remove("metrics").unwrap();
    let participants = addresses.into_iter().map(|(name, at)| (name, format!("http://{at}"))).collect();
    shop.start_orchestrator(&participants).await;
    shop.put_a_and_b().await;
    shop.fill("cart", &[("A", 1)]).await;
    let done = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");

    assert_eq!(get(&metrics, "/healthz").await, (200, r#"{"status":"ok"}"#.to_owned()));
    let (status, told) = get(&metrics, "/metrics").await;
    assert_eq!(status, 200);
    let counted = |name: &str, label: &str| {
        told.lines().any(|line| line.starts_with(name) && line.contains(label) && !line.ends_with(" 0"))
    };
    for service in ["cart", "inventory", "notification", "order", "payment", "shipping"] {
        assert!(counted("participant_calls_total", &format!("service=\"{service}\"")), "{service}: {told}");
    }
    shop.close().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_with_the_option_and_nothing_is_opened() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = TempDir::new().unwrap();
    for role in ["cart", "participants"] {
        let args = [role, "--data", "data", "--listen", "127.0.0.1:0", "--metrics", &address];
        let said = run(program(directory.path()).args(args));
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains("--metrics") && said.err.contains(&address), "{said:?}");
        assert!(!directory.path().join("data").exists());
    }
}

#[tokio::test]
async fn every_role_says_at_its_start_that_no_broker_is_there_with_the_option_and_the_address() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let directory = TempDir::new().unwrap();
    let on = |data: &'static str| vec!["--data", data, "--kafka", &nobody];
    let doors = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
    let listen = ["--listen", "127.0.0.1:0"];
    let names = ["inventory", "shipping", "payment", "order", "cart", "notification"];
    let at: Vec<String> = names.iter().map(|name| format!("{name}=http://127.0.0.1:9")).collect();
    let at = at.join(",");
    let mut roles: Vec<(&str, Vec<&str>)> = vec![
        ("up", [on("shop"), doors.to_vec()].concat()),
        ("orchestrator", [on("alone"), doors.to_vec(), vec!["--participant", &at]].concat()),
        ("participants", [on("all"), listen.to_vec()].concat()),
    ];
    roles.extend(names.map(|name| (name, [on("one"), listen.to_vec()].concat())));
    join_all(roles.iter().map(async |(role, args)| {
        let process = Process::start(role, &[&[*role], &args[..]].concat(), directory.path()).await;
        said(&process, role, &nobody).await;
        process.stop().await;
    }))
    .await;
    // What is left of an outbox that nobody has open.
    let relay = ["relay", "--data", "one", "--kafka", &nobody, "--http", "127.0.0.1:0"];
    let relay = Process::start("relay", &relay, directory.path()).await;
    said(&relay, "relay", &nobody).await;
    relay.stop().await;
}

/// Traces are for people; a shop does not need them.
#[tokio::test]
async fn a_collector_that_is_not_there_stops_nothing() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut shop = Shop::closed();
    shop.start_with(&["--otlp", &format!("http://{nobody}")]).await;
    shop.put_a_and_b().await;
    shop.fill("cart", &[("A", 1)]).await;
    let done = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    shop.close().await;
}

async fn said(process: &Process, role: &str, brokers: &str) {
    let option = format!("--kafka {brokers}: ");
    let line = until(&format!("{role} names the option"), async || {
        let said = process.said();
        said.lines().find(|line| line.contains(&option)).map(str::to_owned)
    })
    .await;
    assert!(line.contains("WARN"), "{role}: {line}");
}
