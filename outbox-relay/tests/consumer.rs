//! Consuming from a real Kafka: each event acted on once, in order, whoever crashes; what cannot be goes aside.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "common/topic.rs"]
mod topic;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_services::kafka_brokers;
use common::{NOW, Outbox, event};
use outbox_relay::consumer::{
    ConsumerPace, Failure, Handler, Incoming, Subscription, consume, dead_letters_of,
};
use outbox_relay::{Event, KafkaOptions, KafkaSink, Options, Relay, Sink, TopicPlan, inbox};
use sqlx::Row as _;
use tokio_util::sync::CancellationToken;
use topic::{PATIENCE, all, topic};

const PACE: ConsumerPace = ConsumerPace {
    attempts: 3,
    pause_min: Duration::from_millis(20),
    pause_max: Duration::from_millis(200),
    grace: Duration::from_secs(5),
};

fn kafka() -> KafkaOptions {
    KafkaOptions {
        topics: Some(TopicPlan { partitions: 4, replication: 1 }),
        ..KafkaOptions::new(kafka_brokers())
    }
}

/// What happens at one subject.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    Poison,
    Fails,
    FailsOnce,
    LaterTwice,
    /// Committed, and then nothing more is heard of the process.
    DiesAfterCommit,
}

/// Writes what it acts on into a table of its own, in the transaction of the inbox row.
struct Deeds {
    outbox: Arc<Outbox>,
    fates: BTreeMap<String, Fate>,
    attempts: Mutex<BTreeMap<String, usize>>,
    dead: AtomicBool,
    repeated: AtomicUsize,
}

impl Deeds {
    async fn over(outbox: &Arc<Outbox>, fates: &[(&str, Fate)]) -> Arc<Self> {
        let counted = if outbox.on_sqlite() { "INTEGER" } else { "BIGSERIAL" };
        let table = format!(
            "CREATE TABLE deeds (n {counted} PRIMARY KEY, key TEXT NOT NULL, sequence BIGINT NOT NULL)"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(table)).execute(&outbox.pool).await.unwrap();
        Arc::new(Self {
            outbox: Arc::clone(outbox),
            fates: fates.iter().map(|(subject, fate)| ((*subject).to_owned(), *fate)).collect(),
            attempts: Mutex::default(),
            dead: AtomicBool::new(false),
            repeated: AtomicUsize::new(0),
        })
    }

    fn attempts(&self, subject: &str) -> usize {
        self.attempts.lock().unwrap().get(subject).copied().unwrap_or(0)
    }
}

