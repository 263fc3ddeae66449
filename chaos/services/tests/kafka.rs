//! Kafka, and the command that starts one of each.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use backstitch_services::{Kafka, Redis, Service as _};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::RDKafkaErrorCode;

#[test]
fn kafka_comes_back_after_a_kill() {
    let kafka = Kafka::start();
    kafka.kill();
    assert!(TcpStream::connect(kafka.brokers()).is_err());
    kafka.start_again();
    kafka.freeze();
    assert!(kafka.answers().is_err());
    kafka.thaw();
    assert_eq!(kafka.answers(), Ok(()));
}

#[tokio::test]
async fn what_is_denied_is_denied_and_nothing_else() {
    let kafka = Kafka::start();
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", kafka.brokers()).set("topic.metadata.propagation.max.ms", "1000");
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let topics = ["open", "shut"].map(|name| NewTopic::new(name, 1, TopicReplication::Fixed(1)));
    admin.create_topics(&topics, &AdminOptions::new()).await.unwrap();
    kafka.deny_writes("shut");
    let producer: FutureProducer = client.create().unwrap();
    let send = async |topic| {
        let sent = producer.send(FutureRecord::<str, str>::to(topic).payload("x"), Duration::ZERO).await;
        sent.map(drop).map_err(|(error, _)| error.rdkafka_error_code())
    };
    assert_eq!(send("open").await, Ok(()));
    assert_eq!(send("shut").await, Err(Some(RDKafkaErrorCode::TopicAuthorizationFailed)));
    assert_eq!(send("nobody_made_this").await, Err(Some(RDKafkaErrorCode::UnknownTopicOrPartition)));
}

#[test]
fn redis_is_empty_after_a_flush_and_after_any_end() {
    let redis = Redis::start();
    redis.flush();
    redis.kill();
    assert!(redis.answers().is_err());
    redis.start_again();
    redis.restart();
    assert_eq!(redis.answers(), Ok(()));
}

/// One of each, without what this test's own run may have been given.
fn services(script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_services"));
    for given in ["DATABASE_URL", "REDIS_URL", "KAFKA_BROKERS"] {
        command.env_remove(given);
    }
    command.args(["run", "--", "sh", "-c", script]);
    command
}

#[test]
fn the_command_gets_an_address_of_each_and_its_exit_code_counts() {
    let asked = services(r#"test "$DATABASE_URL" && test "$REDIS_URL" && test "$KAFKA_BROKERS" && exit 7"#);
    assert_eq!({ asked }.status().unwrap().code(), Some(7));
}

#[test]
fn servers_end_with_whoever_started_them_however_that_ends() {
    let mut command = services(r#"echo "$KAFKA_BROKERS"; echo "${REDIS_URL#redis://}"; read -r end"#);
    let mut run = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let addresses: Vec<String> = lines.take(2).map(Result::unwrap).collect();
    assert_eq!(addresses.len(), 2);
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_ok()), "{addresses:?}");
    run.kill().unwrap();
    run.wait().unwrap();
    let begun = Instant::now();
    while addresses.iter().any(|address| TcpStream::connect(address).is_ok()) {
        assert!(begun.elapsed() < Duration::from_secs(20), "still there: {addresses:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