#[async_trait]
impl Handler for Deeds {
    async fn handle(&self, message: &Incoming) -> Result<(), Failure> {
        let subject = message.header("ce_subject").to_owned();
        let attempt = {
            let mut attempts = self.attempts.lock().unwrap();
            let attempt = attempts.entry(subject.clone()).or_default();
            *attempt += 1;
            *attempt
        };
        let fate = self.fates.get(&subject).copied().unwrap_or(Fate::Fine);
        match fate {
            Fate::Poison => return Err(Failure::Poison("scripted".into())),
            Fate::Fails => return Err(Failure::Failed("it always fails".into())),
            Fate::FailsOnce if attempt == 1 => return Err(Failure::Failed("once".into())),
            Fate::LaterTwice if attempt <= 2 => return Err(Failure::Later("twice".into())),
            _ => {}
        }
        let mut tx = self.outbox.pool.begin().await.unwrap();
        if inbox::first_sight(&mut tx, "test", message.event_id()?, NOW).await.unwrap() {
            let sequence: i64 = message.header("ce_sequence").parse().unwrap();
            sqlx::query("INSERT INTO deeds (key, sequence) VALUES ($1, $2)")
                .bind(String::from_utf8(message.key.clone()).unwrap())
                .bind(sequence)
                .execute(&mut *tx)
                .await
                .unwrap();
        } else {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
        tx.commit().await.unwrap();
        if fate == Fate::DiesAfterCommit && !self.dead.swap(true, Ordering::AcqRel) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// Sequences by key, in the order in which they were acted on.
async fn deeds(outbox: &Outbox) -> BTreeMap<String, Vec<i64>> {
    let rows =
        sqlx::query("SELECT key, sequence FROM deeds ORDER BY n").fetch_all(&outbox.pool).await.unwrap();
    let mut deeds = BTreeMap::<String, Vec<i64>>::new();
    for row in rows {
        deeds.entry(row.get("key")).or_default().push(row.get("sequence"));
    }
    deeds
}

async fn count(outbox: &Outbox) -> usize {
    deeds(outbox).await.values().map(Vec::len).sum()
}

/// Publishes events of these keys and subjects, `times` over.
async fn publish(outbox: &Outbox, topic: &str, events: &[(String, String)], times: usize) {
    for (key, subject) in events {
        outbox.append(&Event { topic: topic.to_owned(), ..event(key, subject) }).await.unwrap();
    }
    let sink = Arc::new(KafkaSink::new(kafka()).unwrap());
    let relay =
        Relay::new(Arc::new(outbox.source.clone()), Arc::clone(&sink) as Arc<dyn Sink>, Options::default());
    relay.tick(NOW).await.unwrap();
    for _ in 1..times {
        relay.replay_window(Duration::from_secs(60), NOW).await.unwrap();
    }
}

fn subscription(group: &str, topic: &str, handler: &Arc<Deeds>) -> Subscription {
    Subscription {
        group: group.to_owned().leak(),
        topics: vec![topic.to_owned().leak()],
        handler: Arc::clone(handler) as Arc<dyn Handler>,
    }
}

fn start(subscription: Subscription, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
    let stop = stop.clone();
    tokio::spawn(async move { consume(subscription, &kafka(), PACE, stop).await.unwrap() })
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

fn keys(keys: usize, each: usize) -> Vec<(String, String)> {
    (0..keys * each).map(|n| (format!("key-{}", n % keys), format!("subject-{n}"))).collect()
}

fn in_order(deeds: &BTreeMap<String, Vec<i64>>, keys: usize, each: i64) {
    assert_eq!(deeds.len(), keys);
    for (key, sequences) in deeds {
        assert_eq!(*sequences, (1..=each).collect::<Vec<_>>(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_often_is_acted_on_once_and_in_order() {
    let (outbox, name) = (Arc::new(Outbox::open().await), topic("often"));
    let handler = Deeds::over(&outbox, &[]).await;
    publish(&outbox, &name, &keys(7, 10), 3).await;
    let stop = CancellationToken::new();
    let running = start(subscription(&name, &name, &handler), &stop);
    until("all were delivered", async || handler.repeated.load(Ordering::Relaxed) >= 140).await;
    stop.cancel();
    running.await.unwrap();
    in_order(&deeds(&outbox).await, 7, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_between_the_commit_and_the_place_repeats_nothing() {
    let (outbox, name) = (Arc::new(Outbox::open().await), topic("death"));
    let events = keys(1, 20);
    publish(&outbox, &name, &events, 1).await;
    let handler = Deeds::over(&outbox, &[("subject-9", Fate::DiesAfterCommit)]).await;
    let first = start(subscription(&name, &name, &handler), &CancellationToken::new());
    until("it died", async || handler.dead.load(Ordering::Acquire)).await;
    assert_eq!(count(&outbox).await, 10, "nothing of the partition passes it");
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());

    let stop = CancellationToken::new();
    let second = start(subscription(&name, &name, &handler), &stop);
    until("the next one goes on", async || count(&outbox).await == 20).await;
    stop.cancel();
    second.await.unwrap();
    assert_eq!(handler.attempts("subject-9"), 2, "it was delivered again");
    in_order(&deeds(&outbox).await, 1, 20);

    // In good order the place is kept: nothing comes again.
    let before = handler.repeated.load(Ordering::Relaxed);
    let (stop, fresh) = (CancellationToken::new(), vec![("key-0".to_owned(), "fresh".to_owned())]);
    let third = start(subscription(&name, &name, &handler), &stop);
    publish(&outbox, &name, &fresh, 1).await;
    until("the fresh one is acted on", async || count(&outbox).await == 21).await;
    stop.cancel();
    third.await.unwrap();
    assert_eq!(handler.repeated.load(Ordering::Relaxed), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_acted_on_goes_aside_with_its_reason_and_the_rest_goes_on() {
    let (outbox, name) = (Arc::new(Outbox::open().await), topic("aside"));
    let fates = [
        ("subject-3", Fate::Poison),
        ("subject-8", Fate::Fails),
        ("subject-9", Fate::FailsOnce),
        ("subject-11", Fate::LaterTwice),
    ];
    let handler = Deeds::over(&outbox, &fates).await;
    publish(&outbox, &name, &keys(4, 5), 1).await;
    let stop = CancellationToken::new();
    let running = start(subscription(&name, &name, &handler), &stop);
    until("the rest is acted on", async || count(&outbox).await == 18).await;
    let brokers = kafka_brokers();
    let dead_topic = dead_letters_of(&name);
    until("both are aside", async || all(&brokers, &dead_topic).await.len() == 2).await;
    stop.cancel();
    running.await.unwrap();

    let mut dead = all(&brokers, &dead_topic).await;
    dead.sort_by_key(|letter| letter.headers["ce_subject"].clone());
    let told = |name: &str| dead.iter().map(|letter| letter.headers[name].clone()).collect::<Vec<_>>();
    assert_eq!(told("ce_subject"), ["subject-3", "subject-8"]);
    assert_eq!(told("dlt_why"), ["it cannot be understood: scripted", "it always fails"]);
    assert_eq!(told("dlt_attempts"), ["1", "3"]);
    assert_eq!(told("dlt_topic"), [name.clone(), name.clone()]);
    assert_eq!(told("dlt_group"), [name.clone(), name.clone()]);
    assert!(dead.iter().all(|letter| letter.headers.contains_key("dlt_offset") && !letter.key.is_empty()));
    let attempts = ["subject-3", "subject-8", "subject-9", "subject-11"].map(|s| handler.attempts(s));
    assert_eq!(attempts, [1, 3, 2, 3]);
    for (key, sequences) in deeds(&outbox).await {
        assert!(sequences.is_sorted(), "{key}: {sequences:?}");
    }
}

/// Members of a group come and go while events flow; on Postgres, where two of them can be at one message at once.
#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_and_go_act_on_everything_once_and_in_order() {
    let (outbox, name) = (Arc::new(Outbox::on_postgres().await), topic("members"));
    let handler = Deeds::over(&outbox, &[]).await;
    let stops: Vec<_> = (0..3).map(|_| CancellationToken::new()).collect();
    let mut running = Vec::new();
    for round in 0..6 {
        if let Some(stop) = stops.get(round) {
            running.push(start(subscription(&name, &name, &handler), stop));
        }
        publish(&outbox, &name, &keys(8, 10), 1).await;
        if round == 3 {
            stops[0].cancel();
            running.remove(0).await.unwrap();
        }
        if round == 4 {
            running.remove(0).abort();
        }
        let so_far = (round + 1) * 40;
        until("half is acted on", async || count(&outbox).await >= so_far).await;
    }
    until("all are acted on", async || count(&outbox).await == 480).await;
    stops.iter().for_each(CancellationToken::cancel);
    for task in running {
        task.await.unwrap();
    }
    in_order(&deeds(&outbox).await, 8, 60);
}
